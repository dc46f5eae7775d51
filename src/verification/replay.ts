import type { CaptureSet } from '../capture/capture-set.ts';
import type { Forwarder } from '../forwarding/forwarder.ts';
import type { ConnectionLog } from '../observation/connection-log.ts';
import type { VantageName } from '../observation/taken-at.ts';
import type { Vantage } from '../observation/vantage.ts';
import { PacketBatch } from '../wire/packet-batch.ts';
import type { FrameTally } from './frame-tally.ts';
import type { ResolvedIntent } from './intent.ts';
import type { Ipv6Ways } from './ipv6-ways.ts';
import type { PathTable } from './path-table.ts';
import { ReplayRun } from './replay-run.ts';
import type { Router } from './router.ts';
import type { Senders } from './senders.ts';
import type { SideTraffic } from './side-traffic.ts';

/** Frames that are run at a time; by the first so many it is told where a capture was taken. */
export const BATCH_ROWS = 4096;

export interface ReplayOptions {
  /** The capture predates the configuration: what the servers sent is taken as SPS's answer. */
  readonly whatIf: boolean;
  readonly verifyChecksums?: boolean;
  /** Where the captures were taken; absent: told by what is in them. */
  readonly vantage?: VantageName;
  /** With more connections the run ends where it is, and says so: each takes memory. Default {@link MOST_CONNECTIONS}. */
  readonly mostConnections?: number;
  /** Called now and then with the frames read so far. */
  readonly onProgress?: (frames: number) => void;
}

/** A flood makes a connection of every packet; networks of people do not have so many in a capture. */
export const MOST_CONNECTIONS = 2_000_000;

/** What running a capture through a router gave. */
export interface Replay {
  /** Frames came that were not looked at, because there were too many connections; the last one that was. */
  readonly gaveUpAfter?: { readonly file: number; readonly frame: number };
  readonly frames: number;
  readonly ipFrames: number;
  readonly log: ConnectionLog;
  readonly paths: PathTable;
  readonly forwarder: Forwarder;
  readonly vantage: Vantage;
  readonly senders: Senders;
  /** Frames of a monitored service of which the ingress interface cannot be told. */
  readonly ambiguous: FrameTally;
  /** Frames of a monitored service on a captured interface of the router, between MAC addresses that are not the router's. */
  readonly foreign: FrameTally;
  /** Whether frames that leave the router are in the capture at all. */
  readonly sawEgress: boolean;
  /** Frames between monitored hosts that the snap length cut before their ports. */
  readonly cut: FrameTally;
  /** Later fragments between monitored hosts, which have no ports. */
  readonly fragments: FrameTally;
  /** Fragments between monitored hosts of datagrams that never came together in the router. */
  readonly pieces: FrameTally;
  /** ICMP redirects that the router was seen sending. */
  readonly icmpRedirects: FrameTally;
  /** Fragments and ICMP errors of redirected connections that go another way. */
  readonly side: SideTraffic;
  /** IPv6 frames of monitored ports between hosts that are no monitored ones. */
  readonly ipv6: FrameTally;
  /** Where IPv6 frames of monitored ports wanted to go. */
  readonly ipv6Ways: Ipv6Ways;
  /** Unmonitored connections on usually monitored ports, by port. */
  readonly usualPorts: ReadonlyMap<number, FrameTally>;
  /** ARP requests of the router for SPS without an answer so far: count of requests since the last answer. */
  readonly unansweredArp: number;
  /** Nanoseconds since 1970 of the last frame. */
  readonly lastTime: number;
  /** The capture is of all interfaces of the router at once (cooked), so that silence of one is no gap. */
  readonly sawAnyInterface: boolean;
  /** Every interface that monitored connections can use was captured on the router. */
  readonly covers: boolean;
  /** Interfaces of the router that monitored connections can use. */
  readonly neededInterfaces: readonly number[];
}

/** Runs every frame of the captures through the router, in time order. */
export async function replay(
  captures: CaptureSet,
  router: Router,
  resolved: ResolvedIntent,
  options: ReplayOptions,
): Promise<Replay> {
  const batch = new PacketBatch(BATCH_ROWS);
  // Which interfaces were captured is known once the first frames are read.
  let more = await captures.next(batch);
  const run = new ReplayRun(captures, router, resolved, options, batch);
  for (; more; more = await captures.next(batch)) {
    run.consume(batch);
    options.onProgress?.(run.frames);
    if (run.log.connections.length > (options.mostConnections ?? MOST_CONNECTIONS)) {
      const last = batch.length - 1;
      run.gaveUpAfter = { file: batch.file[last]!, frame: batch.frameNumber[last]! };
      break;
    }
  }
  run.finish();
  return run;
}
