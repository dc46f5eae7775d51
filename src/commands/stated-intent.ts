import { NAMED_SERVICES, type Service, type SnatMode } from '../model/intent.ts';
import { type IpAddress, parseIpAddress } from '../net/ip-address.ts';
import { parseIpProtocol } from '../net/ip-protocol.ts';
import { parsePortRange } from '../net/port-range.ts';
import { type IpPrefix, parsePrefix } from '../net/prefix.ts';
import { InputError } from '../text/input-error.ts';
import type { StatedIntent } from '../verification/intent.ts';
import { joinIntent } from './join-intent.ts';
import type { SiteFile } from './site-file.ts';

/** Options that state the intent, as the command line gives them. */
export interface IntentOptions {
  readonly sps?: readonly string[];
  readonly spsInterface?: readonly string[];
  readonly snat?: string;
  readonly service?: readonly string[];
  readonly clients?: readonly string[];
  readonly servers?: readonly string[];
}

/** What the user states: options first, the site file for what they leave out. `sitePath` is for messages. */
export function statedIntent(options: IntentOptions, site: SiteFile, sitePath: string): StatedIntent {
  const pick = <Value>(
    given: readonly string[] | undefined,
    option: string,
    fromSite: readonly string[] | undefined,
    parse: (text: string, from: string) => Value[],
  ) => {
    if (given !== undefined && given.length > 0) return given.flatMap((item) => parse(item, option));
    return fromSite === undefined || fromSite.length === 0
      ? undefined
      : fromSite.flatMap((item) => parse(item, sitePath));
  };
  const sps = pick(options.sps, '--sps', site.sps, parseAddress);
  const spsInterfaces = pick(options.spsInterface, '--sps-interface', site.spsInterfaces, (item) => [item]);
  const services = pick(options.service, '--service', site.services, parseService);
  const clients = pick(options.clients, '--clients', site.clients, parseNetwork);
  const servers = pick(options.servers, '--servers', site.servers, parseNetwork);
  const snat = parseSnat(options.snat) ?? site.snat;
  // Without addresses of its own in the section the nodes are the SPS that is redirected to, stated or inferred.
  const join = joinIntent({}, options.sps === undefined ? site : { ...site, sps: [...options.sps] }, sitePath);
  return {
    ...(sps !== undefined && { sps }),
    ...(spsInterfaces !== undefined && { spsInterfaces }),
    ...(services !== undefined && { services }),
    ...(clients !== undefined && { clients }),
    ...(servers !== undefined && { servers }),
    ...(snat !== undefined && { snat }),
    ...(join !== undefined && { join }),
  };
}

function parseAddress(text: string, from: string): IpAddress[] {
  const address = parseIpAddress(text);
  if (address === undefined) throw new InputError(`${from}: '${text}' is not an IP address`);
  return [address];
}

function parseNetwork(text: string, from: string): IpPrefix[] {
  if (text === 'any') return [];
  const prefix = parsePrefix(text);
  if (prefix === undefined) throw new InputError(`${from}: '${text}' is not a network like 10.0.0.0/24`);
  return [prefix];
}

function parseSnat(text: string | undefined): SnatMode | undefined {
  if (text === undefined || text === 'own' || text === 'client' || text === 'fixed') return text;
  throw new InputError(`--snat: '${text}' is none of own, client, fixed`);
}

/** `tcp/3389`, `tcp/5900-5909`, or a name such as `rdp`. */
export function parseService(text: string, from: string): Service[] {
  const named = NAMED_SERVICES.get(text.toLowerCase());
  if (named !== undefined) return named.flatMap((item) => parseService(item, from));
  const slash = text.indexOf('/');
  const protocol = slash < 0 ? undefined : parseIpProtocol(text.slice(0, slash));
  const ports = slash < 0 ? undefined : parsePortRange(text.slice(slash + 1));
  if (protocol === undefined || ports === undefined || (protocol !== 6 && protocol !== 17)) {
    throw new InputError(
      `${from}: '${text}' is not a service: expected tcp/PORT, udp/PORT-PORT or one of ${[...NAMED_SERVICES.keys()].join(', ')}`,
    );
  }
  return [{ protocol, ports }];
}
