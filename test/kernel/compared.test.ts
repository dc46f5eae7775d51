import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRouterState } from '../../src/dialects/index.ts';
import { type SimulationRow, simulationTable } from '../../src/dialects/base/simulation-status.ts';
import { commands, multipathRoute, PROFILES } from './generate.ts';
import { rules } from './generate-rules.ts';
import { rule6Of } from './ipv6.ts';
import type { StoredCase } from './scenario.ts';

const FOLDER = fileURLToPath(new URL('cases', import.meta.url));

/** What the kernel is asked about: lines of the stored cases' dumps, and of random scenarios. */
function evidence(): { rules: string[]; policy: string[]; routes: string[]; sets: string[] } {
  const found = {
    rules: new Set<string>(),
    policy: new Set<string>(),
    routes: new Set<string>(),
    sets: new Set<string>(),
  };
  const take = (line: string): void => {
    if (/^-A /.test(line)) found.rules.add(line);
    else if (/^\d+:\t|^rule add/.test(line)) found.policy.add(line);
    else if (/^(?:create|add) /.test(line)) found.sets.add(line);
    else found.routes.add(line);
  };
  for (const name of readdirSync(FOLDER).filter((file) => file.endsWith('.json'))) {
    const stored = JSON.parse(readFileSync(`${FOLDER}/${name}`, 'utf8')) as StoredCase;
    stored.dump.forEach(take);
  }
  const sample = <T>(arbitrary: fc.Arbitrary<T>): T[] => fc.sample(arbitrary, { seed: 1, numRuns: 150 });
  for (const profile of Object.values(PROFILES)) {
    for (const list of sample(rules(profile.rules))) {
      for (const rule of list) {
        const { chain, text } = (profile.ipv6 === true ? rule6Of(rule) : rule) ?? rule;
        take(`-A ${chain} ${text}`);
      }
    }
    if (profile.sets !== undefined) sample(profile.sets).flat().forEach(take);
  }
  sample(commands(9, 9, false))
    .flat()
    .forEach(take);
  sample(multipathRoute).forEach(take);
  return {
    rules: [...found.rules],
    policy: [...found.policy],
    routes: [...found.routes],
    sets: [...found.sets],
  };
}

const hasWord = (line: string, word: string): boolean => ` ${line} `.includes(` ${word} `);

/** Words of a row that are called compared and that no evidence has. */
function missing(row: SimulationRow, seen: ReturnType<typeof evidence>): string[] {
  const lines = {
    match: seen.rules,
    target: seen.rules,
    set: seen.sets,
    'rule selector': seen.policy,
    'rule action': seen.policy,
    'route type': seen.routes,
    'route attribute': seen.routes,
  }[row.part];
  const option = row.part === 'match' ? '-m' : '-j';
  const own = row.name === '' ? lines : lines.filter((line) => hasWord(line, `${option} ${row.name}`));
  const called = row.compared.filter(
    (word) => !own.some((line) => hasWord(line, word) || isOtherwiseWritten(line, word)),
  );
  return row.isCompared && own.length === 0 ? [row.name, ...called] : called;
}

/** What `ip` prints without its word. */
function isOtherwiseWritten(line: string, word: string): boolean {
  return word === 'unicast' && line.startsWith('default via ');
}

describe('what the simulation calls compared with a kernel', () => {
  const seen = evidence();
  it.each(simulationTable().map((row) => [`${row.part} ${row.name}`, row] as const))('%s', (_name, row) => {
    expect(missing(row, seen)).toEqual([]);
  });

  it('would be missed', () => {
    const row: SimulationRow = {
      part: 'match',
      name: 'set',
      isCompared: true,
      compared: ['--packets-gt'],
      documented: [],
      unmodelled: [],
    };
    expect(missing(row, seen)).toEqual(['--packets-gt']);
  });
});

describe('the lists of the simulation', () => {
  const table = simulationTable();
  it('name everything once', () => {
    for (const row of table) {
      const words = [...row.compared, ...row.documented, ...row.unmodelled];
      expect(new Set(words).size, `${row.part} ${row.name}`).toBe(words.length);
    }
  });

  /** Arguments with which an option can be read. */
  const ARGUMENTS: Readonly<Record<string, string>> = {
    'set --match-set': 'a src',
    'tcp --tcp-option': '3',
    'conntrack --ctexpire': '5',
    'CONNMARK --left-shift-mark': '3',
    'CONNMARK --right-shift-mark': '3',
    'SET --map-mark': '',
    'ECN --ecn-tcp-cwr': '1',
    'ECN --ecn-tcp-ece': '1',
    'ECN --ecn-ip-ect': '1',
    'CT --helper': 'ftp',
    'CT --timeout': 'policy',
  };
  const BESIDE: Readonly<Record<string, string>> = {
    set: '--match-set a src',
    SET: '--map-set a src',
    tcp: '',
  };
  const unmodelled = table
    .filter((row) => row.name !== '')
    .flatMap((row) => row.unmodelled.map((word) => [row, word] as const));
  it.each(unmodelled.map(([row, word]) => [`${row.name} ${word}`, row, word] as const))(
    '%s is left unknown, as the list says',
    (name, row, word) => {
      const option = row.part === 'match' ? '-m' : '-j';
      const argument = ARGUMENTS[name] ?? '1';
      const text = `${option} ${row.name} ${BESIDE[row.name] ?? ''} ${word} ${argument}`;
      const table = row.name === 'CT' ? 'raw' : 'mangle';
      const dump = `*${table}\n-A PREROUTING -p tcp ${text.replace(/ +/g, ' ').trim()}\nCOMMIT\n`;
      const codes = parseRouterState([{ path: 'r', text: `### iptables-save\n${dump}` }]).problems.map(
        ({ code }) => code,
      );
      expect(codes).toContain('RV301');
      expect(codes).not.toContain('RV302');
    },
  );
});
