import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TimestampClock } from '../../src/capture/timestamp.ts';
import { PacketBatch } from '../../src/wire/packet-batch.ts';

const LAST_SECOND = 253_402_300_799n;

/** The same in whole numbers of any size. */
function slowly(time: bigint, resolution: number, offsetSeconds: bigint): { seconds: bigint; nanoseconds: bigint } {
  const exponent = BigInt(resolution & 0x7f);
  const unitsPerSecond = (resolution & 0x80) === 0 ? 10n ** exponent : 2n ** exponent;
  const seconds = time / unitsPerSecond + offsetSeconds;
  const nanoseconds = ((time % unitsPerSecond) * 1_000_000_000n) / unitsPerSecond;
  if (seconds < 0n) return { seconds: 0n, nanoseconds: 0n };
  return seconds > LAST_SECOND ? { seconds: LAST_SECOND, nanoseconds: 0n } : { seconds, nanoseconds };
}

function quickly(time: bigint, resolution: number, offsetSeconds: bigint): { seconds: bigint; nanoseconds: bigint } {
  const batch = new PacketBatch(1);
  const clock = new TimestampClock(resolution, Number(offsetSeconds));
  clock.store(Number(time >> 32n), Number(time & 0xffff_ffffn), batch, 0);
  return { seconds: BigInt(batch.seconds[0]!), nanoseconds: BigInt(batch.nanoseconds[0]!) };
}

/** Resolutions and times that files hold, and any other. */
const resolutions = fc.oneof(
  fc.constantFrom(0, 3, 6, 9, 10, 12, 18, 19, 20, 0x80, 0x80 | 20, 0x80 | 30, 0x80 | 31, 0x80 | 32, 0x80 | 63),
  fc.integer({ min: 0, max: 255 }),
);
const times = fc.oneof(
  fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }),
  fc.bigInt({ min: 1_600_000_000_000_000_000n, max: 1_800_000_000_000_000_000n }),
  fc.bigInt({ min: 1_600_000_000n, max: 1_800_000_000n }).map((seconds) => seconds * 1_000_000_000n - 1n),
  fc.bigInt({ min: 1_600_000_000_000_000n, max: 1_800_000_000_000_000n }),
);

describe('timestamps', () => {
  it('are exact at every resolution, as 64-bit arithmetic is', () => {
    fc.assert(
      fc.property(
        times,
        resolutions,
        fc.bigInt({ min: -4_000_000_000n, max: 4_000_000_000n }),
        (time, unit, offset) => {
          const got = quickly(time, unit, offset);
          const want = slowly(time, unit, offset);
          expect(got.seconds).toBe(want.seconds);
          const early = Number(want.nanoseconds - got.nanoseconds);
          expect(early).toBeGreaterThanOrEqual(0);
          // Only binary units below a nanosecond are rounded twice.
          expect(early).toBeLessThanOrEqual(unit > (0x80 | 30) ? 1 : 0);
        },
      ),
      { numRuns: 20_000 },
    );
  });

  it('are exact to the nanosecond at the last one of a second', () => {
    expect(quickly(1_700_000_000_999_999_999n, 9, 0n)).toEqual({ seconds: 1_700_000_000n, nanoseconds: 999_999_999n });
  });

  it('tell a time out of range', () => {
    const batch = new PacketBatch(1);
    expect(new TimestampClock(0, 0).store(0x100, 0, batch, 0)).toBe(false);
    expect(new TimestampClock(0, 0).store(0, 1, batch, 0)).toBe(true);
    expect(new TimestampClock(0, -2).store(0, 1, batch, 0)).toBe(false);
  });
});
