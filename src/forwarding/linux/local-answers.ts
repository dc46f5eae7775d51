import type { LinuxDevice } from '../../model/linux-device.ts';
import { IpProtocol } from '../../net/ip-protocol.ts';
import { Status } from '../../wire/packet-batch.ts';
import { Entry, EntryFlag } from './connection-table.ts';
import { Found, lookup } from './lookup.ts';
import { baseIndex, HookNumber, TableNumber } from './program.ts';
import { EntryUse, type Run } from './run.ts';
import { Tracking, trackSegment } from './tcp-tracking.ts';

/** The ports at which programs listen: what tells that nobody takes a packet. */
export interface Listeners {
  readonly keys: ReadonlySet<string>;
  /** Ports that connections of the router's own may come from. */
  readonly firstOwnPort: number;
  readonly lastOwnPort: number;
  /** The router answers with the mark of what it answers to. */
  readonly reflectsMark: boolean;
}

const SYN = 0x02;
const RST = 0x04;
const ACK = 0x10;
const FIN = 0x01;
/** Ports that programs with privileges take for connections of their own. Ref: bindresvport(3) */
const RESERVED_FIRST = 512;
const RESERVED_LAST = 1023;

/** Undefined where the listening sockets are not in the state. */
export function compileListeners(device: LinuxDevice): Listeners | undefined {
  if (device.listening === undefined) return undefined;
  const [first, last] = (device.sysctls.get('net/ipv4/ip_local_port_range')?.value ?? '32768 60999')
    .trim()
    .split(/\s+/);
  return {
    keys: new Set(
      device.listening.map(
        ({ protocol, port, address }) => `${protocol} ${address === undefined ? '*' : address | 0} ${port}`,
      ),
    ),
    firstOwnPort: Number(first),
    lastOwnPort: Number(last),
    reflectsMark: Number(device.sysctls.get('net/ipv4/fwmark_reflect')?.value ?? 0) !== 0,
  };
}

/**
 * Whether the router's answer to a delivered packet is known; if so, the packet's entry is as it is after it. Where no program listens,
 * TCP answers with a reset, which goes through OUTPUT as any packet, and UDP with an ICMP error, which has no part in the entry.
 * Ref: tcp_ipv4.c: tcp_v4_rcv(), tcp_v4_send_reset(); udp.c: __udp4_lib_rcv()
 */
export function answerDelivered(run: Run): boolean {
  const { router } = run;
  if (router.listeners === undefined || run.use === EntryUse.none || run.isError) return false;
  if (!hasNoSocket(run, router.listeners)) return false;
  if (run.protocol === IpProtocol.udp) return !router.program.ownErrorsMark;
  // A damaged segment is not answered, nor is a reset.
  if ((run.status & Status.badTransportChecksum) !== 0 || (run.tcpFlags & RST) !== 0) return true;
  return answerWithReset(run, router.listeners);
}

function hasNoSocket(run: Run, listeners: Listeners): boolean {
  const { protocol, currentDestination: address, currentDestinationPort: port } = run;
  if (protocol !== IpProtocol.tcp && protocol !== IpProtocol.udp) return false;
  const odd = Status.malformed | Status.fragment | Status.options;
  if (run.hasSocket || !run.isUnicastFrame || (run.status & odd) !== 0 || !run.hasTransport) return false;
  if (!run.router.links.own.has(address)) return false;
  if (listeners.keys.has(`${protocol} * ${port}`) || listeners.keys.has(`${protocol} ${address} ${port}`)) return false;
  if (protocol === IpProtocol.tcp && (run.tcpFlags & (SYN | ACK)) === SYN) return true;
  // The router's own connections are not among the listening sockets.
  const mayBeOwn =
    (port >= listeners.firstOwnPort && port <= listeners.lastOwnPort) ||
    (port >= RESERVED_FIRST && port <= RESERVED_LAST);
  return !mayBeOwn;
}

function answerWithReset(run: Run, listeners: Listeners): boolean {
  const { table, router } = run;
  const { words } = table;
  const flags = words[run.base + Entry.flags]!;
  const zones = words[run.base + Entry.zones]!;
  if ((flags & (EntryFlag.blurred | EntryFlag.lost | EntryFlag.replyPortUnknown)) !== 0) return false;
  const { bases, ownErrorsMark } = router.program;
  // Rules of raw could keep the answer from its entry, others of OUTPUT write to the entry's mark.
  if (zones !== 0 || ownErrorsMark || bases[baseIndex(HookNumber.output, TableNumber.raw)]!.length > 0) return false;
  if (listeners.reflectsMark) return false;
  const found = routeBack(run);
  if (found === Found.unknown) return false;
  if (found !== Found.route) return true;
  const { tcpFlags, sequence, acknowledgement, window, windowScale, sackPermitted, sackEdge, payloadLength } = run;
  const length = payloadLength + ((tcpFlags & SYN) === 0 ? 0 : 1) + ((tcpFlags & FIN) === 0 ? 0 : 1);
  const acknowledges = (tcpFlags & ACK) !== 0;
  run.tcpFlags = acknowledges ? RST : RST | ACK;
  run.sequence = acknowledges ? acknowledgement : 0;
  run.acknowledgement = acknowledges ? 0 : (sequence + length) | 0;
  run.window = 0;
  run.windowScale = -1;
  run.sackPermitted = 0;
  run.sackEdge = run.acknowledgement;
  run.payloadLength = 0;
  const direction = 1 - run.direction;
  const result = trackSegment(run, direction, false);
  Object.assign(run, {
    tcpFlags,
    sequence,
    acknowledgement,
    window,
    windowScale,
    sackPermitted,
    sackEdge,
    payloadLength,
  });
  if (result === Tracking.reopen) return false;
  if (result === Tracking.deleted) {
    run.use = EntryUse.dying;
    run.oldGone = true;
  } else if (result === Tracking.accept && direction === 1) {
    words[run.base + Entry.flags]! |= EntryFlag.seenReply;
  }
  return true;
}

/** A {@link Found} number: how the router reaches whom it answers. */
function routeBack(run: Run): number {
  const { steps } = run;
  run.steps = null;
  run.flowSource = run.currentDestination;
  run.flowDestination = run.currentSource;
  run.flowSourcePort = 0;
  run.flowDestinationPort = 0;
  if (run.router.rpdb.dissects) {
    run.flowProtocol = run.protocol;
    run.flowSourcePort = run.currentDestinationPort;
    run.flowDestinationPort = run.currentSourcePort;
  }
  run.flowIif = run.router.links.loopback;
  run.flowOutput = -1;
  run.flowUsesMark = false;
  lookup(run);
  run.steps = steps;
  return run.lookup;
}
