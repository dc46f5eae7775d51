/** Compares scenarios recorded in a file, one a line, until the first that disagrees; prints how many packets that took. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { compare } from './compare.ts';
import type { RecordedScenario } from './scenario.ts';

/** A line of the file. */
export interface TitledScenario {
  readonly title: string;
  readonly recorded: RecordedScenario;
}

/** What a replay prints. */
export interface Replayed {
  readonly packets: number;
  /** The first frame that disagrees: its scenario's title, its label, and what both say. */
  readonly found?: string;
  /** That scenario, until that frame. */
  readonly scenario?: RecordedScenario;
}

async function replay(path: string): Promise<Replayed> {
  let packets = 0;
  for await (const line of createInterface({ input: createReadStream(path) })) {
    const { title, recorded } = JSON.parse(line) as TitledScenario;
    const { disagreements } = await compare(recorded);
    const [first] = disagreements;
    if (first !== undefined) {
      const { label } = recorded.frames[first.frame]!;
      const found = `${title}: ${label}: kernel ${first.kernel}, verifier ${first.verifier}`;
      const count = first.frame + 1;
      const [frames, answers] = [recorded.frames.slice(0, count), recorded.answers.slice(0, count)];
      return { packets: packets + count, found, scenario: { ...recorded, frames, answers } };
    }
    packets += recorded.frames.length;
  }
  return { packets };
}

process.stdout.write(`${JSON.stringify(await replay(process.argv[2]!))}\n`);
