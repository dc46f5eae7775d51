import type { Span } from '../../text/span.ts';
import { formatIpv4 } from '../../net/ip-address.ts';
import { Disposition } from '../decision.ts';
import { type Fib, type FibEntry, formatEntry } from './fib.ts';
import type { Run } from './run.ts';

/** Sends the packet to a neighbour, or loses it where that one is down: the router goes on asking for it by ARP. */
export function sendTo(run: Run, egress: number, nextHop: number, origin: Span, by?: string): void {
  const { names, dead } = run.router;
  run.steps?.push({
    kind: 'route',
    table: run.table,
    prefix: by === undefined ? formatIpv4(run.destination) : '',
    egress: names[egress] ?? '',
    nextHop: formatIpv4(nextHop),
    ...(by !== undefined && { by }),
    origin,
  });
  if (dead.has(nextHop | 0)) {
    run.end(Disposition.unreachable, origin);
    return;
  }
  run.disposition = Disposition.forwarded;
  run.egress = egress;
  run.nextHop = nextHop;
  run.cause = run.router.registry.origin(origin);
}

/** What a lookup finds, in the present world; `false` where the run was given up. */
export function find(run: Run, fib: Fib, address: number, withDefault = true): FibEntry | undefined | false {
  const entry = fib.lookup(address, withDefault);
  const doubt = entry?.unknown ?? -1;
  if (doubt !== -1 && run.worlds.choose(2, doubt) === 1) {
    run.giveUp(doubt);
    return false;
  }
  if (fib.incomplete !== -1 && entry?.connected !== true && run.worlds.choose(2, fib.incomplete) === 1) {
    run.giveUp(fib.incomplete);
    return false;
  }
  return entry;
}

/** Routes the packet by its destination. */
export function routeByDestination(run: Run, fib: Fib, by?: string): void {
  const entry = find(run, fib, run.destination);
  if (entry === false) return;
  if (entry === undefined) {
    run.end(Disposition.noRoute);
    return;
  }
  followEntry(run, entry, by);
}

function followEntry(run: Run, entry: FibEntry, by: string | undefined): void {
  const { names, reasons } = run.router;
  if (entry.hops.length === 0) {
    run.steps?.push({ kind: 'route', table: run.table, prefix: formatEntry(entry, names), origin: entry.origin });
    run.end(Disposition.blackhole, entry.origin);
    return;
  }
  const pick = entry.hops.length === 1 ? 0 : run.worlds.choose(entry.hops.length, reasons.several);
  const hop = entry.hops[pick]!;
  const { length, network } = entry;
  sendTo(
    run,
    hop.egress,
    hop.nextHop === 0 ? run.destination : hop.nextHop,
    entry.origin,
    by ?? `${formatIpv4(network)}/${length}`,
  );
}
