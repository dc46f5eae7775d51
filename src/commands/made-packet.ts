import { renderWalk, type WalkDetail } from '../formats/walk.ts';
import { DecisionBatch, DecisionFlag, DISPOSITIONS, Disposition } from '../forwarding/decision.ts';
import type { Forwarder } from '../forwarding/forwarder.ts';
import { formatWords, type IpAddress, ipv4, parseIpAddress } from '../net/ip-address.ts';
import { IpProtocol } from '../net/ip-protocol.ts';
import { formatMark } from '../net/masked-mark.ts';
import { InputError } from '../text/input-error.ts';
import { jsonText, visible } from '../text/visible.ts';
import { Flag, makePacket } from '../verification/probe-packet.ts';
import type { Router } from '../verification/router.ts';
import { translationOf } from '../verification/session.ts';
import { describePacket } from '../verification/trace.ts';

/** A packet to make up, and the circumstances in which it enters. */
export interface MadePacket {
  readonly protocol: number;
  readonly source: End;
  readonly destination: End;
  readonly ingress: string;
  /** TCP flags; absent: SYN, or PSH and ACK in an established connection. */
  readonly flags?: number;
  /** The mark with which it arrives. */
  readonly mark?: number;
  readonly state: 'new' | 'established';
  /** Also the answer to it. */
  readonly bothDirections: boolean;
}

interface End {
  readonly address: IpAddress;
  readonly port: number;
}

const START = 1_700_000_000e9;
const STEP = 1e6;
const FLAG_LETTERS: Readonly<Record<string, number>> = {
  F: Flag.fin,
  S: Flag.syn,
  R: Flag.reset,
  P: Flag.push,
  A: Flag.ack,
  '.': Flag.ack,
};
const FLAG_NAMES: Readonly<Record<string, number>> = {
  FIN: Flag.fin,
  SYN: Flag.syn,
  RST: Flag.reset,
  PSH: Flag.push,
  ACK: Flag.ack,
};

/** A flow in words: `tcp A:PORT > B:PORT` or `udp A:PORT > B:PORT`. Throws InputError. */
export function parsePacketWords(words: string): Pick<MadePacket, 'protocol' | 'source' | 'destination'> {
  const match = /^\s*(tcp|udp)\s+(\S+)\s*>\s*(\S+)\s*$/i.exec(words);
  const source = endpoint(match?.[2]);
  const destination = endpoint(match?.[3]);
  if (
    match === null ||
    source === undefined ||
    destination === undefined ||
    source.address.family !== destination.address.family
  ) {
    throw new InputError(`--packet: expected "tcp 192.168.0.10:40000 > 10.0.0.10:3389", got "${words}"`);
  }
  return { protocol: match[1]?.toLowerCase() === 'tcp' ? IpProtocol.tcp : IpProtocol.udp, source, destination };
}

function endpoint(text: string | undefined): End | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text ?? '');
  const address = parseIpAddress(match?.[1] ?? match?.[2] ?? '');
  const port = Number(match?.[3]);
  return address === undefined || port > 65535 ? undefined : { address, port };
}

/** TCP flags as letters (`SA`, `PA`, `.` for ACK, as tcpdump writes them) or names (`SYN,ACK`). Throws InputError. */
export function parseFlags(text: string): number {
  const upper = text.toUpperCase();
  const names = upper.split(/[,+]/);
  const values = names.every((name) => name in FLAG_NAMES)
    ? names.map((name) => FLAG_NAMES[name])
    : [...upper].map((letter) => FLAG_LETTERS[letter]);
  if (values.length === 0 || values.some((value) => value === undefined))
    throw new InputError(`--flags: expected letters of FSRPA, or names as in SYN,ACK, got "${text}"`);
  return values.reduce<number>((all, value) => all | (value ?? 0), 0);
}

/** Throws InputError where a mark is no number of 32 bits. */
export function parseMark(text: string): number {
  const value = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN;
  if (!(value <= 0xffffffff)) throw new InputError(`--mark: expected a number such as 0x1, got "${text}"`);
  return value;
}

