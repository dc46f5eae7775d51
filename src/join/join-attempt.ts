import { TcpStream } from './tcp-stream.ts';
import { readTlsHandshake, type TlsHandshake } from './tls-handshake.ts';

/** A frame that shows something. */
export interface AttemptFrame {
  /** Index of the capture. */
  readonly file: number;
  readonly frame: number;
}

/**
 * How a connection that was tried went. `answered`: the server accepted it. `reset`: accepted and reset before the server said anything.
 * `one-sided`: packets of one direction only, of a conversation that had two. `open`: the capture ends too early to tell.
 */
export type AttemptState = 'answered' | 'refused' | 'reset' | 'silent' | 'one-sided' | 'open';

/** One connection of the join as a capture shows it. */
export interface Attempt {
  readonly state: AttemptState;
  readonly first: AttemptFrame;
  /** Nanoseconds since 1970 of its first packet. */
  readonly time: number;
  readonly clientPort: number;
  /** How it was refused, `a reset` or `ICMP type 3 code 13 from 10.0.0.1`. */
  readonly refusal?: string;
  /** A copy of its SYN with a smaller TTL: a router on the way forwarded it. */
  readonly wasForwarded: boolean;
  readonly tls?: TlsHandshake;
  readonly notes: readonly string[];
}

/** What is kept of each direction: a chain of certificates fits, an endless handshake does not. */
const SERVER_BYTES = 65_536;
const CLIENT_BYTES = 16_384;
/** So long after a SYN, or after its first repetition, silence is told from a slow answer. */
const PATIENCE_NANOSECONDS = 3e9;
const REPEATED_NANOSECONDS = 0.5e9;

const FIN = 1;
const SYN = 2;
const RST = 4;
const ACK = 16;

/** A TCP segment of a join's connection. */
export interface AttemptSegment {
  readonly toServer: boolean;
  readonly flags: number;
  readonly sequence: number;
  readonly acknowledgement: number;
  readonly payloadLength: number;
  /** The captured bytes; absent where they are not wanted, or not found. */
  readonly payload?: Uint8Array;
  readonly ttl: number;
  readonly time: number;
  readonly at: AttemptFrame;
}

/** Collects what a capture shows of one connection; copies of a frame on several interfaces do no harm. */
export class AttemptRecord {
  readonly first: AttemptFrame;
  readonly time: number;
  readonly clientPort: number;
  /** The client's initial sequence number; absent where its begin is not in the capture. */
  initial: number | undefined;
  readonly #client = new TcpStream(CLIENT_BYTES);
  readonly #server = new TcpStream(SERVER_BYTES);
  #synTtl = 0;
  #lastSyn = 0;
  #wasForwarded = false;
  #synRepeated = false;
  #synAcknowledged = false;
  #clientTalked = false;
  #serverTalked = false;
  #serverData = false;
  #serverReset = false;
  #refusal: string | undefined;
  #payloadLost = false;

  constructor(segment: AttemptSegment, clientPort: number) {
    this.first = segment.at;
    this.time = segment.time;
    this.clientPort = clientPort;
  }

  add(segment: AttemptSegment): void {
    if (segment.toServer) this.#fromClient(segment);
    else this.#fromServer(segment);
    if (segment.payloadLength > 0 && segment.payload !== undefined && segment.payload.length < segment.payloadLength)
      this.#payloadLost = true;
  }

  /** An ICMP error of a router or host about a packet toward the server. */
  unreachable(words: string): void {
    this.#refusal ??= words;
  }

  #fromClient({ flags, sequence, payloadLength, payload, ttl, time, acknowledgement }: AttemptSegment): void {
    if ((flags & SYN) !== 0) {
      this.initial ??= sequence;
      this.#client.beginAt(sequence + 1);
      if (this.#synTtl === 0) this.#synTtl = ttl;
      else if (ttl !== this.#synTtl) this.#wasForwarded = true;
      if (time - this.time > REPEATED_NANOSECONDS) this.#synRepeated = true;
      this.#lastSyn = Math.max(this.#lastSyn, time);
      return;
    }
    if ((flags & RST) === 0) this.#clientTalked = true;
    if ((flags & ACK) !== 0 && this.initial !== undefined && sequence === (this.initial + 1) >>> 0)
      this.#server.beginAt(acknowledgement);
    if (payloadLength > 0 && payload !== undefined) this.#client.add(sequence, payload);
  }

  #fromServer({ flags, sequence, acknowledgement, payloadLength, payload }: AttemptSegment): void {
    if ((flags & RST) !== 0) {
      this.#serverReset = true;
      return;
    }
    this.#serverTalked = true;
    if ((flags & SYN) !== 0) {
      this.#synAcknowledged = true;
      this.initial ??= (acknowledgement - 1) >>> 0;
      this.#client.beginAt(acknowledgement);
      this.#server.beginAt(sequence + 1);
      return;
    }
    if (payloadLength > 0 || (flags & FIN) !== 0) this.#serverData = true;
    if (payloadLength > 0 && payload !== undefined) this.#server.add(sequence, payload);
  }

  /** @param lastTime Of the last frame of the captures, nanoseconds. */
  finish(lastTime: number): Attempt {
    const tls = readTlsHandshake(this.#client.prefix, this.#server.prefix);
    const notes: string[] = [];
    if (this.#payloadLost) notes.push('the snap length cut its bytes');
    if (this.#client.hasGap || this.#server.hasGap) notes.push('segments of it are missing from the capture');
    if (this.#client.lacksBegin || this.#server.lacksBegin) notes.push('its begin is not in the capture');
    if (this.#server.isCut && tls !== undefined && tls.version === undefined)
      notes.push(`no whole handshake is in its first ${SERVER_BYTES} bytes`);
    return {
      state: this.#state(lastTime),
      first: this.first,
      time: this.time,
      clientPort: this.clientPort,
      wasForwarded: this.#wasForwarded,
      ...(this.#refusal !== undefined && { refusal: this.#refusal }),
      ...(this.#refusal === undefined && this.#serverReset && !this.#synAcknowledged && { refusal: 'a reset' }),
      ...(tls !== undefined && { tls }),
      notes,
    };
  }

  #state(lastTime: number): AttemptState {
    const answered = this.#synAcknowledged || this.#serverTalked;
    if (answered) {
      if (this.#serverReset && !this.#serverData) return 'reset';
      // The client's SYN alone may have been sent before the capture began, its ACK not.
      return this.#clientTalked || this.#lastSyn > 0 ? 'answered' : 'one-sided';
    }
    if (this.#serverReset || this.#refusal !== undefined) return 'refused';
    if (this.#clientTalked) return 'one-sided';
    return this.#synRepeated || lastTime - this.#lastSyn > PATIENCE_NANOSECONDS ? 'silent' : 'open';
  }
}
