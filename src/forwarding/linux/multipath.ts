import { IpProtocol } from '../../net/ip-protocol.ts';
import { Status } from '../../wire/packet-batch.ts';
import type { Run } from './run.ts';

/** The hash cannot be foretold. */
export const UNKNOWN_HASH = -1;

const HASHED_LENGTH = 48;
/** IGMP, EIGRP, OSPF, PIM, VRRP: nothing in them is looked at. Ref: flow_dissector.c: __skb_flow_dissect(), proto_ports_offset() */
const WITHOUT_PORTS: ReadonlySet<number> = new Set([2, 88, 89, 103, 112]);
const HAVE_PORTS: ReadonlySet<number> = new Set([IpProtocol.tcp, IpProtocol.udp]);

const ICMP_ERRORS: ReadonlySet<number> = new Set([3, 4, 5, 11, 12]);

/**
 * The 31-bit hash by which the kernel chooses between a route's next hops; {@link UNKNOWN_HASH} without a seed, as its key is then
 * random. Section 4.8 of linux-forwarding. Ref: route.c: fib_multipath_hash(); include/net/ip_fib.h: fib_multipath_hash_from_keys().
 */
export function multipathHash(run: Run): number {
  const { multipathSeed, multipathPolicy } = run.router.settings;
  if (multipathSeed === 0) return UNKNOWN_HASH;
  if (multipathPolicy === 0) {
    if (!isError(run)) return hashOf(multipathSeed, 0, run.currentSource, run.currentDestination, 0, 0);
    // Errors go the way of what they are about. Where translations change it on the way, the quoted addresses are not followed.
    if ((run.status & Status.quoted) === 0 || run.sourceTranslated || run.destinationTranslated) return UNKNOWN_HASH;
    return hashOf(multipathSeed, 0, run.quotedSource, run.quotedDestination, 0, 0);
  }
  const { protocol } = run;
  if (multipathPolicy !== 1 && !isPlain(run) && !(multipathPolicy === 2 && protocol === IpProtocol.esp))
    return UNKNOWN_HASH;
  // The innermost packet's addresses; a plain packet is its own. An ICMP error is not looked into here.
  if (multipathPolicy === 2) return hashOf(multipathSeed, 0, run.currentSource, run.currentDestination, 0, 0);
  if (multipathPolicy === 3) return chosenFieldsHash(run);
  if (multipathPolicy !== 1) return UNKNOWN_HASH;
  const whole = (run.status & Status.fragment) === 0;
  if (protocol === IpProtocol.tcp || protocol === IpProtocol.udp) {
    if (whole && !run.hasTransport) return UNKNOWN_HASH;
    const source = whole ? run.currentSourcePort : 0;
    const destination = whole ? run.currentDestinationPort : 0;
    return hashOf(multipathSeed, protocol, run.currentSource, run.currentDestination, source, destination);
  }
  if (protocol !== IpProtocol.icmp && !WITHOUT_PORTS.has(protocol)) return UNKNOWN_HASH;
  return hashOf(multipathSeed, protocol, run.currentSource, run.currentDestination, 0, 0);
}

/** Whether the flow dissector finds no packet inside, and its transport header is there. */
function isPlain({ protocol, status, hasTransport }: Run): boolean {
  if (protocol === IpProtocol.icmp || WITHOUT_PORTS.has(protocol)) return true;
  if (protocol !== IpProtocol.tcp && protocol !== IpProtocol.udp) return false;
  return hasTransport || (status & Status.fragment) !== 0;
}

/** Bits of net.ipv4.fib_multipath_hash_fields. Ref: include/net/ip_fib.h: FIB_MULTIPATH_HASH_FIELD_SRC_IP … */
const HashField = { source: 1, destination: 2, protocol: 4, sourcePort: 16, destinationPort: 32 } as const;
const OUTER_FIELDS = 0x3f;

/** Ref: route.c: fib_multipath_custom_hash_skb(). */
function chosenFieldsHash(run: Run): number {
  const { multipathSeed, multipathFields } = run.router.settings;
  const has = (field: number): boolean => (multipathFields & field) !== 0;
  if ((multipathFields & OUTER_FIELDS) === 0) return mixWords(0, 0) >>> 1;
  const hasPorts = (run.status & Status.fragment) === 0 && HAVE_PORTS.has(run.protocol);
  const outer = fullHashOf(
    multipathSeed,
    has(HashField.protocol) ? run.protocol : 0,
    has(HashField.source) ? run.currentSource : 0,
    has(HashField.destination) ? run.currentDestination : 0,
    hasPorts && has(HashField.sourcePort) ? run.currentSourcePort : 0,
    hasPorts && has(HashField.destinationPort) ? run.currentDestinationPort : 0,
  );
  return mixWords(outer, 0) >>> 1;
}

