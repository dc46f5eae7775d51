import { describe, expect, it } from 'vitest';
import { formatTimestamp } from '../../src/report/build-report.ts';
import { exitCodeOf, type Report } from '../../src/report/report.ts';
import { clientLeg, direct, session, Traffic } from '../findings/build-capture.ts';
import { Rule } from '../findings/router-state.ts';
import { report } from '../findings/run-verify.ts';

/** Every name in a value, with null told. */
function nullsIn(value: unknown, path = ''): string[] {
  if (value === null || value === undefined) return [path];
  if (typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, item]) => nullsIn(item, `${path}.${key}`));
}

/** Three sessions, of which the second goes past SPS. */
function mixed(): Traffic {
  const traffic = session(new Traffic());
  direct(traffic, { clientPort: 41_000, server: '10.0.0.66' });
  return session(traffic, { clientPort: 42_000 });
}
const ONE_SERVER = { mangle: [Rule.requests.replace('10.0.0.0/24', '10.0.0.10/32'), Rule.mark] };

describe('a report', () => {
  it('has the keys of the contract, in its order', async () => {
    const made = await report({ capture: mixed(), state: ONE_SERVER });
    expect(Object.keys(made)).toEqual([
      'schema',
      'verdict',
      'mode',
      'captures',
      'vantage',
      'router',
      'intent',
      'summary',
      'connections',
      'findings',
    ]);
    expect(Object.keys(made.summary)).toEqual([
      'packets',
      'monitoredPackets',
      'connections',
      'verified',
      'failed',
      'inconclusive',
      'findings',
    ]);
    expect(Object.keys(made.intent)).toEqual([
      'sps',
      'spsInterfaces',
      'snat',
      'services',
      'clients',
      'servers',
      'inferred',
    ]);
    expect(Object.keys(made.connections[0]!)).toEqual([
      'id',
      'protocol',
      'client',
      'server',
      'leg',
      'session',
      'verdict',
      'clientToServer',
      'serverToClient',
      'findings',
    ]);
    expect(Object.keys(made.connections[0]!.clientToServer)).toEqual([
      'packets',
      'viaSps',
      'bypassed',
      'dropped',
      'looped',
      'undetermined',
      'observed',
      'probes',
      'basis',
    ]);
    expect(Object.keys(made.findings[0]!)).toEqual([
      'id',
      'code',
      'slug',
      'severity',
      'message',
      'count',
      'where',
      'causes',
      'connections',
      'notes',
      'fix',
      'undo',
      'persist',
    ]);
    expect(made).toMatchObject({ schema: 'redirect-verify/report/1', mode: 'observed', verdict: 'failed' });
  });

  it('leaves out what is not there, rather than null', async () => {
    const made = await report({ capture: clientLeg(new Traffic()).open().traffic });
    expect(nullsIn(made)).toEqual([]);
    expect(made.connections[0]).not.toHaveProperty('session');
    expect(made.router).not.toHaveProperty('hostname');
    expect(made).not.toHaveProperty('connectionsOmitted');
    const empty = await report({ capture: new Traffic() });
    expect(nullsIn(empty)).toEqual([]);
    expect(empty.captures[0]).not.toHaveProperty('firstTimestamp');
  });

  it('is the same, byte for byte, for the same input', async () => {
    const render = async (): Promise<string> => JSON.stringify(await report({ capture: mixed(), state: ONE_SERVER }));
    expect(await render()).toBe(await render());
  });

  it('counts entries of findings by severity, numbered from 1 with errors first', async () => {
    const made = await report({ capture: mixed(), state: ONE_SERVER });
    const rank = { error: 0, warning: 1, note: 2 };
    expect(made.findings.map((item) => item.id)).toEqual(made.findings.map((_, index) => index + 1));
    const ranks = made.findings.map((item) => rank[item.severity]);
    expect(ranks).toEqual([...ranks].sort());
    expect(made.summary.findings.error).toBe(made.findings.filter((item) => item.severity === 'error').length);
    for (const item of made.findings) for (const id of item.causes) expect(made.findings[id - 1]).toBeDefined();
  });

  it('gives captures with their timestamps', async () => {
    const made = await report({ capture: session(new Traffic()) });
    expect(made.captures).toEqual([
      {
        path: 'capture.pcapng',
        format: 'pcapng',
        packets: 36,
        bytes: expect.any(Number),
        interfaces: ['eth0', 'eth1', 'eth2'],
        truncated: false,
        vantage: 'router',
        firstTimestamp: '2026-05-28T20:26:40.000000000Z',
        lastTimestamp: expect.stringMatching(/^2026-05-28T20:26:40\.\d{9}Z$/),
      },
    ]);
  });

  it('names at most a hundred connections of a finding', async () => {
    const traffic = new Traffic();
    for (let port = 0; port < 120; port++)
      clientLeg(traffic, { clientPort: 40_000 + port }).request('S', 0, { from: { at: 'eth0', mac: 0x0200c0a8000a } });
    const made = await report({ capture: traffic, state: { redirectRoutes: ['blackhole default'] } });
    const found = made.findings.find((item) => item.code === 'RV504')!;
    expect(found.count).toBe(120);
    expect(found.connections).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
    expect(made.summary).toMatchObject({ connections: 120, failed: 120 });
    expect(made.connections.every((item) => item.findings.includes('RV504'))).toBe(true);
  });
});

