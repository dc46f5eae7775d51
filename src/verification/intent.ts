import type { JoinIntent } from '../model/join-intent.ts';
import type { Intent, IntentPart, Service, SnatMode } from '../model/intent.ts';
import { equalIpAddress, formatIpAddress, type IpAddress } from '../net/ip-address.ts';
import { formatPrefix, type IpPrefix, networkOf } from '../net/prefix.ts';
import { InputError } from '../text/input-error.ts';
import type { RedirectSelection } from '../model/redirect.ts';
import type { Router } from './router.ts';

/** What the user said, by options or site file. */
export interface StatedIntent {
  readonly sps?: readonly IpAddress[];
  readonly spsInterfaces?: readonly string[];
  readonly snat?: SnatMode;
  readonly services?: readonly Service[];
  readonly clients?: readonly IpPrefix[];
  readonly servers?: readonly IpPrefix[];
  /** The SPP that these SPS are, or will be, joined to. */
  readonly join?: JoinIntent;
}

/** An intent with what is to be said of how it came about. */
export interface ResolvedIntent {
  readonly intent: Intent;
  /** Several next hops could be SPS: nothing is verified. */
  readonly ambiguousSps: boolean;
  /** Interface that the redirect rules name for clients; for synthesis where no client was captured. */
  readonly clientInterface?: string;
  /**
   * Nobody stated SPS's interfaces, and the redirect's rules name those that clients enter by: SPS may have another than the one that they
   * are redirected to. The clients' interfaces; absent where all of SPS's are known.
   */
  readonly onlyClientInterfaces?: readonly string[];
  /** Which of SPS's addresses a packet is redirected to is not known, and is all the same: the router chooses among them only. */
  readonly anyNode?: boolean;
}

/**
 * Completes what was stated from the router's redirects: SPS from their next hops, its interface from the route to it, services,
 * networks and the client interface from the rules that select.
 *
 * Throws InputError where no SPS is stated and nothing in the state names one, or a stated interface does not exist.
 */
export function resolveIntent(stated: StatedIntent, router: Router): ResolvedIntent {
  const { redirect } = router;
  const inferred: IntentPart[] = [];
  let sps = stated.sps ?? [];
  let ambiguousSps = false;
  if (sps.length === 0) {
    const candidates: IpAddress[] = [];
    for (const hop of redirect.nextHops)
      if (!candidates.some((known) => equalIpAddress(known, hop.address))) candidates.push(hop.address);
    if (candidates.length === 0) {
      throw new InputError("nothing in the router's state redirects to an SPS: name its address with --sps");
    }
    sps = candidates;
    // One SPS may have an address of either family.
    ambiguousSps = ([4, 6] as const).some((family) => candidates.filter((hop) => hop.family === family).length > 1);
    inferred.push('sps');
  }
  const spsInterfaces = stated.spsInterfaces ?? inferSpsInterfaces(sps, router);
  if (stated.spsInterfaces === undefined) inferred.push('spsInterfaces');
  checkInterfaces(spsInterfaces, router);
  const requests = redirect.selections.filter((selection) => !selection.replies);
  const selections = requests.length > 0 ? requests : redirect.selections;
  const services =
    stated.services ??
    dedupe(
      selections.flatMap((selection) => selection.services),
      serviceKey,
    );
  if (stated.services === undefined) inferred.push('services');
  if (services.length === 0)
    throw new InputError(
      `no rule in the router's state selects a service to redirect to SPS (${sps.map(formatIpAddress).join(', ')}): name it with --service, e.g. --service tcp/3389`,
    );
  const servers = stated.servers ?? networksOf(selections, ({ servers: selected }) => selected);
  if (stated.servers === undefined && servers.length > 0) inferred.push('servers');
  const clients = stated.clients ?? networksOf(selections, ({ clients: selected }) => selected);
  if (stated.clients === undefined && clients.length > 0) inferred.push('clients');
  const clientInterface = selections.find((selection) => selection.ingress !== undefined)?.ingress;
  const ingresses = requests.flatMap((selection) => selection.ingress ?? []);
  const mayHaveOthers =
    stated.spsInterfaces === undefined && requests.length > 0 && ingresses.length === requests.length;
  return {
    intent: { sps, spsInterfaces, snat: stated.snat ?? 'unknown', services, clients, servers, inferred },
    ambiguousSps,
    ...(clientInterface !== undefined && { clientInterface }),
    ...(mayHaveOthers && { onlyClientInterfaces: ingresses }),
  };
}

/** The networks that redirects select; a family of which one selects any, where the other's are named, is named as a whole. */
function networksOf(
  selections: readonly RedirectSelection[],
  select: (selection: RedirectSelection) => readonly IpPrefix[],
): IpPrefix[] {
  const named = selections.flatMap((selection) => select(selection).map(networkOf));
  const whole = ([4, 6] as const).filter(
    (family) =>
      named.some((prefix) => prefix.family !== family) &&
      selections.some((selection) => (selection.family ?? 4) === family && select(selection).length === 0),
  );
  return dedupe(
    [...named, ...whole.map((family): IpPrefix => ({ family, words: [0, 0, 0, 0], prefixLength: 0 }))],
    formatPrefix,
  );
}

/**
 * The intent, and the router as far as it matters for it. Where SPS uses its own address toward servers, their answers go to the node that
 * asked: which node a client's packets go to is all the same then, though the kernel's random key hides how it chooses.
 *
 * Throws as {@link resolveIntent} does.
 */
export function resolveSite(
  stated: StatedIntent,
  router: Router,
): { readonly resolved: ResolvedIntent; readonly router: Router } {
  const resolved = resolveIntent(stated, router);
  const { sps, snat } = resolved.intent;
  if (resolved.ambiguousSps || sps.length < 2 || (snat !== 'own' && snat !== 'fixed')) return { resolved, router };
  const without = router.withoutChoice?.(sps);
  if (without === undefined) return { resolved, router };
  return { resolved: { ...resolved, anyNode: true }, router: { ...without, neighbours: router.neighbours } };
}

function inferSpsInterfaces(sps: readonly IpAddress[], router: Router): string[] {
  const names = sps.flatMap((address) => {
    const hop = router.redirect.nextHops.find((candidate) => equalIpAddress(candidate.address, address));
    const name = hop?.interface ?? router.interfaceToward(address);
    return name === undefined ? [] : [name];
  });
  if (names.length === 0) {
    throw new InputError(
      `no route of the router leads to SPS (${sps.map(formatIpAddress).join(', ')}): name the interface that faces it with --sps-interface`,
    );
  }
  return [...new Set(names)];
}

function checkInterfaces(names: readonly string[], router: Router): void {
  if (router.interfaces.length === 0) return;
  for (const name of names) {
    if (router.interfaces.some((item) => item.name === name)) continue;
    const known = router.interfaces.map((item) => item.name).join(', ');
    throw new InputError(
      `the router has no interface ${name} (it has ${known}): correct --sps-interface or the site file`,
    );
  }
}

function serviceKey(service: Service): string {
  return `${service.protocol}/${service.ports.first}-${service.ports.last}`;
}

function dedupe<Item>(items: readonly Item[], key: (item: Item) => string): Item[] {
  return [...new Map(items.map((item) => [key(item), item])).values()];
}
