import { RouteTableId } from '../../model/routing.ts';
import { RouteKind } from './fib.ts';
import { lookupIn } from './lookup.ts';
import type { Run } from './run.ts';

/** RTN_ numbers. Ref: include/uapi/linux/rtnetlink.h */
const RTN = { unicast: 1, local: 2, broadcast: 3, multicast: 5, blackhole: 6, unreachable: 7, prohibit: 8 } as const;

/** The type of an address depends on something that is not known. */
export const UNKNOWN_TYPE = -1;

const KIND_TYPES: Readonly<Record<number, number>> = {
  [RouteKind.unicast]: RTN.unicast,
  [RouteKind.local]: RTN.local,
  [RouteKind.broadcast]: RTN.broadcast,
  [RouteKind.blackhole]: RTN.blackhole,
  [RouteKind.unreachable]: RTN.unreachable,
  [RouteKind.prohibit]: RTN.prohibit,
};

/**
 * What `-m addrtype` makes of an address: what the local table says of it, unicast where that says nothing. With a device, only what is
 * there of that device counts. Ref: net/ipv4/fib_frontend.c: __inet_dev_addr_type(); linux-forwarding 8.8.
 */
export function addressType(run: Run, address: number, device: number): number {
  if (address === 0 || address === -1) return RTN.broadcast;
  if ((address & 0xf0000000) === (0xe0000000 | 0)) return RTN.multicast;
  const { fib, rpdb } = run.router;
  // While no rule was ever changed, the local table is one with main.
  if (rpdb.pristine && fib.mergedTable !== -1) return UNKNOWN_TYPE;
  const route = lookupIn(run, fib.tableIndex.get(RouteTableId.local)!, address);
  if (route === UNKNOWN_ROUTE) return UNKNOWN_TYPE;
  if (route === NO_ROUTE) return RTN.unicast;
  const { routes } = fib;
  const start = routes.hopStart[route]!;
  const first = start < routes.hopStart[route + 1]! ? routes.hopDevice[start]! : -1;
  if (device !== -1 && first !== device) return RTN.unicast;
  return KIND_TYPES[routes.kind[route]!] ?? UNKNOWN_TYPE;
}

const NO_ROUTE = -1;
const UNKNOWN_ROUTE = -2;
