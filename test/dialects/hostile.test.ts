import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEVICE_DIALECTS, DIALECTS, parseRouterState } from '../../src/dialects/index.ts';
import type { LinuxDevice } from '../../src/model/linux-device.ts';
import { InputError } from '../../src/text/input-error.ts';
import { codesOf, stateOf } from './state-text.ts';

const dump = readFileSync(new URL('fixtures/seed-kernel-dump.txt', import.meta.url), 'utf8');
const procedure = readFileSync(new URL('fixtures/seed-procedure.txt', import.meta.url), 'utf8');

/** Reads a text that may be anything: a device, or one clear line. */
function readAnything(text: string): LinuxDevice | undefined {
  try {
    return parseRouterState([{ path: 'r', text }]);
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    expect((error as InputError).message).not.toContain('\n');
    return undefined;
  }
}

/** Everything that decisions follow must be sound to follow: chains exist, places are inside the text. */
function expectSound(device: LinuxDevice, text: string): void {
  const lines = text.split(/\r\n|\n|\r/);
  for (const ruleset of device.rulesets) {
    for (const table of ruleset.tables) {
      const names = new Set(table.chains.map((chain) => chain.name));
      for (const rule of table.chains.flatMap((chain) => chain.rules)) {
        expect(rule.origin.line).toBeLessThanOrEqual(lines.length);
        if (rule.target.kind === 'jump' || rule.target.kind === 'goto') expect(names).toContain(rule.target.chain);
      }
    }
  }
  const priorities = device.policyRules.map((rule) => rule.priority);
  expect(priorities).toEqual([...priorities].sort((a, b) => a - b));
}

const words = fc.constantFrom(
  ...'iptables -t mangle -A -I -D -N PREROUTING FORWARD -j MARK CONNMARK --set-mark 1 0x1/0xff ! -i eth0 -m limit connmark --mark -s'.split(
    ' ',
  ),
  ...'1.2.3.4 10.0.0.0/8 a,b ip rule add del route via dev table scb from all fwmark default pref echo > /proc/sys/net/ipv4/ip_forward'.split(
    ' ',
  ),
  ...'sysctl -w x=1 && || ; | # $X $(Y) $( ` " \' \\ { } ( ) if fi for done <x> << EOF *mangle COMMIT :A - [0:0] ### ip-rule nexthop'.split(
    ' ',
  ),
  '### iptables-save',
  '### ip rule show',
  '### ip route show table all',
  '\n',
  '\n',
  '\n',
  '\t',
);