/** What the router does with a made-up packet, in one of trace's formats. Throws InputError where it cannot be as asked for. */
export function traceMadePacket(
  router: Router,
  made: MadePacket,
  format: 'text' | 'ndjson',
  detail: WalkDetail = 'detailed',
): string {
  const { frames } = new Conversation(router, made, detail);
  if (format === 'text') return frames.map((frame) => frame.text).join('\n');
  return [
    { type: 'header', schema: 'redirect-verify/trace/1', router: router.dialects },
    ...frames.map((frame) => frame.line),
    { type: 'summary', frames: frames.length, ingress: frames.length },
  ]
    .map((item) => `${jsonText(item)}\n`)
    .join('');
}

/** A packet of a conversation; lengths of what was sent before it are in the sequence numbers. */
interface Turn {
  readonly flags: number;
  readonly payload: number;
}

/** The made-up packet with what must have gone before it, and its answer. */
class Conversation {
  readonly frames: { text: string; line: object }[] = [];
  readonly #made: MadePacket;
  readonly #forwarder: Forwarder;
  readonly #detail: WalkDetail;
  readonly #ingress: number;
  readonly #decisions = new DecisionBatch(1);
  #sequence = 1000;
  #replySequence = 200_000;
  #time = START;
  /** How the packet left: whom its answer comes from, and by which interface. */
  #left: { egress: number; source: End; destination: End } | undefined;

  constructor(router: Router, made: MadePacket, detail: WalkDetail) {
    this.#made = made;
    this.#detail = detail;
    this.#forwarder = router.forwarder();
    this.#ingress = this.#forwarder.interfaceIndex(made.ingress);
    if (this.#ingress < 0)
      throw new InputError(
        `--ingress: the router has no interface ${made.ingress} (it has ${this.#forwarder.interfaceNames.join(', ')})`,
      );
    if (made.mark !== undefined && this.#forwarder.arriveWithMark === undefined)
      throw new InputError('--mark: packets have no marks on this router');
    const tcp = made.protocol === IpProtocol.tcp;
    if (made.state === 'established') this.#establish(tcp);
    const turn = this.#turn(tcp);
    this.#forwarder.arriveWithMark?.(made.mark ?? 0);
    this.#send(turn, true);
    this.#forwarder.arriveWithMark?.(0);
    if (made.bothDirections) this.#answer(turn, tcp);
  }

  #turn(tcp: boolean): Turn {
    if (!tcp) return { flags: 0, payload: 100 };
    const flags = this.#made.flags ?? (this.#made.state === 'established' ? Flag.push | Flag.ack : Flag.syn);
    return { flags, payload: (flags & Flag.push) !== 0 ? 100 : 0 };
  }

  /** The opening of the connection, of which every packet must get through. */
  #establish(tcp: boolean): void {
    const opening: [toServer: boolean, flags: number][] = tcp
      ? [
          [true, Flag.syn],
          [false, Flag.syn | Flag.ack],
          [true, Flag.ack],
        ]
      : [
          [true, 0],
          [false, 0],
        ];
    for (const [toServer, flags] of opening) {
      const turn = { flags, payload: tcp ? 0 : 100 };
      const fate = toServer ? this.#send(turn, false) : this.#reply(turn, false);
      if (fate !== 'forwarded' && fate !== 'delivered') {
        const which = toServer ? (flags === Flag.ack ? "its opening's last" : 'its first') : 'the answer to its first';
        throw new InputError(`--state established: the connection does not come about: ${which} packet is ${fate}`);
      }
    }
  }

