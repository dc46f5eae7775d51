import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConnectionIds } from '../../src/observation/connection-ids.ts';

describe('numbers of connections', () => {
  it('are what a sorted set of them is, however they came and whenever they are asked for', () => {
    const steps = fc.array(fc.record({ id: fc.integer({ min: 1, max: 40 }), asks: fc.boolean() }), { maxLength: 200 });
    fc.assert(
      fc.property(steps, (all) => {
        const ids = new ConnectionIds();
        const known = new Set<number>();
        for (const { id, asks } of all) {
          ids.add(id);
          known.add(id);
          if (!asks) continue;
          expect(ids.size).toBe(known.size);
          expect(ids.has(id)).toBe(true);
          expect(ids.has(41 - id)).toBe(known.has(41 - id));
        }
        const sorted = [...known].sort((a, b) => a - b);
        expect(ids.toArray()).toEqual(sorted);
        expect([...ids]).toEqual(sorted);
      }),
    );
  });

  it('may come in two hundred thousand from behind', () => {
    const ids = new ConnectionIds();
    for (let id = 200_000; id > 0; id--) ids.add(id);
    for (let id = 1; id <= 200_000; id++) ids.add(id);
    expect(ids.size).toBe(200_000);
  }, 5000);
});
