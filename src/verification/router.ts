import type { Problem } from '../diagnostic/diagnostic.ts';
import type { Forwarder, ForwarderOptions } from '../forwarding/forwarder.ts';
import type { Step, Walk } from '../forwarding/walk.ts';
import type { RunWideUnknown } from '../model/linux-device.ts';
import type { Neighbour, NetworkInterface } from '../model/network-interface.ts';
import type { PlainWay } from '../model/plain-ipv6.ts';
import type { Redirect } from '../model/redirect.ts';
import type { Family, IpAddress } from '../net/ip-address.ts';
import type { Span } from '../text/span.ts';

/** One packet of a flow, as far as a remedy needs it. Prefixes are printed as the router's language wants them. */
export interface FlowOfInterest {
  readonly ingress: string;
  readonly egress: string;
  /** `from` and `to` as IPv4 prefixes in text; absent: any. */
  readonly from?: string;
  readonly to?: string;
  readonly protocol: string;
  readonly sourcePort?: string;
  readonly destinationPort?: string;
  /** The monitored clients' network and SPS's address, for languages whose rules name them. */
  readonly clients?: string;
  readonly sps?: string;
}

/** A change of the configuration: commands in the router's own language, in order. */
export type Remedy = readonly string[];

/** A statement that keeps packets from the redirect, with a change that may mend it. */
export interface Defect {
  /** The finding that it is; `selection`: of the finding that tells of what is not selected. */
  readonly code: 'RV303' | 'RV403' | 'RV406' | 'RV409' | 'RV410' | 'selection';
  readonly message: string;
  readonly where?: Span;
  readonly remedy: Remedy;
}

/** Changes that may mend a failure, shortest first. None is printed before the simulation has shown that it helps. */
export interface Remedies {
  relaxReversePath(ingress: string): readonly Remedy[];
  ignoreMarkInReversePath(ingress: string): readonly Remedy[];
  /** Redirect packets that nothing selects yet. */
  redirect(flow: FlowOfInterest): readonly Remedy[];
  /** Redirect packets by what they are, whatever connection tracking makes of them, except those that SPS sends. */
  redirectWithoutState(flow: FlowOfInterest, spsMacs: readonly number[]): readonly Remedy[];
  /** Let connection tracking accept segments beyond the windows that it knows. */
  tolerateSequences(): readonly Remedy[];
  /** Evaluate the marking rule that reads the connection mark after those that set it. */
  moveBehind(rule: Extract<Step, { kind: 'rule' }>): readonly Remedy[];
  /** Turn the connection mark into a packet mark. */
  restoreMark(connmark: number, spsInterface: string): readonly Remedy[];
  exemptInterface(rule: Extract<Step, { kind: 'rule' }>, spsInterface: string): readonly Remedy[];
  selectMark(fwmark: number): readonly Remedy[];
  fillTable(table: number, sps: IpAddress, spsInterface: string): readonly Remedy[];
  replaceNextHop(route: Extract<Step, { kind: 'route' }>, sps: IpAddress, spsInterface: string): readonly Remedy[];
  /** Evaluate the redirect's policy rule before the one that decided. */
  raisePolicyRule(fwmark: number, decidedAt: number): readonly Remedy[];
  permit(flow: FlowOfInterest): readonly Remedy[];
  /** Keep the redirect off a flow; absent where the router's language has no short way to say so. */
  leaveAlone?(flow: FlowOfInterest): readonly Remedy[];
  leaveUntranslated(flow: FlowOfInterest): readonly Remedy[];
  /** Write only the bits of the mark that the rule means. */
  maskMark?(rule: Extract<Step, { kind: 'rule' }>): readonly Remedy[];
  /** Refuse what the redirect selects while SPS cannot be reached. */
  failClosed?(): readonly Remedy[];
  /** Empty where the router sends none on this interface. */
  stopIcmpRedirects(interfaceName: string): readonly Remedy[];
  /** Statements that a packet met, or should have met, on its walk, likeliest first. */
  defects?(walk: Walk, flow: FlowOfInterest): readonly Defect[];
}

/** A way in which a router may lose SPS, and the router as it then is. */
export interface LostSps {
  /** `unreachable`: SPS does not answer, and the router notices. `interface-down`: the interface that faces it is down. */
  readonly how: 'unreachable' | 'interface-down';
  readonly router: Router;
}

/** A router as verification sees it, whatever its make: facts, a simulation, and changes in its own language. */
export interface Router {
  readonly dialects: readonly string[];
  readonly hostname?: string;
  readonly collectedAt?: string;
  readonly interfaces: readonly NetworkInterface[];
  readonly neighbours: readonly Neighbour[];
  /** What its text says that it redirects: for inferring an intent. */
  readonly redirect: Redirect;
  readonly problems: readonly Problem[];
  readonly notices: readonly string[];
  /** Statements whose effect is unknown for every packet: nothing is verified while there are any. */
  readonly runWideUnknowns: readonly RunWideUnknown[];
  readonly remedies: Remedies;
  /** Of IPv6, where its redirect is changed by statements of its own. */
  readonly remedies6?: Remedies;
  /** The interface that the route to an address leaves by, by destination alone. */
  interfaceToward(address: IpAddress): string | undefined;
  /** Where IPv6 packets to an address go by that address alone; undefined where anything else could have a say; absent where that cannot be told at all. */
  readonly plainIpv6Way?: (address: IpAddress) => PlainWay | undefined;
  forwarder(options?: ForwarderOptions): Forwarder;
  /** The ways in which the router itself would react to the loss of SPS. One that goes on sending to it is none. */
  losses?(sps: IpAddress): readonly LostSps[];
  /**
   * The same router where it need not be told which of these next hops a multipath route takes: its routes over several of them, and nobody
   * else, by one interface lead to the first. Undefined where it has none. Absent where a router's choice is always known.
   */
  withoutChoice?(nextHops: readonly IpAddress[]): Router | undefined;
  /** The same router with next hops that are down; absent where it takes no notice of that. */
  assumingDown?(addresses: readonly IpAddress[]): Router;
  /** The same router after these commands; undefined where one of them would be refused. */
  altered(commands: Remedy): Router | undefined;
  /** The commands that take these back once they were given; undefined where it cannot be told that they would. */
  undo?(commands: Remedy): Remedy | undefined;
  /** What makes these outlast a restart: commands, or lines for a file that a comment names. */
  lasting?(commands: Remedy): readonly string[];
  /** The sysctl, rule or route behind a name, for reports; absent where it is not in the text. */
  settingOrigin(name: string): Span | undefined;
}

/** The router with the remedies of an address family. */
export function ofFamily(router: Router, family: Family): Router {
  return family === 6 && router.remedies6 !== undefined ? { ...router, remedies: router.remedies6 } : router;
}
