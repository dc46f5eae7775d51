/**
 * Speed and memory beside the usual tools: `npm run bench`, or `npx tsx test/bench/run.ts [PART...]` (after `npm run build`) with parts of
 * `start`, `stages`, `verify`, `ten-million`, `connections`, `rules`, `gzip`. Runs of one table alternate; figures are medians. `ROUNDS=5` takes
 * more of them.
 */
import { statSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { type CaptureName, captureInput, gzipInput, largeRouter, seedRouter } from './inputs.ts';
import { type Cost, isInstalled, median, program, stage, start, timed } from './measure.ts';

const FRAMES: Readonly<Record<CaptureName, number>> = {
  twoMillion: 2_004_000,
  tenMillion: 10_020_000,
  millionConnections: 12_000_000,
  small: 112,
};
const ROUNDS = Number(process.env.ROUNDS ?? 3);

type Task = readonly [name: string, run: () => Cost];

const parts: Readonly<Record<string, () => void>> = {
  start: startUp,
  stages: stagesBesideTools,
  verify: wholeBesideCopy,
  'ten-million': tenMillion,
  connections: millionConnections,
  rules: largeRules,
  gzip: compressed,
};

const wanted = process.argv.slice(2);
for (const name of wanted)
  if (parts[name] === undefined) throw new Error(`no part ${name}: ${Object.keys(parts).join(', ')}`);
console.log(`node ${process.version}, ${cpus().length} x ${cpus()[0]?.model.trim()}, load ${loadavg()[0]!.toFixed(1)}`);
for (const [name, part] of Object.entries(parts)) if (wanted.length === 0 || wanted.includes(name)) part();

function verifyArguments(capture: string, router: typeof seedRouter): string[] {
  return [capture, '--router', router.state, '--site', router.site, '--quiet', '--format', 'json'];
}

function verify(capture: string, router = seedRouter): () => Cost {
  return () => program(verifyArguments(capture, router));
}

function copy(capture: string): () => Cost {
  return () => timed('tcpdump -r "$1" -w /dev/null 2> /dev/null', [capture]);
}

function startUp(): void {
  const capture = captureInput('small');
  const rows = alternate(
    [
      ['node -e 0', () => timed('node -e 0')],
      ['--version', () => start(['--version'])],
      ['verify, 112 frames', () => start(verifyArguments(capture, seedRouter))],
    ],
    2 * ROUNDS + 1,
  );
  print('start, ms', rows, (cost) => [
    `${(cost.wall * 1e3).toFixed(0)} ms`,
    `${((cost.user + cost.system) * 1e3).toFixed(0)} ms cpu`,
  ]);
}

function stagesBesideTools(): void {
  const capture = captureInput('twoMillion');
  const { state, site } = seedRouter;
  const tools: Task[] = [
    ['tcpdump -r F -w /dev/null', copy(capture)],
    ['tcpdump -nr F', () => timed('tcpdump -nr "$1" 2> /dev/null', [capture])],
    ['capinfos -c F', () => timed('capinfos -c "$1"', [capture])],
    ['tshark -q -z conv,tcp', () => timed('tshark -r "$1" -q -z conv,tcp 2> /dev/null', [capture])],
  ];
  const ours: Task[] = [
    ['read', () => stage('read', capture, state, site)],
    ['read + decode', () => stage('decode', capture, state, site)],
    ['read + decode + decide', () => stage('decide', capture, state, site)],
    ['whole verify', verify(capture)],
  ];
  const installed = tools.filter(([name]) => isInstalled(name.split(' ')[0]!));
  // The slow ones once are enough.
  const slow = installed.filter(([name]) => name.startsWith('tshark') || name.includes('-nr'));
  const fast = installed.filter((task) => !slow.includes(task));
  const rows = new Map([...alternate([...ours, ...fast], ROUNDS), ...alternate(slow, 1)]);
  printThroughput('2 million packets, 3,000 connections', 'twoMillion', rows, 'tcpdump -r F -w /dev/null');
}

function wholeBesideCopy(): void {
  const capture = captureInput('twoMillion');
  const rows = alternate(
    [
      ['whole verify', verify(capture)],
      ['tcpdump -r F -w /dev/null', copy(capture)],
    ],
    2 * ROUNDS + 1,
  );
  printThroughput('2 million packets, alternating', 'twoMillion', rows, 'tcpdump -r F -w /dev/null');
}

function tenMillion(): void {
  const capture = captureInput('tenMillion');
  const rows = alternate(
    [
      ['whole verify', verify(capture)],
      ['tcpdump -r F -w /dev/null', copy(capture)],
    ],
    ROUNDS,
  );
  printThroughput('10 million packets', 'tenMillion', rows, 'tcpdump -r F -w /dev/null');
}

function millionConnections(): void {
  const capture = captureInput('millionConnections');
  const rows = alternate(
    [
      ['whole verify', verify(capture)],
      ['tcpdump -r F -w /dev/null', copy(capture)],
    ],
    1,
  );
  printThroughput('1 million connections', 'millionConnections', rows, 'tcpdump -r F -w /dev/null');
}

function largeRules(): void {
  const capture = captureInput('twoMillion');
  const large = largeRouter();
  const rows = alternate(
    [
      ["decide, the seed's rules", () => stage('decide', capture, seedRouter.state, seedRouter.site)],
      ['decide, 5,000 rules', () => stage('decide', capture, large.state, large.site)],
      ["verify, the seed's rules", verify(capture)],
      ['verify, 5,000 rules', verify(capture, large)],
    ],
    ROUNDS,
  );
  printThroughput('5,000 rules, 200 policy rules, 100,000 routes', 'twoMillion', rows, "verify, the seed's rules");
}

function compressed(): void {
  const capture = gzipInput('twoMillion');
  const rows = alternate(
    [
      ['whole verify', verify(capture)],
      ['zcat F | wc -c', () => timed('zcat "$1" | wc -c', [capture])],
    ],
    ROUNDS,
  );
  printThroughput('2 million packets in gzip', 'twoMillion', rows, 'zcat F | wc -c');
}

/** Each task as often as there are rounds, in turn: what else the machine does meets all of them. */
function alternate(tasks: readonly Task[], rounds: number): Map<string, Cost> {
  const costs = new Map<string, Cost[]>(tasks.map(([name]) => [name, []]));
  for (let round = 0; round < rounds; round++) for (const [name, run] of tasks) costs.get(name)!.push(run());
  return new Map([...costs].map(([name, each]) => [name, middle(each)]));
}

function middle(costs: readonly Cost[]): Cost {
  const peaks = costs.flatMap(({ peak }) => peak ?? []);
  return {
    wall: median(costs.map(({ wall }) => wall)),
    user: median(costs.map(({ user }) => user)),
    system: median(costs.map(({ system }) => system)),
    ...(peaks.length > 0 && { peak: Math.max(...peaks) }),
  };
}

function printThroughput(title: string, capture: CaptureName, rows: ReadonlyMap<string, Cost>, base: string): void {
  const megabytes = statSync(captureInput(capture)).size / 1e6;
  const frames = FRAMES[capture];
  const reference = rows.get(base);
  print(
    `${title} (${frames} frames, ${megabytes.toFixed(0)} MB; ratios to ${base})`,
    rows,
    ({ wall, user, system, peak }) => [
      `${wall.toFixed(2)} s`,
      `${(user + system).toFixed(2)} s cpu`,
      `${(frames / wall / 1e6).toFixed(2)} M frames/s`,
      `${(megabytes / wall).toFixed(0)} MB/s`,
      peak === undefined ? '' : `${peak} MiB`,
      reference === undefined ? '' : `x ${(wall / reference.wall).toFixed(2)}`,
      reference === undefined ? '' : `cpu x ${((user + system) / (reference.user + reference.system)).toFixed(2)}`,
    ],
  );
}

function print(title: string, rows: ReadonlyMap<string, Cost>, cells: (cost: Cost) => string[]): void {
  console.log(`\n${title}`);
  for (const [name, cost] of rows)
    console.log(
      `  ${name.padEnd(28)}${cells(cost)
        .map((cell) => cell.padStart(15))
        .join('')}`,
    );
}
