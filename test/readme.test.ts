import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CATALOG } from '../src/catalog.ts';
import { simulationTable } from '../src/dialects/base/simulation-status.ts';

const ROOT = join(import.meta.dirname, '..');
const README = join(ROOT, 'README.md');

function between(text: string, start: RegExp, end: string): { whole: string; marker: string } {
  const from = start.exec(text);
  expect(from, `README.md has ${start}`).not.toBeNull();
  const begin = from!.index + from![0].length;
  const stop = text.indexOf(end, begin);
  expect(stop).toBeGreaterThan(begin - 1);
  return { whole: text.slice(begin, stop), marker: from![0] };
}

function findingsTable(): string {
  const rows = CATALOG.map(
    (kind) => `| ${kind.code} | \`${kind.slug}\` | ${kind.severity} | ${kind.saidWhen.replaceAll('|', '\\|')} |`,
  );
  return `\n${['| code | name | severity | said when |', '| --- | --- | --- | --- |', ...rows].join('\n')}\n`;
}

/** The kernel that the stored answers are of. */
function comparedKernel(): string {
  const folder = join(ROOT, 'test', 'kernel', 'cases');
  const releases = new Set(
    readdirSync(folder)
      .filter((name) => name.endsWith('.json'))
      .map((name) => (JSON.parse(readFileSync(join(folder, name), 'utf8')) as { kernel: string }).kernel)
      .map((release) => /^\d+\.\d+/.exec(release)![0]),
  );
  return [...releases].sort().join(', ');
}

const LISTED = { match: '-m', target: '-j' } as const;

function simulation(): string {
  const cell = (words: readonly string[]): string => words.map((word) => `\`${word}\``).join(' ');
  const rows = simulationTable().map((row) => {
    const option = row.part === 'match' || row.part === 'target' ? `${LISTED[row.part]} ` : '';
    const name = row.name === '' ? '' : ` \`${option}${row.name}\``;
    const compared = row.isCompared && row.compared.length === 0 ? 'yes' : cell(row.compared);
    return `| ${row.part}${name} | ${compared} | ${cell(row.documented)} | ${cell(row.unmodelled)} |`;
  });
  const head = `| | compared with kernel ${comparedKernel()} | by documentation only | not modelled |`;
  return `\n${[head, '| --- | --- | --- | --- |', ...rows].join('\n')}\n`;
}

function sample(scenario: string): string {
  const command = `$ redirect-verify ${scenario}/capture.pcapng`;
  return `\n\`\`\`\n${command}\n${readFileSync(join(ROOT, scenario, 'report.txt'), 'utf8').trimEnd()}\n\`\`\`\n`;
}

function hold(start: RegExp, end: string, make: (match: RegExpExecArray) => string): void {
  const text = readFileSync(README, 'utf8');
  const match = start.exec(text)!;
  const { whole, marker } = between(text, start, end);
  const want = make(match);
  if (process.env.UPDATE_GOLDEN === '1')
    writeFileSync(
      README,
      text.replace(`${marker}${whole}${end}`, () => `${marker}${want}${end}`),
    );
  else expect(whole).toBe(want);
}

describe('README.md', () => {
  it('has the table of findings that the code has', () => {
    hold(/<!-- findings -->/, '<!-- /findings -->', findingsTable);
  });

  it('has the table of what is simulated that the code has', () => {
    hold(/<!-- simulation -->/, '<!-- /simulation -->', simulation);
  });

  it('shows the real output for a stored scenario', () => {
    hold(/<!-- sample: (\S+) -->/, '<!-- /sample -->', (match) => sample(match[1]!));
  });

  it('names the commands that .ci/run runs, and captures that exist', () => {
    const text = readFileSync(README, 'utf8');
    const ci = readFileSync(join(ROOT, '.ci', 'run'), 'utf8');
    for (const command of [
      'npm ci && npx redirect-verify captures/seed-own-address/capture.pcapng',
      'npm ci && npm run check',
    ]) {
      expect(text).toContain(`\n${command}\n`);
      expect(ci).toContain(command);
    }
    for (const [path] of text.matchAll(/captures\/[\w-]+\/[\w.-]+/g))
      expect(existsSync(join(ROOT, path)), path).toBe(true);
  });
});
