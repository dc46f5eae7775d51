import type { CaptureSet } from '../capture/capture-set.ts';
import {
  DecisionBatch,
  DecisionFlag,
  DISPOSITIONS,
  Disposition,
  type DispositionName,
} from '../forwarding/decision.ts';
import type { Forwarder } from '../forwarding/forwarder.ts';
import type { Walk } from '../forwarding/walk.ts';
import { formatEndpoint, formatWords } from '../net/ip-address.ts';
import { formatIpProtocol } from '../net/ip-protocol.ts';
import { Pairing } from '../observation/pairing.ts';
import { Side, type Vantage } from '../observation/vantage.ts';
import { PacketBatch, Status } from '../wire/packet-batch.ts';
import type { Router } from './router.ts';
import { translationOf } from './session.ts';
import { vantageOf } from './surroundings.ts';

/** What the router does with one frame that entered it. */
export interface TracedFrame {
  readonly file: number;
  readonly frame: number;
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly ingress: string;
  readonly disposition: DispositionName;
  readonly egress?: string;
  readonly nextHop?: string;
  readonly fwmark: number;
  /** The mark that routing saw is not known; `fwmark` is one of those that it may have been. */
  readonly fwmarkUnknown?: boolean;
  /** The router knows no marks. */
  readonly noMarks?: boolean;
  readonly connmark?: number;
  readonly table?: string;
  /** The router would send an ICMP redirect to the source. */
  readonly icmpRedirect?: boolean;
  /** The drop was a REJECT: the source gets an answer. */
  readonly rejected?: boolean;
  /** Filled in when the frame's copy is met; frames are handed out once none can follow. */
  observedEgress?: string;
  readonly ttl: number;
  readonly toward: {
    readonly source: string;
    readonly destination: string;
    readonly protocol: string;
    readonly flags: string;
  };
  /** Addresses, ports and flags in words. */
  readonly packet: string;
  readonly unknown?: string;
  readonly walk?: Walk;
}

export interface TraceTotals {
  frames: number;
  ingress: number;
  observed: number;
  /** Frames of which it cannot be told where they entered, or whether. */
  ambiguous: number;
  /** IP frames that left, and whose entry was not captured. */
  unpairedEgress: number;
}

export interface TraceOptions {
  readonly verifyChecksums: boolean;
  /** Which frames get their walk recorded. */
  readonly explain: (file: number, frame: number) => boolean;
}

/** Frames are held back this long for their egress copies. Ref: observation/pairing.ts. */
const HOLD_NANOSECONDS = 4e9;
const HOLD_FRAMES = 1 << 16;
const RECENT_EGRESS = 4096;
/** As long as a router holds a fragment, and a little longer. */
const HOLD_FRAGMENT_NANOSECONDS = 40e9;

/** Runs every frame through the router and yields those that entered it, in time order. */
export async function* trace(
  captures: CaptureSet,
  router: Router,
  totals: TraceTotals,
  options: TraceOptions,
): AsyncGenerator<TracedFrame, void, void> {
  const run = new TraceRun(captures, router, totals, options);
  const batch = new PacketBatch(1024);
  while (await captures.next(batch)) {
    run.consume(batch);
    yield* run.ready(false);
  }
  yield* run.ready(true);
}

class TraceRun {
  readonly #captures: CaptureSet;
  readonly #totals: TraceTotals;
  readonly #options: TraceOptions;
  readonly #forwarder: Forwarder;
  readonly #vantage: Vantage;
  readonly #pairing = new Pairing(HOLD_FRAMES);
  /** Frames that left a moment ago: of copies on two devices the second counts for nothing. */
  readonly #left = new Pairing(RECENT_EGRESS);
  readonly #decisions = new DecisionBatch(1);
  /** Frames waiting for their copies; the token of the first is `#firstToken`. */
  #waiting: TracedFrame[] = [];
  #firstToken = 0;
  #now = 0;
  /** Fragments that the router holds: their tokens by file and frame, oldest first. */
  readonly #held = new Map<string, number>();

  constructor(captures: CaptureSet, router: Router, totals: TraceTotals, options: TraceOptions) {
    this.#captures = captures;
    this.#totals = totals;
    this.#options = options;
    this.#forwarder = router.forwarder({ verifyChecksums: options.verifyChecksums });
    this.#vantage = vantageOf(router, this.#forwarder.interfaceNames);
  }

