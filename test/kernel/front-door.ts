/** The front door: dumps and frames as files, `trace --format ndjson --verify-checksums` as answer. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCli } from '../cli/compiled-cli.ts';
import { captureBytes } from './capture.ts';
import type { VerifierAnswer } from './compare.ts';
import type { RecordedScenario } from './scenario.ts';

/** The compiled tool's answers by frame; undefined where it says nothing of a frame. Throws where it does not end well. */
export function frontDoorAnswers(recorded: RecordedScenario): (VerifierAnswer | undefined)[] {
  const folder = mkdtempSync(join(tmpdir(), 'redirect-verify-front-door-'));
  try {
    const router = join(folder, 'router.txt');
    const capture = join(folder, 'frames.pcapng');
    writeFileSync(router, recorded.dump);
    writeFileSync(capture, captureBytes(recorded));
    const argv = ['trace', capture, '--router', router, '--format', 'ndjson', '--verify-checksums'];
    const { status, stdout, stderr } = runCli(argv);
    if (status !== 0) throw new Error(`trace ends with ${status}: ${stderr}`);
    const answers: (VerifierAnswer | undefined)[] = recorded.frames.map(() => undefined);
    const lines = stdout.split('\n').filter((line) => line !== '');
    if (!lines.at(-1)?.includes('"type":"summary"')) throw new Error('trace ends without its summary');
    for (const line of lines) {
      const parsed = JSON.parse(line) as VerifierAnswer & { type: string; frame: number; fwmark?: number };
      if (parsed.type !== 'frame') continue;
      answers[parsed.frame - 1] = { ...parsed, ...(parsed.fwmark === undefined && { fwmarkUnknown: true }) };
    }
    return answers;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Where the tool does not say the same as its code in this process; undefined where it does. */
export function frontDoorDifference(
  recorded: RecordedScenario,
  answers: readonly (VerifierAnswer | undefined)[],
): string | undefined {
  let said: (VerifierAnswer | undefined)[];
  try {
    said = frontDoorAnswers(recorded);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  const frame = answers.findIndex((answer, index) => compared(answer) !== compared(said[index]));
  return frame === -1 ? undefined : `frame ${frame + 1}: ${compared(said[frame])}, not ${compared(answers[frame])}`;
}

/** What must be the same, in words. */
function compared(answer: VerifierAnswer | undefined): string {
  if (answer === undefined) return 'nothing';
  const { disposition, egress, nextHop, fwmark, fwmarkUnknown, connmark, table, unknown, icmpRedirect, rejected } =
    answer;
  const why = disposition === 'undetermined' ? unknown : undefined;
  const mark = fwmarkUnknown === true ? 'unknown' : fwmark;
  return JSON.stringify([disposition, egress, nextHop, mark, connmark, table, why, icmpRedirect, rejected]);
}
