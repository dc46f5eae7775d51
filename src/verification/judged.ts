import { DecisionFlag } from '../forwarding/decision.ts';
import type { Connection, PathCount } from '../observation/connection-log.ts';
import type { Category } from './judge.ts';
import type { Path } from './path-table.ts';
import type { Probe } from './session.ts';

/** client: client–SPS; server: SPS–server; both: one five-tuple serves both. */
export type Leg = 'client' | 'server' | 'both';

/** One way that packets of a connection took, judged. */
export interface JudgedWay {
  /** In the log: of no other way. */
  readonly token: number;
  readonly path: Path;
  readonly count: PathCount;
  /** Undefined: it cannot be told. */
  fromSps: boolean | undefined;
  category: Category;
  /** A straggler outside a live entry: it does not decide the verdict (RV513). */
  stray: boolean;
}

/** What was synthesized for a connection, because the capture does not show it. */
export interface JudgedProbes {
  /** Packets judged, toward the server and toward the client. */
  readonly toServer: number;
  readonly toClient: number;
  /** Those that do not go where they should, or of which that is not known. */
  readonly problems: readonly Probe[];
  /** Why nothing definite can be said of a leg that is missing. */
  readonly undetermined: readonly string[];
}

/** A monitored connection with everything that is said about it. */
export interface JudgedConnection {
  readonly connection: Connection;
  readonly ways: readonly JudgedWay[];
  /** Its client is an address of the router: a client whom the router hides, of whose connection the opening was not captured. */
  readonly clientIsRouter: boolean;
  /** It came in where the redirect takes no clients, and may be SPS's own by an interface that nobody named. */
  mayBeOfSps: boolean;
  readonly leg: Leg;
  session: number | undefined;
  /** Client legs: SPS's connection to the server was captured. */
  hasServerLeg: boolean;
  probes: JudgedProbes;
  /** Which of the kinds of session it is, by the list of who numbers them; 0 not known. */
  sessionKind: number;
}

/** Whether the way is that of packets whose entry is known, though older than the capture: from the router's list of entries. */
export function isOfDumpedEntry(way: JudgedWay): boolean {
  return (way.path.flags & DecisionFlag.dumpedEntry) !== 0;
}
