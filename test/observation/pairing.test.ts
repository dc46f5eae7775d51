import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Pairing } from '../../src/observation/pairing.ts';
import { type RowParts, rows } from './rows.ts';

const IN: RowParts = { ttl: 64, identification: 7, sequence: 1000, payload: 10 };
const OUT: RowParts = { ...IN, ttl: 63, captureInterface: 1, nanoseconds: 20_000 };

/** The token that the copy takes, −1 none. */
function pair(entered: RowParts, left: RowParts, translated = 0): number {
  const pairing = new Pairing(256);
  pairing.remember(rows(entered), 0, 0, 5, translated);
  return pairing.take(rows(left), 0);
}

describe('the copy of a frame', () => {
  it.each<{ name: string; left: RowParts; want: number; translated?: number }>([
    { name: 'has a TTL one less', left: OUT, want: 5 },
    { name: 'does not have the same TTL', left: { ...OUT, ttl: 64 }, want: -1 },
    { name: 'does not have a TTL two less', left: { ...OUT, ttl: 62 }, want: -1 },
    { name: 'has the same identification', left: { ...OUT, identification: 8 }, want: -1 },
    { name: 'has the same sequence number', left: { ...OUT, sequence: 1001 }, want: -1 },
    { name: 'has the same acknowledgement number', left: { ...OUT, acknowledgement: 1 }, want: -1 },
    { name: 'has the same flags', left: { ...OUT, flags: 0x18 }, want: -1 },
    { name: 'has the same length', left: { ...OUT, payload: 11 }, want: -1 },
    { name: 'has the same protocol', left: { ...OUT, protocol: 17 }, want: -1 },
    { name: 'has the same source', left: { ...OUT, source: '192.168.0.11' }, want: -1 },
    { name: 'has the same destination', left: { ...OUT, destination: '10.0.0.11' }, want: -1 },
    { name: 'has the same source port', left: { ...OUT, sourcePort: 40_001 }, want: -1 },
    { name: 'has the same destination port', left: { ...OUT, destinationPort: 3390 }, want: -1 },
    { name: 'leaves within the time that a neighbour is asked for', left: { ...OUT, seconds: 1_700_000_003 }, want: 5 },
    { name: 'does not leave later than that', left: { ...OUT, seconds: 1_700_000_005 }, want: -1 },
    {
      name: 'may have another source where that is translated',
      left: { ...OUT, source: '172.16.0.254', sourcePort: 1024 },
      want: 5,
      translated: 1,
    },
    {
      name: 'may not have another destination where the source is translated',
      left: { ...OUT, destination: '10.0.0.11' },
      want: -1,
      translated: 1,
    },
    {
      name: 'may have another destination where that is translated',
      left: { ...OUT, destination: '10.0.0.11', destinationPort: 1 },
      want: 5,
      translated: 2,
    },
    { name: 'may have both', left: { ...OUT, source: '1.1.1.1', destination: '2.2.2.2' }, want: 5, translated: 3 },
  ])('$name', ({ left, want, translated = 0 }) => {
    expect(pair(IN, left, translated)).toBe(want);
  });

  it('is taken once', () => {
    const pairing = new Pairing(256);
    pairing.remember(rows(IN), 0, 0, 5, 0);
    expect([pairing.take(rows(OUT), 0), pairing.take(rows(OUT), 0)]).toEqual([5, -1]);
  });

  it('of equal frames is that of the first that entered', () => {
    const pairing = new Pairing(256);
    // A retransmission by a sender that does not count identifications.
    pairing.remember(rows(IN), 0, 0, 5, 0);
    pairing.remember(rows({ ...IN, nanoseconds: 1000 }), 0, 0, 6, 0);
    expect([pairing.take(rows(OUT), 0), pairing.take(rows(OUT), 0), pairing.take(rows(OUT), 0)]).toEqual([5, 6, -1]);
  });

  it('of a loop is that of the round before', () => {
    const pairing = new Pairing(256);
    const taken: number[] = [];
    for (let ttl = 64; ttl > 0; ttl -= 2) {
      pairing.remember(rows({ ...IN, ttl }), 0, 1, ttl, 0);
      taken.push(pairing.take(rows({ ...OUT, ttl: ttl - 1 }), 0));
    }
    expect(taken).toEqual(Array.from({ length: 32 }, (_, round) => 64 - 2 * round));
  });

  it('of a fragment is told by its offset', () => {
    const part = { ...IN, fragmentOffset: 1480, sourcePort: 0, destinationPort: 0, sequence: 0 };
    expect(pair(part, { ...part, ttl: 63 })).toBe(5);
    expect(pair(part, { ...part, ttl: 63, fragmentOffset: 2960 })).toBe(-1);
  });

  it('is forgotten when as many frames as are remembered wait behind it', () => {
    const pairing = new Pairing(4);
    for (let frame = 0; frame < 5; frame++) pairing.remember(rows({ ...IN, identification: frame }), 0, 0, frame, 0);
    const take = (frame: number): number => pairing.take(rows({ ...OUT, identification: frame }), 0);
    expect([0, 1, 2, 3, 4].map(take)).toEqual([-1, 1, 2, 3, 4]);
  });

  it('is found among many that wait, whatever order they leave in', () => {
    const pairing = new Pairing(1 << 12);
    const frames = Array.from({ length: 3000 }, (_, frame) => ({ identification: frame % 50, sequence: frame }));
    for (const [token, parts] of frames.entries()) pairing.remember(rows({ ...IN, ...parts }), 0, 0, token, 0);
    const order = frames.map((_, index) => (index * 1009) % 3000);
    expect(order.map((token) => pairing.take(rows({ ...OUT, ...frames[token]! }), 0))).toEqual(order);
  });

  it('is found as by looking through a list', () => {
    // Few values, so that equal frames and hash neighbours are frequent.
    const frame = fc.record({
      identification: fc.nat(3),
      ttl: fc.integer({ min: 62, max: 64 }),
      sourcePort: fc.constantFrom(1, 2),
    });
    const step = fc.oneof(
      fc.record({ kind: fc.constant('in' as const), frame }),
      fc.record({ kind: fc.constant('out' as const), frame }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const pairing = new Pairing(16);
        let known: { token: number; key: string }[] = [];
        steps.forEach(({ kind, frame: parts }, token) => {
          const batch = rows({ ...IN, ...parts });
          if (kind === 'in') {
            pairing.remember(batch, 0, 0, token, 0);
            known.push({ token, key: `${parts.identification}/${parts.ttl}/${parts.sourcePort}` });
            if (known.length > 16) known.shift();
          } else {
            const key = `${parts.identification}/${parts.ttl + 1}/${parts.sourcePort}`;
            const found = known.find((item) => item.key === key);
            known = known.filter((item) => item !== found);
            expect(pairing.take(batch, 0)).toBe(found?.token ?? -1);
          }
        });
      }),
    );
  });
});

