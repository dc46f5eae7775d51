import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConnectionLog, Seen } from '../../src/observation/connection-log.ts';
import { ServerEnd } from '../../src/observation/monitored.ts';
import { type RowParts, rows } from './rows.ts';

const FIN = 0x11;
const SYN = 0x02;
const SYN_ACK = 0x12;
const RST = 0x04;
const ACK = 0x10;

const back = (parts: RowParts): RowParts => ({
  ...parts,
  source: parts.destination ?? '10.0.0.10',
  destination: parts.source ?? '192.168.0.10',
  sourcePort: parts.destinationPort ?? 3389,
  destinationPort: parts.sourcePort ?? 40_000,
});

/** `bySps`: it came in where SPS is. */
type Packet = RowParts & { readonly end?: number; readonly bySps?: boolean };

/** Ids of the connections that packets belong to, by who is the server. */
function idsOf(list: readonly Packet[]): number[] {
  const log = new ConnectionLog();
  return list.map(
    ({ end = ServerEnd.destination, bySps = false, ...parts }) => log.atRow(log.find(rows(parts), 0, end, bySps)).id,
  );
}

describe('packets of one five-tuple', () => {
  const T = 1_700_000_000;

  it.each<{ name: string; list: readonly Packet[]; want: readonly number[] }>([
    {
      name: 'belong to one connection, whichever way they go',
      list: [{ flags: SYN }, { ...back({ flags: SYN_ACK }), end: ServerEnd.source }, { flags: ACK }],
      want: [1, 1, 1],
    },
    {
      name: 'that differ in the client’s port belong to two',
      list: [{ flags: SYN }, { flags: SYN, sourcePort: 40_001 }],
      want: [1, 2],
    },
    { name: 'that differ in the protocol belong to two', list: [{ protocol: 6 }, { protocol: 17 }], want: [1, 2] },
    {
      name: 'a SYN again is of the same connection',
      list: [
        { flags: SYN, sequence: 5 },
        { flags: SYN, sequence: 5, seconds: T + 1 },
      ],
      want: [1, 1],
    },
    {
      name: 'a SYN with another number, while the first lives, is of the same',
      list: [
        { flags: SYN, sequence: 5 },
        { flags: SYN, sequence: 6, seconds: T + 1 },
      ],
      want: [1, 1],
    },
    {
      name: 'a SYN after both sides closed begins another',
      list: [
        { flags: SYN, sequence: 5 },
        { flags: FIN },
        { ...back({ flags: FIN }), end: ServerEnd.source },
        { flags: SYN, sequence: 9 },
        { flags: ACK },
      ],
      want: [1, 1, 1, 2, 2],
    },
    {
      name: 'a SYN after one of two sessions on it closed does not: SPS keeps the client’s port',
      list: [
        { flags: SYN, sequence: 5 },
        { ...back({ flags: SYN_ACK }), end: ServerEnd.source, bySps: true },
        { flags: SYN, sequence: 9, bySps: true },
        { ...back({ flags: SYN_ACK }), end: ServerEnd.source },
        { flags: FIN, bySps: true },
        { ...back({ flags: FIN }), end: ServerEnd.source },
        { flags: SYN, sequence: 11 },
      ],
      want: [1, 1, 1, 1, 1, 1, 1],
    },
    {
      name: 'a SYN after both of two sessions on it closed begins another',
      list: [
        { flags: SYN, sequence: 5 },
        { flags: SYN, sequence: 9, bySps: true },
        { flags: FIN, bySps: true },
        { ...back({ flags: FIN }), end: ServerEnd.source },
        { flags: FIN },
        { ...back({ flags: FIN }), end: ServerEnd.source, bySps: true },
        { flags: SYN, sequence: 11 },
      ],
      want: [1, 1, 1, 1, 1, 1, 2],
    },
    {
      name: 'a SYN after one side closed does not',
      list: [{ flags: SYN, sequence: 5 }, { flags: FIN }, { flags: SYN, sequence: 9 }],
      want: [1, 1, 1],
    },
    {
      name: 'a SYN after a reset begins another',
      list: [
        { flags: SYN, sequence: 5 },
        { ...back({ flags: RST }), end: ServerEnd.source },
        { flags: SYN, sequence: 9 },
      ],
      want: [1, 1, 2],
    },
    {
      name: 'a SYN repeated after a reset does not: it is the old one',
      list: [
        { flags: SYN, sequence: 5 },
        { ...back({ flags: RST }), end: ServerEnd.source },
        { flags: SYN, sequence: 5 },
      ],
      want: [1, 1, 1],
    },
    {
      name: 'a late ACK after the close stays with the first',
      list: [{ flags: SYN, sequence: 5 }, { flags: RST }, { flags: ACK }],
      want: [1, 1, 1],
    },
    {
      name: 'a SYN after long silence begins another',
      list: [
        { flags: SYN, sequence: 5 },
        { flags: SYN, sequence: 9, seconds: T + 301 },
      ],
      want: [1, 2],
    },
    {
      name: 'of TCP data after long silence is of the same',
      list: [
        { flags: SYN, sequence: 5 },
        { flags: ACK, seconds: T + 90_000 },
      ],
      want: [1, 1],
    },
    {
      name: 'of UDP after long silence begin another',
      list: [{ protocol: 17 }, { protocol: 17, seconds: T + 100 }, { protocol: 17, seconds: T + 300 }],
      want: [1, 1, 2],
    },
  ])('$name', ({ list, want }) => {
    expect(idsOf(list)).toEqual(want);
  });

  it('are of one direction by who began, where both ends are monitored ports', () => {
    const log = new ConnectionLog();
    const there = { sourcePort: 3389, destinationPort: 3389, flags: SYN };
    const first = log.atRow(log.find(rows(there), 0, ServerEnd.both));
    expect([first.id, log.toServer]).toEqual([1, true]);
    const answer = log.atRow(log.find(rows(back({ ...there, flags: SYN_ACK })), 0, ServerEnd.both));
    expect([answer.id, log.toServer]).toEqual([1, false]);
  });

  it('begin with an answer where the request was not captured', () => {
    const log = new ConnectionLog();
    const opening = rows(back({ sourcePort: 3389, destinationPort: 3389, flags: SYN_ACK }));
    const answer = log.atRow(log.find(opening, 0, ServerEnd.both));
    expect(log.toServer).toBe(false);
    expect(answer.client[0]).toBe(0xc0a8000a);
  });
});