describe('hostile text', () => {
  it('random words of all dialects give a sound device or one clear line', () => {
    fc.assert(
      fc.property(fc.array(words, { maxLength: 60 }), (list) => {
        const text = list.join(' ').replace(/ ?\n ?/g, '\n');
        const device = readAnything(text);
        if (device !== undefined) expectSound(device, text);
      }),
      { numRuns: 3000 },
    );
  });

  it('random characters do too', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        readAnything(text);
      }),
      { numRuns: 500 },
    );
  });

  it('real texts with lines cut, doubled, joined and swapped do too', () => {
    const lines = `${procedure}\n${dump}`.split('\n');
    fc.assert(
      fc.property(
        fc.constantFrom(dump, procedure),
        fc.array(fc.tuple(fc.nat(300), fc.constantFrom('drop', 'double', 'cut', 'join', 'foreign'), fc.nat(300)), {
          maxLength: 6,
        }),
        (base, changes) => {
          const list = base.split('\n');
          for (const [at, change, other] of changes) {
            const index = at % list.length;
            const line = list[index] ?? '';
            if (change === 'drop') list.splice(index, 1);
            else if (change === 'double') list.splice(index, 0, line);
            else if (change === 'cut') list[index] = line.slice(0, other % (line.length + 1));
            else if (change === 'join') list.splice(index, 2, `${line} ${list[index + 1] ?? ''}`);
            else list.splice(index, 0, lines[other % lines.length] ?? '');
          }
          const text = list.join('\n');
          const device = readAnything(text);
          if (device !== undefined) expectSound(device, text);
        },
      ),
      { numRuns: 300 },
    );
  });

  const long = 'x'.repeat(1_000_000);
  const traps: readonly { name: string; text: string }[] = [
    { name: 'a long line', text: long },
    { name: 'a long rule', text: `*mangle\n-A PREROUTING -m comment --comment ${long}\nCOMMIT\n` },
    { name: 'a long open quote', text: `*mangle\n-A PREROUTING -m comment --comment "${long}\nCOMMIT\n` },
    { name: 'a long list of blanks', text: `ip rule add${' '.repeat(1_000_000)}\n` },
    { name: 'many braces', text: `table inet a {\n${'{'.repeat(500_000)}\n` },
    { name: 'many unknown lines', text: `*mangle\nCOMMIT\n${'what\n'.repeat(100_000)}` },
    { name: 'many refused rules', text: `*mangle\n${'-A PREROUTING -p what\n'.repeat(50_000)}COMMIT\n` },
    {
      name: 'many rules',
      text: `*mangle\n${'-A PREROUTING -i eth0 -p tcp -m tcp --dport 22 -j MARK --set-mark 1\n'.repeat(50_000)}COMMIT\n`,
    },
    {
      name: 'many expansions',
      text: `*mangle\n${`-A PREROUTING -s ${Array.from({ length: 16 }, (_, i) => `1.1.1.${i}`)} -d ${Array.from({ length: 16 }, (_, i) => `1.1.1.${i}`)}\n`.repeat(5_000)}COMMIT\n`,
    },
    {
      name: 'many routes',
      text: `### ip route show table all\n${Array.from({ length: 50_000 }, (_, i) => `10.${i >> 8}.${i & 255}.0/24 via 1.1.1.1 dev eth0`).join('\n')}\n`,
    },
    {
      name: 'many interfaces',
      text: `### ip addr show\n${Array.from({ length: 5_000 }, (_, i) => `${i}: e${i}: <UP> mtu 1500\n    inet 10.${i >> 8}.${i & 255}.1/24 scope global e${i}`).join('\n')}\n`,
    },
    {
      name: 'many names of tables',
      text: `### ip rule show\n${Array.from({ length: 20_000 }, (_, i) => `${i}:\tfrom all lookup t${i}`).join('\n')}\n`,
    },
    {
      name: 'deep chains',
      text: `*mangle\n${Array.from({ length: 5_000 }, (_, i) => `:C${i} - [0:0]`).join('\n')}\n-A PREROUTING -j C0\n${Array.from({ length: 4_999 }, (_, i) => `-A C${i} -j C${i + 1}`).join('\n')}\nCOMMIT\n`,
    },
    { name: 'many continued lines', text: `iptables -t mangle -A PREROUTING ${'\\\n'.repeat(100_000)}-j ACCEPT\n` },
    { name: 'many prompts in a line', text: `# ip rule add table 1${' # ip rule add table 1'.repeat(200)}\n` },
    {
      name: 'many policy rules by command',
      text: Array.from({ length: 30_000 }, (_, i) => `ip rule add pref 5 fwmark ${i} table 1`).join('\n'),
    },
    {
      name: 'many routes by command',
      text: Array.from({ length: 30_000 }, (_, i) => `ip route add 10.${i >> 8}.${i & 255}.0/24 via 1.1.1.1`).join(
        '\n',
      ),
    },
    {
      name: 'many deletions',
      text: `${Array.from({ length: 20_000 }, (_, i) => `iptables -A INPUT -m mark --mark ${i} -j DROP`).join('\n')}\n${Array.from({ length: 20_000 }, (_, i) => `iptables -D INPUT -m mark --mark ${20_000 - i} -j DROP`).join('\n')}`,
    },
    { name: 'many insertions', text: Array.from({ length: 50_000 }, () => 'iptables -I INPUT -j DROP').join('\n') },
    {
      name: 'nested variables',
      text: `A="${'x '.repeat(1000)}"\n${'A="$A$A"\n'.repeat(40)}iptables -t mangle -A PREROUTING -s $A\n`,
    },
  ];
  it.each(traps)('$name ends soon', ({ text }) => {
    // The processor's time, not the clock's: other tests run beside this one.
    const start = process.cpuUsage();
    readAnything(text);
    const { user, system } = process.cpuUsage(start);
    expect(user + system).toBeLessThan(5_000_000);
  });

  it('no chain leads deeper than a simulation can follow', () => {
    const text = `*mangle\n${Array.from({ length: 5_000 }, (_, i) => `:C${i} - [0:0]`).join('\n')}\n${Array.from({ length: 4_999 }, (_, i) => `-A C${4_998 - i} -j C${4_999 - i}`).join('\n')}\n-A PREROUTING -j C0\nCOMMIT\n`;
    const device = stateOf(text);
    const table = device.rulesets[0]!.tables[0]!;
    const depths = new Map<string, number>();
    const depth = (name: string): number => {
      const known = depths.get(name);
      if (known !== undefined) return known;
      let deepest = 1;
      for (const rule of table.chains.find((chain) => chain.name === name)?.rules ?? []) {
        if (rule.target.kind === 'jump') deepest = Math.max(deepest, 1 + depth(rule.target.chain));
      }
      depths.set(name, deepest);
      return deepest;
    };
    expect(depth('PREROUTING')).toBeLessThan(500);
    expect(codesOf(device)).toContain('RV302');
  });
});