describe('frames that are translated, in a capture whose time goes on and back', () => {
  const SIZE = 8;
  const step = fc.record({
    leaves: fc.boolean(),
    identification: fc.nat(1),
    source: fc.constantFrom('192.168.0.10', '192.168.0.11'),
    destinationPort: fc.constantFrom(3389, 3390),
    translated: fc.constantFrom(0, 0, 1, 2, 3),
    // Seconds; a copy may leave up to four after its frame.
    later: fc.constantFrom(0, 0, 0, 1, 3, 5, -2, -6),
  });
  type Known = RowParts & { readonly token: number; readonly translated: number; readonly seconds: number };

  /** Slow and obvious: the oldest that fits. */
  const fits = (known: Known, left: RowParts & { readonly seconds: number }): boolean =>
    left.seconds - known.seconds <= 4 &&
    known.identification === left.identification &&
    (known.source === left.source || (known.translated & 1) !== 0) &&
    (known.destinationPort === left.destinationPort || (known.translated & 2) !== 0);

  it('find their copies as by looking through a list', () => {
    let found = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 80 }), (steps) => {
        const pairing = new Pairing(SIZE);
        let waiting: Known[] = [];
        let seconds = 1_700_000_000;
        for (const [token, { leaves, translated, later, ...parts }] of steps.entries()) {
          seconds += later;
          if (leaves) {
            const want = waiting.find((known) => fits(known, { ...parts, seconds }));
            waiting = waiting.filter((known) => known !== want);
            expect(pairing.take(rows({ ...OUT, ...parts, seconds, nanoseconds: 0 }), 0)).toBe(want?.token ?? -1);
            if (want !== undefined) found++;
          } else {
            pairing.remember(rows({ ...IN, ...parts, seconds }), 0, 0, token, translated);
            waiting = [...waiting, { ...parts, token, translated, seconds }].slice(-SIZE);
          }
        }
      }),
      { numRuns: 400 },
    );
    expect(found).toBeGreaterThan(500);
  });
});

describe('a duplicate', () => {
  const again = (parts: RowParts, position = 0): boolean => {
    const pairing = new Pairing(256);
    pairing.remember(rows(IN), 0, 0, 5, 0);
    return pairing.isDuplicate(rows({ ...IN, ...parts }), 0, position);
  };

  it.each<{ name: string; parts: RowParts; position?: number; want: boolean }>([
    {
      name: 'is the same frame of another capture device at once',
      parts: { captureInterface: 1, nanoseconds: 1000 },
      want: true,
    },
    { name: 'is not a frame of the same device: that was sent again', parts: { nanoseconds: 1000 }, want: false },
    {
      name: 'is not the frame on another interface of the router',
      parts: { captureInterface: 1 },
      position: 1,
      want: false,
    },
    { name: 'is not one that comes later', parts: { captureInterface: 1, nanoseconds: 50_000_000 }, want: false },
    { name: 'is not one with another TTL', parts: { captureInterface: 1, ttl: 63 }, want: false },
    { name: 'is not one from another port', parts: { captureInterface: 1, sourcePort: 1 }, want: false },
  ])('$name', ({ parts, position = 0, want }) => {
    expect(again(parts, position)).toBe(want);
  });
});

