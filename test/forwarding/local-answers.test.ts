import { describe, expect, it } from 'vitest';
import type { ListeningSocket } from '../../src/model/listening-socket.ts';
import { device, Lab, type PacketParts, type RouterParts } from './builders.ts';

const SYN: PacketParts = { from: '192.168.0.10:40000', to: '192.168.0.254:3389', flags: 'S', sequence: 1000 };
const ACK: PacketParts = { ...SYN, flags: 'A', sequence: 1001, acknowledgement: 5001 };
const STATES = ['NEW', 'ESTABLISHED', 'INVALID'];

/** Packets of each state go on with a mark of their own, so that a state that is not known shows. */
function lab(listening: readonly ListeningSocket[] | undefined, parts: Partial<RouterParts> = {}): Lab {
  const made = device({
    links: ['eth0 192.168.0.254/24', 'eth2 10.0.0.254/24'],
    tables: {
      mangle: [
        ...STATES.map(
          (state, index) => `-A PREROUTING -m conntrack --ctstate ${state} -j MARK --set-xmark 0x${index + 1}`,
        ),
        '-A PREROUTING -m mark --mark 0x3 -j DROP',
        ...(parts.tables?.mangle ?? []),
      ],
      ...(parts.tables?.raw === undefined ? {} : { raw: parts.tables.raw }),
    },
    ...(parts.sysctls === undefined ? {} : { sysctls: parts.sysctls }),
  });
  return new Lab(listening === undefined ? made : { ...made, listening });
}

/** The states in which the packets are seen; `?` where that is not known. */
function statesOf(router: Lab, packets: readonly PacketParts[]): string[] {
  return packets.map((packet) => {
    const result = router.send('eth0', packet);
    const known = !result.startsWith('undetermined') && (router.decisions.flags[0]! & 16) === 0;
    return known ? (STATES[router.mark - 1] ?? result) : '?';
  });
}

describe("the router's own answers", () => {
  const listener = { protocol: 6, port: 3389 };
  it.each<{
    name: string;
    listening: readonly ListeningSocket[] | undefined;
    packets: readonly PacketParts[];
    want: readonly string[];
    parts?: Partial<RouterParts>;
  }>([
    { name: 'a reset ends what the SYN began', listening: [], packets: [SYN, SYN, ACK], want: ['NEW', 'NEW', 'NEW'] },
    { name: 'a program may answer', listening: [listener], packets: [SYN, ACK], want: ['NEW', '?'] },
    {
      name: 'a program at another address does not',
      listening: [{ ...listener, address: 0x0a0000fe }],
      packets: [SYN, ACK],
      want: ['NEW', 'NEW'],
    },
    { name: 'without the list nothing is known', listening: undefined, packets: [SYN, ACK], want: ['NEW', '?'] },
    {
      name: "the router's own connections are in no list",
      listening: [],
      packets: [
        { ...ACK, to: '192.168.0.254:40123' },
        { ...ACK, to: '192.168.0.254:40123' },
      ],
      want: ['NEW', '?'],
    },
    {
      name: 'an ICMP error has no part in an entry of UDP',
      listening: [],
      packets: [
        { ...SYN, protocol: 'udp' },
        { ...SYN, protocol: 'udp' },
      ],
      want: ['NEW', 'NEW'],
    },
    {
      name: 'rules of raw OUTPUT may keep the answer from its entry',
      listening: [],
      packets: [SYN, ACK],
      want: ['NEW', '?'],
      parts: { tables: { raw: ['-A OUTPUT -j CT --notrack'] } },
    },
  ])('$name', ({ listening, packets, want, parts }) => {
    expect(statesOf(lab(listening, parts), packets)).toEqual(want);
  });
});
