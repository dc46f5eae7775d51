/** What the options that write do to files: never over an input, whole or not at all; and what becomes of a standard output that takes no more. */
import { spawnSync } from 'node:child_process';
import { chmodSync, linkSync, lstatSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { Command } from 'commander';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { addCheck } from '../../src/commands/check.ts';
import { addDiff } from '../../src/commands/diff.ts';
import { addInit } from '../../src/commands/init.ts';
import { addJoin } from '../../src/commands/join.ts';
import { addLive } from '../../src/commands/live.ts';
import { addMerge } from '../../src/commands/merge.ts';
import { addTest } from '../../src/commands/test.ts';
import { addVerify } from '../../src/commands/verify.ts';
import { writeFileWhole } from '../../src/commands/write-output.ts';
import { InputError } from '../../src/text/input-error.ts';
import { compiledCli, ROOT, runCli } from './compiled-cli.ts';
import { makeScratch } from './scratch.ts';

const scratch = makeScratch();
afterAll(() => scratch.remove());

/** Failed, with a fix: every option has something to write. */
const STORED = 'captures/empty-table';
/** Of a folder of {@link staged}. */
const INPUTS = ['capture.pcapng', 'second.pcapng', 'router/router.txt', 'router/b.rollback.txt', 'site.yaml'] as const;
const REPORT = 'report.json';

const INTENT = ['--router', 'router', '--site', 'site.yaml'];
const CAPTURES = ['capture.pcapng', 'second.pcapng'];
const ONE = ['capture.pcapng', ...INTENT];
const DIFF = ['--before', 'router', '--after', 'router', '--site', 'site.yaml'];
const INIT = ['init', '--force', '--router', 'router', '--sps', '172.16.0.1'];
const JOIN = ['join', '--spp', '10.0.0.20', '--sps', '172.16.0.1', '--router', 'router', '--site', 'site.yaml'];

let count = 0;

/** A folder of its own with the inputs of all commands. */
function staged(): string {
  const name = `stage-${count++}`;
  for (const capture of CAPTURES) scratch.copy(`${STORED}/capture.pcapng`, `${name}/${capture}`);
  scratch.copy(`${STORED}/router/router.txt`, `${name}/router/router.txt`);
  // Read as a part of the state, and named as the rollback of a script router/b.txt would be.
  scratch.write(`${name}/router/b.rollback.txt`, '### ip neigh show\n');
  scratch.copy(`${STORED}/redirect-verify.yaml`, `${name}/site.yaml`);
  scratch.copy(`${STORED}/report.json`, `${name}/${REPORT}`);
  scratch.write(
    `${name}/scenario.yaml`,
    'captures: { one: capture.pcapng, other: second.pcapng }\nrouter: router\nsite: site.yaml\nexpect: { verdict: verified }\n',
  );
  return join(scratch.path, name);
}

/** Everything below a folder by name: contents, and what links name. */
function contents(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  return Object.fromEntries(
    names.flatMap((name): [string, string][] => {
      const path = join(folder, name);
      return statSync(path).isDirectory()
        ? []
        : [[name, `${lstatSync(path).isSymbolicLink() ? 'link ' : ''}${readFileSync(path, 'latin1')}`]];
    }),
  );
}

/** The lines of standard error without what was picked up and what is listened to. */
function said(stderr: string): string[] {
  return stderr
    .split('\n')
    .filter((line) => line !== '' && !/^(router state|site file|fix script|listening to|capturing)\b/.test(line));
}

const COMMANDS = {
  verify: addVerify,
  check: addCheck,
  diff: addDiff,
  join: addJoin,
  merge: addMerge,
  test: addTest,
  init: addInit,
  live: addLive,
};

/** Runs a command in this process, from this folder, and gives the line that it ends with. */
async function refusal(folder: string, [name, ...args]: readonly string[]): Promise<string> {
  const program = new Command();
  const command = COMMANDS[name as keyof typeof COMMANDS];
  expect(command).toBeDefined();
  command(program);
  const was = process.cwd();
  const silent = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  process.chdir(folder);
  try {
    await program.parseAsync([name!, ...args], { from: 'user' });
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  } finally {
    process.chdir(was);
    silent.mockRestore();
    process.exitCode = undefined;
  }
  return 'it was not refused';
}

/** Runs the tool from a shell, where it is called `$CLI`. */
function shell(script: string, cwd: string, prefix: readonly string[] = []) {
  const [program, ...args] = [...prefix, 'sh', '-c', script];
  const CLI = `${process.execPath} ${join(compiledCli(), 'dist', 'cli.js')}`;
  const { NO_COLOR: _no, FORCE_COLOR: _force, NODE_OPTIONS: _options, ...environment } = process.env;
  const result = spawnSync(program!, args, {
    cwd,
    env: { ...environment, CLI },
    encoding: 'utf8',
    timeout: 60_000,
  });
  if (result.error !== undefined) throw result.error;
  return result;
}

describe('an output is none of the inputs', () => {
  const WRITTEN: readonly {
    readonly option: string;
    readonly args: readonly string[];
    readonly inputs: readonly string[];
  }[] = [
    { option: '--output', args: ['verify', ...CAPTURES, ...INTENT], inputs: INPUTS },
    { option: '--fix-script', args: ['verify', ...CAPTURES, ...INTENT], inputs: INPUTS },
    { option: '--output', args: ['check', ...INTENT], inputs: INPUTS.slice(2) },
    { option: '--output', args: ['diff', ...CAPTURES, ...DIFF], inputs: INPUTS },
    { option: '--output', args: [...JOIN, ...CAPTURES], inputs: INPUTS },
    { option: '--output', args: ['merge', REPORT], inputs: [REPORT] },
    { option: '--junit', args: ['test'], inputs: [...INPUTS, 'scenario.yaml'] },
    { option: '--output', args: INIT, inputs: ['router/router.txt'] },
    { option: '--output', args: ['live', '-', ...INTENT], inputs: INPUTS.slice(2) },
    { option: '--write', args: ['live', '-', ...INTENT], inputs: INPUTS.slice(2) },
  ];

  it.each(WRITTEN.flatMap((item) => item.inputs.map((over) => ({ ...item, command: item.args[0], over }))))(
    '$command $option over $over, by a hard link',
    async ({ option, args, over }) => {
      const folder = staged();
      linkSync(join(folder, over), join(folder, 'output'));
      const before = contents(folder);
      expect(await refusal(folder, [...args, option, 'output'])).toBe(
        `${option} output: is an input of this run and is not overwritten`,
      );
      expect(contents(folder)).toEqual(before);
    },
  );

  it.each([
    { name: 'its own name', path: (path: string) => path },
    { name: 'another spelling', path: (path: string) => `./nowhere/../router/../router//${basename(path)}` },
    { name: 'the whole path', path: (path: string, folder: string) => join(folder, path) },
    {
      name: 'a link',
      path: (path: string, folder: string) => {
        symlinkSync(path, join(folder, 'link'));
        return 'link';
      },
    },
    {
      name: 'a link to a link',
      path: (path: string, folder: string) => {
        symlinkSync(join(folder, path), join(folder, 'second'));
        symlinkSync('second', join(folder, 'first'));
        return 'first';
      },
    },
    {
      name: 'a link to its folder',
      path: (path: string, folder: string) => {
        symlinkSync('router', join(folder, 'linked'));
        return `linked/${basename(path)}`;
      },
    },
  ])('by $name', async ({ path }) => {
    const folder = staged();
    scratch.folder(`${relative(scratch.path, folder)}/nowhere`);
    const output = path('router/router.txt', folder);
    const before = contents(folder);
    expect(await refusal(folder, ['verify', ...ONE, '--output', output])).toBe(
      `--output ${output}: is an input of this run and is not overwritten`,
    );
    expect(contents(folder)).toEqual(before);
  });

  it.each([
    { name: 'verify', command: '$CLI - --router router --site site.yaml --output capture.pcapng < capture.pcapng' },
    { name: 'live', command: '$CLI live - --router router --site site.yaml --write capture.pcapng < capture.pcapng' },
  ])('the file that standard input is redirected from: $name', ({ command }) => {
    const folder = staged();
    const before = contents(folder);
    const result = shell(command, folder);
    expect(said(result.stderr)).toEqual([
      expect.stringMatching(/^redirect-verify: --\w+ capture\.pcapng: is an input of this run and is not overwritten$/),
    ]);
    expect(result.status).toBe(2);
    expect(contents(folder)).toEqual(before);
  });

  it('the rollback beside a fix script is none, either', async () => {
    const folder = staged();
    const before = contents(folder);
    expect(await refusal(folder, ['verify', ...ONE, '--fix-script', 'router/b.txt'])).toBe(
      '--fix-script router/b.rollback.txt: is an input of this run and is not overwritten',
    );
    expect(contents(folder)).toEqual(before);
  });

  it('a scenario that cannot be run is one', async () => {
    const folder = staged();
    scratch.write(`${relative(scratch.path, folder)}/scenario.yaml`, 'captures: [');
    expect(await refusal(folder, ['test', '--junit', './scenario.yaml'])).toMatch(/is an input of this run/);
    expect(readFileSync(join(folder, 'scenario.yaml'), 'utf8')).toBe('captures: [');
  });
});

describe('two outputs are two files', () => {
  it.each([
    { name: 'the report and the fix script', args: ['verify', ...ONE, '--output', 'x.sh', '--fix-script', './x.sh'] },
    {
      name: 'the report and the rollback',
      args: ['verify', ...ONE, '--output', 'x.rollback.sh', '--fix-script', 'x.sh'],
    },
    { name: 'the site file and the schema beside it', args: [...INIT, '--output', 'redirect-verify.schema.json'] },
    { name: 'the report and the capture', args: ['live', '-', ...INTENT, '--output', 'x', '--write', './x'] },
    { name: 'a link to what is not there yet', args: ['verify', ...ONE, '--output', 'link', '--fix-script', 'x.sh'] },
  ])('$name', async ({ args }) => {
    const folder = staged();
    if (args.includes('link')) symlinkSync('x.sh', join(folder, 'link'));
    const before = readdirSync(folder);
    expect(await refusal(folder, args)).toMatch(/^--\S+ \S+: is the file that --\S+ writes$/);
    expect(readdirSync(folder)).toEqual(before);
  });
});

describe('the file that is replaced', () => {
  it('keeps its rights', () => {
    const folder = staged();
    for (const mode of [0o600, 0o640]) {
      const path = scratch.write(`${relative(scratch.path, folder)}/kept.txt`, 'old');
      chmodSync(path, mode);
      expect(runCli([...ONE, '--output', 'kept.txt'], { cwd: folder }).status).toBe(1);
      expect((statSync(path).mode & 0o777).toString(8)).toBe(mode.toString(8));
      expect(readFileSync(path, 'utf8')).toMatch(/^FAILED /);
    }
  });

  it('is made where a link names it', () => {
    const folder = staged();
    symlinkSync('made.txt', join(folder, 'link.txt'));
    expect(runCli([...ONE, '--output', 'link.txt'], { cwd: folder }).status).toBe(1);
    expect(lstatSync(join(folder, 'link.txt')).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(folder, 'made.txt'), 'utf8')).toMatch(/^FAILED /);
  });

  it.each(['/dev/stdout', '/dev/fd/1', '/proc/self/fd/1'])('is appended to where a shell does so: %s', (name) => {
    const folder = staged();
    const script = `echo before > log; $CLI ${ONE.join(' ')} --output ${name} >> log; echo after >> log`;
    expect(shell(script, folder).stderr).toBe('');
    expect(readFileSync(join(folder, 'log'), 'utf8')).toMatch(/^before\nFAILED .*\n[\s\S]*\nafter\n$/);
  });
});