describe('a copy that comes before its frame', () => {
  it('is kept for frames of the same time, and taken once', () => {
    const pairing = new Pairing(256);
    pairing.keepEarly(rows({ ...OUT, nanoseconds: 0, destinationMac: 42 }), 0, 3);
    expect(pairing.takeEarly(rows({ ...IN, identification: 9 }), 0, 0)).toBe(false);
    expect(pairing.takeEarly(rows(IN), 0, 0)).toBe(true);
    expect([pairing.earlyInterface, pairing.earlyMac]).toEqual([3, 42]);
    expect(pairing.takeEarly(rows(IN), 0, 0)).toBe(false);
  });

  it('is no copy of what comes later', () => {
    const pairing = new Pairing(256);
    pairing.keepEarly(rows({ ...OUT, nanoseconds: 0 }), 0, 3);
    expect(pairing.takeEarly(rows({ ...IN, nanoseconds: 1_000_000 }), 0, 0)).toBe(false);
  });
});

/** Milliseconds of the processor. */
function costOf(work: () => void): number {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

it('many frames that wait are found again, whether they are translated or not', () => {
  const pairing = new Pairing(1 << 12);
  const frames = Array.from({ length: 3000 }, (_, frame) => ({ identification: frame % 50, sequence: frame }));
  for (const [token, parts] of frames.entries())
    pairing.remember(rows({ ...IN, ...parts, seconds: 1_700_000_000 + (token >> 9) }), 0, 0, token, token % 4);
  const order = frames.map((_, index) => (index * 1009) % 3000);
  const taken = order.map((token) => {
    const source = token % 2 === 1 ? '172.16.0.254' : '192.168.0.10';
    return pairing.take(rows({ ...OUT, ...frames[token]!, source, seconds: 1_700_000_006 }), 0);
  });
  // More than four seconds are too long.
  expect(taken).toEqual(order.map((token) => (token >> 9 < 3 ? -1 : token)));
});

describe('many frames with one identification', () => {
  const SIZE = 1 << 16;
  const COUNT = SIZE - 1;

  it('find their copies in a step each, though all are the same', () => {
    const pairing = new Pairing(SIZE);
    const [entered, left] = [rows(IN), rows(OUT)];
    const cost = costOf(() => {
      for (let token = 0; token < COUNT; token++) pairing.remember(entered, 0, 0, token, 0);
      for (let token = 0; token < COUNT; token++) if (pairing.take(left, 0) !== token) throw new Error(`${token}`);
    });
    // Looking through all of them for each took a minute.
    expect(cost).toBeLessThan(3000);
  });

  it('pass over those that are too old once', () => {
    const pairing = new Pairing(SIZE);
    const [entered, left] = [rows(IN), rows({ ...OUT, seconds: 1_700_000_010 })];
    const cost = costOf(() => {
      for (let token = 0; token < COUNT; token++) pairing.remember(entered, 0, 0, token, 0);
      for (let copy = 0; copy < COUNT; copy++) if (pairing.take(left, 0) !== -1) throw new Error(`${copy}`);
    });
    expect(cost).toBeLessThan(3000);
    // Time goes back.
    expect(pairing.take(rows(OUT), 0)).toBe(0);
  });

  it('of different ports find their copies in any order', () => {
    const pairing = new Pairing(SIZE);
    const entered = rows(IN);
    const left = rows(OUT);
    const cost = costOf(() => {
      for (let port = 0; port < COUNT; port++) {
        entered.sourcePort[0] = port;
        pairing.remember(entered, 0, 0, port, 0);
      }
      for (let port = COUNT - 1; port >= 0; port--) {
        left.sourcePort[0] = port;
        if (pairing.take(left, 0) !== port) throw new Error(`${port}`);
      }
    });
    expect(cost).toBeLessThan(3000);
  });
});

it('frames that are all the same are no trap: forgetting the oldest takes one step', () => {
  const size = 1 << 16;
  const pairing = new Pairing(size);
  const entered = rows(IN);
  const start = process.cpuUsage();
  for (let token = 0; token < 4 * size; token++) pairing.remember(entered, 0, 0, token, 0);
  const { user, system } = process.cpuUsage(start);
  // Walking the chain to its end for each took a minute.
  expect(user + system).toBeLessThan(3_000_000);
  // The oldest that is still remembered leaves first.
  expect(pairing.take(rows(OUT), 0)).toBe(3 * size);
  expect(pairing.take(rows(OUT), 0)).toBe(3 * size + 1);
  pairing.remember(entered, 0, 0, 4 * size, 0);
  expect(pairing.take(rows(OUT), 0)).toBe(3 * size + 2);
});
