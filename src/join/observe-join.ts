import type { CaptureFileSummary, CaptureInput, CaptureInterface } from '../capture/capture-set.ts';
import { type RawFrame, type RawFramesEnd, readRawFrames } from '../capture/open-capture.ts';
import type { Problem } from '../diagnostic/diagnostic.ts';
import { formatIpv4 } from '../net/ip-address.ts';
import { IpProtocol } from '../net/ip-protocol.ts';
import { decodeFrame } from '../wire/decode-frame.ts';
import { PacketBatch, Status } from '../wire/packet-batch.ts';
import { type Attempt, AttemptRecord } from './join-attempt.ts';
import { HTTPS_PORT, type JoinFlow } from './join-flow.ts';
import { tcpPayload } from './tcp-payload.ts';

/** What captures show of a join. */
export interface ObservedJoin {
  /** Of each flow, in the order of the flows, its attempts in the order of time. */
  readonly attempts: readonly (readonly Attempt[])[];
  readonly captures: readonly CaptureFileSummary[];
  /** Of all captures; `file` is the index of the capture. */
  readonly interfaces: readonly CaptureInterface[];
  readonly problems: readonly Problem[];
  readonly frames: number;
  /** Packets of the join's connections. */
  readonly packets: number;
  /** Connections that were not looked into, because there are absurdly many. */
  readonly omitted: number;
}

/** More attempts than that tell nothing more; each keeps the begin of its bytes. */
const MAX_ATTEMPTS = 2000;
const ICMP_UNREACHABLE = 3;
const SYN = 2;
const ACK = 16;

/** Reads captures for the connections that a join needs. Throws InputError where one cannot be read at all. */
export async function observeJoin(inputs: readonly CaptureInput[], flows: readonly JoinFlow[]): Promise<ObservedJoin> {
  const observer = new JoinObserver(flows);
  const ends: RawFramesEnd[] = [];
  const readers = inputs.map((input, file) => ({
    file,
    frames: readRawFrames(input, (end) => {
      ends[file] = end;
    }),
  }));
  const heads: { file: number; frames: AsyncGenerator<RawFrame>; frame: RawFrame }[] = [];
  try {
    for (const reader of readers) await pull(reader, heads);
    for (let next = earliest(heads); next !== undefined; next = earliest(heads)) {
      observer.frame(next.frame, next.file);
      heads.splice(heads.indexOf(next), 1);
      await pull(next, heads);
    }
  } finally {
    for (const { frames } of readers) await frames.return(undefined);
  }
  return {
    ...observer.finish(),
    captures: ends.map((end) => end.summary),
    interfaces: ends.flatMap((end, file) => end.interfaces.map((item) => ({ ...item, file }))),
    problems: ends.flatMap((end) => end.problems),
  };
}

async function pull(
  reader: { file: number; frames: AsyncGenerator<RawFrame> },
  heads: { file: number; frames: AsyncGenerator<RawFrame>; frame: RawFrame }[],
): Promise<void> {
  const next = await reader.frames.next();
  if (next.done !== true) heads.push({ file: reader.file, frames: reader.frames, frame: next.value });
}

function earliest<Head extends { readonly file: number; readonly frame: RawFrame }>(
  heads: readonly Head[],
): Head | undefined {
  let best: Head | undefined;
  for (const head of heads) {
    const before =
      best === undefined ||
      head.frame.seconds < best.frame.seconds ||
      (head.frame.seconds === best.frame.seconds &&
        (head.frame.nanoseconds < best.frame.nanoseconds ||
          (head.frame.nanoseconds === best.frame.nanoseconds && head.file < best.file)));
    if (before) best = head;
  }
  return best;
}

class JoinObserver {
  readonly #flows: readonly JoinFlow[];
  readonly #batch = new PacketBatch(1);
  /** The connection that a client port of a flow has now. */
  readonly #current = new Map<string, AttemptRecord>();
  readonly #attempts: AttemptRecord[][];
  #count = 0;
  #omitted = 0;
  #frames = 0;
  #packets = 0;
  #lastTime = 0;

  constructor(flows: readonly JoinFlow[]) {
    this.#flows = flows;
    this.#attempts = flows.map(() => []);
  }