/** Ref: include/linux/jhash.h: jhash_2words(), with 0 as its start. */
function mixWords(first: number, second: number): number {
  const start = (0xdeadbeef + 8) | 0;
  let a = (first + start) | 0;
  let b = (second + start) | 0;
  let c = start;
  const turn = (value: number, bits: number): number => (value << bits) | (value >>> (32 - bits));
  c = ((c ^ b) - turn(b, 14)) | 0;
  a = ((a ^ c) - turn(c, 11)) | 0;
  b = ((b ^ a) - turn(a, 25)) | 0;
  c = ((c ^ b) - turn(b, 16)) | 0;
  a = ((a ^ c) - turn(c, 4)) | 0;
  b = ((b ^ a) - turn(a, 14)) | 0;
  return ((c ^ b) - turn(b, 24)) | 0;
}

function isError(run: Run): boolean {
  return run.protocol === IpProtocol.icmp && ICMP_ERRORS.has(run.icmpType) && (run.status & Status.fragment) === 0;
}

function hashOf(...flow: Parameters<typeof fullHashOf>): number {
  return fullHashOf(...flow) >>> 1;
}

/** Addresses and ports stand in the order of their bytes taken as little-endian numbers, so that both directions have one hash. */
function fullHashOf(
  seed: number,
  protocol: number,
  source: number,
  destination: number,
  sourcePort: number,
  destinationPort: number,
): number {
  const a = swap32(source);
  const b = swap32(destination);
  const p = swap16(sourcePort);
  const q = swap16(destinationPort);
  const ports = p <= q ? p | (q << 16) : q | (p << 16);
  begin(seed);
  absorb(protocol << 16, 0);
  absorb(0, 0);
  absorb(0, 0);
  absorb(0, ports);
  absorb(0, Math.min(a, b));
  absorb(Math.max(a, b), 0);
  const low = finish(HASHED_LENGTH) >>> 0;
  return low === 0 ? 1 : low;
}

function swap16(value: number): number {
  return ((value & 0xff) << 8) | (value >>> 8);
}

function swap32(value: number): number {
  return ((value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
}

/** SipHash-2-4's four words of 64 bits, each as low and high half. Ref: Aumasson, Bernstein, SipHash: a fast short-input PRF. */
const v = new Int32Array(8);

function begin(seed: number): void {
  const start = [0x70736575, 0x736f6d65, 0x6e646f6d, 0x646f7261, 0x6e657261, 0x6c796765, 0x79746573, 0x74656462];
  for (let half = 0; half < 8; half++) v[half] = start[half]! ^ seed;
}

function absorb(low: number, high: number): void {
  v[6]! ^= low;
  v[7]! ^= high;
  round();
  round();
  v[0]! ^= low;
  v[1]! ^= high;
}

/** The low half of the result. */
function finish(length: number): number {
  absorb(0, length << 24);
  v[4]! ^= 0xff;
  for (let count = 0; count < 4; count++) round();
  return v[0]! ^ v[2]! ^ v[4]! ^ v[6]!;
}

function round(): void {
  add(0, 2);
  rotate(2, 13);
  mix(2, 0);
  swapHalves(0);
  add(4, 6);
  rotate(6, 16);
  mix(6, 4);
  add(0, 6);
  rotate(6, 21);
  mix(6, 0);
  add(4, 2);
  rotate(2, 17);
  mix(2, 4);
  swapHalves(4);
}

function add(to: number, from: number): void {
  const low = (v[to]! >>> 0) + (v[from]! >>> 0);
  v[to] = low;
  v[to + 1] = v[to + 1]! + v[from + 1]! + (low > 0xffffffff ? 1 : 0);
}

function mix(to: number, from: number): void {
  v[to]! ^= v[from]!;
  v[to + 1]! ^= v[from + 1]!;
}

/** To the left, by less than 32. */
function rotate(at: number, bits: number): void {
  const low = v[at]!;
  const high = v[at + 1]!;
  v[at] = (low << bits) | (high >>> (32 - bits));
  v[at + 1] = (high << bits) | (low >>> (32 - bits));
}

function swapHalves(at: number): void {
  const low = v[at]!;
  v[at] = v[at + 1]!;
  v[at + 1] = low;
}
