/** `npm run test:kernel`: random routers and packets, by the kernel and by the verifier. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { type Comparison, compare } from './compare.ts';
import { PROFILES, scenarios } from './generate.ts';
import { missingForOracle, Oracle, OracleError } from './oracle/oracle.ts';
import { describeDisagreement, shrink } from './shrink.ts';
import { type RecordedScenario, type Scenario, storedOf } from './scenario.ts';

const CASES = fileURLToPath(new URL('cases', import.meta.url));

interface Totals {
  scenarios: number;
  packets: number;
  undetermined: number;
  disagreements: number;
  refused: number;
  readonly reasons: Map<string, number>;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      packets: { type: 'string', default: '20000' },
      profile: { type: 'string' },
      /** Ends by itself after so many seconds. */
      seconds: { type: 'string', default: 'Infinity' },
      stop: { type: 'string', default: '5' },
      record: { type: 'string' },
      store: { type: 'boolean', default: false },
      'no-shrink': { type: 'boolean', default: false },
      verbose: { type: 'boolean', default: false },
    },
  });
  const missing = missingForOracle();
  if (missing.length > 0) {
    process.stderr.write(`test:kernel asks the running kernel, and here it lacks: ${missing.join('; ')}\n`);
    return 2;
  }
  const names = values.profile?.split(',') ?? Object.keys(PROFILES);
  const unknown = names.find((name) => !Object.hasOwn(PROFILES, name));
  if (unknown !== undefined) {
    process.stderr.write(`no profile ${unknown}; there are: ${Object.keys(PROFILES).join(' ')}\n`);
    return 2;
  }
  const totals = new Map<string, Totals>(
    names.map((name) => [
      name,
      { scenarios: 0, packets: 0, undetermined: 0, disagreements: 0, refused: 0, reasons: new Map() },
    ]),
  );
  const oracle = await Oracle.start();
  const started = performance.now();
  let packets = 0;
  let shown = 0;
  try {
    const isDone = (): boolean =>
      packets >= Number(values.packets) ||
      shown >= Number(values.stop) ||
      performance.now() - started >= Number(values.seconds) * 1000;
    for (let round = 0; !isDone(); round++) {
      const name = names[round % names.length]!;
      const total = totals.get(name)!;
      const [scenario] = fc.sample(scenarios(name), { seed: Number(values.seed) * 1_000_003 + round, numRuns: 1 });
      let recorded: RecordedScenario;
      try {
        recorded = await oracle.ask(scenario!);
      } catch (error) {
        if (!(error instanceof OracleError)) throw error;
        total.refused++;
        if (values.verbose) process.stdout.write(`${name}: ${error.message}\n`);
        continue;
      }
      const comparison = await compare(recorded);
      packets += comparison.packets;
      count(total, comparison);
      if (values.record !== undefined && comparison.disagreements.length === 0) {
        store(`${name}-${total.scenarios}`, recorded, Number(values.record));
      }
      if (comparison.disagreements.length === 0) continue;
      shown++;
      const title = `${name}-${values.seed}-${round}`;
      if (values['no-shrink']) {
        const first = comparison.disagreements[0]!;
        const { label } = recorded.frames[first.frame]!;
        process.stdout.write(
          `${title}: frame ${first.frame + 1} ${label}: kernel ${first.kernel}, verifier ${first.verifier}\n`,
        );
      } else {
        await report(oracle, scenario!, comparison, values.store, title);
      }
    }
  } finally {
    await oracle.stop();
  }
  print(totals, (performance.now() - started) / 1000, `seed ${values.seed}, kernel ${oracle.kernel}`);
  return [...totals.values()].some((total) => total.disagreements > 0) ? 1 : 0;
}

function count(total: Totals, comparison: Comparison): void {
  total.scenarios++;
  total.packets += comparison.packets;
  total.undetermined += comparison.undetermined;
  total.disagreements += comparison.disagreements.length;
  for (const [reason, number] of comparison.reasons)
    total.reasons.set(reason, (total.reasons.get(reason) ?? 0) + number);
}

async function report(
  oracle: Oracle,
  scenario: Scenario,
  first: Comparison,
  keep: boolean,
  name: string,
): Promise<void> {
  process.stdout.write(`\n== ${name}: ${first.disagreements.length} of ${first.packets} packets disagree; shrunk:\n`);
  const small = await shrink(oracle, scenario);
  process.stdout.write(`${await describeDisagreement(small.scenario, small.recorded)}\n`);
  if (keep) store(name, small.recorded, Number.POSITIVE_INFINITY);
}

/** Keeps a recorded scenario, with as many frames at most. */
function store(name: string, recorded: RecordedScenario, frames: number): void {
  mkdirSync(CASES, { recursive: true });
  const stored = storedOf(recorded, frames);
  const lines = stored.frames.map((frame) => `    ${JSON.stringify(frame)}`).join(',\n');
  const head = JSON.stringify({ ...stored, frames: [] }, undefined, 1).replace(/\[\]\s*\}$/, '');
  writeFileSync(`${CASES}/${name}.json`, `${head}[\n${lines}\n]}\n`);
}

function print(totals: ReadonlyMap<string, Totals>, seconds: number, what: string): void {
  const row = (name: string, total: Totals): string =>
    [
      name.padEnd(16),
      String(total.scenarios).padStart(9),
      String(total.packets).padStart(8),
      `${((100 * total.undetermined) / Math.max(total.packets, 1)).toFixed(2)} %`.padStart(12),
      String(total.disagreements).padStart(13),
      String(total.refused).padStart(7),
    ].join(' ');
  const sum: Totals = { scenarios: 0, packets: 0, undetermined: 0, disagreements: 0, refused: 0, reasons: new Map() };
  process.stdout.write('\nprofile          scenarios  packets undetermined disagreements refused\n');
  for (const [name, total] of totals) {
    process.stdout.write(`${row(name, total)}\n`);
    sum.scenarios += total.scenarios;
    sum.packets += total.packets;
    sum.undetermined += total.undetermined;
    sum.disagreements += total.disagreements;
    sum.refused += total.refused;
    for (const [reason, number] of total.reasons) sum.reasons.set(reason, (sum.reasons.get(reason) ?? 0) + number);
  }
  process.stdout.write(`${row('all', sum)}\n${what}, ${seconds.toFixed(1)} s\n`);
  const reasons = [...sum.reasons].sort((a, b) => b[1] - a[1]).slice(0, 8);
  for (const [reason, number] of reasons) process.stdout.write(`  undetermined ${number}: ${reason}\n`);
}

process.exitCode = await main();