  frame(raw: RawFrame, file: number): void {
    const batch = this.#batch;
    const { bytes, capturedLength, originalLength, linkType } = raw;
    decodeFrame(bytes, 0, capturedLength, originalLength, linkType, batch, 0, false);
    this.#frames++;
    const time = raw.seconds * 1e9 + raw.nanoseconds;
    this.#lastTime = Math.max(this.#lastTime, time);
    const status = batch.status[0]!;
    if ((status & Status.transport) === 0 || batch.family[0] !== 4) return;
    if (batch.protocol[0] === IpProtocol.icmp) this.#icmp(status);
    else if (batch.protocol[0] === IpProtocol.tcp) this.#tcp(raw, time, file);
  }

  #tcp(raw: RawFrame, time: number, file: number): void {
    const batch = this.#batch;
    const [source, destination] = [batch.source[0]!, batch.destination[0]!];
    const [sourcePort, destinationPort] = [batch.sourcePort[0]!, batch.destinationPort[0]!];
    const flags = batch.tcpFlags[0]!;
    let flow = this.#flowOf(source, destination, destinationPort);
    let toServer = true;
    // Both ports may be the service's: then who opened is told by the SYN, else by what is known.
    const reverse = this.#flowOf(destination, source, sourcePort);
    if (reverse >= 0) {
      const isAnswer = (flags & (SYN | ACK)) === (SYN | ACK) || this.#current.has(keyOf(reverse, destinationPort));
      if (flow < 0 || isAnswer) {
        flow = reverse;
        toServer = false;
      }
    }
    if (flow < 0) return;
    this.#packets++;
    const isHttps = this.#flows[flow]!.port === HTTPS_PORT;
    const payload = isHttps ? tcpPayload(raw.bytes, raw.linkType, batch) : undefined;
    const segment = {
      toServer,
      flags,
      sequence: batch.tcpSequence[0]!,
      acknowledgement: batch.tcpAcknowledgement[0]!,
      payloadLength: batch.payloadLength[0]!,
      ...(payload !== undefined && { payload }),
      ttl: batch.ttl[0]!,
      time,
      at: { file, frame: raw.frameNumber },
    };
    const clientPort = toServer ? sourcePort : destinationPort;
    const key = keyOf(flow, clientPort);
    let record = this.#current.get(key);
    const opens = toServer && (flags & (SYN | ACK)) === SYN;
    if (record === undefined || (opens && record.initial !== undefined && record.initial !== segment.sequence)) {
      if (this.#count >= MAX_ATTEMPTS) {
        if (opens) this.#omitted++;
        return;
      }
      this.#count++;
      record = new AttemptRecord(segment, clientPort);
      this.#current.set(key, record);
      this.#attempts[flow]!.push(record);
    }
    record.add(segment);
  }

  #icmp(status: number): void {
    const batch = this.#batch;
    if ((status & Status.quoted) === 0 || batch.icmpType[0] !== ICMP_UNREACHABLE) return;
    if (batch.quotedProtocol[0] !== IpProtocol.tcp) return;
    const flow = this.#flowOf(batch.quotedSource[0]!, batch.quotedDestination[0]!, batch.quotedDestinationPort[0]!);
    const record = flow < 0 ? undefined : this.#current.get(keyOf(flow, batch.quotedSourcePort[0]!));
    record?.unreachable(`ICMP type 3 code ${batch.icmpCode[0]} from ${formatIpv4(batch.source[0]!)}`);
  }

  #flowOf(client: number, server: number, port: number): number {
    return this.#flows.findIndex(
      (flow) => flow.port === port && flow.client.words[0] === client && flow.server.words[0] === server,
    );
  }

  finish(): Pick<ObservedJoin, 'attempts' | 'frames' | 'packets' | 'omitted'> {
    return {
      attempts: this.#attempts.map((records) => records.map((record) => record.finish(this.#lastTime))),
      frames: this.#frames,
      packets: this.#packets,
      omitted: this.#omitted,
    };
  }
}

function keyOf(flow: number, clientPort: number): string {
  return `${flow}/${clientPort}`;
}
