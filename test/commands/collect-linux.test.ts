import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { linuxCollectScript } from '../../src/commands/collect-linux.ts';
import { parseRouterState } from '../../src/dialects/index.ts';
import { InputError } from '../../src/text/input-error.ts';
import {
  type CollectRouter,
  configureRouter,
  createRouter,
  installedShells,
  type Outcome,
  onRouter,
  programPath,
  routerObstacle,
  sendDatagram,
  startProgram,
} from './collect-router.ts';

const SCRIPTS = [
  { name: 'the state', script: linuxCollectScript() },
  { name: 'a recording', script: linuxCollectScript({ captureSeconds: 1 }) },
];

/** Commands that change a router. */
const CHANGING: readonly RegExp[] = [
  /\bip6?tables(?:-nft|-legacy)?(?: -t \S+)? -[ADIRLFZNXPE]/,
  /-restore\b/,
  /\bip(?: -\w+)* (?:rule|route|addr|link|neigh)\w* (?:add|del|delete|change|replace|set|append|flush|restore)\b/,
  /\bsysctl\b(?! -a)/,
  /\bnft (?:-f|add|insert|delete|destroy|flush|create|replace|reset)\b/,
  /\bipset (?:-|add|create|del|destroy|flush|restore|swap|rename)/,
  /\bconntrack -[DFIU]/,
  /\b(?:modprobe|insmod|rmmod|tee|dd|chmod|chown|mv|ln|service|systemctl|eval|pkill|killall|reboot|hostname -|date -s)\b/,
  /\brm\b(?! -rf "\$work")/,
  /\bmkdir\b(?! "\$directory" "\$directory\/router")/,
];

/** Everything that output is sent to. */
const ALLOWED_TARGETS = [
  '/dev/null',
  '&1',
  '&2',
  ...['out', 'err', 'tcpdump', 'after', 'notes'].map((name) => `"$work/${name}"`),
  ...['capture.pcap', 'router/router.txt', 'router-after.txt'].map((name) => `"$directory/${name}"`),
];

