import { configPlace, type Problem } from '../../diagnostic/diagnostic.ts';
import type { AccessList, AccessListEntry, AddressItem } from '../../model/access-list.ts';
import type {
  ConfigurationText,
  PolicyAction,
  PolicyEntry,
  PolicyMap,
  PolicyRouteDevice,
  Translation,
} from '../../model/policy-route.ts';
import type { SourceCheck } from '../../model/source-check.ts';
import type { Span } from '../../text/span.ts';
import { networkInterface, portOf, type UtmInterface, utmInterface } from './utm-interfaces.ts';
import type { UtmObject, UtmObjects } from './utm-objects.ts';
import { utmRoutes, utmRoutesUnknown } from './utm-routes.ts';
import { activeObjects, addressesOf, type Complaints, flagOf, refsOf, servicesOf, textOf } from './utm-values.ts';

/** The list of the packet filter's rules. */
export const FILTER_LIST = 'packet filter';

/** Makes a device of an export. */
export function utmDevice(objects: UtmObjects, texts: readonly ConfigurationText[]): PolicyRouteDevice {
  return new UtmReader(objects, texts).device();
}

class UtmReader {
  readonly #objects: UtmObjects;
  readonly #texts: readonly ConfigurationText[];
  readonly #problems: Problem[] = [];
  readonly #notices: string[] = [];
  readonly #lists = new Map<string, AccessList>();
  readonly #missing = new Set<string>();
  readonly #complaints: Complaints = {
    missing: (ref, asking) => {
      const key = `${ref}/${asking.ref}`;
      if (this.#missing.has(key)) return;
      this.#missing.add(key);
      const name = textOf(asking, 'name') || asking.ref;
      this.#problems.push({
        code: 'RV303',
        message: `${ref}, which ${name} names, is not defined`,
        where: configPlace(asking.origin),
      });
    },
  };

  constructor(objects: UtmObjects, texts: readonly ConfigurationText[]) {
    this.#objects = objects;
    this.#texts = texts;
  }

  device(): PolicyRouteDevice {
    for (const origin of this.#objects.unread)
      this.#problems.push({ code: 'RV302', message: 'this is no JSON of an export', where: configPlace(origin) });
    const interfaces = this.#interfaces();
    const entries = this.#policyEntries(interfaces);
    const maps = new Map(interfaces.map((item) => [item.name, this.#mapOf(item, entries)]));
    const check = this.#spoofProtection();
    const filter = this.#packetFilter();
    const translations = this.#translations(interfaces);
    return {
      kind: 'policy-route',
      dialects: ['sophos-utm'],
      ...this.#hostname(),
      routing: true,
      interfaces: interfaces.map(networkInterface),
      neighbours: [],
      ports: new Map(interfaces.map((item) => [item.name, portOf(item, check)])),
      lists: this.#lists,
      maps,
      routes: utmRoutes(this.#objects, interfaces, this.#complaints, this.#problems),
      routesUnknown: utmRoutesUnknown(this.#objects, interfaces),
      tracks: new Map(),
      translations,
      filter,
      virtualAddresses: [],
      runWideUnknowns: [],
      problems: this.#problems,
      notices: this.#notices,
      texts: this.#texts,
    };
  }

  #hostname(): { hostname?: string } {
    const value = this.#objects.nodes.get('settings.hostname')?.value;
    return typeof value === 'string' && value !== '' ? { hostname: value } : {};
  }

  #incomplete(message: string, origin?: Span): void {
    this.#problems.push({ code: 'RV304', message, ...(origin !== undefined && { where: configPlace(origin) }) });
  }

  #interfaces(): UtmInterface[] {
    const active = this.#objects.order('interfaces.interfaces');
    const all = this.#objects.ofType('interface/').filter((object) => object.type !== 'interface/group');
    if (all.length === 0) this.#incomplete('the export holds no interfaces (/api/objects/interface/…)');
    return all
      .filter((object) => active === undefined || active.includes(object.ref))
      .map((object) => utmInterface(this.#objects, object));
  }

  /** Policy routes that are switched on, in the order of the node; the place in it is what the administrator sees. */
  #policyEntries(interfaces: readonly UtmInterface[]): { readonly entry: PolicyEntry; readonly ingress?: string }[] {
    const all = this.#objects.ofType('route/policy');
    const order = this.#objects.order('routes.policy');
    if (order === undefined && all.length > 1)
      this.#incomplete(
        'the order of policy routes is not in the export (/api/nodes/routes.policy); that of the objects is taken',
        all[0]!.origin,
      );
    const placed =
      order === undefined ? all : order.flatMap((ref) => this.#objects.objects.get(ref) ?? this.#absent(ref));
    for (const object of all)
      if (order !== undefined && !order.includes(object.ref))
        this.#notices.push(
          `policy route ${textOf(object, 'name') || object.ref} is in no list of active ones (routes.policy): it is taken as off`,
        );
    return placed.flatMap((object, index) => {
      if (flagOf(object, 'status') !== true) return [];
      const source = refsOf(object, 'interface')[0] ?? '';
      const ingress = interfaces.find((item) => item.object.ref === source);
      if (source !== '' && ingress === undefined && this.#objects.objects.has(source)) return [];
      if (source !== '' && ingress === undefined && !/Any$/.test(source)) {
        this.#complaints.missing(source, object);
        return [];
      }
      return [
        {
          entry: this.#policyEntry(object, index + 1, interfaces),
          ...(ingress !== undefined && { ingress: ingress.name }),
        },
      ];
    });
  }

  #absent(ref: string): UtmObject[] {
    this.#problems.push({
      code: 'RV303',
      message: `policy route ${ref} is in the list of active ones, and not defined`,
      ...this.#nodePlace('routes.policy'),
    });
    return [];
  }

  #nodePlace(name: string): { where?: ReturnType<typeof configPlace> } {
    const origin = this.#objects.nodes.get(name)?.origin;
    return origin === undefined ? {} : { where: configPlace(origin) };
  }

  #policyEntry(object: UtmObject, position: number, interfaces: readonly UtmInterface[]): PolicyEntry {
    const list = `policy route ${object.ref}`;
    const title = `policy route ${position} ${textOf(object, 'name') || object.ref}`;
    const line = this.#listEntry(
      object,
      1,
      true,
      refsOf(object, 'source'),
      refsOf(object, 'service'),
      refsOf(object, 'destination'),
    );
    this.#lists.set(list, { name: list, title, entries: [line], origin: object.origin });
    return {
      sequence: position,
      permit: true,
      matches: [{ kind: 'access-lists', names: [list], origin: object.origin }],
      actions: [this.#action(object, interfaces)],
      title,
      origin: object.origin,
    };
  }

  #action(object: UtmObject, interfaces: readonly UtmInterface[]): PolicyAction {
    const { origin } = object;
    const target = refsOf(object, 'target')[0] ?? '';
    const name = textOf(object, 'name') || object.ref;
    if (textOf(object, 'type') === 'itf') {
      const egress = interfaces.find((item) => item.object.ref === target);
      if (egress !== undefined && egress.gateway !== undefined)
        return {
          kind: 'next-hops',
          hops: [{ address: egress.gateway.address, availability: 'none', origin }],
          isDefault: false,
          origin,
        };
      if (egress !== undefined) return { kind: 'interfaces', names: [egress.name], isDefault: false, origin };
    } else {
      const [item, more] = addressesOf(this.#objects, target, object, this.#complaints);
      if (item?.kind === 'masked' && item.wildcard === 0 && more === undefined)
        return {
          kind: 'next-hops',
          hops: [{ address: item.address, availability: 'none', origin }],
          isDefault: false,
          origin,
        };
    }
    this.#problems.push({
      code: 'RV301',
      message: `the target of policy route ${name} cannot be evaluated`,
      where: configPlace(origin),
    });
    return { kind: 'unmodelled', name: `the target of policy route ${name}`, origin };
  }

  #listEntry(
    object: UtmObject,
    sequence: number,
    permit: boolean,
    sources: readonly string[],
    services: readonly string[],
    destinations: readonly string[],
    unmodelled: readonly string[] = [],
  ): AccessListEntry {
    const addresses = (refs: readonly string[]): AddressItem[] =>
      (refs.length === 0 ? [''] : refs).flatMap((ref) => addressesOf(this.#objects, ref, object, this.#complaints));
    const asked = (services.length === 0 ? [''] : services).map((ref) =>
      servicesOf(this.#objects, ref, object, this.#complaints),
    );
    return {
      permit,
      sequence,
      services: asked.flatMap((item) => item.items),
      source: addresses(sources),
      destination: addresses(destinations),
      laterFragments: false,
      unmodelled: [...unmodelled, ...asked.flatMap((item) => item.unmodelled)],
      origin: object.origin,
    };
  }

  #mapOf(
    item: UtmInterface,
    entries: readonly { readonly entry: PolicyEntry; readonly ingress?: string }[],
  ): PolicyMap {
    return {
      name: item.name,
      entries: entries
        .filter(({ ingress }) => ingress === undefined || ingress === item.name)
        .map(({ entry }) => entry),
    };
  }

  /**
   * `normal`: a source in a network of another interface, or an address of the UTM itself, is refused; `strict` also refuses packets for
   * addresses of other interfaces, which are none that go through. Ref: Sophos UTM administration guide, "Firewall > Advanced".
   */
  #spoofProtection(): SourceCheck | undefined {
    const node = this.#objects.nodes.get('packetfilter.advanced.spoof_protection');
    const origin: Span = node?.origin ?? {
      path: this.#texts[0]?.path ?? '',
      line: 1,
      column: 1,
      text: 'spoof protection',
    };
    const base = { mode: 'attached' as const, origin };
    if (node === undefined) {
      this.#incomplete('spoof protection is not in the export (/api/nodes/packetfilter.advanced.spoof_protection)');
      return { ...base, unmodelled: [], doubt: "whether spoof protection is on is not in the router's state" };
    }
    const value = String(node.value).toLowerCase();
    if (value === 'off' || value === '0' || value === '' || value === 'false') return undefined;
    if (value === 'normal' || value === 'strict') return { ...base, unmodelled: [] };
    this.#problems.push({
      code: 'RV301',
      message: `spoof protection "${value}" is not modelled`,
      where: configPlace(origin),
    });
    return { ...base, unmodelled: [`spoof protection ${value}`] };
  }

  /** Rules between interfaces; what none permits is dropped, what answers a permitted connection passes. */
  #packetFilter(): { list: string } {
    const all = this.#objects.ofType('packetfilter/packetfilter');
    const nodes = ['rules_front', 'rules', 'rules_auto', 'rules_back'].map((name) =>
      this.#objects.order(`packetfilter.${name}`),
    );
    const known = all.length > 0 || nodes.some((node) => node !== undefined);
    if (!known) {
      this.#incomplete(
        'rules of the packet filter are not in the export (/api/objects/packetfilter/packetfilter/, /api/nodes/packetfilter.rules)',
      );
      const origin: Span = { path: this.#texts[0]?.path ?? '', line: 1, column: 1, text: '' };
      const any: AccessListEntry = {
        permit: true,
        sequence: 1,
        services: [{}],
        source: [{ kind: 'masked', address: 0, wildcard: 0xffffffff }],
        destination: [{ kind: 'masked', address: 0, wildcard: 0xffffffff }],
        laterFragments: false,
        unmodelled: ["the packet filter's rules, which are not in the router's state"],
        origin,
      };
      this.#lists.set(FILTER_LIST, { name: FILTER_LIST, title: FILTER_LIST, entries: [any] });
      return { list: FILTER_LIST };
    }
    const refs = nodes.some((node) => node !== undefined)
      ? nodes.flatMap((node) => node ?? [])
      : all.map((object) => object.ref);
    const entries = refs.flatMap((ref, index) => {
      const object = this.#objects.objects.get(ref);
      return object === undefined || flagOf(object, 'status') !== true ? [] : [this.#filterEntry(object, index + 1)];
    });
    this.#lists.set(FILTER_LIST, { name: FILTER_LIST, title: FILTER_LIST, entries });
    return { list: FILTER_LIST };
  }

  #filterEntry(object: UtmObject, sequence: number): AccessListEntry {
    const unmodelled = ['time', 'source_mac_addresses', 'interface'].flatMap((name) =>
      refsOf(object, name).length === 0 || refsOf(object, name).every((ref) => /Any|Always/.test(ref))
        ? []
        : [`${name} of rule ${sequence}`],
    );
    for (const name of unmodelled)
      this.#problems.push({
        code: 'RV301',
        message: `${name} of the packet filter is not modelled`,
        where: configPlace(object.origin),
      });
    const permit = textOf(object, 'action') === 'accept';
    return this.#listEntry(
      object,
      sequence,
      permit,
      refsOf(object, 'sources'),
      refsOf(object, 'services'),
      refsOf(object, 'destinations'),
      unmodelled,
    );
  }

  /** Masquerading and NAT rules: packets that they apply to are undetermined. */
  #translations(interfaces: readonly UtmInterface[]): Translation[] {
    const masquerading = activeObjects(this.#objects, 'packetfilter/masq', 'masq.rules').map((object): Translation => {
      const egress = interfaces.find((item) => item.object.ref === refsOf(object, 'source_nat_interface')[0]);
      const list = this.#translationList(object, refsOf(object, 'source'), [], []);
      return {
        side: 'inside',
        at: 'egress',
        ...(egress !== undefined && { egress: egress.name }),
        list,
        origin: object.origin,
      };
    });
    const rules = activeObjects(this.#objects, 'packetfilter/nat', 'nat.rules')
      .filter((object) => textOf(object, 'mode') !== 'none')
      .map((object): Translation => {
        const list = this.#translationList(
          object,
          refsOf(object, 'source'),
          refsOf(object, 'service'),
          refsOf(object, 'destination'),
        );
        return {
          side: 'inside',
          at: textOf(object, 'mode') === 'snat' ? 'egress' : 'ingress',
          list,
          origin: object.origin,
        };
      });
    const all = [...masquerading, ...rules];
    for (const { origin } of all)
      this.#problems.push({
        code: 'RV301',
        message: 'translation of addresses (NAT) is recognised and not modelled',
        where: configPlace(origin),
      });
    return all;
  }

  #translationList(
    object: UtmObject,
    sources: readonly string[],
    services: readonly string[],
    destinations: readonly string[],
  ): string {
    const name = `translation ${object.ref}`;
    this.#lists.set(name, {
      name,
      title: name,
      entries: [this.#listEntry(object, 1, true, sources, services, destinations)],
    });
    return name;
  }
}