  consume(batch: PacketBatch): void {
    this.#vantage.learn(this.#captures.interfaces);
    if (this.#totals.frames === 0) this.#vantage.tell(batch, this.#captures.files().length, () => 'mirror');
    for (let row = 0; row < batch.length; row++) {
      this.#totals.frames++;
      if ((batch.status[row]! & Status.ip) === 0) continue;
      this.#now = batch.seconds[row]! * 1e9 + batch.nanoseconds[row]!;
      this.#vantage.place(batch, row);
      const { side, interface: position } = this.#vantage;
      if (side === Side.ambiguous) this.#totals.ambiguous++;
      else if (side === Side.ingress) this.#ingress(batch, row, position);
      else if (side === Side.egress) this.#egress(batch, row, position);
    }
  }

  *ready(all: boolean): Generator<TracedFrame, void, void> {
    let count = 0;
    for (const frame of this.#waiting) {
      const age = this.#now - (frame.seconds * 1e9 + frame.nanoseconds);
      const held = this.#held.size > 0 && this.#held.has(keyOf(frame.file, frame.frame));
      const hold = held ? HOLD_FRAGMENT_NANOSECONDS : HOLD_NANOSECONDS;
      if (!all && age < hold && this.#waiting.length - count <= HOLD_FRAMES) break;
      if (held) this.#held.delete(keyOf(frame.file, frame.frame));
      count++;
      yield frame;
    }
    this.#waiting = this.#waiting.slice(count);
    this.#firstToken += count;
  }

  #ingress(batch: PacketBatch, row: number, position: number): void {
    if (this.#pairing.isDuplicate(batch, row, position, this.#vantage.repeats(batch, row))) return;
    this.#forwarder.decide(batch, row, position, this.#decisions, 0);
    this.#totals.ingress++;
    const token = this.#firstToken + this.#waiting.length;
    const translated = translationOf(this.#decisions, 0, batch, row);
    const frame = this.#describe(batch, row, position);
    if ((this.#decisions.flags[0]! & DecisionFlag.held) !== 0) this.#held.set(keyOf(frame.file, frame.frame), token);
    this.#settle(frame);
    this.#waiting.push(frame);
    if (!this.#pairing.takeEarly(batch, row, translated)) {
      this.#pairing.remember(batch, row, position, token, translated);
      return;
    }
    this.#totals.observed++;
    this.#totals.unpairedEgress--;
    const name = this.#forwarder.interfaceNames[this.#pairing.earlyInterface];
    if (name !== undefined) frame.observedEgress = name;
  }

  /** Fragments that were held go the way of the datagram that this frame completes, or with it. */
  #settle(last: TracedFrame): void {
    for (const { file, frame, whole } of this.#forwarder.settled ?? []) {
      const token = this.#held.get(keyOf(file, frame));
      if (token === undefined) continue;
      this.#held.delete(keyOf(file, frame));
      const index = token - this.#firstToken;
      const { seconds, nanoseconds, ingress, ttl, toward, observedEgress, packet, walk } = this.#waiting[index]!;
      const seen = observedEgress && { observedEgress };
      const own = { file, frame, seconds, nanoseconds, ingress, ttl, toward, packet, ...seen };
      const { walk: lastWalk, observedEgress: _, ...decided } = last;
      if (whole) {
        const explained = walk && { walk: lastWalk ?? this.#forwarder.explainLast() };
        this.#waiting[index] = { ...decided, ...own, ...explained };
      } else {
        const end = { kind: 'end', disposition: 'not-forwarding', detail: 'its datagram never came together' } as const;
        this.#waiting[index] = {
          ...own,
          disposition: 'not-forwarding',
          fwmark: 0,
          ...(walk && { walk: { steps: [end] } }),
        };
      }
    }
  }

  #describe(batch: PacketBatch, row: number, position: number): TracedFrame {
    const decisions = this.#decisions;
    const hop = decisions.nextHop;
    const family = batch.family[row]!;
    const unknown = this.#forwarder.unknowns[decisions.unknown[0]!]?.reason;
    const forwarded = decisions.disposition[0] === Disposition.forwarded;
    const egress = this.#forwarder.interfaceNames[decisions.egress[0]!];
    const wanted = this.#options.explain(batch.file[row]!, batch.frameNumber[row]!);
    return {
      file: batch.file[row]!,
      frame: batch.frameNumber[row]!,
      seconds: batch.seconds[row]!,
      nanoseconds: batch.nanoseconds[row]!,
      ingress: this.#forwarder.interfaceNames[position] ?? '',
      disposition: DISPOSITIONS[decisions.disposition[0]!] ?? 'undetermined',
      ...(forwarded &&
        egress !== undefined && { egress, nextHop: formatWords(family, hop[0]!, hop[1]!, hop[2]!, hop[3]!) }),
      fwmark: decisions.fwmark[0]!,
      ...((decisions.flags[0]! & DecisionFlag.markUnknown) !== 0 && { fwmarkUnknown: true }),
      ...((decisions.flags[0]! & DecisionFlag.noMarks) !== 0 && { noMarks: true }),
      ...(decisions.hasConnmark[0] === 1 && { connmark: decisions.connmark[0]! }),
      ...(decisions.table[0]! >= 0 && {
        table: this.#forwarder.tableName?.(decisions.table[0]!) ?? String(decisions.table[0]),
      }),
      ...((decisions.flags[0]! & DecisionFlag.icmpRedirect) !== 0 && { icmpRedirect: true }),
      ...((decisions.flags[0]! & DecisionFlag.rejected) !== 0 && { rejected: true }),
      ttl: batch.ttl[row]!,
      toward: endsOf(batch, row),
      packet: describePacket(batch, row),
      ...(unknown !== undefined && { unknown }),
      ...(wanted && { walk: this.#forwarder.explainLast() }),
    };
  }

  #egress(batch: PacketBatch, row: number, position: number): void {
    if (this.#left.isDuplicate(batch, row, position, this.#vantage.repeats(batch, row))) return;
    this.#left.remember(batch, row, position, 0, 0);
    const token = this.#pairing.take(batch, row);
    const frame = this.#waiting[token - this.#firstToken];
    if (token < 0 || frame === undefined) {
      if (this.#forwarder.isLocal(batch.family[row]!, batch.source, 4 * row)) return;
      this.#totals.unpairedEgress++;
      this.#pairing.keepEarly(batch, row, position);
      return;
    }
    this.#totals.observed++;
    const name = this.#forwarder.interfaceNames[position];
    if (name !== undefined) frame.observedEgress = name;
  }
}

function keyOf(file: number, frame: number): string {
  return `${file} ${frame}`;
}

const FLAG_LETTERS = ['F', 'S', 'R', 'P', '.', 'U', 'E', 'C'] as const;

/** The ends of a packet as reports name them, and its flags. */
function endsOf(batch: PacketBatch, row: number): TracedFrame['toward'] {
  const family = batch.family[row] === 6 ? 6 : 4;
  const end = (column: Uint32Array, port: number): string =>
    formatEndpoint(
      { family, words: [column[4 * row]!, column[4 * row + 1]!, column[4 * row + 2]!, column[4 * row + 3]!] },
      port,
    );
  return {
    source: end(batch.source, batch.sourcePort[row]!),
    destination: end(batch.destination, batch.destinationPort[row]!),
    protocol: formatIpProtocol(batch.protocol[row]!),
    flags:
      batch.protocol[row] === 6
        ? FLAG_LETTERS.filter((_, bit) => (batch.tcpFlags[row]! & (1 << bit)) !== 0).join('')
        : '',
  };
}

/** `tcp 192.168.0.10:40000 > 10.0.0.10:3389 [S]`. */
export function describePacket(batch: PacketBatch, row: number): string {
  const family = batch.family[row]!;
  const address = (column: Uint32Array): string => {
    const text = formatWords(
      family,
      column[4 * row]!,
      column[4 * row + 1]!,
      column[4 * row + 2]!,
      column[4 * row + 3]!,
    );
    return family === 6 ? `[${text}]` : text;
  };
  const protocol = batch.protocol[row]!;
  const hasPorts = (batch.status[row]! & Status.transport) !== 0 && (protocol === 6 || protocol === 17);
  const end = (column: Uint32Array, port: number): string =>
    hasPorts ? `${address(column)}:${port}` : address(column);
  const ends = `${end(batch.source, batch.sourcePort[row]!)} > ${end(batch.destination, batch.destinationPort[row]!)}`;
  if (protocol === 6) {
    const letters = FLAG_LETTERS.filter((_, bit) => (batch.tcpFlags[row]! & (1 << bit)) !== 0).join('');
    return `tcp ${ends}${hasPorts ? ` [${letters}]` : ' fragment'}`;
  }
  if (protocol === 17) return `udp ${ends}`;
  if (protocol === 1) return `icmp ${ends} type ${batch.icmpType[row]} code ${batch.icmpCode[row]}`;
  return `ip protocol ${protocol} ${ends}`;
}