const codeLines = (script: string) => script.split('\n').filter((line) => !/^\s*#/.test(line));
const changes = (line: string) => CHANGING.some((pattern) => pattern.test(line));
const targets = (line: string) =>
  [...line.matchAll(/(?<![-<])\d?>>?\s*("[^"]*"|[^\s;|)}]+)/g)].map(([, target]) => target!);

describe('the text of the script', () => {
  it.each(SCRIPTS)('has no command that changes a router: $name', ({ script }) => {
    expect(codeLines(script).filter(changes)).toEqual([]);
  });

  it.each(SCRIPTS)('writes to its own files only: $name', ({ script }) => {
    const written = codeLines(script).flatMap(targets);
    expect(written.length).toBeGreaterThan(8);
    expect(written.filter((target) => !ALLOWED_TARGETS.includes(target))).toEqual([]);
  });

  it.each([
    'iptables -A FORWARD -j ACCEPT',
    'iptables -t mangle -F',
    'iptables-restore',
    'ip -6 route add default dev eth0',
    'sysctl -w net.ipv4.ip_forward=1',
    'nft flush ruleset',
    'ipset destroy',
    'conntrack -F',
    'modprobe ip_tables',
    'rm -rf "$directory"',
  ])('would be caught with %s', (line) => expect(changes(line)).toBe(true));

  it('would be caught writing to /proc', () => {
    expect(targets('echo 1 > /proc/sys/net/ipv4/ip_forward 2>/dev/null')).toEqual([
      '/proc/sys/net/ipv4/ip_forward',
      '/dev/null',
    ]);
  });

  it.each([0, -1, 1.5, Number.NaN, 86_401])('is not made for a recording of %s seconds', (captureSeconds) => {
    expect(() => linuxCollectScript({ captureSeconds })).toThrow(InputError);
  });
});

/** What every router has. */
const BASE_PROGRAMS = ['basename', 'cat', 'date', 'grep', 'id', 'mktemp', 'rm', 'sed', 'sh', 'sort', 'tr', 'uname'];

const onLinux = process.platform === 'linux';

describe.skipIf(!onLinux)('the script with the programs of a PATH', () => {
  let directory: string;
  const bin = () => join(directory, 'sbin');

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'redirect-verify-collect-'));
    mkdirSync(bin());
    for (const program of [
      'basename',
      'cat',
      'date',
      'grep',
      'id',
      'mktemp',
      'rm',
      'sed',
      'sh',
      'sort',
      'tr',
      'uname',
    ]) {
      symlinkSync(programPath(program)!, join(bin(), program));
    }
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const install = (name: string, body: string) => {
    writeFileSync(join(bin(), name), `#!/bin/sh\n${body}\n`);
    chmodSync(join(bin(), name), 0o755);
  };
  const collect = (script = linuxCollectScript()): Outcome =>
    spawnSync('sh', ['-s'], {
      input: script,
      cwd: directory,
      env: { PATH: bin(), TMPDIR: directory },
      encoding: 'utf8',
    });

  it('leaves out what no program can show, and says so', () => {
    const { status, stdout, stderr } = collect();
    expect(status).toBe(0);
    expect(headings(stdout)).not.toContain('ip addr show');
    for (const name of [
      'iptables-save',
      'ip6tables-save',
      'nft list ruleset',
      'ipset save',
      'ip rule show',
      'ip addr show',
    ]) {
      expect(headings(stdout), name).not.toContain(name);
      expect(stderr, name).toContain(`'### ${name}' is left out`);
    }
    expect(headings(stdout).slice(0, 4)).toEqual(['redirect-verify collect linux', 'date', 'hostname', 'uname -r']);
    expect(headings(stdout)).toContain('sysctl -a');
  });

  it('prints nothing of a command that fails halfway', () => {
    install('ip', 'echo half; [ "$*" != "route show table all" ] || { echo broke >&2; exit 1; }');
    const { status, stdout, stderr } = collect();
    expect(status).toBe(0);
    expect(headings(stdout)).not.toContain('ip route show table all');
    expect(section(stdout, 'ip rule show')).toEqual(['half']);
    expect(stderr).toContain("'ip route show table all' failed");
    expect(stderr).toContain('broke');
  });

  it('keeps output that looks like a heading inside its section', () => {
    install('ip', `printf '### iptables-save\\n*filter\\nCOMMIT\\n'`);
    const { stdout } = collect();
    expect(headings(stdout)).not.toContain('iptables-save');
    expect(section(stdout, 'ip rule show')).toEqual([' ### iptables-save', '*filter', 'COMMIT']);
  });

  it('keeps warnings about rules that a program does not show', () => {
    install('ip', `echo '# Warning: something is not shown' >&2; echo shown`);
    expect(section(collect().stdout, 'ip rule show')).toEqual(['# Warning: something is not shown', 'shown']);
  });

  it('removes its temporary files', () => {
    collect();
    expect(readdirSync(directory)).toEqual(['sbin']);
  });

  it('records nothing without tcpdump', () => {
    const { status, stdout, stderr } = collect(linuxCollectScript({ captureSeconds: 1 }));
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toContain('tcpdump is not installed');
    expect(readdirSync(directory)).toEqual(['sbin']);
  });

  it('fails where tcpdump does', () => {
    install('tcpdump', 'echo "tcpdump: no permission" >&2; exit 1');
    install('mkdir', `exec ${programPath('mkdir')} "$@"`);
    install('sleep', `exec ${programPath('sleep')} "$@"`);
    const { status, stderr } = collect(linuxCollectScript({ captureSeconds: 60 }));
    expect(status).toBe(1);
    expect(stderr).toContain('tcpdump: no permission');
    expect(stderr).toContain('did not run for the time asked for');
  });

  it.each(SCRIPTS)('does nothing where its end is missing: $name', ({ script }) => {
    const lines = script.trimEnd().split('\n');
    expect(lines.at(-1)).toBe('main');
    expect(collect(`${lines.slice(0, -1).join('\n')}\n`)).toMatchObject({ status: 0, stdout: '', stderr: '' });
    expect(readdirSync(directory)).toEqual(['sbin']);
  });
});

const obstacle = routerObstacle();
const required = process.env.REDIRECT_VERIFY_LAB === '1';
if (obstacle !== undefined && !required)
  console.warn(`tests of the collecting script on a router skipped: it ${obstacle}`);

// With REDIRECT_VERIFY_LAB=1 they run, or fail with the reason.
describe.skipIf(obstacle !== undefined && !required)('the script on a router', () => {
  let router: CollectRouter;
  const stateScript = () => join(router.scratch, 'state.sh');
  const recordScript = (seconds: number) => {
    const path = join(router.scratch, `record-${seconds}.sh`);
    writeFileSync(path, linuxCollectScript({ captureSeconds: seconds }));
    return path;
  };

  const collectBy = (shell: readonly string[], env: NodeJS.ProcessEnv = process.env): Outcome => {
    const [program, ...args] = router.enter([...shell, stateScript()]);
    return spawnSync(program!, args, { encoding: 'utf8', env });
  };

  const begin = () => {
    if (obstacle !== undefined) throw new Error(`the router ${obstacle}`);
    router = createRouter();
    writeFileSync(stateScript(), linuxCollectScript());
  };

  describe('that is configured', () => {
    beforeAll(() => {
      begin();
      configureRouter(router);
    });
    afterAll(() => router?.remove());

    it('prints every section, the same by every shell', () => {
      const outputs = installedShells().map((shell) => ({ shell, ...collectBy(shell) }));
      for (const { shell, status, stdout } of outputs) {
        expect(status, shell.join(' ')).toBe(0);
        expect(withoutDates(stdout), shell.join(' ')).toBe(withoutDates(outputs[0]!.stdout));
      }
      const connections = existsSync('/proc/net/nf_conntrack')
        ? /^(?:conntrack -L|cat \/proc\/net\/nf_conntrack)$/
        : /./;
      const found = headings(outputs[0]!.stdout);
      expect(found.filter((name) => !connections.test(name) && name !== 'ipset save')).toEqual([
        'redirect-verify collect linux',
        'date',
        'hostname',
        'uname -r',
        'iptables-save',
        expect.stringMatching(/^iptables-(?:legacy|nft)-save$/),
        'ip6tables-save',
        'nft list ruleset',
        'ip rule show',
        'ip route show table all',
        'ip -6 rule show',
        'ip -6 route show table all',
        'ip addr show',
        'ip -d link show',
        'ip neigh show',
        'ip nexthop show',
        'sockets',
        'sysctl -a',
        'rt_tables',
      ]);
      expect(found.includes('ipset save')).toBe(programPath('ipset') !== undefined);
    });

    it('prints what the router has', () => {
      const { stdout } = collectBy(['sh']);
      expect(section(stdout, 'date')[0]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      expect(section(stdout, 'ip rule show')).toContain('32765:\tfrom all fwmark 0x1 lookup scb');
      expect(section(stdout, 'ip route show table all').join('\n')).toContain(
        'default via 172.16.0.1 dev eth0.100 table scb',
      );
      expect(section(stdout, 'ip neigh show').join('\n')).toContain('172.16.0.1 dev eth0.100 lladdr 02:00:00:00:00:01');
      expect(section(stdout, 'rt_tables')).toEqual(['254 main', '103 scb # SPS', '104 lab']);
      expect(section(stdout, 'nft list ruleset')).toContain('table inet native {');
      expect(section(stdout, 'ip6tables-save').join('\n')).toContain('--dport 3389 -j DROP');
    });

    it('prints settings whole, with the interface of a dotted name', () => {
      const settings = section(
        collectBy(
          ['dash']
            .filter((name) => programPath(name))
            .concat('sh')
            .slice(0, 1),
        ).stdout,
        'sysctl -a',
      );
      expect(settings).toContain('net/ipv4/ip_forward = 1');
      expect(settings).toContain('net/ipv4/conf/eth0.100/rp_filter = 2');
      // A value of several digits: a shell's own read would take the first alone.
      const path = 'net/netfilter/nf_conntrack_tcp_timeout_established';
      expect(settings).toContain(`${path} = ${onRouter(router, ['cat', `/proc/sys/${path}`]).trim()}`);
      expect(settings.filter((line) => !/^net\/[\w./-]+ = \S/.test(line))).toEqual([]);
    });

    describe.each([
      { plain: 'nft', other: 'legacy' },
      { plain: 'legacy', other: 'nft' },
    ])('where plain iptables is the $plain variant', ({ plain, other }) => {
      it('labels both rule sets by what they are', () => {
        const directory = mkdtempSync(join(router.scratch, 'alternative-'));
        const bin = join(directory, 'sbin');
        mkdirSync(bin);
        const multi = programPath(`xtables-${plain}-multi`)!;
        for (const name of ['iptables', 'iptables-save', 'ip6tables', 'ip6tables-save'])
          symlinkSync(multi, join(bin, name));
        const { stdout } = collectBy(['sh'], { ...process.env, PATH: `${bin}:${process.env.PATH}:/usr/sbin:/sbin` });
        const ports = { nft: '--dport 3389', legacy: '--dport 22' };
        const shown = (name: string) =>
          section(stdout, name)
            .filter((line) => line.startsWith('-A PREROUTING'))
            .join('\n');
        expect(headings(stdout)).not.toContain(`iptables-${plain}-save`);
        expect(shown('iptables-save')).toContain(ports[plain as keyof typeof ports]);
        expect(shown('iptables-save')).not.toContain(ports[other as keyof typeof ports]);
        expect(shown(`iptables-${other}-save`)).toContain(ports[other as keyof typeof ports]);
        // No legacy table of IPv6 exists: asking for it would make one.
        expect(headings(stdout).includes('ip6tables-legacy-save')).toBe(false);
      });
    });

    it('says within the state that there are legacy tables which no program here shows', () => {
      const bin = join(mkdtempSync(join(router.scratch, 'without-legacy-')), 'sbin');
      mkdirSync(bin);
      for (const program of ['ip', 'nft', 'mount', ...BASE_PROGRAMS])
        symlinkSync(programPath(program)!, join(bin, program));
      symlinkSync(programPath('xtables-nft-multi')!, join(bin, 'iptables-save'));
      const [program, ...args] = router.enter(['env', `PATH=${bin}`, 'sh', stateScript()]);
      const { stdout, stderr } = spawnSync(program!, args, { encoding: 'utf8' });
      expect(stderr).toContain('no iptables-legacy-save');
      expect(headings(stdout).filter((name) => /^iptables/.test(name))).toEqual(['iptables-save']);
      expect(section(stdout, 'iptables-save')[0]).toBe(
        '# Warning: iptables-legacy tables present, use iptables-legacy-save to see them',
      );
      const { runWideUnknowns } = parseRouterState([{ path: 'router.txt', text: stdout }]);
      expect(runWideUnknowns.map(({ name }) => name).join('\n')).toContain('legacy');
    });

    it('is read back as the state of one router, with nothing left that is not understood', () => {
      const { stdout } = collectBy(['sh']);
      const device = parseRouterState([{ path: 'router.txt', text: stdout }]);
      expect(device.problems.filter(({ code }) => code === 'RV302')).toEqual([]);
      expect(device.known).toMatchObject({
        interfaces: true,
        netfilter4: true,
        netfilter6: true,
        policyRules4: true,
        policyRules6: true,
        routeTables4: 'all',
        sysctls: true,
      });
      expect(device.collectedAt).toMatch(/^20/);
      expect(device.sysctls.get('net/ipv4/conf/eth0.100/rp_filter')?.value).toBe('2');
      expect(device.tableNames.get('lab')).toBe(104);
      expect(device.rulesets.map(({ variant }) => variant)).toEqual(expect.arrayContaining(['nft', 'legacy']));
    });
  });

  describe('that has no rules', () => {
    beforeAll(begin);
    afterAll(() => router?.remove());

    it('leaves the kernel without tables, and says that there are none', () => {
      const state = () => [
        ...['/proc/modules', '/proc/net/ip_tables_names', '/proc/net/ip6_tables_names'].map((path) =>
          onRouter(router, ['sh', '-c', `[ ! -e ${path} ] || cut -d ' ' -f 1 ${path}`]),
        ),
        onRouter(router, ['nft', 'list', 'ruleset']),
      ];
      const before = state();
      const { stdout } = collectBy(['sh']);
      expect(state()).toEqual(before);
      expect(section(stdout, 'iptables-save')).toEqual([]);
      expect(section(stdout, 'nft list ruleset')).toEqual([]);
      expect(headings(stdout)).not.toContain('iptables-legacy-save');
    });
  });

  describe('that records', () => {
    let place: string;
    let temporary: string;
    beforeEach(() => {
      begin();
      configureRouter(router);
      place = mkdtempSync(join(router.scratch, 'place-'));
      temporary = mkdtempSync(join(router.scratch, 'temporary-'));
    });
    afterEach(() => router?.remove());

    const record = (shell: readonly string[], seconds: number) =>
      startProgram(router.enter([...shell, recordScript(seconds)]), place, temporary);
    const tcpdumps = () => router.programs().filter((name) => name === 'tcpdump');

    it.each(installedShells().map((shell) => ({ shell })))(
      'keeps frames and one state by $shell',
      async ({ shell }) => {
        const running = record(shell, 1);
        await running.said('recording on all interfaces for 1 s');
        expect(tcpdumps()).toEqual(['tcpdump']);
        sendDatagram(router, 'a datagram of the test');
        const { status, stdout, stderr } = await running.ended;
        expect([status, stdout]).toEqual([0, '']);
        const [directory] = readdirSync(place);
        expect(directory).toMatch(/^redirect-verify-.+-\d{8}T\d{6}Z$/);
        expect(stderr).toContain(`next: redirect-verify ${directory}/capture.pcap`);
        expect(readdirSync(join(place, directory!)).sort()).toEqual(['capture.pcap', 'router']);
        expect(readdirSync(join(place, directory!, 'router'))).toEqual(['router.txt']);
        const capture = readFileSync(join(place, directory!, 'capture.pcap'));
        // Ref: libpcap LINKTYPE_LINUX_SLL2.
        expect([capture.readUInt32LE(0), capture.readUInt32LE(20)]).toEqual([0xa1b2c3d4, 276]);
        expect(capture.includes('a datagram of the test')).toBe(true);
        expect(headings(readFileSync(join(place, directory!, 'router', 'router.txt'), 'utf8'))).toContain(
          'ip rule show',
        );
        expect(readdirSync(temporary)).toEqual([]);
        expect(tcpdumps()).toEqual([]);
      },
    );

    it('keeps both states where the configuration changed meanwhile', async () => {
      const running = record(['sh'], 1);
      await running.said('recording on all interfaces');
      onRouter(router, ['ip', 'rule', 'del', 'fwmark', '0x1']);
      const { status, stderr } = await running.ended;
      expect(status).toBe(0);
      expect(stderr).toContain('the state changed during the recording');
      const directory = join(place, readdirSync(place)[0]!);
      expect(readdirSync(directory).sort()).toEqual(['capture.pcap', 'router', 'router-after.txt']);
      expect(readdirSync(join(directory, 'router'))).toEqual(['router.txt']);
      const rules = (path: string) => section(readFileSync(join(directory, path), 'utf8'), 'ip rule show').join('\n');
      expect(rules('router/router.txt')).toContain('fwmark');
      expect(rules('router-after.txt')).not.toContain('fwmark');
    });

    it.each([
      { signal: 'SIGINT', want: 130 },
      { signal: 'SIGTERM', want: 143 },
      { signal: 'SIGHUP', want: 129 },
    ] as const)('stops tcpdump and cleans up on $signal', async ({ signal, want }) => {
      const running = record(['sh'], 600);
      await running.said('recording on all interfaces');
      running.child.kill(signal);
      const { status, stderr } = await running.ended;
      expect(status).toBe(want);
      expect(stderr).toContain('interrupted');
      expect(readdirSync(temporary)).toEqual([]);
      expect(tcpdumps()).toEqual([]);
    });

    it('stops tcpdump in time even where the script itself was killed', async () => {
      const running = record(['sh'], 1);
      await running.said('recording on all interfaces');
      running.child.kill('SIGKILL');
      // The pipes close when the last process that has them ends.
      await running.ended;
      expect(tcpdumps()).toEqual([]);
    });
  });
});

function headings(text: string): string[] {
  return [...text.matchAll(/^### (.*)$/gm)].map(([, name]) => name!);
}

/** Lines of a section; throws where it is not there. */
function section(text: string, heading: string): string[] {
  const lines = text.split('\n');
  const start = lines.indexOf(`### ${heading}`);
  if (start < 0) throw new Error(`there is no section ${heading}`);
  const length = lines.slice(start + 1).findIndex((line) => line.startsWith('### '));
  const end = length < 0 ? lines.length : start + 1 + length;
  return lines.slice(start + 1, end).filter((line) => line !== '');
}

/** What differs between two collections of one state: the time, and the count of connections. */
function withoutDates(text: string): string {
  return text
    .replace(/^### date\n.*$/m, '')
    .replace(/^# (?:Generated by|Completed on).*$/gm, '')
    .replace(/\[\d+:\d+\]/g, '')
    .replace(/^net\/netfilter\/nf_conntrack_count.*$/m, '')
    .replace(/packets \d+ bytes \d+/g, '')
    .replace(/^### (?:conntrack -L|cat \/proc\/net\/nf_conntrack)\n[\s\S]*$/m, '');
}
