import { MatchKind, TargetKind } from './program.ts';
import type { CompiledRouter } from './router.ts';

/** What the key of a remembered decision says of the fields that a kind of match tests. */
const Field = {
  /** The key holds them as they are, or they are the same for all packets that share one. */
  held: 0,
  tcpFlags: 1,
  ttl: 2,
  length: 3,
  sourceMac: 4,
  tos: 5,
} as const;

/** Every kind of match has to say by which field it tells packets of one connection, one direction and one interface apart. */
const FIELD_OF_MATCH: Readonly<Record<keyof typeof MatchKind, number>> = {
  inInterface: Field.held,
  outInterface: Field.held,
  source: Field.held,
  destination: Field.held,
  protocol: Field.held,
  fragment: Field.held,
  transportHeader: Field.held,
  sourcePort: Field.held,
  destinationPort: Field.held,
  tcpFlags: Field.tcpFlags,
  multiport: Field.held,
  mark: Field.held,
  connmark: Field.held,
  ctstate: Field.held,
  macSource: Field.sourceMac,
  unmodelled: Field.held,
  ttl: Field.ttl,
  length: Field.length,
  tos: Field.tos,
  icmpType: Field.held,
  packetType: Field.held,
  addressRange: Field.held,
  addressType: Field.held,
  ctTuple: Field.held,
  ctDirection: Field.held,
  ctStatus: Field.held,
  rpfilter: Field.held,
  set: Field.sourceMac,
  source6: Field.held,
  destination6: Field.held,
  addressRange6: Field.held,
  never: Field.held,
};

const FIELD_OF_KIND: ReadonlyMap<number, number> = new Map(
  Object.entries(FIELD_OF_MATCH).map(([name, field]) => [MatchKind[name as keyof typeof MatchKind], field]),
);

/**
 * Values of header fields that nothing of a router's configuration tells apart, by class: two packets that are alike in everything else and in these
 * classes meet the same rules.
 */
export interface PacketClasses {
  /** By flags. */
  readonly tcpFlags: Uint8Array;
  /** By TTL. */
  readonly ttl: Uint8Array;
  /** By length in bytes; undefined where no rule tests it. */
  readonly length: Uint16Array | undefined;
  /** Rules test the sender's MAC address. */
  readonly sourceMac: boolean;
  /** Bits of the type of service that count. */
  readonly tosMask: number;
}

/** What a router's rules and routes look at. */
export function classesOf({ program, rpdb, fib }: CompiledRouter): PacketClasses {
  const { matchKind, matchA, matchB, target } = program;
  const flagTests = new Set<number>();
  const ttlBounds = new Set<number>();
  const lengthBounds = new Set<number>();
  let sourceMac = false;
  let tos =
    target.includes(TargetKind.tos) ||
    rpdb.rules.some((rule) => rule.tos !== -1) ||
    fib.routes.tos.some((value) => value !== 0);
  for (let match = 0; match < matchKind.length; match++) {
    const a = matchA[match]!;
    const b = matchB[match]!;
    switch (FIELD_OF_KIND.get(matchKind[match]!)) {
      case Field.tcpFlags:
        flagTests.add((a << 8) | b);
        break;
      case Field.ttl:
        // Whatever the comparison: below, at and above the value are told apart.
        ttlBounds.add(b).add(b + 1);
        break;
      case Field.length:
        lengthBounds.add(a).add(b + 1);
        break;
      case Field.sourceMac:
        sourceMac = true;
        break;
      case Field.tos:
        tos = true;
        break;
    }
  }
  return {
    tcpFlags: target.includes(TargetKind.ecn) ? identity() : classesOfFlags([...flagTests]),
    ttl: target.includes(TargetKind.ttl) ? identity() : Uint8Array.from(classesBetween(ttlBounds, 256)),
    length: lengthBounds.size === 0 ? undefined : Uint16Array.from(classesBetween(lengthBounds, 65_536)),
    sourceMac,
    tosMask: tos ? 0xff : 0,
  };
}

/** Targets that change a field make every value of it count. */
function identity(): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, value) => value);
}

/** Flags are of one class where every test gives the same for them. */
function classesOfFlags(tests: readonly number[]): Uint8Array {
  const classes = new Map<string, number>();
  return Uint8Array.from({ length: 256 }, (_, flags) => {
    const results = tests.map((test) => ((flags & (test >> 8)) === (test & 0xff) ? '1' : '0')).join('');
    const known = classes.get(results) ?? classes.size;
    classes.set(results, known);
    return known;
  });
}

/** Numbers the ranges that begin at the bounds. */
function classesBetween(bounds: ReadonlySet<number>, count: number): number[] {
  const classes: number[] = [];
  let current = 0;
  for (let value = 0; value < count; value++) {
    if (bounds.has(value)) current++;
    classes.push(current);
  }
  return classes;
}