/** What the commands write in a folder of {@link staged}, below `out`. */
const REPORTED = { name: 'verify --output', file: 'x', command: `$CLI ${ONE.join(' ')} --format html --output out/x` };
const SCRIPTED = {
  name: 'verify --fix-script',
  file: 'x.sh',
  command: `$CLI ${ONE.join(' ')} --quiet --fix-script out/x.sh`,
};
const BEGUN = { name: 'init --output', file: 'x.yaml', command: `$CLI ${INIT.join(' ')} --output out/x.yaml` };
const WRITERS = [
  REPORTED,
  SCRIPTED,
  BEGUN,
  { name: 'check --output', file: 'x', command: `$CLI check ${INTENT.join(' ')} --output out/x` },
  { name: 'diff --output', file: 'x', command: `$CLI diff capture.pcapng ${DIFF.join(' ')} --output out/x` },
  { name: 'join --output', file: 'x', command: `$CLI ${JOIN.join(' ')} --output out/x` },
  { name: 'merge --output', file: 'x', command: `$CLI merge ${REPORT} --output out/x` },
  { name: 'test --junit', file: 'x.xml', command: '$CLI test --quiet --junit out/x.xml' },
  {
    name: 'live --output',
    file: 'x',
    command: `$CLI live - ${INTENT.join(' ')} --quiet --output out/x < capture.pcapng`,
  },
];

