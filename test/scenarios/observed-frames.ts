/**
 * What a stored capture shows, read slowly and plainly: the twin of `src/observation`. It knows the lab, so that it needs nothing of the
 * router's state: the router's MAC addresses end in fe and every MAC address spells its IPv4 address. See test/lab/topology.ts.
 */
import type { CaptureInput } from '../../src/capture/capture-set.ts';
import { openCaptureSet } from '../../src/capture/open-capture.ts';
import { formatMac } from '../../src/net/mac-address.ts';
import { formatIpv4, formatWords } from '../../src/net/ip-address.ts';
import { Direction, PacketBatch, Status } from '../../src/wire/packet-batch.ts';
import { LAYOUTS, ROLES, ROUTER_INTERFACES } from '../lab/topology.ts';

/** An IP frame as it left the router. */
export interface EgressCopy {
  readonly egress: string;
  /** The host that the frame was sent to, by its MAC address; absent in cooked captures. */
  readonly nextHop?: string;
}

export interface ObservedFrames {
  /** IP frames that entered, by {@link frameKey}; with the copy that left, where there is one. */
  readonly ingress: ReadonlyMap<string, EgressCopy | undefined>;
  /** IP frames that left without having entered, and whose source is not the router itself, in words. */
  readonly fromNowhere: readonly string[];
  /** Whether the router asked for the address, at that time or up to a neighbour's patience before, and the capture has no sign of it at all. */
  neverResolved(address: string, interfaceName: string, seconds: number): boolean;
}

/** By index, from 2. The fourth, where there is one, is a tunnel in captures that do not name it. */
export const ROUTER_NAMES: readonly string[] = [...ROUTER_INTERFACES, 'tun0'];
/** Addresses beside their first that hosts of the lab have: their frames may go to the MAC address of either. */
const FURTHER_ADDRESSES: Readonly<Record<string, string>> = {
  '10.0.0.20': '10.0.0.10',
  ...Object.fromEntries(
    ROLES.map((role) => LAYOUTS['dual-stack'][role]).map(({ ipv6, address }) => [ipv6.address, address]),
  ),
};

/** Three requests, a second apart. */
const PATIENCE_SECONDS = 3;
/** In the lab every copy leaves within that time, or waits for ARP. */
const LONGEST_STAY_SECONDS = 4;

interface Waiting {
  readonly key: string;
  readonly seconds: number;
}

interface ArpRequest {
  readonly interface: string;
  readonly address: string;
  readonly seconds: number;
}

/** Names a frame: index of its file, and its number there. */
export function frameKey(file: number, frame: number): string {
  return `${file}:${frame}`;
}

/** Reads a capture of the lab in any form. */
export async function observeFrames(inputs: readonly CaptureInput[]): Promise<ObservedFrames> {
  const captures = await openCaptureSet(inputs);
  const batch = new PacketBatch(256);
  const ingress = new Map<string, EgressCopy | undefined>();
  const waiting = new Map<string, Waiting[]>();
  const fromNowhere: string[] = [];
  const requests: ArpRequest[] = [];
  const alive = new Set<string>();
  while (await captures.next(batch)) {
    for (let row = 0; row < batch.length; row++) {
      const seconds = batch.seconds[row]! + batch.nanoseconds[row]! / 1e9;
      const { name, index } = captures.interfaces[batch.captureInterface[row]!]!;
      const device = name ?? ROUTER_NAMES[index! - 2] ?? `interface ${index}`;
      const leaves =
        batch.direction[row] === Direction.unknown
          ? formatMac(batch.sourceMac[row]!).endsWith(':fe')
          : batch.direction[row] === Direction.outbound;
      if ((batch.status[row]! & Status.arp) !== 0) {
        if (leaves && batch.arpOperation[row] === 1)
          requests.push({ interface: device, address: formatIpv4(batch.destination[4 * row]!), seconds });
        if (!leaves) alive.add(formatIpv4(batch.source[4 * row]!));
        continue;
      }
      if ((batch.status[row]! & Status.ip) === 0) continue;
      const key = frameKey(batch.file[row]!, batch.frameNumber[row]!);
      if (!leaves) {
        ingress.set(key, undefined);
        const same = packetKey(batch, row, batch.ttl[row]! - 1);
        waiting.set(same, [...(waiting.get(same) ?? []), { key, seconds }]);
        continue;
      }
      const candidates = waiting.get(packetKey(batch, row, batch.ttl[row]!)) ?? [];
      // A retransmission may be the same packet byte for byte: the copy is that of the last one.
      const entered = candidates.pop();
      if (entered !== undefined && seconds - entered.seconds <= LONGEST_STAY_SECONDS) {
        const mac = batch.destinationMac[row]!;
        ingress.set(entered.key, { egress: device, ...(mac >= 0 && { nextHop: addressSpelledBy(formatMac(mac)) }) });
      } else {
        const [a, b, c, d] = batch.source.subarray(4 * row, 4 * row + 4);
        const source = formatWords(batch.family[row]!, a!, b!, c!, d!);
        if (!isRouter(source)) fromNowhere.push(`frame ${key} on ${device} from ${source}`);
      }
    }
  }
  await captures.close();
  return {
    ingress,
    fromNowhere,
    neverResolved: (address, interfaceName, at) =>
      !alive.has(address) &&
      requests.some(
        (request) =>
          request.interface === interfaceName &&
          request.address === address &&
          Math.abs(request.seconds - at) <= PATIENCE_SECONDS,
      ),
  };
}

/** What no router on the way changes, and the TTL. Addresses are left out: NAT may change them. */
function packetKey(batch: PacketBatch, row: number, ttl: number): string {
  return [
    ttl,
    batch.protocol[row],
    batch.identification[row],
    batch.fragmentOffset[row],
    batch.networkLength[row],
    batch.tcpSequence[row],
    batch.tcpAcknowledgement[row],
    batch.tcpFlags[row],
    batch.icmpType[row],
    batch.icmpCode[row],
  ].join();
}

/** The address that the MAC address of this address' host spells. */
export function hostOf(address: string): string {
  return FURTHER_ADDRESSES[address] ?? address;
}

/** `02:00:ac:10:00:01` is 172.16.0.1. */
function addressSpelledBy(mac: string): string {
  return mac
    .split(':')
    .slice(2)
    .map((octet) => Number.parseInt(octet, 16))
    .join('.');
}

function isRouter(address: string): boolean {
  return /\.254$|:fe$/.test(address);
}