describe('--connections', () => {
  const made = (connections?: 'all' | 'failed' | 'none'): Promise<Report> =>
    report({ capture: mixed(), state: ONE_SERVER, ...(connections !== undefined && { connections }) });

  it.each<{ which: 'all' | 'failed' | 'none' | undefined; ids: readonly number[]; omitted: number | undefined }>([
    { which: undefined, ids: [1, 2, 3, 4, 5], omitted: undefined },
    { which: 'all', ids: [1, 2, 3, 4, 5], omitted: undefined },
    { which: 'failed', ids: [3], omitted: 4 },
    { which: 'none', ids: [], omitted: 5 },
  ])('$which lists $ids', async ({ which, ids, omitted }) => {
    const listed = await made(which);
    expect(listed.connections.map((item) => item.id)).toEqual(ids);
    expect(listed.connectionsOmitted).toBe(omitted);
    if (omitted === undefined) expect(listed).not.toHaveProperty('connectionsOmitted');
    // What is listed changes neither the verdict nor the counts.
    expect(listed.summary).toEqual((await made()).summary);
    expect(exitCodeOf(listed, 'error')).toBe(1);
  });

  it('beyond ten thousand lists the failed ones', async () => {
    const traffic = new Traffic();
    for (let index = 0; index < 10_001; index++) {
      const client = `192.168.0.${10 + Math.floor(index / 5000)}`;
      clientLeg(traffic, { client, clientPort: 1024 + (index % 5000) }).request('S');
    }
    const listed = await report({ capture: traffic });
    expect(listed.summary.connections).toBe(10_001);
    expect(listed.connections.length + (listed.connectionsOmitted ?? 0)).toBe(10_001);
    expect(listed.connections.every((item) => item.verdict === 'failed')).toBe(true);
  });
});

describe('formatTimestamp', () => {
  it.each<[seconds: number, nanoseconds: number, want: string]>([
    [0, 0, '1970-01-01T00:00:00.000000000Z'],
    [0, 1, '1970-01-01T00:00:00.000000001Z'],
    [1_700_000_000, 123_456_789, '2023-11-14T22:13:20.123456789Z'],
    [1_700_000_000, 999_999_999, '2023-11-14T22:13:20.999999999Z'],
    [4_294_967_295, 5, '2106-02-07T06:28:15.000000005Z'],
  ])('of %i s and %i ns is %s', (seconds, nanoseconds, want) => {
    expect(formatTimestamp(seconds, nanoseconds)).toBe(want);
  });
});
