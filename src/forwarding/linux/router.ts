import type { LinuxDevice } from '../../model/linux-device.ts';
import type { Family } from '../../net/ip-address.ts';
import { AddressPool } from './address-pool.ts';
import { type AnswerMarks, compileErrorMarks } from './answer-marks.ts';
import { compileDumpedConnections, type DumpedConnections } from './dumped-connections.ts';
import { compileFib, type Fib } from './fib.ts';
import { compileLinks, type Links } from './links.ts';
import { compileListeners, type Listeners } from './local-answers.ts';
import { compileProgram } from './compile-program.ts';
import type { Program } from './program.ts';
import { Registry } from './reasons.ts';
import { compileRpdb, type Rpdb, tablesOfRules } from './rpdb.ts';
import { compileSettings, type Settings } from './settings.ts';
import { compileSettings6, type Settings6 } from './settings6.ts';

/** What can be unknown regardless of the configuration; ids of the registry. */
export interface CommonReasons {
  readonly extensionHeaders: number;
  readonly tooManyAddresses: number;
  readonly forced: number;
  readonly notIp: number;
  readonly cut: number;
  readonly sourceRoute: number;
  readonly securityOption: number;
  readonly shortHeader: number;
  readonly ingress: number;
  readonly multicast: number;
  readonly fragment: number;
  readonly heldFragment: number;
  readonly ruleOrder: number;
  readonly tooManyUnknowns: number;
  readonly ambiguousEntry: number;
  readonly translation: number;
  readonly localAnswers: number;
  readonly interfaceAddresses: number;
  readonly localTraffic: number;
  readonly unmodelledProtocol: number;
  readonly ruleHistory: number;
  readonly routeInterface: number;
  readonly rulesVariant: number;
  readonly noCarrier: number;
  readonly loopback: number;
  readonly dumpedEntry: number;
  readonly expectation: number;
}

/** A Linux router as packets of one family meet it, compiled: everything that deciding needs, immutable and shared between forwarders. */
export interface CompiledRouter {
  readonly device: LinuxDevice;
  readonly family: Family;
  /** Of IPv6; grows with the addresses that are seen, and is the only thing here that changes. */
  readonly addresses: AddressPool;
  readonly registry: Registry;
  readonly links: Links;
  readonly settings: Settings;
  readonly settings6: Settings6;
  readonly program: Program;
  readonly fib: Fib;
  readonly rpdb: Rpdb;
  readonly dumped: DumpedConnections | undefined;
  readonly listeners: Listeners | undefined;
  /** Connections to a helper's usual port get it by themselves: before Linux 6.0, where the sysctl says so. */
  readonly assignsHelpers: boolean;
  /** What the router's own ICMP errors may do to connection marks. */
  readonly errorMarks: AnswerMarks;
  readonly reasons: CommonReasons;
  /** Id of something because of which nothing can be said about any packet, −1. */
  readonly blockingReason: number;
}

/** Compiles a device; nothing is reported here: what is missing becomes unknown where a packet meets it. */
export function compileRouter(device: LinuxDevice, family: Family = 4, addresses = new AddressPool()): CompiledRouter {
  const registry = new Registry();
  const links = compileLinks(device);
  const fib = compileFib(device, links, tablesOfRules(device, family), registry, family, addresses);
  const settings = compileSettings(device, links.names, registry);
  const settings6 = compileSettings6(device, links.names, registry, settings);
  const program = compileProgram(device, links, registry, family);
  return {
    device,
    family,
    addresses,
    registry,
    links,
    settings: family === 4 ? settings : settings6.settings,
    settings6,
    program,
    fib,
    rpdb: compileRpdb(device, links, fib, registry, family),
    dumped: family === 4 ? compileDumpedConnections(device) : undefined,
    listeners: family === 4 ? compileListeners(device) : undefined,
    errorMarks: compileErrorMarks(program, Number(device.sysctls.get('net/ipv4/fwmark_reflect')?.value ?? 0) !== 0),
    assignsHelpers: device.sysctls.get('net/netfilter/nf_conntrack_helper')?.value.trim() === '1',
    reasons: {
      extensionHeaders: registry.unknown('IPv6 packets with extension headers are not modelled'),
      tooManyAddresses: registry.unknown('more IPv6 addresses were seen than are told apart'),
      forced: registry.unknown(
        'whether the next router answers, which counts where force_forwarding alone makes this one forward, is not known',
      ),
      notIp: registry.unknown('the frame holds no IP packet'),
      cut: registry.unknown('the capture cut the frame short'),
      sourceRoute: registry.unknown('packets with a source route option that the router accepts are not modelled'),
      securityOption: registry.unknown('packets with a security label (CIPSO) are not modelled'),
      shortHeader: registry.unknown('what this version of iptables makes of a transport header cut short is not known'),
      ingress: registry.unknown('the interface that the packet came in on is not known'),
      multicast: registry.unknown('multicast forwarding is not modelled'),
      fragment: registry.unknown(
        'whether and how the router puts the fragments of this datagram together is not known',
      ),
      heldFragment: registry.unknown('the router holds the fragment until the rest of its datagram comes'),
      ruleOrder: registry.unknown('which of the legacy and nft rules runs first is not known'),
      tooManyUnknowns: registry.unknown('too much about this packet is unknown'),
      ambiguousEntry: registry.unknown('the connection entry of this packet is not known'),
      translation: registry.unknown('the address or port after translation is not known'),
      localAnswers: registry.unknown("the router's own packets of this connection are not known"),
      interfaceAddresses: registry.unknown("interface addresses (ip addr) are not in the router's state"),
      localTraffic: registry.unknown(
        'connection tracking of packets of a cut or unusual transport header is not known',
      ),
      unmodelledProtocol: registry.unknown('connection tracking of this transport protocol is not modelled'),
      ruleHistory: registry.unknown('whether a policy rule was ever added or deleted cannot be seen'),
      routeInterface: registry.unknown('the interface of this route is not known'),
      noCarrier: registry.unknown(
        'the interface that the packet leaves by had no carrier when the state was taken: while that lasts it is lost',
      ),
      expectation: registry.unknown('whether a helper expects this connection depends on payload that is not read'),
      dumpedEntry: registry.unknown('what became of this connection since its entry was listed is not known'),
      loopback: registry.unknown('what is sent over the loopback interface comes back by it, which is not modelled'),
      rulesVariant: registry.unknown('whether these rules are of iptables-legacy or iptables-nft is not known'),
    },
    blockingReason: blockingReason(device, registry, family),
  };
}

function blockingReason(device: LinuxDevice, registry: Registry, family: Family): number {
  const [first] = device.runWideUnknowns;
  if (first !== undefined) return registry.unknown(`${first.name} is not modelled`, first.origin);
  if (family === 6 && device.ipv6ChangedBy !== undefined) {
    return registry.unknown('what commands do to IPv6 routing is not modelled', device.ipv6ChangedBy);
  }
  if (!(family === 4 ? device.known.netfilter4 : device.known.netfilter6)) {
    const command = family === 4 ? 'iptables-save' : 'ip6tables-save';
    return registry.unknown(`packet filter rules (${command}) are not in the router's state`);
  }
  return -1;
}