/** File systems of a namespace of its own go with it. */
const OWN_MOUNTS = ['unshare', '--mount'];
const mounts =
  process.getuid?.() === 0 && spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;
if (!mounts) console.warn('not tried: file systems that are full or read-only (needs root and the right to mount)');

/** Root without what makes it root in a file system. */
const RIGHTS = '-dac_override,-dac_read_search,-fowner';
const PLAIN = `setpriv --bounding-set=${RIGHTS} --inh-caps=${RIGHTS}`;

describe('what cannot be written whole', () => {
  it.each([REPORTED, SCRIPTED, BEGUN])('$name: a device that is full', ({ command, file }) => {
    const folder = staged();
    scratch.folder(`${relative(scratch.path, folder)}/out`);
    symlinkSync('/dev/full', join(folder, 'out', file));
    const result = shell(command, folder);
    expect(said(result.stderr)).toEqual([`redirect-verify: out/${file}: cannot be written (ENOSPC)`]);
    expect(result.status).toBe(2);
    expect(readdirSync(join(folder, 'out'))).toEqual([file]);
    expect(statSync('/dev/full').isCharacterDevice()).toBe(true);
  });

  it.each([REPORTED, SCRIPTED, BEGUN])('$name: a folder', ({ command, file }) => {
    const folder = staged();
    scratch.write(`${relative(scratch.path, folder)}/out/${file}/inside`, 'x');
    const result = shell(command, folder);
    expect(said(result.stderr)).toEqual([`redirect-verify: out/${file}: cannot be written (EISDIR)`]);
    expect(result.status).toBe(2);
    expect(Object.keys(contents(join(folder, 'out')))).toEqual([`${file}/inside`]);
  });

  it.skipIf(!mounts).each([
    {
      name: 'a file system that is full',
      code: 'ENOSPC',
      make: 'dd if=/dev/zero of=out/filler bs=4096 2>/dev/null || true',
      writers: WRITERS,
    },
    {
      // The beginning of what is written finds room.
      name: 'a file system that is nearly full',
      code: 'ENOSPC',
      make: 'dd if=/dev/zero of=out/filler bs=4096 count=12 2>/dev/null',
      writers: [REPORTED],
    },
    { name: 'a read-only file system', code: 'EROFS', make: 'mount -o remount,ro out', writers: [REPORTED, SCRIPTED] },
    { name: 'a folder that may not be written', code: 'EACCES', make: 'chmod 555 out', writers: [REPORTED, BEGUN] },
  ])('$name leaves what was there, and no other file', ({ code, make, writers }) => {
    const folder = staged();
    const run = (command: string, index: number): string =>
      `${PLAIN} ${command} > out-${index} 2> err-${index} && echo 0 > status-${index} || echo $? > status-${index}`;
    // The last one has no file to replace.
    const commands = [...writers.map((item) => item.command), `$CLI ${ONE.join(' ')} --format html --output out/new`];
    const script = [
      'set -e',
      'mkdir out && mount -t tmpfs -o size=64k tmpfs out',
      ...writers.map(({ file }) => `echo earlier > out/${file}`),
      make,
      'ls -A out > names',
      ...commands.map(run),
      ...writers.map(({ file }) => `grep -qx earlier out/${file}`),
      'ls -A out | cmp - names',
    ];
    const result = shell(script.join('\n'), folder, OWN_MOUNTS);
    expect({ status: result.status, stdout: result.stdout, stderr: result.stderr }).toEqual({
      status: 0,
      stdout: '',
      stderr: '',
    });
    const text = (name: string): string => readFileSync(join(folder, name), 'utf8');
    expect(commands.map((_, index) => [text(`status-${index}`), ...said(text(`err-${index}`))])).toEqual(
      commands.map(() => [
        '2\n',
        expect.stringMatching(new RegExp(`^redirect-verify: out/\\S+: cannot be written \\(${code}\\)$`)),
      ]),
    );
  });

  it.skipIf(!mounts)('test --update, live --write: what was there stays whole', () => {
    const folder = staged();
    const script = [
      'set -e',
      'mkdir out && mount -t tmpfs -o size=512k tmpfs out',
      'cp -r capture.pcapng second.pcapng router site.yaml scenario.yaml out',
      'dd if=/dev/zero of=out/filler bs=4096 2>/dev/null || true',
      'ls -A out > names',
      '$CLI test out --update --quiet || echo $?',
      'mount -o remount,ro out',
      '$CLI test out --update --quiet || echo $?',
      `$CLI live - ${INTENT.join(' ')} --quiet --write out/second.pcapng < capture.pcapng || echo $?`,
      'cmp scenario.yaml out/scenario.yaml; cmp second.pcapng out/second.pcapng; ls -A out | cmp - names',
    ];
    const result = shell(script.join('\n'), folder, OWN_MOUNTS);
    const told = (code: string) => `ERROR out\n      one: out/scenario.yaml: cannot be written (${code})\n`;
    expect(result.stderr).toBe('redirect-verify: --write out/second.pcapng: cannot be written (EROFS)\n');
    expect(result.stdout.replaceAll(/^ {6}\w+: (?!out).*\n|^\d scenario.*\n/gm, '')).toBe(
      `${told('ENOSPC')}2\n${told('EROFS')}2\n2\n`,
    );
    expect(result.status).toBe(0);
  });

  it('because of a defect is told as one, and leaves no file', () => {
    const folder = scratch.folder(`defect-${count++}`);
    function* broken(): Generator<string> {
      yield 'half';
      throw new RangeError('a defect');
    }
    expect(() => writeFileWhole(join(folder, 'x'), broken(), [])).toThrow(new RangeError('a defect'));
    expect(readdirSync(folder)).toEqual([]);
  });

  it('live --write: a device that is full', () => {
    const folder = staged();
    const result = shell(`$CLI live - ${INTENT.join(' ')} --write /dev/full < capture.pcapng`, folder);
    expect(said(result.stderr)).toEqual(['redirect-verify: --write /dev/full: cannot be written any further (ENOSPC)']);
    expect(result.status).toBe(2);
  });

  it('live --write leaves an earlier capture where nothing can be captured', () => {
    const folder = staged();
    const before = contents(folder);
    for (const source of ['-i nowhere0', '- < site.yaml', '- < /dev/null']) {
      const result = shell(`$CLI live ${INTENT.join(' ')} --write second.pcapng ${source}`, folder);
      expect({ source, status: result.status, lines: said(result.stderr).length }).toEqual({
        source,
        status: 2,
        lines: 1,
      });
    }
    expect(contents(folder)).toEqual(before);
  });
});