  #answer(turn: Turn, tcp: boolean): void {
    if (this.#left === undefined) {
      this.frames.push({
        text: 'no answer: the packet does not get through\n',
        line: { type: 'note', message: 'no answer: the packet does not get through' },
      });
      return;
    }
    const flags = !tcp
      ? 0
      : (turn.flags & Flag.syn) !== 0 && (turn.flags & Flag.ack) === 0
        ? Flag.syn | Flag.ack
        : Flag.ack;
    this.#reply({ flags, payload: tcp ? 0 : 100 }, true);
  }

  #send(turn: Turn, show: boolean): string {
    const { source, destination } = this.#made;
    const fate = this.#decide(source, destination, turn, this.#ingress, [this.#sequence, this.#replySequence], show);
    this.#sequence += lengthOf(turn);
    return fate;
  }

  #reply(turn: Turn, show: boolean): string {
    const left = this.#left;
    if (left === undefined) return 'lost';
    const fate = this.#decide(
      left.destination,
      left.source,
      turn,
      left.egress,
      [this.#replySequence, this.#sequence],
      show,
    );
    this.#replySequence += lengthOf(turn);
    return fate;
  }

  #decide(
    from: End,
    to: End,
    turn: Turn,
    ingress: number,
    [sequence, acknowledgement]: [number, number],
    show: boolean,
  ): string {
    const { protocol } = this.#made;
    this.#time += STEP;
    const packet = makePacket({
      protocol,
      source: from.address,
      sourcePort: from.port,
      destination: to.address,
      destinationPort: to.port,
      sourceMac: -1,
      ttl: 64,
      time: this.#time,
      flags: turn.flags,
      sequence,
      acknowledgement: (turn.flags & Flag.ack) === 0 ? 0 : acknowledgement,
      payloadLength: turn.payload,
    });
    const decisions = this.#decisions;
    this.#forwarder.decide(packet, 0, ingress, decisions, 0);
    const forwarded = decisions.disposition[0] === Disposition.forwarded;
    const isRequest = ingress === this.#ingress && from === this.#made.source;
    if (isRequest)
      this.#left = forwarded
        ? {
            egress: decisions.egress[0]!,
            ...(translationOf(decisions, 0, packet, 0) === 0
              ? { source: from, destination: to }
              : {
                  source: { address: ipv4(decisions.leavingSource[0]!), port: decisions.leavingSourcePort[0]! },
                  destination: {
                    address: ipv4(decisions.leavingDestination[0]!),
                    port: decisions.leavingDestinationPort[0]!,
                  },
                }),
          }
        : undefined;
    if (show) this.#show(packet, ingress, isRequest);
    return DISPOSITIONS[decisions.disposition[0]!] ?? 'undetermined';
  }

  #show(packet: Parameters<Forwarder['decide']>[0], ingress: number, isRequest: boolean): void {
    const decisions = this.#decisions;
    const name = this.#forwarder.interfaceNames[ingress] ?? '';
    const forwarded = decisions.disposition[0] === Disposition.forwarded;
    const hop = decisions.nextHop;
    const mark =
      this.#made.mark === undefined || !isRequest ? '' : ` arriving with mark ${formatMark(this.#made.mark)}`;
    const state = isRequest && this.#made.state === 'established' ? ' of an established connection' : '';
    const head = `${isRequest ? '' : 'answer '}${name} ${describePacket(packet, 0)}${state}${mark}`;
    const walk = renderWalk(this.#forwarder.explainLast(), this.#detail);
    this.frames.push({
      text: `${visible(head)}\n${walk.join('\n')}\n`,
      line: {
        type: 'frame',
        ...(this.#made.bothDirections && { direction: isRequest ? 'original' : 'reply' }),
        ingress: name,
        disposition: DISPOSITIONS[decisions.disposition[0]!],
        ...(forwarded && {
          egress: this.#forwarder.interfaceNames[decisions.egress[0]!],
          nextHop: formatWords(packet.family[0]!, hop[0]!, hop[1]!, hop[2]!, hop[3]!),
        }),
        ...((decisions.flags[0]! & DecisionFlag.noMarks) === 0 && { fwmark: decisions.fwmark[0] }),
        ...(decisions.hasConnmark[0] === 1 && { connmark: decisions.connmark[0] }),
        ...(decisions.table[0]! >= 0 && {
          table: this.#forwarder.tableName?.(decisions.table[0]!) ?? String(decisions.table[0]),
        }),
      },
    });
  }
}

/** What a segment takes of the sequence numbers. */
function lengthOf({ flags, payload }: Turn): number {
  return payload + ((flags & (Flag.syn | Flag.fin)) === 0 ? 0 : 1);
}
