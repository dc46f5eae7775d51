import { describe, expect, it } from 'vitest';
import type { ListeningSocket } from '../../src/model/listening-socket.ts';
import { Status } from '../../src/wire/packet-batch.ts';
import { device, Lab, span, type PacketParts, type RouterParts } from './builders.ts';

const SYN: PacketParts = { from: '192.168.0.10:40000', to: '192.168.0.254:3389', flags: 'S', sequence: 1000 };
const ACK: PacketParts = { ...SYN, flags: 'A', sequence: 1001, acknowledgement: 5001 };
const RESET: PacketParts = { ...SYN, flags: 'R', sequence: 1001 };
const STATES = ['NEW', 'ESTABLISHED', 'INVALID'];

/** Settings that are no numbers of an interface. */
type Parts = Partial<RouterParts> & { readonly texts?: Readonly<Record<string, string>> };

/** Packets of each state go on with a mark of their own, so that a state that is not known shows. */
function lab(listening: readonly ListeningSocket[] | undefined, parts: Parts = {}): Lab {
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
    ...(parts.known === undefined ? {} : { known: parts.known }),
    ...(parts.sysctls === undefined ? {} : { sysctls: parts.sysctls }),
  });
  const sysctls = new Map(made.sysctls);
  for (const [key, value] of Object.entries(parts.texts ?? {}))
    sysctls.set(key, { value, origin: span(`${key} = ${value}`) });
  return new Lab({ ...made, sysctls, ...(listening === undefined ? {} : { listening }) }, { verifyChecksums: true });
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
    parts?: Parts;
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
    {
      name: 'a segment in the middle is answered with a reset, too, and what it acknowledges begins anew',
      listening: [],
      packets: [ACK, ACK, { ...ACK, sequence: 1002 }],
      want: ['NEW', 'NEW', 'NEW'],
    },
    {
      name: 'a reset is not answered',
      listening: [],
      packets: [SYN, RESET, RESET],
      want: ['NEW', 'dropped-by-rule', 'dropped-by-rule'],
    },
    {
      name: 'a damaged segment is INVALID, as is one that lies about its length, and leaves the entry as it is',
      listening: [],
      packets: [ACK, { ...ACK, status: Status.badTransportChecksum }, { ...ACK, status: Status.malformed }, ACK],
      want: ['NEW', 'dropped-by-rule', 'dropped-by-rule', 'NEW'],
    },
    {
      name: 'what came to everybody is not answered',
      listening: [],
      packets: [{ ...ACK, linkDestination: 2 }, ACK],
      want: ['NEW', '?'],
    },
    ...[511, 512, 1023, 1024, 32_767, 32_768, 60_999, 61_000].map((port) => ({
      name: `a segment in the middle to port ${port} is of the router's own connections where these come from such ports`,
      listening: [],
      packets: [
        { ...ACK, to: `192.168.0.254:${port}` },
        { ...ACK, to: `192.168.0.254:${port}` },
      ],
      want: ['NEW', (port >= 512 && port <= 1023) || (port >= 32_768 && port <= 60_999) ? '?' : 'NEW'],
    })),
    {
      name: 'a SYN to such a port is not',
      listening: [],
      packets: [
        { ...SYN, to: '192.168.0.254:40123' },
        { ...SYN, to: '192.168.0.254:40123' },
        { ...ACK, to: '192.168.0.254:40123' },
      ],
      want: ['NEW', 'NEW', 'NEW'],
    },
    {
      name: 'the ports of its own connections are a setting',
      listening: [],
      packets: [
        { ...ACK, to: '192.168.0.254:40123' },
        { ...ACK, to: '192.168.0.254:40123' },
        { ...ACK, to: '192.168.0.254:20000' },
        { ...ACK, to: '192.168.0.254:20000' },
      ],
      want: ['NEW', 'NEW', 'NEW', '?'],
      parts: { texts: { 'net/ipv4/ip_local_port_range': ' 20000\t20001 ' } },
    },
    {
      name: 'an answer with the mark of what it answers to may go another way',
      listening: [],
      packets: [SYN, ACK],
      want: ['NEW', '?'],
      parts: { texts: { 'net/ipv4/fwmark_reflect': '1' } },
    },
    {
      name: 'a reset that no route leads back is not sent',
      listening: [],
      packets: [
        { ...SYN, from: '8.8.8.8:40000' },
        { ...SYN, from: '8.8.8.8:40000' },
        { ...ACK, from: '8.8.8.8:40000' },
      ],
      want: ['NEW', 'NEW', 'dropped-by-rule'],
    },
    {
      name: 'whether one leads back is not known of a table that is not given',
      listening: [],
      packets: [
        { ...SYN, from: '8.8.8.8:40000' },
        { ...ACK, from: '8.8.8.8:40000' },
      ],
      want: ['?', '?'],
      parts: { known: { routeTables4: new Set([255]) } },
    },
    {
      name: 'a datagram to a port of the own connections may have been asked for',
      listening: [],
      packets: [
        { ...SYN, protocol: 'udp', to: '192.168.0.254:40123' },
        { ...SYN, protocol: 'udp', to: '192.168.0.254:40123' },
      ],
      want: ['NEW', '?'],
    },
    {
      name: 'a listener of the other protocol is none',
      listening: [{ protocol: 17, port: 3389 }],
      packets: [SYN, ACK],
      want: ['NEW', 'NEW'],
    },
    {
      name: 'a listener at this address is one',
      listening: [{ ...listener, address: 0xc0a800fe }],
      packets: [SYN, ACK],
      want: ['NEW', '?'],
    },
  ])('$name', ({ listening, packets, want, parts }) => {
    expect(statesOf(lab(listening, parts), packets)).toEqual(want);
  });
});