describe('what was seen of a connection', () => {
  it('is kept by direction', () => {
    const log = new ConnectionLog();
    const seen = (parts: RowParts, end: number): number => log.atRow(log.find(rows(parts), 0, end)).seen;
    expect(seen({ flags: SYN }, ServerEnd.destination)).toBe(Seen.synToServer);
    expect(seen(back({ flags: SYN_ACK }), ServerEnd.source)).toBe(Seen.synToServer | Seen.synToClient);
    expect(seen({ flags: ACK }, ServerEnd.destination) & Seen.establishedByClient).not.toBe(0);
    expect(seen(back({ flags: FIN }), ServerEnd.source) & (Seen.finToClient | Seen.finToServer)).toBe(Seen.finToClient);
    expect(seen({ flags: FIN }, ServerEnd.destination) & Seen.finToServer).not.toBe(0);
    expect(seen({ flags: RST }, ServerEnd.destination) & Seen.reset).not.toBe(0);
  });

  it('counts packets by way, with the first frame and the copies', () => {
    const log = new ConnectionLog();
    const batch = rows({ flags: SYN, frame: 12 });
    const connection = log.find(batch, 0, ServerEnd.destination);
    const token = log.count(connection, 3, batch, 0);
    expect(log.count(connection, 3, rows({ frame: 14 }), 0)).toBe(token);
    const other = log.count(connection, 4, rows({ frame: 15 }), 0);
    expect(other).not.toBe(token);
    log.observe(token, 1, 42);
    log.observe(token, 1, 42);
    log.observe(token, 2, 42);
    expect(log.countOf(token)).toMatchObject({
      path: 3,
      packets: 2,
      firstFrame: 12,
      observed: [
        { interface: 1, destinationMac: 42, packets: 2 },
        { interface: 2, destinationMac: 42, packets: 1 },
      ],
    });
    expect(log.countOf(other)).toMatchObject({ path: 4, packets: 1, firstFrame: 15, observed: [] });
  });
});

describe('a log of many connections', () => {
  it('finds each again when it has grown', () => {
    const log = new ConnectionLog();
    const parts = (index: number): RowParts => ({
      source: `10.${(index >>> 8) & 255}.${index & 255}.1`,
      sourcePort: 1024 + (index % 7),
      flags: SYN,
      sequence: index,
    });
    for (let index = 0; index < 5000; index++)
      expect(log.atRow(log.find(rows(parts(index)), 0, ServerEnd.destination)).id).toBe(index + 1);
    for (let index = 0; index < 5000; index++)
      expect(log.atRow(log.find(rows({ ...parts(index), flags: ACK }), 0, ServerEnd.destination)).id).toBe(index + 1);
    expect(log.connections).toHaveLength(5000);
  });

  it('agrees with a map of five-tuples', () => {
    const packet = fc.record({
      port: fc.nat(4),
      host: fc.nat(3),
      back: fc.boolean(),
      protocol: fc.constantFrom(6, 17),
    });
    fc.assert(
      fc.property(fc.array(packet, { maxLength: 80 }), (packets) => {
        const log = new ConnectionLog();
        const known = new Map<string, number>();
        for (const { port, host, back: reversed, protocol } of packets) {
          const forth: RowParts = { source: `192.168.0.${host}`, sourcePort: 5000 + port, protocol, flags: ACK };
          const key = `${host}/${port}/${protocol}`;
          if (!known.has(key)) known.set(key, known.size + 1);
          const batch = rows(reversed ? back(forth) : forth);
          expect(log.atRow(log.find(batch, 0, reversed ? ServerEnd.source : ServerEnd.destination)).id).toBe(
            known.get(key),
          );
          expect(log.toServer).toBe(!reversed);
        }
        expect(log.connections).toHaveLength(known.size);
      }),
    );
  });
});
