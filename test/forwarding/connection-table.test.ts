/** The table of connection entries against a plain list. */
import { describe, expect, it } from 'vitest';
import {
  CONFLICT,
  ConnectionTable,
  Entry,
  ENTRY_LENGTH,
  EntryFlag,
} from '../../src/forwarding/linux/connection-table.ts';
import { dice } from '../kernel/segments.ts';

type Tuple = readonly [source: number, destination: number, ports: number];

interface Known {
  readonly protocol: number;
  readonly there: Tuple;
  readonly back: Tuple;
  readonly flags: number;
  readonly expires: number;
  readonly zones: readonly [original: number, reply: number];
}

function put(table: ConnectionTable, known: Known): number {
  const slot = table.allocate();
  table.clear(slot);
  const base = slot * ENTRY_LENGTH;
  const { words } = table;
  words[base + Entry.flags] = known.flags;
  words[base + Entry.protocol] = known.protocol;
  words.set(known.there, base + Entry.source);
  words.set(known.back, base + Entry.replySource);
  words[base + Entry.zones] = (known.zones[0] << 16) | known.zones[1];
  table.expires[slot] = known.expires;
  return slot;
}

const plain = (number: number, expires = 0): Known => ({
  protocol: 6,
  there: [number, -7, (1000 << 16) | 22],
  back: [-7, number, (22 << 16) | 1000],
  flags: EntryFlag.exists,
  expires,
  zones: [0, 0],
});

const find = (table: ConnectionTable, { protocol, there, zones }: Known): number =>
  table.find(protocol, ...there, ...zones);
const findBack = (table: ConnectionTable, { protocol, back, zones }: Known): number =>
  table.find(protocol, ...back, ...zones);

describe('entries by their tuples', () => {
  it('are found by either, through every growth, and not when they are gone', () => {
    const table = new ConnectionTable(4);
    const roll = dice(5);
    const live = new Map<number, { slot: number; known: Known }>();
    for (let step = 0; step < 3000; step++) {
      const number = roll(400);
      const there = live.get(number);
      if (there === undefined) {
        const known = plain(number);
        const slot = put(table, known);
        table.link(slot);
        live.set(number, { slot, known });
      } else if (roll(3) > 0) {
        if (roll(2) === 0) table.remove(there.slot);
        else {
          const slots: number[] = [];
          table.unlinkGroup(there.slot, slots);
          expect(slots).toEqual([there.slot]);
          table.release(there.slot);
        }
        live.delete(number);
      }
      if (step % 50 > 0) continue;
      expect(table.groupCount).toBe(live.size);
      for (let other = 0; other < 400; other++) {
        const slot = live.get(other)?.slot;
        expect(find(table, plain(other))).toBe(slot === undefined ? -1 : 2 * slot);
        expect(findBack(table, plain(other))).toBe(slot === undefined ? -1 : 2 * slot + 1);
      }
    }
    // Slots are used again.
    expect(Math.max(...[...live.values()].map(({ slot }) => slot))).toBeLessThan(402);
    expect(table.words.length).toBe(512 * ENTRY_LENGTH);
  });

  it('differ by protocol, each part of the tuple, and zone', () => {
    const table = new ConnectionTable();
    const known: Known = { ...plain(10), zones: [1, 2] };
    const slot = put(table, known);
    table.link(slot);
    expect(table.find(6, ...known.there, 1, 9)).toBe(2 * slot);
    expect(table.find(6, ...known.back, 9, 2)).toBe(2 * slot + 1);
    for (const [protocol, source, destination, ports, original, reply] of [
      [17, ...known.there, 1, 1],
      [6, 11, known.there[1], known.there[2], 1, 1],
      [6, known.there[0], -8, known.there[2], 1, 1],
      [6, known.there[0], known.there[1], 5, 1, 1],
      [6, ...known.there, 2, 1],
      [6, ...known.back, 2, 1],
    ] as const)
      expect(table.find(protocol, source, destination, ports, original, reply)).toBe(-1);
  });

  it('that do not exist, or whose reply is not known, are not found by what they have not', () => {
    const table = new ConnectionTable();
    const none = { ...plain(1), flags: 0 };
    const half = { ...plain(2), flags: EntryFlag.exists | EntryFlag.replyPortUnknown };
    const slots = [none, half].map((known) => put(table, known));
    for (const slot of slots) table.link(slot);
    expect([find(table, none), findBack(table, none)]).toEqual([-1, -1]);
    expect([find(table, half), findBack(table, half)]).toEqual([2 * slots[1]!, -1]);
    table.remove(slots[0]!);
    table.remove(slots[1]!);
    expect([find(table, half), table.groupCount]).toEqual([-1, 0]);
  });

  it('of a host that talks to itself from one port are found as a reply', () => {
    const table = new ConnectionTable();
    const own: Known = { ...plain(5), there: [5, 5, (9 << 16) | 9], back: [5, 5, (9 << 16) | 9] };
    const slot = put(table, own);
    table.link(slot);
    expect(find(table, own)).toBe(2 * slot + 1);
    expect(table.hasEqualTuples(slot * ENTRY_LENGTH)).toBe(true);
    for (const other of [
      { ...own, zones: [1, 2] as const },
      { ...own, flags: own.flags | EntryFlag.replyPortUnknown },
      { ...own, back: [6, 5, (9 << 16) | 9] as const },
      { ...own, back: [5, 6, (9 << 16) | 9] as const },
      { ...own, back: [5, 5, (9 << 16) | 8] as const },
    ])
      expect(table.hasEqualTuples(put(table, other) * ENTRY_LENGTH)).toBe(false);
  });
});