describe('what is no router state', () => {
  it.each(['', '\n\n', 'hello world\n', '\u0000\u0001\u0002', '{"json": true}\n', 'hostname R1\n!\ninterface Gi0/0\n'])(
    '%j is refused on one line that names collect',
    (text) => {
      expect(() => stateOf(text)).toThrow(InputError);
      expect(() => stateOf(text)).toThrow(/^router\.txt:\d+: .*redirect-verify collect linux/);
    },
  );

  it('a section that nothing reads is said, the rest is read', () => {
    const device = stateOf(
      '### ip rule show\n0:\tfrom all lookup local\n### tc filter show\nfilter redirect\n### bridge fdb\n',
    );
    expect(device.problems.filter((problem) => problem.code === 'RV302').map((problem) => problem.where)).toMatchObject(
      [{ line: 3, text: '### tc filter show' }],
    );
  });

  it('foreign lines among dumps are said', () => {
    const device = stateOf('some words\nand more\n*mangle\nCOMMIT\nmore words\n');
    const said = device.problems.filter((problem) => problem.code === 'RV302');
    expect(said.map((problem) => problem.where)).toMatchObject([{ line: 1 }, { line: 5 }]);
  });

  it('two host names are two routers', () => {
    const bundle = (name: string): string => `### hostname\n${name}\n### ip rule show\n`;
    expect(() =>
      parseRouterState([
        { path: 'a', text: bundle('r1') },
        { path: 'b', text: bundle('r2') },
      ]),
    ).toThrow(/hostname: a:2:1 and b:2:1/);
  });
});

describe('native nftables', () => {
  const managed =
    'table ip mangle {\n\tchain PREROUTING {\n\t\ttype filter hook prerouting priority mangle; policy accept;\n\t}\n}\n';
  const cases: readonly { name: string; text: string; unknown: number }[] = [
    {
      name: 'a table that iptables-save shows is known',
      text: `### iptables-save\n*mangle\nCOMMIT\n### nft list ruleset\n${managed}`,
      unknown: 0,
    },
    {
      name: 'without iptables-save it is not',
      text: `### nft list ruleset\n# Warning: table ip mangle is managed by iptables-nft, do not touch!\n${managed}`,
      unknown: 1,
    },
    {
      name: 'a table that iptables-save does not show is not',
      text: `### iptables-save\n*filter\nCOMMIT\n### nft list ruleset\n${managed}`,
      unknown: 1,
    },
    {
      name: 'a native table is not',
      text: `### iptables-save\n*mangle\nCOMMIT\n### nft list ruleset\n${managed}table inet fw4 {\n\tset a {\n\t\ttype ipv4_addr\n\t}\n}\n`,
      unknown: 1,
    },
    { name: 'nothing is nothing', text: '### iptables-save\n*mangle\nCOMMIT\n### nft list ruleset\n', unknown: 0 },
    {
      name: 'without headings',
      text: `*mangle\nCOMMIT\n${managed}table inet fw4 {\n\tchain c {\n\t\tip saddr 1.1.1.1 drop\n\t}\n}\n`,
      unknown: 1,
    },
  ];
  it.each(cases)('$name', ({ text, unknown }) => {
    const device = stateOf(text);
    expect(device.runWideUnknowns).toHaveLength(unknown);
    expect(codesOf(device).filter((code) => code === 'RV301')).toHaveLength(unknown);
  });
});

describe('the registry', () => {
  it('lists every file of the folder', () => {
    const folder = new URL('../../src/dialects/', import.meta.url);
    const files = readdirSync(folder).filter((name) => name.endsWith('.ts') && name !== 'index.ts');
    const names = [...DIALECTS, ...DEVICE_DIALECTS].map((dialect) => `${dialect.name}.ts`);
    expect([...names].sort()).toEqual(files.sort());
  });

  it('files of the folder do not import each other', () => {
    const folder = new URL('../../src/dialects/', import.meta.url);
    for (const name of readdirSync(folder).filter((file) => file.endsWith('.ts') && file !== 'index.ts')) {
      expect(readFileSync(new URL(name, folder), 'utf8')).not.toMatch(/from '\.\/[^/']+'/);
    }
  });
});
