/** Scripts hold what stood in a router's state: comments, prefixes of logs, names, values. Run, they run nothing of it. */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { rollbackPath, writeFixScript } from '../../src/commands/fix-script.ts';
import { InputError } from '../../src/text/input-error.ts';
import { ROOT, runCli } from '../cli/compiled-cli.ts';
import { makeScratch } from '../cli/scratch.ts';
import { HARMFUL, PIECES } from '../formats/evil.ts';
import { STEERING } from '../formats/structure.ts';
import { finding, madeReport } from '../report/made-report.ts';

const scratch = makeScratch();
afterAll(() => scratch.remove());

const STATE = readFileSync(join(ROOT, 'captures/mark-before-connmark/router/router.txt'), 'utf8');
const RULE = '-m connmark --mark 0x1 -j MARK';
/** As iptables-save quotes. */
const quoted = (words: string): string => `"${words.replace(/[\\"]/g, '\\$&')}"`;

/** Programs that do nothing but say that they were run. */
const PROGRAMS = join(scratch.path, 'programs');
mkdirSync(PROGRAMS);
for (const name of ['iptables', 'ip', 'sysctl']) {
  scratch.write(`programs/${name}`, `#!/bin/sh\necho ${name} >> log\n`);
  chmodSync(join(PROGRAMS, name), 0o755);
}
scratch.write('programs/touch', '#!/bin/sh\n: > pwned\n');
chmodSync(join(PROGRAMS, 'touch'), 0o755);

let count = 0;

/** Runs a script in a folder of its own where `touch` would leave a file, and nothing else can. */
function runScript(path: string): void {
  const folder = scratch.folder(`run-${count++}`);
  const { stderr } = spawnSync('/bin/sh', [path], { cwd: folder, env: { PATH: PROGRAMS }, encoding: 'utf8' });
  expect({ text: readFileSync(path, 'utf8'), pwned: existsSync(join(folder, 'pwned')) }).toMatchObject({
    pwned: false,
  });
  expect(stderr).not.toMatch(/not found|[Ss]yntax error|[Uu]nterminated/);
}

/** Writes both scripts; undefined where they are refused. */
function scripts(state: string, fix: readonly string[], words: (place: string) => string): string[] | undefined {
  const source = scratch.write(`state-${count}.txt`, state);
  const path = join(scratch.path, `fix-${count++}.sh`);
  const report = madeReport('failed', {
    router: {
      dialects: ['linux-iptables-save'],
      sources: [{ path: source, sha256: words('sum') }],
      hostname: words('hostname'),
      collectedAt: words('collected'),
    },
    findings: [finding(1, { slug: 'a-slug', message: words('message'), fix })],
  });
  try {
    writeFixScript(report, path, []);
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
  return [path, rollbackPath(path)];
}

/** Places in a state that a fix, or what takes it back, repeats. */
const PLACES: readonly {
  readonly name: string;
  readonly state: (words: string) => string;
  readonly fix: readonly string[];
}[] = [
  {
    name: 'a comment',
    state: (words) => STATE.replace(RULE, `-m comment --comment ${quoted(words)} ${RULE}`),
    fix: ['iptables -t mangle -D PREROUTING 1'],
  },
  {
    name: 'a comment without quotes',
    state: (words) => STATE.replace(RULE, `-m comment --comment ${words} ${RULE}`),
    fix: ['iptables -t mangle -D PREROUTING 1'],
  },
  {
    name: 'the prefix of a log',
    state: (words) => STATE.replace(`${RULE} --set-xmark 0x1/0xffffffff`, `-j LOG --log-prefix ${quoted(words)}`),
    fix: ['iptables -t mangle -D PREROUTING 1'],
  },
  {
    name: 'the value of a setting',
    state: (words) => STATE.replace(/^(net\.ipv4\.conf\.eth1\.rp_filter = ).*$/m, (_, start) => `${start}${words}`),
    fix: ['sysctl -w net.ipv4.conf.eth1.rp_filter=2'],
  },
  {
    name: 'the attributes of a route',
    state: (words) => STATE.replace('dev eth1 table scb', `dev eth1 table scb proto ${words}`),
    fix: ['ip route replace default via 172.16.0.9 dev eth1 table scb'],
  },
];

describe.each(PLACES)('$name', ({ state, fix }) => {
  it('is not run by the script or its rollback', () => {
    for (const piece of PIECES)
      for (const words of [`${piece}slot`, `slot${piece}`, `slot ${piece} slot`])
        for (const path of scripts(state(words), fix, (place) => `${place}${words}`) ?? []) {
          const text = readFileSync(path, 'utf8');
          expect(STEERING.exec(text.replaceAll('\n', ''))).toBeNull();
          // Most are the same but for a comment: only those with something to run need a shell.
          if (/touch|HOME|["'`$\\]/.test(piece)) runScript(path);
        }
  });
});

describe('a fix', () => {
  it('in which a shell would read more than one command is refused', () => {
    for (const command of [
      'sysctl -w net.ipv4.conf.eth1;touch pwned.rp_filter=2',
      'sysctl -w net.ipv4.conf.$(touch pwned).rp_filter=2',
      'iptables -A INPUT -i eth0`touch pwned`',
      'iptables -A INPUT -i eth0\ntouch pwned',
      'iptables -A INPUT -i eth0 > pwned',
      'iptables -A INPUT -i eth* -j DROP',
      'iptables -A INPUT # -j DROP',
      'iptables -A INPUT -j "DROP',
      'iptables -A INPUT -j DROP\\',
    ])
      expect(
        scripts(STATE, [command], (place) => place),
        command,
      ).toBeUndefined();
  });

  it('with words in quotes is written', () => {
    const written = scripts(
      STATE,
      [`iptables -t mangle -A PREROUTING -m comment --comment "a;b it's" -j MARK --set-mark 1`],
      (place) => place,
    );
    for (const path of written ?? []) runScript(path);
    expect(written).toHaveLength(2);
  });

  it('as it is found with harmful words is calm, and runs nothing', () => {
    const samples = [...fc.sample(HARMFUL, { numRuns: 4, seed: 7 }), (place: string) => `"${place}$(touch pwned)`];
    for (const words of [...samples, (place: string) => `${place};touch pwned`]) {
      const folder = `whole-${count++}`;
      scratch.copy('captures/mark-before-connmark/capture.pcapng', `${folder}/capture.pcapng`);
      scratch.copy('captures/mark-before-connmark/redirect-verify.yaml', `${folder}/redirect-verify.yaml`);
      const comment = quoted(words('comment').replace(/[\r\n]/g, ' '));
      scratch.write(`${folder}/router.conf`, STATE.replace(RULE, `-m comment --comment ${comment} ${RULE}`));
      const { status, stdout, stderr } = runCli(['capture.pcapng', '--fix-script', 'fix.sh'], {
        cwd: join(scratch.path, folder),
      });
      expect([1, 2, 3]).toContain(status);
      expect(STEERING.exec(`${stdout}${stderr}`.replaceAll('\n', ''))).toBeNull();
      for (const name of ['fix.sh', 'fix.rollback.sh'])
        if (existsSync(join(scratch.path, folder, name))) runScript(join(scratch.path, folder, name));
    }
  });
});