describe('variants of one entry', () => {
  const group = (table: ConnectionTable, ...all: readonly Known[]): number[] => {
    const slots = all.map((known) => put(table, known));
    table.linkGroup(slots);
    return slots;
  };

  it('are found where one has the tuple, and go round in a ring', () => {
    const table = new ConnectionTable();
    const slots = group(table, plain(1), { ...plain(1), flags: 0 }, plain(2));
    expect(table.groupCount).toBe(1);
    expect(slots.map((slot) => table.nextVariant(slot))).toEqual([slots[1], slots[2], slots[0]]);
    expect([find(table, plain(1)), find(table, plain(2))]).toEqual([2 * slots[0]!, 2 * slots[2]!]);
    const taken: number[] = [];
    table.unlinkGroup(slots[1]!, taken);
    expect(taken).toEqual([slots[1], slots[2], slots[0]]);
    expect([find(table, plain(1)), find(table, plain(2)), table.groupCount]).toEqual([-1, -1, 0]);
  });

  it('of one group do not contradict each other, those of two do, and a certain one wins', () => {
    const table = new ConnectionTable();
    group(table, plain(1), plain(1), { ...plain(1), flags: 0 });
    expect(find(table, plain(1))).toBeGreaterThanOrEqual(0);
    const second = group(table, plain(1), plain(3));
    expect(find(table, plain(1))).toBe(CONFLICT);
    expect(find(table, plain(3))).toBe(2 * second[1]!);
    const certain = put(table, plain(1));
    table.link(certain);
    expect(find(table, plain(1))).toBe(2 * certain);
    table.remove(certain);
    table.remove(second[0]!);
    expect(find(table, plain(1))).toBeGreaterThanOrEqual(0);
    expect(table.groupCount).toBe(1);
  });

  it('are told apart by everything but their number and reason', () => {
    const table = new ConnectionTable();
    const [a, b] = [put(table, plain(1, 9)), put(table, plain(1, 9))];
    table.link(a!);
    table.words[b! * ENTRY_LENGTH + Entry.reason] = 77;
    expect(table.equal(a!, b!)).toBe(true);
    for (let word = 0; word < ENTRY_LENGTH; word++) {
      if (word === Entry.reason || word === Entry.serial) continue;
      table.words[b! * ENTRY_LENGTH + word]! += 1;
      expect(table.equal(a!, b!), String(word)).toBe(false);
      table.words[b! * ENTRY_LENGTH + word]! -= 1;
    }
    table.expires[b!] = 10;
    expect(table.equal(a!, b!)).toBe(false);
    table.expires[b!] = 9;
    table.streamSince[b!] = 1;
    expect(table.equal(a!, b!)).toBe(false);
    table.copy(b!, a!);
    expect(table.equal(a!, b!)).toBe(true);
    expect(table.streamSince[a!]).toBe(1);
    table.clear(a!);
    expect([...table.words.subarray(a! * ENTRY_LENGTH, (a! + 1) * ENTRY_LENGTH)].every((word) => word === 0)).toBe(
      true,
    );
    expect([table.expires[a!], table.streamSince[a!]]).toEqual([0, 0]);
  });
});

describe('what has expired', () => {
  it('is swept, some slots at a time, a group when all of it has', () => {
    const table = new ConnectionTable(8);
    const slots = [100, 200, 300, 400].map((expires, index) => {
      const slot = put(table, plain(index, expires));
      table.link(slot);
      return slot;
    });
    const group = [put(table, plain(8, 100)), put(table, plain(9, 400)), put(table, { ...plain(9, 900), flags: 0 })];
    table.linkGroup(group);
    const left = (): number[] => [0, 1, 2, 3, 8, 9].filter((number) => find(table, plain(number)) !== -1);
    table.sweep(200, 1);
    expect(left()).toEqual([1, 2, 3, 8, 9]);
    table.sweep(200, 20);
    expect(left()).toEqual([2, 3, 8, 9]);
    table.sweep(399, 20);
    expect(left()).toEqual([3, 8, 9]);
    table.sweep(400, 20);
    expect([left(), table.groupCount]).toEqual([[], 0]);
    // What was freed last is used first.
    const again = Array.from({ length: 7 }, () => table.allocate());
    expect(new Set(again)).toEqual(new Set([...slots, ...group]));
  });

  it('or is all cleared, leaves nothing', () => {
    const table = new ConnectionTable(8);
    for (let number = 0; number < 40; number++) table.link(put(table, plain(number)));
    table.unknownReplies.add('x');
    table.lost.addAll();
    table.masters.set('x', 1);
    table.clearAll();
    expect([table.groupCount, table.unknownReplies.size, table.masters.size, table.lost.isEmpty]).toEqual([
      0,
      0,
      0,
      true,
    ]);
    for (let number = 0; number < 40; number++) expect(find(table, plain(number))).toBe(-1);
    expect(table.allocate()).toBe(2);
  });

  it('makes place for others with numbers of their own', () => {
    const table = new ConnectionTable();
    const serials = Array.from({ length: 5 }, (_, number) => {
      const slot = put(table, plain(number));
      if (number % 2 === 0) table.link(slot);
      else table.linkGroup([slot, put(table, plain(100 + number))]);
      return table.words[slot * ENTRY_LENGTH + Entry.serial]!;
    });
    expect(serials).toEqual([1, 2, 4, 5, 7]);
  });
});
