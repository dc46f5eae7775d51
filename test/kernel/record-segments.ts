/** `npm run kernel:segments`: asks the kernel about TCP connections at the edges and writes its answers, for corpus.test.ts. */
import { readFileSync } from 'node:fs';
import { compare } from './compare.ts';
import { type CorpusLine, SEGMENT_SEEDS, SEGMENTS, writeLines } from './corpus.ts';
import { missingForOracle, Oracle } from './oracle/oracle.ts';
import { storedOf } from './scenario.ts';
import { stateMarkingScenario } from './bare-flags.ts';
import { connectionFrames, FIRST_PORT } from './segments.ts';

/** Connections of one scenario. */
const MOST = 40;

const SETTINGS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  usual: {},
  liberal: { 'net/netfilter/nf_conntrack_tcp_be_liberal': '1' },
  strict: { 'net/netfilter/nf_conntrack_tcp_loose': '0' },
  resets: { 'net/netfilter/nf_conntrack_tcp_ignore_invalid_rst': '1' },
};

async function main(): Promise<number> {
  const missing = missingForOracle();
  if (missing.length > 0) {
    process.stderr.write(`kernel:segments asks the running kernel, and here it lacks: ${missing.join('; ')}\n`);
    return 2;
  }
  const seeds = JSON.parse(readFileSync(SEGMENT_SEEDS, 'utf8')) as Readonly<Record<string, readonly number[]>>;
  const oracle = await Oracle.start();
  const lines: CorpusLine[] = [];
  let disagreements = 0;
  try {
    for (const [name, sysctls] of Object.entries(SETTINGS)) {
      const all = seeds[name] ?? [];
      for (let at = 0; at < all.length; at += MOST) {
        const frames = all.slice(at, at + MOST).flatMap((seed, index) => connectionFrames(FIRST_PORT + index, seed));
        const recorded = await oracle.ask(stateMarkingScenario('segments', frames, sysctls));
        const comparison = await compare(recorded);
        disagreements += comparison.disagreements.length;
        lines.push({ title: `segments, ${name}, ${at}`, undetermined: [], ...storedOf(recorded) });
      }
    }
  } finally {
    await oracle.stop();
  }
  writeLines(SEGMENTS, lines);
  const packets = lines.reduce((sum, { frames }) => sum + frames.length, 0);
  process.stdout.write(`${packets} segments, ${disagreements} about which the verifier disagrees: ${SEGMENTS}\n`);
  return disagreements > 0 ? 1 : 0;
}

process.exitCode = await main();
