import { Direction, LinkDestination, type PacketBatch, Status } from '../wire/packet-batch.ts';
import { isSameFrame, timeBetween } from './same-frame.ts';

/** Where a capture was taken. */
export const VANTAGES = ['router', 'client', 'server', 'sps', 'mirror'] as const;
export type VantageName = (typeof VANTAGES)[number];

/** Tells what a host on one of the router's segments is, by the interface of the router, its MAC address and its IPv4 address (0 unknown). */
export type HostRole = (interfaceName: string, mac: number, address: number) => VantageName;

/** What of the router the signs are read against. */
export interface RouterSigns {
  /** The router's interface with a MAC address, −2 where several have it, undefined where none has. */
  readonly interfaceOfMac: (mac: number, vlan: number) => number | undefined;
  /** The router's interface that a capture interface names, −1 where it names none. */
  readonly interfaceOfCapture: (captureInterface: number) => number;
  /** Whether a capture interface has a name that could be the router's and is not. */
  readonly hasForeignName: (captureInterface: number) => boolean;
  /** Whether a frame seen on the first interface may have been sent from or to the second one: the same, or one above it. */
  readonly carries: (named: number, byMac: number) => boolean;
  readonly hostRole: (position: number, mac: number, address: number) => VantageName;
}

/** Where a file was taken. */
export interface TakenAt {
  readonly kind: VantageName;
  /** The router's interface whose wire it shows, −1 where none or several. */
  readonly wire: number;
  /** It shows frames twice: a mirror of what enters and of what leaves a switch. */
  readonly doubled: boolean;
}

/** Rows looked at for frames that are there twice, how far behind each, and how many of these make a capture a doubled one. */
const SAMPLE_ROWS = 512;
const SAMPLE_NANOSECONDS = 1e6;
const DOUBLED_SHARE = 0.3;

/** The signs of one capture file. */
class FileSigns {
  /** Frames with a MAC address of the interface that their capture names, of another one of the router, of none. */
  agreeing = 0;
  conflicting = 0;
  foreign = 0;
  /** Frames that the capturing host sent with a MAC address of the router, or with another one; that the router sent to it. */
  sentByRouter = 0;
  sentByOther = 0;
  receivedFromRouter = 0;
  hasForeignName = false;
  readonly positions = new Set<number>();
  /** The hosts that are an end of every unicast frame: the one that captured is among them. Undefined before the first. */
  hosts: Set<number> | undefined;
  readonly addresses = new Map<number, number>();

  note(batch: PacketBatch, row: number, router: RouterSigns): void {
    const source = batch.sourceMac[row]!;
    const destination = batch.destinationMac[row]!;
    const fromRouter = source > 0 ? router.interfaceOfMac(source, batch.vlan[row]!) : undefined;
    const toRouter = destination > 0 ? router.interfaceOfMac(destination, batch.vlan[row]!) : undefined;
    if (source > 0 && fromRouter === undefined) this.#learnAddress(batch, row, source);
    const direction = batch.direction[row]!;
    if (destination < 0) {
      if (direction === Direction.outbound && source > 0) {
        if (fromRouter === undefined) {
          this.sentByOther++;
          this.#narrow(source, -1);
        } else this.sentByRouter++;
      } else if (direction === Direction.inbound && fromRouter !== undefined) {
        this.receivedFromRouter++;
        if (fromRouter >= 0) this.positions.add(fromRouter);
      }
      return;
    }
    if (source < 0 || isGroup(destination)) return;
    const captureInterface = batch.captureInterface[row]!;
    this.hasForeignName ||= router.hasForeignName(captureInterface);
    const position = fromRouter ?? toRouter;
    this.#narrow(fromRouter === undefined ? source : -1, toRouter === undefined ? destination : -1);
    if (position === undefined) {
      this.foreign++;
      return;
    }
    if (position < 0) return;
    this.positions.add(position);
    const named = router.interfaceOfCapture(captureInterface);
    if (named < 0) return;
    if (router.carries(named, position)) this.agreeing++;
    else this.conflicting++;
  }

  get wire(): number {
    const [position, ...more] = this.positions;
    return position === undefined || more.length > 0 ? -1 : position;
  }

  judge(router: RouterSigns): VantageName {
    if (this.sentByRouter > 0 || this.agreeing > 0) return 'router';
    const isHost = this.receivedFromRouter > 0;
    if (isHost) return this.#host(router);
    if (this.positions.size === 0) return 'router';
    // A host's own interface may bear the name of another one of the router.
    const isElsewhere = this.conflicting > 0 || this.hasForeignName;
    if (this.positions.size > 1) return 'mirror';
    if (!isElsewhere && (this.foreign === 0 || this.hosts?.size !== 1)) return 'router';
    return this.#host(router);
  }

  #host(router: RouterSigns): VantageName {
    const [host, ...others] = this.hosts ?? [];
    if (host === undefined || others.length > 0 || this.wire < 0) return 'mirror';
    return router.hostRole(this.wire, host, this.addresses.get(host) ?? 0);
  }

  #narrow(first: number, second: number): void {
    if (this.hosts === undefined) this.hosts = new Set([first, second].filter((mac) => mac >= 0));
    else for (const mac of this.hosts) if (mac !== first && mac !== second) this.hosts.delete(mac);
  }

  /** ARP names a host's own address; IP packets may be others', forwarded. */
  #learnAddress(batch: PacketBatch, row: number, mac: number): void {
    if ((batch.status[row]! & Status.arp) !== 0 && batch.source[4 * row] !== 0)
      this.addresses.set(mac, batch.source[4 * row]!);
  }
}

/**
 * Tells for each file where it was captured, unless that is `stated`: on the router, whose MAC address then is an end of every frame of a named interface; on a host,
 * which is an end of every frame instead; on a mirror port. Read from the first frames.
 */
export function tellVantages(
  batch: PacketBatch,
  fileCount: number,
  router: RouterSigns,
  stated?: VantageName,
): TakenAt[] {
  const files = Array.from({ length: fileCount }, () => new FileSigns());
  for (let row = 0; row < batch.length; row++) {
    if ((batch.status[row]! & (Status.ip | Status.arp)) === 0) continue;
    if (batch.linkDestination[row] === LinkDestination.otherHost) continue;
    files[batch.file[row]!]?.note(batch, row, router);
  }
  return files.map((file, index) => ({
    kind: stated ?? file.judge(router),
    wire: file.wire,
    doubled: isDoubled(batch, index),
  }));
}

function isGroup(mac: number): boolean {
  return Math.floor(mac / 2 ** 40) % 2 === 1;
}

/** Whether most frames of a file come twice. A host that sends something again is an exception. */
function isDoubled(batch: PacketBatch, file: number): boolean {
  let looked = 0;
  let again = 0;
  for (let row = 0; row < batch.length && looked < SAMPLE_ROWS; row++) {
    if (batch.file[row] !== file || (batch.status[row]! & Status.ip) === 0) continue;
    looked++;
    for (let other = row + 1; other < batch.length; other++) {
      if (timeBetween(batch, row, other) > SAMPLE_NANOSECONDS) break;
      if (batch.file[other] !== file || batch.sourceMac[other] !== batch.sourceMac[row]) continue;
      if (!isSameFrame(batch, row, other)) continue;
      again++;
      break;
    }
  }
  return again > looked * DOUBLED_SHARE;
}
