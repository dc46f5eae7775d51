import type { CaptureFileSummary, CaptureInterface } from '../capture/capture-set.ts';
import type { Problem, Where } from '../diagnostic/diagnostic.ts';
import type { Intent } from '../model/intent.ts';
import type { JoinIntent } from '../model/join-intent.ts';
import type { Listing } from '../observation/listing.ts';
import type { DiagnosisResult } from './diagnose.ts';
import type { Failure } from './failures.ts';
import type { JudgedConnection, JudgedWay } from './judged.ts';
import type { FrameRef } from './path-table.ts';
import type { Replay } from './replay.ts';
import type { Router } from './router.ts';
import type { SessionSpec } from './session.ts';

export { VANTAGES, type VantageName } from '../observation/taken-at.ts';

/** A run with everything known about it: what findings look at. */
export interface Verification {
  readonly mode: 'observed' | 'what-if';
  readonly requireObserved: boolean;
  readonly router: Router;
  /** With the SNAT mode as the capture shows it. */
  readonly intent: Intent;
  /** The SPP that SPS is joined to, where it was stated. */
  readonly join?: JoinIntent;
  readonly ambiguousSps: boolean;
  readonly replay: Replay;
  readonly captures: readonly CaptureFileSummary[];
  readonly captureInterfaces: readonly CaptureInterface[];
  /** Of the captures, then of the router's state. */
  readonly problems: readonly Problem[];
  readonly connections: Listing<JudgedConnection>;
  readonly failures: readonly Failure[];
  readonly diagnosis: DiagnosisResult;
  /** Whether what goes past SPS would be in the capture: every interface that monitored connections can use is. */
  readonly showsBypass: boolean;
  /** Whether the user said where the captures were taken. */
  readonly vantageStated: boolean;
  /** Whether an interface that faces SPS was captured. */
  readonly spsSideCaptured: boolean;
  /** Whether it is asked what happens when SPS is lost. */
  readonly asksAboutLoss: boolean;
  /** The capture says that it dropped frames. */
  readonly lossy: boolean;
  /** Whether every monitored packet has its egress copy in the capture, and nothing was synthesized. */
  readonly everythingObserved: boolean;
  /** Whether the later fragments in the capture may belong to a monitored service. */
  readonly fragmentsMayBeMonitored: boolean;
  interfaceName(position: number): string;
  /** The sessions that a connection may be a part of, one for each way in which SPS may appear toward servers. */
  sessionsOf(item: JudgedConnection): readonly SessionSpec[];
  /** Connections of which this is the same object have the same sessions, but for clients' ports and addresses that the router does not tell apart. */
  sessionKindOf(item: JudgedConnection): object;
  /** Ids of connections of which a packet's walk met the statement at a line. */
  connectionsAt(path: string, line: number): readonly number[];
  /** Commands that keep a way's packets from being translated; undefined where none was found to help. */
  untranslatedFix(way: JudgedWay): readonly string[] | undefined;
  placeOf(frame: FrameRef, position: number): Where;
}
