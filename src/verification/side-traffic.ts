import { type DecisionBatch, Disposition } from '../forwarding/decision.ts';
import { IpProtocol } from '../net/ip-protocol.ts';
import type { ConnectionLog } from '../observation/connection-log.ts';
import { ServerEnd } from '../observation/monitored.ts';
import { ICMP_REDIRECT, isIcmpQuery } from '../wire/icmp-type.ts';
import { PacketBatch, Status } from '../wire/packet-batch.ts';
import type { FrameRef } from './path-table.ts';

/** Packets that belong to a redirected connection without being of its five-tuple, and that take another way. */
export interface Stray {
  /** By their serial numbers. */
  readonly connections: Set<number>;
  packets: number;
  readonly first: FrameRef;
  readonly ingress: number;
  readonly egress: number;
}

/** First fragments whose others may follow. Ref: kernel net.ipv4.ipfrag_time: 30 s; ever more would be somebody's attack. */
const MOST_PENDING = 1024;

/**
 * Later fragments and ICMP errors. They have no ports of their own, so that rules for the monitored service do not see them: a later fragment follows
 * the first by its identification, an error its connection by the packet that it quotes.
 */
export class SideTraffic {
  /** Later fragments of redirected packets that do not go to SPS, by way. */
  readonly fragments = new Map<string, Stray>();
  /** ICMP errors about redirected connections that do not go to SPS, by way. */
  readonly errors = new Map<string, Stray>();
  readonly #log: ConnectionLog;
  readonly #first = new Map<string, number>();
  readonly #quoted = new PacketBatch(1);

  constructor(log: ConnectionLog) {
    this.#log = log;
  }

  /** A first fragment of the connection in a row of the log, redirected to SPS. */
  noteFirstFragment(batch: PacketBatch, row: number, connection: number): void {
    if (this.#first.size >= MOST_PENDING) this.#first.delete(this.#first.keys().next().value!);
    this.#first.set(datagramKey(batch, row), this.#log.serialAt(connection));
  }

  /** Whether the first fragment of this one's packet was redirected. */
  knowsFirst(batch: PacketBatch, row: number): boolean {
    return this.#first.has(datagramKey(batch, row));
  }

  /** A later fragment that is not sent to SPS. */
  noteFragment(batch: PacketBatch, row: number, ingress: number, decisions: DecisionBatch): void {
    const connection = this.#first.get(datagramKey(batch, row));
    if (connection !== undefined) add(this.fragments, batch, row, ingress, decisions, connection);
  }

  /** An ICMP packet of somebody else than SPS that is not sent to SPS. */
  noteError(batch: PacketBatch, row: number, ingress: number, decisions: DecisionBatch): void {
    const type = batch.icmpType[row]!;
    if (batch.protocol[row] !== IpProtocol.icmp || isIcmpQuery(type) || type === ICMP_REDIRECT) return;
    if ((batch.status[row]! & Status.quotedTuple) === 0 || batch.family[row] !== 4) return;
    const quoted = this.#quoted;
    quoted.family[0] = 4;
    quoted.protocol[0] = batch.quotedProtocol[row]!;
    for (let word = 0; word < 4; word++) {
      quoted.source[word] = batch.quotedSource[4 * row + word]!;
      quoted.destination[word] = batch.quotedDestination[4 * row + word]!;
    }
    quoted.sourcePort[0] = batch.quotedSourcePort[row]!;
    quoted.destinationPort[0] = batch.quotedDestinationPort[row]!;
    let connection = this.#log.peek(quoted, 0, ServerEnd.destination);
    if (connection < 0) connection = this.#log.peek(quoted, 0, ServerEnd.source);
    if (connection >= 0) add(this.errors, batch, row, ingress, decisions, this.#log.serialAt(connection));
  }
}

function add(
  into: Map<string, Stray>,
  batch: PacketBatch,
  row: number,
  ingress: number,
  decisions: DecisionBatch,
  connection: number,
): void {
  if (decisions.disposition[0] !== Disposition.forwarded) return;
  const egress = decisions.egress[0]!;
  const key = `${ingress}>${egress}`;
  const known = into.get(key);
  const stray =
    known ??
    ({
      connections: new Set<number>(),
      packets: 0,
      first: { file: batch.file[row]!, frame: batch.frameNumber[row]! },
      ingress,
      egress,
    } satisfies Stray);
  if (known === undefined) into.set(key, stray);
  stray.packets++;
  stray.connections.add(connection);
}

function datagramKey(batch: PacketBatch, row: number): string {
  const { source, destination } = batch;
  return `${source[4 * row]}>${destination[4 * row]}/${batch.protocol[row]}/${batch.identification[row]}`;
}
