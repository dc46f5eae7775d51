import { beganBefore, wasEstablished, wasRefused, wasResetByClient } from '../observation/connection-log.ts';
import type { JudgedConnection } from './judged.ts';
import type { Verification } from './verification.ts';

/** An answer that takes longer than this is none; a capture that ends sooner proves nothing. */
const PATIENCE_NANOSECONDS = 1e9;

/** What came back from SPS on a client leg of which packets were redirected; undefined where that says nothing. */
export function answerOf(run: Verification, item: JudgedConnection): 'none' | 'reset' | undefined {
  const { connection } = item;
  if (item.leg === 'server' || beganBefore(connection) || wasEstablished(connection)) return undefined;
  const requests = item.ways.filter((way) => way.path.toServer);
  // Where only SPS's side was captured, redirected packets are seen leaving there.
  const redirected =
    requests.length === 0
      ? connection.unpairedEgress > 0
      : requests.every((way) => way.fromSps === false && way.category === 'viaSps');
  if (!redirected || !answersWouldShow(run, requests[0]?.path.ingress)) return undefined;
  if (wasRefused(connection)) return 'reset';
  // Only who gets something back resets: its direction is not in the capture.
  if (wasResetByClient(connection)) return undefined;
  return run.replay.lastTime - connection.firstTime >= PATIENCE_NANOSECONDS ? 'none' : undefined;
}

/** Whether an answer would be in the capture: coming in from SPS, or going out to the client. */
function answersWouldShow(run: Verification, clientInterface: number | undefined): boolean {
  if (run.spsSideCaptured) return true;
  return clientInterface !== undefined && run.replay.sawEgress && run.replay.vantage.wasCaptured(clientInterface);
}
