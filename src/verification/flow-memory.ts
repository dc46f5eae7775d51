import type { DecisionBatch } from '../forwarding/decision.ts';
import type { PacketBatch } from '../wire/packet-batch.ts';

/** Words of a flow. */
const STAMP = 0;
const CONNECTION = 1;
const SERIAL = 2;
/** Bit 0 toward the server, bit 1 on SPS's side, then what is translated. */
const WAY = 3;
const MAC_HIGH = 4;
const MAC_LOW = 5;
/** By kind of packet, four of them. */
const TOKENS = 6;
const FLOW_LENGTH = 16;

const KINDS = 4;
const NO_TOKEN = -1;
/** Not the upper part of an address, nor of −1. */
const ANY_MAC = -2;

/**
 * What is known of the packets of a flow about which the router decides as before ({@link DecisionBatch.record}): whose connection they
 * belong to, and as which of its ways they count. So the packets of a long connection are neither looked up nor judged again.
 */
export class FlowMemory {
  /** By record. */
  #words = new Int32Array(0);
  /** Word of the flow that {@link find} found. */
  #at = 0;

  /** Whether the flow of a packet and the decision about it is known; `bySender`: of its sender, too. */
  find(decisions: DecisionBatch, into: number, batch: PacketBatch, row: number, bySender: boolean): boolean {
    const record = decisions.record[into]!;
    const at = FLOW_LENGTH * record;
    const words = this.#words;
    if (record < 0 || at >= words.length || words[at + STAMP] !== decisions.recordStamp[into]) return false;
    if (bySender) {
      const mac = batch.sourceMac[row]!;
      // Written out: as a parameter the address would be allocated.
      if (words[at + MAC_LOW] !== (mac | 0) || words[at + MAC_HIGH] !== Math.floor(mac / 0x1_0000_0000)) return false;
    } else if (words[at + MAC_HIGH] !== ANY_MAC) {
      return false;
    }
    this.#at = at;
    return true;
  }

  get connection(): number {
    return this.#words[this.#at + CONNECTION]!;
  }

  get serial(): number {
    return this.#words[this.#at + SERIAL]!;
  }

  get toServer(): boolean {
    return (this.#words[this.#at + WAY]! & 1) !== 0;
  }

  get spsSide(): boolean {
    return (this.#words[this.#at + WAY]! & 2) !== 0;
  }

  get translated(): number {
    return this.#words[this.#at + WAY]! >> 2;
  }

  /** Token of the way for packets of a kind, −1 where none was counted yet. */
  tokenOf(kind: number): number {
    return this.#words[this.#at + TOKENS + kind]!;
  }

  setToken(kind: number, token: number): void {
    this.#words[this.#at + TOKENS + kind] = token;
  }

  /** Begins the flow of a decision that the router took over from a former one; nothing where it did not. */
  begin(
    decisions: DecisionBatch,
    into: number,
    batch: PacketBatch,
    row: number,
    bySender: boolean,
    connection: number,
    serial: number,
    toServer: boolean,
    spsSide: boolean,
    translated: number,
  ): void {
    const record = decisions.record[into]!;
    if (record < 0) return;
    const at = FLOW_LENGTH * record;
    if (at >= this.#words.length) this.#grow(at);
    const words = this.#words;
    words[at + STAMP] = decisions.recordStamp[into]!;
    words[at + CONNECTION] = connection;
    words[at + SERIAL] = serial;
    words[at + WAY] = (toServer ? 1 : 0) | (spsSide ? 2 : 0) | (translated << 2);
    const mac = batch.sourceMac[row]!;
    words[at + MAC_LOW] = bySender ? mac | 0 : 0;
    words[at + MAC_HIGH] = bySender ? Math.floor(mac / 0x1_0000_0000) : ANY_MAC;
    words.fill(NO_TOKEN, at + TOKENS, at + TOKENS + KINDS);
  }

  #grow(at: number): void {
    const grown = new Int32Array(Math.max(2 * this.#words.length, at + FLOW_LENGTH));
    grown.set(this.#words);
    this.#words = grown;
  }
}
