import type { SettledFragment } from '../forwarding/forwarder.ts';
import { PacketBatch } from '../wire/packet-batch.ts';

/** Fragments that are remembered while the router holds them; of more than that, the oldest never came together. */
const HELD_FRAGMENTS = 4096;

/** A fragment in a row of its own, and the interface that it came in by. */
export interface HeldFragment {
  readonly batch: PacketBatch;
  readonly position: number;
}

/** The fragments that the router holds until their datagrams are whole. */
export class HeldFragments {
  /** By file and frame. */
  readonly #held = new Map<string, HeldFragment>();
  readonly #onLost: (batch: PacketBatch) => void;
  /** Rows to be used again: each costs an allocation of its columns. */
  readonly #free: PacketBatch[] = [];

  /** `onLost` is told of the fragments (row 0) whose datagram never came together. */
  constructor(onLost: (batch: PacketBatch) => void) {
    this.#onLost = onLost;
  }

  /** A row of its own for a fragment; it is to be held, or given back. */
  rowFor(batch: PacketBatch, row: number): PacketBatch {
    const own = this.#free.pop() ?? new PacketBatch(1);
    own.copyRows(batch, row, 0, 1);
    return own;
  }

  /** Pieces that are not needed any more. */
  giveBack(pieces: readonly HeldFragment[]): void {
    for (const { batch } of pieces) this.#free.push(batch);
  }

  hold(piece: HeldFragment): void {
    const { batch } = piece;
    this.#held.set(`${batch.file[0]} ${batch.frameNumber[0]}`, piece);
    if (this.#held.size > HELD_FRAGMENTS) this.#forget(this.#held.keys().next().value!);
  }

  /** Takes the fragments whose fate is settled, and gives those of them whose datagram was put together: they are to be given back. */
  settle(settled: readonly SettledFragment[]): HeldFragment[] {
    const pieces = [];
    for (const { file, frame, whole } of settled) {
      const key = `${file} ${frame}`;
      const held = this.#held.get(key);
      if (held === undefined) continue;
      if (whole) {
        pieces.push(held);
        this.#held.delete(key);
      } else {
        this.#forget(key);
      }
    }
    return pieces;
  }

  /** The captures have ended: what is held never comes together. */
  finish(): void {
    for (const key of this.#held.keys()) this.#forget(key);
  }

  #forget(key: string): void {
    const { batch } = this.#held.get(key)!;
    this.#held.delete(key);
    this.#onLost(batch);
    this.#free.push(batch);
  }
}
