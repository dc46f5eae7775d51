/** Site files and scenario.yaml that are damaged or made to do harm: one line with a place, exit code 2, and soon. */
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readScenario } from '../../src/commands/scenario-file.ts';
import { parseSiteFile } from '../../src/commands/site-file.ts';
import { parseYaml } from '../../src/commands/yaml-file.ts';
import { InputError } from '../../src/text/input-error.ts';
import { runCli } from '../cli/compiled-cli.ts';
import { makeScratch } from '../cli/scratch.ts';

const scratch = makeScratch();
afterAll(() => scratch.remove());

const SOON_MILLISECONDS = 20_000;

/** Ten names for ten times the one before. */
const LAUGHS = `a: &a [x, x, x, x, x, x, x, x, x, x]\n${[...'bcdefghij']
  .map((key, index) => `${key}: &${key} [${Array(10).fill(`*${'abcdefghi'[index]}`).join(', ')}]\n`)
  .join('')}`;

const HARMFUL: readonly { readonly name: string; readonly text: string; readonly want: RegExp }[] = [
  { name: 'aliases of aliases of aliases', text: LAUGHS, want: /^5:\d+: more than 100000 values with its aliases$/ },
  {
    name: 'many aliases',
    text: `a: &a x\nb: [${'*a, '.repeat(101)}]\n`,
    want: /^2:405: more than 100 aliases$/,
  },
  {
    name: 'an alias within what it repeats',
    text: 'captures: [x]\nrecorded: &a [1, *a]\n',
    want: /^2:18: the alias \*a stands within what it repeats$/,
  },
  {
    name: 'an alias of what comes later',
    text: 'sps: *a\nclients: &a [10.0.0.0/8]\n',
    want: /^1:6: the alias \*a repeats nothing that stands before it$/,
  },
  { name: 'an alias of nothing', text: 'sps: *a\n', want: /^1:6: the alias \*a repeats nothing/ },
  {
    name: 'a merge key',
    text: 'join: &a { spp: 10.0.0.20 }\n<<: *a\n',
    want: /^2:1: merge keys are not read; write the keys out$/,
  },
  {
    name: 'a merge key that the version would allow',
    text: '%YAML 1.1\n---\n<<: { snat: own }\n',
    want: /^3:1: merge keys are not read/,
  },
  { name: 'a tag of its own', text: 'snat: !secret own\n', want: /^1:7: Unresolved tag: !secret: tags are not read/ },
  { name: 'a tag that runs code elsewhere', text: 'snat: !!js/function own\n', want: /^1:7: Unresolved tag/ },
  { name: 'bytes', text: 'snat: !!binary b3du\n', want: /^1:7: Unresolved tag/ },
  { name: 'a set', text: 'sps: !!set { 172.16.0.1 }\n', want: /^1:6: Unresolved tag/ },
  {
    name: 'tags with a prefix of their own',
    text: '%TAG ! tag:example,2000:\n---\nsnat: !x own\n',
    want: /^3:7: Unresolved tag: tag:example,2000:x/,
  },
  { name: 'a directive that nobody knows', text: '%NOPE\n---\nsnat: own\n', want: /^1:1: not YAML: / },
  { name: 'a key twice', text: 'snat: own\nsps: [x]\nsnat: client\n', want: /^3:1: the key 'snat' stands here twice$/ },
  {
    name: 'a key twice, further in, spelled otherwise',
    text: 'join: { spp: a, "spp": b }\n',
    want: /^1:17: the key 'spp' stands here twice$/,
  },
  {
    name: 'a number and a word that are one key',
    text: '1: x\n"1": y\n',
    want: /^2:1: the key '1' stands here twice$/,
  },
  { name: 'a key that is a list', text: '? [a]\n: b\n', want: /^1:3: a key has to be a word$/ },
  { name: 'a key that is an alias', text: 'snat: &a own\n*a : b\n', want: /^2:1: a key has to be a word$/ },
  ...[150, 3000, 100_000].flatMap((count) => [
    {
      name: `${count} lists in one another`,
      text: `sps: ${'['.repeat(count)}x${']'.repeat(count)}\n`,
      want: /^1:\d+: more than 64 levels/,
    },
    {
      name: `${count} keys in one another`,
      text: `${'{a: '.repeat(count / 2)}x${'}'.repeat(count / 2)}`,
      want: /^1:\d+: more than 64/,
    },
    { name: `${count} items in one another`, text: `sps:\n  ${'- '.repeat(count)}x\n`, want: /^2:\d+: more than 64/ },
  ]),
  { name: 'lists that nothing closes', text: '['.repeat(100_000), want: /^\d+:\d+: (not YAML|more than 64)/ },
  { name: '250,000 tags', text: '!a '.repeat(80_000), want: /^1:\d+: not YAML/ },
  { name: '40,000 keys', text: Array.from({ length: 40_000 }, (_, at) => `${at}:\n`).join(''), want: /^1:1: / },
  { name: 'commas only', text: `[${','.repeat(100_000)}]`, want: /^1:\d+: not YAML/ },
  { name: 'a megabyte', text: `# ${'x'.repeat(1 << 20)}\n`, want: /^1:1: \d+ characters are too many/ },
  { name: 'two documents', text: 'snat: own\n---\nsnat: client\n', want: /^2:1: not YAML: / },
  { name: 'a tab for indentation', text: 'sps:\n\t- 172.16.0.1\n', want: /^2:1: not YAML: / },
  { name: 'a name that every object has', text: 'captures: x\ntoString: x\n', want: /^[12]:1: .*(captures|toString)/ },
  {
    name: 'the name of the prototype',
    text: 'captures: x\n__proto__: { snat: own }\n',
    want: /^[12]:1: .*(captures|__proto__)/,
  },
  { name: 'a long word', text: `snat: ${'x'.repeat(10_000)}\n`, want: /^1:\d+: .{1,400}$/ },
  { name: 'one word', text: 'word', want: /^1:1: / },
  { name: 'nothing but a null', text: '~\n', want: /^1:1: / },
];

function messageOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
  return 'taken';
}

describe.each([
  { name: 'a site file', read: (text: string) => parseSiteFile('file.yaml', text), path: 'file.yaml' },
  {
    name: 'scenario.yaml',
    read: (text: string) => {
      scratch.write('scenario.yaml', text);
      readScenario(scratch.path);
    },
    path: join(scratch.path, 'scenario.yaml'),
  },
])('$name', ({ name, read, path }) => {
  // An empty site file states nothing, and is one.
  const harmful = HARMFUL.filter((item) => name !== 'a site file' || item.text !== '~\n');
  it.each(harmful)('$name', ({ text, want }) => {
    const started = performance.now();
    const message = messageOf(() => read(text));
    expect(performance.now() - started).toBeLessThan(SOON_MILLISECONDS);
    expect(message.startsWith(`${path}:`), message.slice(0, 200)).toBe(true);
    expect(message.slice(path.length + 1)).toMatch(want);
    expect(message.split('\n')).toHaveLength(1);
  });
});

describe('what is taken', () => {
  it('aliases of what stays small, in keys and lists', () => {
    const text = 'sps: &node [172.16.0.1]\njoin: { spp: 10.0.0.20, sps: *node }\n';
    expect(parseSiteFile('site.yaml', text)).toEqual({
      sps: ['172.16.0.1'],
      join: { spp: '10.0.0.20', sps: ['172.16.0.1'] },
    });
  });

  it('100 aliases, and an anchor given anew', () => {
    const text = `sps: [&a x, &a y, ${'*a, '.repeat(100)}]\n`;
    expect(parseSiteFile('site.yaml', text).sps).toEqual(['x', 'y', ...Array(100).fill('y')]);
  });

  it('64 levels, comments, documents that begin and end, standard tags', () => {
    const text = `%YAML 1.2\n--- # begins\nsnat: !!str own\nx: ${'['.repeat(63)}${']'.repeat(63)}\n...\n`;
    expect(parseYaml('x', text).value).toMatchObject({ snat: 'own' });
  });

  it('words stay words, whatever version the file claims', () => {
    expect(parseYaml('x', '%YAML 1.1\n---\na: yes\nb: 2001-01-01\nc: 1:30\n').value).toEqual({
      a: 'yes',
      b: '2001-01-01',
      c: '1:30',
    });
  });
});

describe('on the command line', () => {
  it('a harmful scenario is told in one line, and the others run', () => {
    scratch.write('tree/harmful/scenario.yaml', 'captures: x\nrecorded: &a [*a]\n');
    for (const file of ['capture.pcapng', 'router/router.txt', 'redirect-verify.yaml'])
      scratch.copy(`captures/empty-table/${file}`, `tree/well/${file}`);
    scratch.write('tree/well/scenario.yaml', 'captures: capture.pcapng\nexpect: { verdict: failed }\n');
    const { status, stdout, stderr } = runCli(['test', 'tree'], { cwd: scratch.path });
    expect({ status, stdout, stderr }).toEqual({
      status: 2,
      stdout:
        'ERROR tree/harmful\n      tree/harmful/scenario.yaml:2:15: the alias *a stands within what it repeats\nok    tree/well  failed\n2 scenarios: 1 passed, 1 could not be run\n',
      stderr: '',
    });
  });

  it.each([
    {
      name: 'an alias in the place of what is expected',
      text: 'captures: capture.pcapng\nkernel: &e { verdict: verified }\nexpect: *e\n',
      want: 'scenario.yaml:3:1: an alias: --update cannot write this, change it by hand',
    },
    {
      name: 'an anchor in what is expected',
      text: 'captures: capture.pcapng\nexpect: { verdict: failed, findings: &f [RV602], absent: *f }\n',
      want: 'scenario.yaml:2:1: another part repeats what was here: --update cannot write this, change it by hand',
    },
  ])('--update says that it cannot write $name', ({ text, want }) => {
    for (const file of ['capture.pcapng', 'router/router.txt', 'redirect-verify.yaml'])
      scratch.copy(`captures/empty-table/${file}`, `update/${file}`);
    scratch.write('update/scenario.yaml', text);
    const { status, stdout, stderr } = runCli(['test', 'update', '--update'], { cwd: scratch.path });
    expect({ status, stderr }).toEqual({ status: 2, stderr: '' });
    expect(stdout).toContain(`ERROR update\n      update/${want}\n`);
  });
});
