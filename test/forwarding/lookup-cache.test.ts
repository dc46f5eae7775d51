import { describe, expect, it } from 'vitest';
import { LookupCache } from '../../src/forwarding/linux/lookup-cache.ts';
import type { Run } from '../../src/forwarding/linux/run.ts';

/** What a lookup depends on, and what came of it. */
const FLOW = {
  flowSource: 0x0a000001,
  flowDestination: 0x0a000002,
  flowIif: 3,
  flowUsesMark: true,
  mark: 7,
  tos: 16,
  flowProtocol: 6,
  flowSourcePort: 40_000,
  flowDestinationPort: 22,
};
const RESULT = { lookup: 0, foundRoute: 11, foundTable: 12, foundRule: 13 };
const NOTHING = { lookup: -5, foundRoute: -6, foundTable: -7, foundRule: -8 };

const runOf = (flow: Partial<typeof FLOW>, result = NOTHING): Run =>
  ({ ...FLOW, ...flow, ...result }) as unknown as Run;

/** Everything in one slot, so that no other one hides a mistake; and as many as there are usually. */
describe.each([1, 2048])('a cache of %i results', (slots) => {
  it('gives back what was kept for the same flow', () => {
    const cache = new LookupCache(slots);
    expect(cache.recall(runOf({}))).toBe(false);
    cache.keep(runOf({}, RESULT));
    const run = runOf({});
    expect(cache.recall(run)).toBe(true);
    expect(run).toMatchObject(RESULT);
  });

  it.each([
    { flowSource: 0x0a000009 },
    { flowDestination: 0x0a000009 },
    { flowIif: 4 },
    { mark: 8 },
    { flowUsesMark: false },
    { tos: 0 },
    { flowProtocol: 17 },
    { flowSourcePort: 40_001 },
    { flowDestinationPort: 23 },
  ])('gives nothing for another one: %o', (other) => {
    const cache = new LookupCache(slots);
    cache.recall(runOf({}));
    cache.keep(runOf({}, RESULT));
    const run = runOf(other);
    expect(cache.recall(run)).toBe(false);
    expect(run).toMatchObject(NOTHING);
    cache.keep(runOf(other, { ...RESULT, foundRoute: 21 }));
    const again = runOf(other);
    expect(cache.recall(again)).toBe(true);
    expect(again).toMatchObject({ ...RESULT, foundRoute: 21 });
    if (slots === 1) expect(cache.recall(runOf({}))).toBe(false);
  });

  it('does not care for a mark that the lookup does not use', () => {
    const cache = new LookupCache(slots);
    cache.recall(runOf({ flowUsesMark: false }));
    cache.keep(runOf({ flowUsesMark: false }, RESULT));
    expect(cache.recall(runOf({ flowUsesMark: false, mark: 99 }))).toBe(true);
  });
});

it('keeps the results of many flows at once', () => {
  const cache = new LookupCache();
  const flows = Array.from({ length: 400 }, (_, index) =>
    runOf({ flowSource: 0x0a000000 + index, flowSourcePort: 1000 + 7 * index, mark: index % 3 }, RESULT),
  );
  for (const flow of flows) {
    cache.recall(flow);
    cache.keep(Object.assign(flow, RESULT));
  }
  // Two of them may share a slot.
  expect(flows.filter((flow) => cache.recall(flow)).length).toBeGreaterThan(340);
});
