import { formatWords } from '../../net/ip-address.ts';
import { HopFlag } from './fib.ts';
import { multipathHash, UNKNOWN_HASH } from './multipath.ts';
import type { Run } from './run.ts';

/** Whether a next hop can be taken: not dead, and not without carrier where that is asked for. Ref: fib_lookup_good_nhc(). */
export function isUsable(run: Run, hop: number): boolean {
  const { routes } = run.router.fib;
  const flags = routes.hopFlags[hop]!;
  if ((flags & HopFlag.dead) !== 0) return false;
  if ((flags & HopFlag.linkDown) === 0) return true;
  const device = routes.hopDevice[hop]!;
  return device < 0 || run.setting(run.router.settings.ignoreLinkDown[device]!) === 0;
}

/** Takes one of a unicast route's next hops; where several are alive, each in a world of its own. */
export function selectHop(run: Run, route: number): number {
  const { routes } = run.router.fib;
  const start = routes.hopStart[route]!;
  const after = routes.hopStart[route + 1]!;
  if (after - start === 1) return start;
  let count = 0;
  let first = -1;
  for (let hop = start; hop < after; hop++) {
    if (!isUsable(run, hop)) continue;
    if (first === -1) first = hop;
    count++;
  }
  if (count <= 1) return first;
  const hash = routes.isGroup[route] === 1 ? UNKNOWN_HASH : multipathHash(run);
  if (hash !== UNKNOWN_HASH) return hopOfHash(run, route, hash);
  let pick = run.choose(count, routes.multipathReason[route]!);
  for (let hop = start; hop < after; hop++) if (isUsable(run, hop) && pick-- === 0) return hop;
  return first;
}

/** Each usable hop has its share of the hashes, by its weight. Ref: fib_semantics.c: fib_rebalance(), fib_select_multipath(). */
function hopOfHash(run: Run, route: number, hash: number): number {
  const { routes } = run.router.fib;
  const hops = routes.model[route]!.nextHops;
  const start = routes.hopStart[route]!;
  let total = 0;
  for (let index = 0; index < hops.length; index++) if (isUsable(run, start + index)) total += hops[index]!.weight;
  let sum = 0;
  let last = start;
  for (let index = 0; index < hops.length; index++) {
    if (!isUsable(run, start + index)) continue;
    last = start + index;
    sum += hops[index]!.weight;
    if (hash <= Math.floor((sum * 2 ** 31 + Math.floor(total / 2)) / total) - 1) break;
  }
  return last;
}

/** The address that a next hop's frames are sent to, in words. */
export function formatHop(run: Run, hop: number, destination: number): string {
  const { routes } = run.router.fib;
  const flags = routes.hopFlags[hop]!;
  if ((flags & HopFlag.gateway) === 0) return run.formatAddress(destination);
  const [a, b, c, d] = routes.hopGateway.subarray(4 * hop, 4 * hop + 4) as unknown as [number, number, number, number];
  return formatWords((flags & HopFlag.gateway6) !== 0 ? 6 : 4, a, b, c, d);
}
