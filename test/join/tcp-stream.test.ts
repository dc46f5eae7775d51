import { describe, expect, it } from 'vitest';
import { TcpStream } from '../../src/join/tcp-stream.ts';

const WHOLE = new Uint8Array(500).map((_, index) => (index * 7) & 255);

/** Pseudo-random numbers, the same in every run. */
function numbers(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % limit;
  };
}

describe('a stream', () => {
  it.each([0, 1000, 0xffff_ff80])(
    'is put together from segments in any order, doubled and overlapping, from %i',
    (base) => {
      for (let seed = 1; seed <= 40; seed++) {
        const next = numbers(seed);
        const stream = new TcpStream(400);
        const known = new Uint8Array(400);
        stream.beginAt(base);
        for (let count = 0; count < 60; count++) {
          const from = next(480);
          const length = 1 + next(30);
          stream.add((base + from) >>> 0, WHOLE.subarray(from, Math.min(from + length, 500)));
          known.fill(1, Math.min(from, 400), Math.min(from + length, 400));
        }
        // The slow twin: one mark for each byte.
        const first = known.indexOf(0);
        const want = first < 0 ? 400 : first;
        expect(stream.prefix).toEqual(WHOLE.subarray(0, want));
        expect(stream.hasGap).toBe(known.indexOf(1, want) >= 0);
      }
    },
  );

  it('keeps the first of bytes that differ, as whoever wrote first was read first', () => {
    const stream = new TcpStream(100);
    stream.beginAt(0);
    stream.add(2, new Uint8Array([3, 3]));
    stream.add(0, new Uint8Array([1, 1, 9, 9, 2]));
    expect([...stream.prefix]).toEqual([1, 1, 3, 3, 2]);
  });

  it('takes of a segment that begins before it what is behind the begin: a keepalive', () => {
    const stream = new TcpStream(100);
    stream.beginAt(1000);
    stream.add(999, new Uint8Array([0, 5, 6]));
    stream.add(990, new Uint8Array([1, 2]));
    expect([...stream.prefix]).toEqual([5, 6]);
  });

  it('keeps no more than its limit, and says so', () => {
    const stream = new TcpStream(10);
    stream.beginAt(0);
    stream.add(0, WHOLE);
    stream.add(2 ** 30, WHOLE);
    expect(stream.prefix).toHaveLength(10);
    expect(stream.isCut).toBe(true);
  });

  it('keeps few pieces of one that has only gaps', () => {
    const stream = new TcpStream(65_536);
    stream.beginAt(0);
    for (let at = 60_000; at > 0; at -= 2) stream.add(at, new Uint8Array([1]));
    expect(stream.prefix).toHaveLength(0);
    expect({ isCut: stream.isCut, hasGap: stream.hasGap }).toEqual({ isCut: true, hasGap: true });
  });

  it('of which the begin is not known says so', () => {
    const stream = new TcpStream(10);
    stream.add(5, new Uint8Array([1]));
    expect({ lacksBegin: stream.lacksBegin, length: stream.prefix.length }).toEqual({ lacksBegin: true, length: 0 });
  });
});
