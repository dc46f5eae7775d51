import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OpenLegs } from '../../src/verification/open-legs.ts';

describe('legs that were open when the capture began', () => {
  const interval = fc.tuple(fc.nat({ max: 60 }), fc.nat({ max: 30 }));

  it('are found as a look at each of them would find them', () => {
    fc.assert(
      fc.property(
        fc.array(interval, { maxLength: 40, size: 'max' }),
        fc.array(interval, { maxLength: 60, size: 'max' }),
        (all, asked) => {
          const open = new OpenLegs<{ firstTime: number; lastTime: number; isTaken: boolean }>();
          for (const [firstTime, length] of all) open.add({ firstTime, lastTime: firstTime + length, isTaken: false });
          for (const [first, length] of asked.sort((a, b) => a[0] - b[0])) {
            const last = first + length;
            const isOpen = (place: number): boolean => {
              const leg = open.legs[place]!;
              return !leg.isTaken && first <= leg.lastTime && leg.firstTime <= last;
            };
            const expected = [...open.legs.keys()].filter(isOpen);
            const found = open.find(first, last);
            expect(found).toBe(expected[0] ?? -1);
            if (found < 0) continue;
            expect(open.find(first, last, found + 1)).toBe(expected[1] ?? -1);
            open.take(found);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('stay taken where another comes later', () => {
    const open = new OpenLegs<{ firstTime: number; lastTime: number; isTaken: boolean }>();
    open.add({ firstTime: 1, lastTime: 9, isTaken: false });
    open.take(open.find(1, 9));
    expect(open.add({ firstTime: 2, lastTime: 9, isTaken: false })).toBe(1);
    expect(open.find(1, 9)).toBe(1);
  });
});
