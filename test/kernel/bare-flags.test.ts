import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bareFlagsScenario, STATE_OF_MARK } from './bare-flags.ts';
import { recordedOf, type StoredCase } from './scenario.ts';

const path = new URL('cases/made-bare-flags.json', import.meta.url);
const recorded = recordedOf(JSON.parse(readFileSync(path, 'utf8')) as StoredCase);

/**
 * States that a kernel (6.18) gave to a bare RST and a bare FIN from client and server, each with those of an ACK from either side
 * behind it. Where this differs from the table of linux-forwarding 2.11, which was measured with RST+ACK and FIN+ACK:
 * - A bare FIN is INVALID in every state: no flags that TCP may send. Ref: nf_conntrack_proto_tcp.c: tcp_valid_flags.
 *   An ACK of it is INVALID, too, as conntrack has seen nothing that it could acknowledge.
 * - A bare RST from the client in SYN_SENT is accepted (NEW) and ends the entry, as no answer was seen: the ACK behind it begins another.
 */
const BARE: readonly (readonly [
  state: string,
  clientRst: string,
  clientFin: string,
  serverRst: string,
  serverFin: string,
])[] = [
  ['none', 'INVALID NEW ESTABLISHED', 'INVALID NEW ESTABLISHED', 'INVALID NEW ESTABLISHED', 'INVALID NEW ESTABLISHED'],
  [
    'SYN_SENT',
    'NEW NEW ESTABLISHED',
    'INVALID INVALID ESTABLISHED',
    'ESTABLISHED NEW ESTABLISHED',
    'INVALID INVALID ESTABLISHED',
  ],
  [
    'SYN_SENT2',
    'ESTABLISHED ESTABLISHED ESTABLISHED',
    'INVALID INVALID ESTABLISHED',
    'ESTABLISHED ESTABLISHED ESTABLISHED',
    'INVALID INVALID ESTABLISHED',
  ],
  ...['SYN_RECV', 'ESTABLISHED', 'FIN_WAIT', 'CLOSE_WAIT', 'LAST_ACK', 'TIME_WAIT', 'CLOSE'].map(
    (state) =>
      [
        state,
        'ESTABLISHED ESTABLISHED ESTABLISHED',
        'INVALID ESTABLISHED ESTABLISHED',
        'ESTABLISHED ESTABLISHED ESTABLISHED',
        'INVALID INVALID ESTABLISHED',
      ] as const,
  ),
];

describe('bare RST and FIN', () => {
  it('are recorded as they are made', () => {
    const made = bareFlagsScenario().frames;
    expect(recorded.frames.map(({ hex }) => hex)).toEqual(made.map(({ hex }) => hex));
    expect(recorded.frames.map(({ label }) => label)).toEqual(made.map(({ label }) => label));
  });

  it.each(BARE)('in %s', (state, ...want) => {
    const got = ['C RST', 'C FIN', 'S RST', 'S FIN'].map((segment) =>
      ['', ' then C', ' then S']
        .map((behind) => recorded.frames.findIndex(({ label }) => label === `${state} ${segment}${behind}`))
        .map((frame) => STATE_OF_MARK[recorded.answers[frame]!.mark!])
        .join(' '),
    );
    expect(got).toEqual(want);
  });
});
