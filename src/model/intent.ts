import type { IpAddress } from '../net/ip-address.ts';
import { formatIpProtocol } from '../net/ip-protocol.ts';
import { formatPortRange, type PortRange } from '../net/port-range.ts';
import type { IpPrefix } from '../net/prefix.ts';

/** A monitored service, e.g. tcp/3389. */
export interface Service {
  readonly protocol: number;
  readonly ports: PortRange;
}

/** Which address SPS uses toward servers. */
export type SnatMode = 'own' | 'client' | 'fixed' | 'unknown';

/** Parts of the intent that can be stated or inferred. */
export type IntentPart = 'sps' | 'spsInterfaces' | 'snat' | 'services' | 'clients' | 'servers';

/** What is to be redirected where. Empty clients: any source but SPS; empty servers: any destination but SPS and the router. */
export interface Intent {
  readonly sps: readonly IpAddress[];
  readonly spsInterfaces: readonly string[];
  readonly snat: SnatMode;
  readonly services: readonly Service[];
  readonly clients: readonly IpPrefix[];
  readonly servers: readonly IpPrefix[];
  /** Parts that nobody stated. */
  readonly inferred: readonly IntentPart[];
}

/** Names of services that the command line takes. Ref: IANA port numbers; SPS's usual ports. */
export const NAMED_SERVICES: ReadonlyMap<string, readonly string[]> = new Map([
  ['ssh', ['tcp/22']],
  ['rdp', ['tcp/3389']],
  ['telnet', ['tcp/23']],
  ['vnc', ['tcp/5900']],
  ['http', ['tcp/80']],
  ['https', ['tcp/443']],
  ['ica', ['tcp/1494', 'tcp/2598']],
]);

/** Ports that are usually monitored: traffic on them that an inferred intent leaves out is named (RV903). */
export const USUAL_PORTS: readonly number[] = [22, 3389, 23, 5900, 1494, 2598];

/** Prints `tcp/3389`. */
export function formatService(service: Service): string {
  return `${formatIpProtocol(service.protocol)}/${formatPortRange(service.ports)}`;
}
