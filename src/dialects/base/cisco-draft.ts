import { configPlace, type Problem } from '../../diagnostic/diagnostic.ts';
import type { ServiceItem, AddressItem } from '../../model/access-list.ts';
import type { RunWideUnknown } from '../../model/linux-device.ts';
import type { Neighbour } from '../../model/network-interface.ts';
import type { PolicyAction, PolicyMatch, Reference, Track } from '../../model/policy-route.ts';
import type { SourceCheck } from '../../model/source-check.ts';
import type { IpPrefix } from '../../net/prefix.ts';
import { InputError } from '../../text/input-error.ts';
import { formatPlace, type Span } from '../../text/span.ts';
import type { EntrySpec } from './cisco-access-list.ts';

/** A state with more problems than this is not worth listing one by one. */
const PROBLEM_LIMIT = 2000;

/** An interface while statements fill it. */
export interface InterfaceDraft {
  readonly name: string;
  origin: Span;
  vrf: string;
  addresses: { readonly prefix: IpPrefix; readonly secondary: boolean; readonly origin: Span }[];
  /** `no ip address` was said: there is none. */
  noAddress: boolean;
  /** Its address comes from elsewhere (DHCP and the like). */
  addressUnknown: Span | undefined;
  unnumbered: string | undefined;
  shutdown: boolean | undefined;
  /** By `show interfaces`. */
  lineDown: boolean;
  inputList: Reference | undefined;
  outputList: Reference | undefined;
  sourceCheck: SourceCheck | undefined;
  policy: Reference | undefined;
  icmpRedirects: boolean;
  nat: 'inside' | 'outside' | undefined;
  mtu: number | undefined;
  ipMtu: number | undefined;
  mac: number | undefined;
  vlan: number | undefined;
  virtualAddresses: IpPrefix[];
  readonly unmodelled: Map<string, Reference>;
}

export interface ListDraft {
  readonly name: string;
  readonly kind: 'standard' | 'extended';
  readonly entries: (EntrySpec & { readonly sequence: number })[];
  origin: Span;
}

export interface MapEntryDraft {
  sequence: number;
  permit: boolean;
  readonly matches: PolicyMatch[];
  readonly actions: PolicyAction[];
  /** `set ip next-hop verify-availability` without addresses: holds for the entry's next hops. */
  verifiesAvailability: boolean;
  origin: Span;
}

export interface StaticRouteDraft {
  readonly vrf: string;
  readonly prefix: IpPrefix;
  readonly nextHop?: number;
  readonly interface?: string;
  readonly distance: number;
  readonly track?: string;
  readonly unknown?: string;
  readonly origin: Span;
}

export interface TranslationDraft {
  readonly side: 'inside' | 'outside';
  readonly list?: string;
  readonly local?: IpPrefix;
  readonly protocol?: number;
  readonly localPort?: number;
  readonly global?: readonly { readonly first: number; readonly last: number }[];
  readonly globalInterface?: string;
  readonly globalPort?: number;
  readonly pool?: string;
  readonly origin: Span;
}

/** A route that `show ip route` printed. */
export interface ShownRoute {
  readonly vrf: string;
  readonly prefix: IpPrefix;
  readonly connected: boolean;
  readonly nextHop?: number;
  readonly interface?: string;
  readonly origin: Span;
}

/** Members of object groups: items of their own, and groups within. */
export interface GroupDraft<Item> {
  readonly items: Item[];
  readonly groups: Reference[];
  unparsed: boolean;
}

/** An IOS router's state while its statements are read, in order. Mutable. */
export class CiscoDraft {
  hostname: string | undefined;
  hostnameAt: Span | undefined;
  collectedAt: string | undefined;
  routing = true;
  cef = true;
  readonly interfaces = new Map<string, InterfaceDraft>();
  readonly lists = new Map<string, ListDraft>();
  readonly maps = new Map<string, Map<number, MapEntryDraft>>();
  statics: StaticRouteDraft[] = [];
  readonly shownRoutes: ShownRoute[] = [];
  /** Routing tables of which `show ip route` was given. */
  readonly shownTables = new Set<string>();
  readonly vrfs = new Set<string>();
  /** Routing protocols: more routes than those in the text. */
  readonly protocols: { readonly vrf: string; readonly origin: Span }[] = [];
  readonly tracks = new Map<string, Track & { readonly sla?: string }>();
  readonly probes = new Map<string, number>();
  translations: TranslationDraft[] = [];
  readonly pools = new Map<string, { readonly first: number; readonly last: number }>();
  readonly addressGroups = new Map<string, GroupDraft<AddressItem>>();
  readonly serviceGroups = new Map<string, GroupDraft<ServiceItem>>();
  readonly neighbours: Neighbour[] = [];
  readonly runWideUnknowns: RunWideUnknown[] = [];
  readonly problems: Problem[] = [];
  readonly notices: string[] = [];

  report(problem: Problem): void {
    if (this.problems.length < PROBLEM_LIMIT) this.problems.push(problem);
  }

  /** Text that is not of the dialect. */
  unparsed(message: string, at: Span): void {
    this.report({ code: 'RV302', message, where: configPlace(at) });
  }

  /** A statement that is recognised and not modelled. */
  unmodelled(message: string, at: Span): void {
    this.report({ code: 'RV301', message, where: configPlace(at) });
  }

  /** A name that nothing defines. */
  undefinedReference(message: string, at: Span): void {
    this.report({ code: 'RV303', message, where: configPlace(at) });
  }

  nameHost(name: string, at: Span): void {
    if (this.hostname !== undefined && this.hostname !== name && this.hostnameAt !== undefined) {
      throw new InputError(
        `the state of two routers: ${this.hostname} (${formatPlace(this.hostnameAt)}) and ${name} (${formatPlace(at)}); one run is about one router`,
      );
    }
    this.hostname = name;
    this.hostnameAt ??= at;
  }

  interface(name: string, origin: Span): InterfaceDraft {
    let draft = this.interfaces.get(name);
    if (draft === undefined) {
      draft = {
        name,
        origin,
        vrf: '',
        addresses: [],
        noAddress: false,
        addressUnknown: undefined,
        unnumbered: undefined,
        shutdown: undefined,
        lineDown: false,
        inputList: undefined,
        outputList: undefined,
        sourceCheck: undefined,
        policy: undefined,
        icmpRedirects: true,
        nat: undefined,
        mtu: undefined,
        ipMtu: undefined,
        mac: undefined,
        vlan: undefined,
        virtualAddresses: [],
        unmodelled: new Map(),
      };
      this.interfaces.set(name, draft);
    }
    return draft;
  }

  list(name: string, kind: ListDraft['kind'], origin: Span): ListDraft {
    let draft = this.lists.get(name);
    if (draft === undefined) {
      draft = { name, kind, entries: [], origin };
      this.lists.set(name, draft);
    }
    return draft;
  }

  /** Adds an entry at its number, or behind the last one: numbers go in steps of ten. */
  addEntry(list: ListDraft, spec: EntrySpec): void {
    const last = list.entries.at(-1)?.sequence ?? 0;
    const sequence = spec.sequence ?? Math.floor(last / 10) * 10 + 10;
    // The usual case, and long lists: behind the last one.
    if (sequence > last) {
      list.entries.push({ ...spec, sequence });
      return;
    }
    const at = list.entries.findIndex((entry) => entry.sequence >= sequence);
    const entry = { ...spec, sequence };
    if (at < 0) list.entries.push(entry);
    else list.entries.splice(at, list.entries[at]!.sequence === sequence ? 1 : 0, entry);
  }
}