describe('standard output', () => {
  /** Of each way of writing to it one, and how it ends where it can. */
  const TALKERS = [
    { command: `$CLI ${ONE.join(' ')} --format html`, ends: 1 },
    { command: `$CLI trace ${ONE.join(' ')}`, ends: 0 },
    { command: `$CLI diff capture.pcapng ${DIFF.join(' ')}`, ends: 1 },
    { command: '$CLI test', ends: 1 },
    { command: '$CLI explain RV602', ends: 0 },
    { command: `$CLI ${INIT.join(' ')} --output -`, ends: 0 },
    { command: `$CLI live - ${INTENT.join(' ')} < capture.pcapng`, ends: 1 },
    { command: `$CLI live - ${INTENT.join(' ')} --format ndjson < capture.pcapng`, ends: 1 },
    { command: '$CLI --help', ends: 0 },
    { command: '$CLI --version', ends: 0 },
  ];

  it('is written to in one place', () => {
    const others = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter(
      (name) =>
        name.endsWith('.ts') &&
        // A program of its own, whose output is a pipe to ours.
        name !== 'commands/live-cap-child.ts' &&
        /process\.stdout\.write|stdout\.write\(|console\.|writeSync\(1\b/.test(
          readFileSync(join(ROOT, 'src', name), 'utf8'),
        ),
    );
    expect(others).toEqual([]);
  });

  it.each(TALKERS)('that nobody reads ends nothing but itself: $command', ({ command, ends }) => {
    const folder = staged();
    // By then the reader is gone.
    const script = `{ sleep 0.1; { ${command}; } 2> errors; echo $? > status; } | true`;
    shell(script, folder);
    const text = (name: string): string => readFileSync(join(folder, name), 'utf8');
    expect({ said: said(text('errors')), status: text('status') }).toEqual({ said: [], status: `${ends}\n` });
  });

  it.each(TALKERS)('that is full is one line and exit code 2: $command', ({ command }) => {
    const result = shell(`{ ${command}; } > /dev/full`, staged());
    expect({ said: said(result.stderr), status: result.status }).toEqual({
      said: ['redirect-verify: standard output cannot be written (ENOSPC)'],
      status: 2,
    });
  });

  it('ends live and trace early where nobody reads on', () => {
    const folder = staged();
    const started = Date.now();
    // The writer would keep the capture open for a minute.
    const script = `mkfifo pipe; { cat capture.pcapng; exec sleep 60; } > pipe & { sleep 0.1; $CLI live pipe ${INTENT.join(' ')}; echo $? > status; } | true; kill $!`;
    expect(shell(script, folder).stderr).toMatch(/^listening to pipe[^\n]*\ncapturing\n$/);
    expect(readFileSync(join(folder, 'status'), 'utf8')).toBe('1\n');
    expect(Date.now() - started).toBeLessThan(30_000);
  });
});

describe('standard error', () => {
  it.each([
    { name: 'that nobody reads', script: '{ sleep 0.1; COMMAND 2>&3; echo $? > status; } 3>&1 >report | true' },
    { name: 'that is full', script: 'COMMAND 2> /dev/full > report; echo $? > status' },
  ])('$name changes neither report nor exit code', ({ script }) => {
    const folder = staged();
    // The router's state is picked up, and that is said.
    for (const [command, status, begins] of [
      ['$CLI capture.pcapng --site site.yaml', '1\n', 'FAILED'],
      ['$CLI nowhere.pcapng', '2\n', ''],
      ['$CLI --nonsense', '2\n', ''],
    ] as const) {
      shell(script.replace('COMMAND', command), folder);
      expect(readFileSync(join(folder, 'status'), 'utf8')).toBe(status);
      expect(readFileSync(join(folder, 'report'), 'utf8').slice(0, 6)).toBe(begins);
    }
  });
});
