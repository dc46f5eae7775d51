/** TCP connections at the edges: each segment lies at, just inside or just outside a bound of what the ones before it allow. */
import { frameHex, packetBytes } from './frame.ts';
import type { ScenarioFrame } from './scenario.ts';

const [FIN, SYN, RST, PSH, ACK] = [1, 2, 4, 8, 16];
const CLIENT = '192.168.0.10';
const SERVER = '10.0.0.10';
/** Ports of clients begin here, one for each connection. */
export const FIRST_PORT = 20_000;

/** A generator of numbers below a bound, the same for the same seed. */
export function dice(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** What one side has sent. */
interface Sender {
  next: number;
  window: number;
  scale: number;
  first: number;
  last: number;
}

/** The frames of one connection. */
export function connectionFrames(port: number, seed: number): ScenarioFrame[] {
  const roll = dice(seed);
  const one = <T>(...items: readonly T[]): T => items[roll(items.length)]!;
  const first = (): number => one(1000, 0xffff_f000, 0x7fff_ff00, 5_000_000);
  const sides = [first(), first()].map((next): Sender => ({ next, window: 0, scale: 0, first: next, last: next })) as [
    Sender,
    Sender,
  ];
  const frames: ScenarioFrame[] = [];
  // Mostly a handshake, then mostly in order, so that every state is got to.
  const script = one<readonly (readonly [number, number])[]>(
    [
      [0, SYN],
      [1, SYN | ACK],
      [0, ACK],
    ],
    [
      [0, SYN],
      [1, SYN | ACK],
      [0, ACK],
    ],
    [
      [0, SYN],
      [1, SYN | ACK],
      [0, ACK],
      [0, FIN | ACK],
    ],
    [
      [0, SYN],
      [1, SYN | ACK],
      [0, ACK],
      [0, FIN | ACK],
      [1, FIN | ACK],
    ],
    [
      [0, SYN],
      [1, SYN | ACK],
      [0, ACK],
      [1, FIN | ACK],
      [0, ACK],
      [0, FIN | ACK],
    ],
    [
      [0, SYN],
      [1, SYN],
    ],
    [
      [0, SYN],
      [1, ACK],
    ],
    [[0, SYN]],
    [],
  );
  const count = script.length + 2 + roll(9);
  for (let step = 0; step < count; step++) {
    const [direction, flags] = script[step] ?? [
      roll(2),
      one(ACK, ACK, ACK, ACK | PSH, ACK | PSH, FIN | ACK, RST, RST | ACK, SYN, SYN | ACK, FIN),
    ];
    const isOdd = script[step] === undefined ? roll(2) === 0 : roll(8) === 0;
    const [own, peer] = [sides[direction]!, sides[1 - direction]!];
    const reach = Math.max(peer.window << peer.scale, 1);
    const sequence = !isOdd
      ? own.next
      : one(
          own.next,
          own.next - 1,
          own.next + 1,
          own.last,
          own.first,
          own.next + reach - 1,
          own.next + reach,
          own.next + reach + 1,
          own.next - reach,
          own.next - reach - 1,
          own.next + 100,
          0,
          own.next - 70_000,
        );
    const acknowledgement =
      (flags & ACK) === 0 && roll(8) !== 0
        ? 0
        : !isOdd
          ? peer.next
          : one(
              peer.next,
              peer.next,
              peer.next + 1,
              peer.next - 1,
              peer.next + 2,
              peer.last,
              peer.first,
              0,
              peer.next - 66_000,
              peer.next - 66_001,
              peer.next - 65_999,
              peer.next - 100,
            );
    const payload = (flags & (SYN | RST)) !== 0 ? 0 : one(0, 0, 1, 10, 100, 1000, 1400);
    const window = one(65_535, 65_535, 29_200, 1000, 100, 10, 1, 0);
    const windowScale = (flags & SYN) !== 0 ? one(undefined, 0, 2, 7, 14, 15) : undefined;
    const sack =
      (flags & SYN) === 0 && (flags & ACK) !== 0 && roll(6) === 0 ? peer.next + one(0, 1, 2, 100, -50) : undefined;
    const packet = packetBytes({
      source: direction === 0 ? CLIENT : SERVER,
      destination: direction === 0 ? SERVER : CLIENT,
      protocol: 'tcp',
      sourcePort: direction === 0 ? port : 22,
      destinationPort: direction === 0 ? 22 : port,
      flags,
      sequence,
      acknowledgement,
      window,
      ...(windowScale === undefined ? {} : { windowScale }),
      sackPermitted: (flags & SYN) !== 0 && roll(2) === 0,
      ...(sack === undefined ? {} : { sack: [sack - 10, sack] as const }),
      payload,
      identification: 1,
    });
    frames.push({ in: direction === 0 ? 0 : 2, hex: frameHex(direction === 0 ? 0 : 2, packet), label: '' });
    own.last = sequence;
    const end = sequence + payload + ((flags & SYN) >> 1) + (flags & FIN);
    if (!isOdd || roll(2) === 0) own.next = end;
    own.window = window;
    if (windowScale !== undefined) own.scale = Math.min(windowScale, 14);
  }
  return frames;
}
