/** `npm run captures [-- SCENARIO...]`: records the stored scenarios anew, all of them or those named. */
import { fileURLToPath } from 'node:url';
import { CommandError } from './command.ts';
import { labAvailable } from './lab.ts';
import { type Outcome, recordScenario } from './scenario-folder.ts';
import { SCENARIOS, type Scenario } from './scenarios.ts';

const ROOT = fileURLToPath(new URL('../../captures', import.meta.url));
const COULD_NOT_RUN = 2;
/** A busy machine may lose a frame in one of the ways of recording. */
const ATTEMPTS = 3;

async function main(names: readonly string[]): Promise<number> {
  const obstacle = labAvailable();
  if (obstacle !== undefined) {
    console.error(`captures: ${obstacle}`);
    return COULD_NOT_RUN;
  }
  const unknown = names.filter((name) => !SCENARIOS.some((scenario) => scenario.name === name));
  if (unknown.length > 0) {
    console.error(
      `captures: no scenario ${unknown.join(', ')}; there are: ${SCENARIOS.map(({ name }) => name).join(' ')}`,
    );
    return COULD_NOT_RUN;
  }
  let failures = 0;
  for (const scenario of SCENARIOS.filter(({ name }) => names.length === 0 || names.includes(name))) {
    try {
      const { truth, frames } = await recordWithRetries(scenario);
      console.log(`${scenario.name}: ${frames?.merged ?? 'no'} frames, ${truth.verdict}: ${truth.reason}`);
    } catch (error) {
      failures++;
      console.error(`${scenario.name}: ${error instanceof Error ? error.message : error}`);
    }
  }
  return failures === 0 ? 0 : 1;
}

async function recordWithRetries(scenario: Scenario): Promise<Outcome> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await recordScenario(scenario, ROOT);
    } catch (error) {
      if (!(error instanceof CommandError) || attempt === ATTEMPTS) throw error;
      console.error(`${scenario.name}: ${error.message}; once more`);
    }
  }
}

process.exitCode = await main(process.argv.slice(2));
