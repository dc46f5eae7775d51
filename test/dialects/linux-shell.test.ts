import { describe, expect, it } from 'vitest';
import { applyLinuxCommands } from '../../src/dialects/index.ts';
import { InputError } from '../../src/text/input-error.ts';
import { codesOf, placesOf, policyOf, routesOf, rulesOf, showRule, stateOf, stateOfFiles } from './state-text.ts';

const script = (...lines: string[]): string => [...lines, ''].join('\n');
const prerouting = (text: string): string[] => rulesOf(stateOf(text), 'mangle', 'PREROUTING').map(showRule);
const problems = (text: string): string[] => placesOf(stateOf(text)).filter((place) => place !== 'RV304');

const A = '-s 1.1.1.1 -j ACCEPT';
const shown = (octet: number): string => `source ${[octet, octet, octet, octet].join('.')}/255.255.255.255 > accept`;
const rule = (octet: number): string => `-s ${[octet, octet, octet, octet].join('.')} -j ACCEPT`;

describe('iptables commands', () => {
  const m = 'iptables -t mangle';
  const cases: readonly {
    name: string;
    lines: readonly string[];
    want: readonly string[];
    problems?: readonly string[];
  }[] = [
    {
      name: '-A appends',
      lines: [`${m} -A PREROUTING ${rule(1)}`, `${m} -A PREROUTING ${rule(2)}`],
      want: [shown(1), shown(2)],
    },
    {
      name: '-I inserts at the head',
      lines: [`${m} -I PREROUTING ${rule(1)}`, `${m} -I PREROUTING ${rule(2)}`],
      want: [shown(2), shown(1)],
    },
    { name: 'the table may stand behind', lines: [`iptables -A PREROUTING ${rule(1)} -t mangle`], want: [shown(1)] },
    {
      name: '-I n inserts before rule n',
      lines: [`${m} -A PREROUTING ${rule(1)}`, `${m} -A PREROUTING ${rule(2)}`, `${m} -I PREROUTING 2 ${rule(3)}`],
      want: [shown(1), shown(3), shown(2)],
    },
    {
      name: '-I one behind the end appends',
      lines: [`${m} -I PREROUTING 1 ${rule(1)}`, `${m} -I PREROUTING 2 ${rule(2)}`],
      want: [shown(1), shown(2)],
    },
    { name: '-I too far is refused', lines: [`${m} -I PREROUTING 2 ${rule(1)}`], want: [], problems: ['RV302 1:1'] },
    {
      name: '-D removes the first equal rule',
      lines: [
        `${m} -A PREROUTING ${rule(1)}`,
        `${m} -A PREROUTING ${rule(2)}`,
        `${m} -A PREROUTING ${rule(1)}`,
        `${m} -D PREROUTING ${rule(1)}`,
      ],
      want: [shown(2), shown(1)],
    },
    {
      name: '-D knows a rule by its meaning',
      lines: [
        `${m} -A PREROUTING -p 6 -j MARK --set-mark 1`,
        `${m} -D PREROUTING -j MARK --set-xmark 0x1/0xffffffff -p tcp`,
      ],
      want: [],
    },
    {
      name: '-D of a rule that is not there is refused',
      lines: [`${m} -D PREROUTING ${rule(1)}`],
      want: [],
      problems: ['RV302 1:1'],
    },
    {
      name: '-D n',
      lines: [`${m} -A PREROUTING ${rule(1)}`, `${m} -A PREROUTING ${rule(2)}`, `${m} -D PREROUTING 1`],
      want: [shown(2)],
    },
    { name: '-R', lines: [`${m} -A PREROUTING ${rule(1)}`, `${m} -R PREROUTING 1 ${rule(2)}`], want: [shown(2)] },
    { name: '-F of a chain', lines: [`${m} -A PREROUTING ${rule(1)}`, `${m} -F PREROUTING`], want: [] },
    { name: '-F of a table', lines: [`${m} -A PREROUTING ${rule(1)}`, `${m} -F`], want: [] },
    {
      name: 'a user chain',
      lines: [`${m} -N SPS`, `${m} -A SPS ${rule(1)}`, `${m} -A PREROUTING -j SPS`],
      want: [' > jump SPS'],
    },
    {
      name: '-N of a chain that exists is refused',
      lines: [`${m} -N SPS`, `${m} -N SPS`],
      want: [],
      problems: ['RV302 2:1'],
    },
    {
      name: '-X of a referenced chain is refused',
      lines: [`${m} -N SPS`, `${m} -A PREROUTING -j SPS`, `${m} -X SPS`],
      want: [' > jump SPS'],
      problems: ['RV302 3:1'],
    },
    {
      name: '-X of all',
      lines: [`${m} -N SPS`, `${m} -X`, `${m} -A PREROUTING -j SPS`],
      want: [' > ? SPS'],
      problems: ['RV303 3:1'],
    },
    {
      name: '-E renames references too',
      lines: [`${m} -N SPS`, `${m} -A PREROUTING -j SPS`, `${m} -E SPS TO`],
      want: [' > jump TO'],
    },
    {
      name: '-P of a user chain is refused',
      lines: [`${m} -N SPS`, `${m} -P SPS DROP`],
      want: [],
      problems: ['RV302 2:1'],
    },
    {
      name: 'the exclamation mark behind the option is refused',
      lines: [`${m} -A PREROUTING -i ! eth1 -j DROP`],
      want: [`? -A PREROUTING -i ! eth1 -j DROP > ? not understood`].map((text) => text.replace('-A', '-t mangle -A')),
      problems: ['RV302 1:1'],
    },
    {
      name: 'paths, sudo and waiting',
      lines: [`sudo /usr/sbin/iptables -w 5 -t mangle -A PREROUTING ${rule(1)}`],
      want: [shown(1)],
    },
    {
      name: 'test and set',
      lines: [
        `${m} -C PREROUTING ${A} 2>/dev/null || ${m} -A PREROUTING ${A}`,
        `${m} -C PREROUTING ${A} 2>/dev/null || ${m} -A PREROUTING ${A}`,
      ],
      want: [shown(1)],
    },
    {
      name: 'a refused command that hides its message is no problem',
      lines: [`${m} -D PREROUTING ${A} 2>/dev/null`, `${m} -D PREROUTING ${A} || true`],
      want: [],
    },
    {
      name: 'several commands in a line',
      lines: [`${m} -F; ${m} -A PREROUTING ${rule(1)} && ${m} -A PREROUTING ${rule(2)}`],
      want: [shown(1), shown(2)],
    },
    { name: 'a continued line', lines: [`${m} -A PREROUTING \\`, `  ${rule(1)}`], want: [shown(1)] },
    {
      name: 'variables',
      lines: ['IPT="/sbin/iptables -t mangle"', 'SRC=1.1.1.1', '$IPT -A PREROUTING -s ' + '$' + '{SRC} -j ACCEPT'],
      want: [shown(1)],
    },
    {
      name: 'comments and commented-out rules',
      lines: [
        '# comment',
        `#${m} -A PREROUTING -j DROP`,
        `# ${m} -A PREROUTING -j DROP`,
        `${m} -A PREROUTING ${rule(1)} # why`,
      ],
      want: [shown(1)],
    },
    {
      name: 'what follows exit is not run',
      lines: [`${m} -A PREROUTING ${rule(1)}`, 'exit 0', `${m} -F`],
      want: [shown(1)],
    },
    {
      name: 'a quoted comment with a separator',
      lines: [`${m} -A PREROUTING ${rule(1)} -m comment --comment "a; b && c"`],
      want: [shown(1)],
    },
  ];
  it.each(cases)('$name', ({ lines, want, problems: wantProblems }) => {
    const text = script(...lines);
    expect(prerouting(text)).toEqual(want);
    expect(problems(text)).toEqual(wantProblems ?? []);
  });

  it('plain iptables works on the rule set that iptables-save showed, iptables-legacy on its own', () => {
    const dump = '# Generated by iptables-save v1.8.9 (nf_tables) on x\n*mangle\n-A PREROUTING -j ACCEPT\nCOMMIT\n';
    const device = stateOfFiles({
      a: dump,
      b: script('iptables -t mangle -F', 'iptables-legacy -t mangle -A PREROUTING -j DROP'),
    });
    expect(device.rulesets.map((set) => [set.variant, set.tables[0]!.chains[0]!.rules.length])).toEqual([
      ['nft', 0],
      ['legacy', 1],
    ]);
  });
});

describe('ip rule commands', () => {
  const base = ['0: lookup 255', '32766: lookup 254', '32767: lookup 253'];
  const cases: readonly {
    name: string;
    lines: readonly string[];
    want: readonly string[];
    problems?: readonly string[];
  }[] = [
    {
      name: 'without pref the number falls',
      lines: ['ip rule add fwmark 1 table 1', 'ip rule add fwmark 2 table 2'],
      want: [base[0]!, '32764: mark 0x2 lookup 2', '32765: mark 0x1 lookup 1', base[1]!, base[2]!],
    },
    {
      name: 'behind pref 100 comes 99',
      lines: ['ip rule add pref 100 table 1', 'ip ru a fwmark 2 t 2'],
      want: [base[0]!, '99: mark 0x2 lookup 2', '100: lookup 1', base[1]!, base[2]!],
    },
    {
      name: 'equal priorities stay in order',
      lines: ['ip rule add prio 5 from 1.1.1.1 table 1', 'ip rule add priority 5 from 2.2.2.2 table 1'],
      want: [base[0]!, '5: from 1.1.1.1/32 lookup 1', '5: from 2.2.2.2/32 lookup 1', base[1]!, base[2]!],
    },
    {
      name: 'with two of priority 0 the next is 0 too',
      lines: ['ip rule add pref 0 table 1', 'ip rule add fwmark 3 table 3'],
      want: [base[0]!, '0: lookup 1', '0: mark 0x3 lookup 3', base[1]!, base[2]!],
    },
    {
      name: 'the same with pref is refused',
      lines: ['ip rule add pref 5 fwmark 1 table 1', 'ip rule add pref 5 fwmark 1 table 1'],
      want: [base[0]!, '5: mark 0x1 lookup 1', base[1]!, base[2]!],
      problems: ['RV302 2:1'],
    },
    {
      name: 'the same is refused where it would get the same number',
      lines: ['ip rule add pref 0 nop', 'ip rule add fwmark 1 table 1', 'ip rule add fwmark 1 table 1'],
      want: [base[0]!, '0: nop', '0: mark 0x1 lookup 1', base[1]!, base[2]!],
      problems: ['RV302 3:1'],
    },
    {
      name: 'the same without pref makes two',
      lines: ['ip rule add fwmark 1 table 1', 'ip rule add fwmark 1 table 1'],
      want: [base[0]!, '32764: mark 0x1 lookup 1', '32765: mark 0x1 lookup 1', base[1]!, base[2]!],
    },
    {
      name: 'del takes the first that fits',
      lines: ['ip rule add fwmark 1 table 1', 'ip rule add fwmark 1 table 2', 'ip rule del fwmark 1'],
      want: [base[0]!, '32765: mark 0x1 lookup 1', base[1]!, base[2]!],
    },
    { name: 'del by priority', lines: ['ip rule del pref 32767'], want: [base[0]!, base[1]!] },
    { name: 'del of none is refused', lines: ['ip rule del fwmark 9'], want: base, problems: ['RV302 1:1'] },
    { name: 'flush leaves priority 0 only', lines: ['ip rule flush'], want: [base[0]!] },
    {
      name: 'without an action it looks up main',
      lines: ['ip rule add iif eth0'],
      want: [base[0]!, '32765: iif eth0 lookup 254', base[1]!, base[2]!],
    },
    { name: 'a backward goto is refused', lines: ['ip rule add pref 9 goto 5'], want: base, problems: ['RV302 1:1'] },
    {
      name: 'an undefined name is RV303',
      lines: ['ip rule add fwmark 1 table scb'],
      want: [base[0]!, '32765: mark 0x1 lookup 2147483648', base[1]!, base[2]!],
      problems: ['RV303 1:1'],
    },
    {
      name: 'a name from rt_tables',
      lines: ['echo "103 scb" >> /etc/iproute2/rt_tables', 'ip rule add fwmark 1 lookup scb'],
      want: [base[0]!, '32765: mark 0x1 lookup 103', base[1]!, base[2]!],
    },
    {
      name: 'a bare line of rt_tables',
      lines: ['ip rule add fwmark 1 lookup scb', '103 scb'],
      want: [base[0]!, '32765: mark 0x1 lookup 103', base[1]!, base[2]!],
    },
  ];
  it.each(cases)('$name', ({ lines, want, problems: wantProblems }) => {
    const text = script(...lines);
    expect(policyOf(stateOf(text))).toEqual(want);
    expect(problems(text)).toEqual(wantProblems ?? []);
  });

  it('commands that are not understood make the run unknown', () => {
    const device = stateOf(script('ip rule add fwmark 1 colour blue table 1'));
    expect(placesOf(device)).toContain('RV302 1:1');
    expect(device.runWideUnknowns).toHaveLength(1);
  });
});

describe('gateways and policy rules', () => {
  it.each([
    { name: 'an error rule that holds for every packet', rule: 'ip rule add pref 5 prohibit', refused: true },
    { name: 'an inverted one', rule: 'ip rule add pref 5 not fwmark 2 unreachable', refused: true },
    { name: 'one for marked packets', rule: 'ip rule add pref 5 fwmark 2 unreachable', refused: false },
    { name: 'one behind main', rule: 'ip rule add pref 32767 blackhole', refused: false },
    { name: 'no rule for main', rule: 'ip rule flush', refused: true },
  ])('$name: the route is taken or refused as the kernel does', ({ rule: command, refused }) => {
    const text = script(
      'ip addr add 172.16.0.254/24 dev eth1',
      command,
      'ip route add default via 172.16.0.1 table 103',
    );
    expect(routesOf(stateOf(text), 103)).toHaveLength(refused ? 0 : 1);
    expect(problems(text)).toEqual(refused ? ['RV302 3:1'] : []);
  });

  it("the route's own table knows the gateway first", () => {
    const text = script(
      'ip addr add 172.16.0.254/24 dev eth1',
      'ip route add default dev eth2 table 103',
      'ip route add 10.0.0.0/8 via 172.16.0.1 table 103',
    );
    expect(routesOf(stateOf(text), 103)).toEqual([
      '103 unicast 0.0.0.0/0 dev eth2',
      '103 unicast 10.0.0.0/8 via 172.16.0.1 dev eth2',
    ]);
  });
});

describe('ip route, addr and link commands', () => {
  const up = ['ip addr add 172.16.0.254/24 dev eth1', 'ip addr add 10.0.0.254/24 brd + dev eth2'];
  const cases: readonly {
    name: string;
    lines: readonly string[];
    table?: number;
    want: readonly string[];
    problems?: readonly string[];
  }[] = [
    {
      name: 'a gateway finds its device',
      lines: [...up, 'ip route add default via 172.16.0.1 table 103'],
      want: ['103 unicast 0.0.0.0/0 via 172.16.0.1 dev eth1'],
    },
    {
      name: 'even where the address comes later',
      lines: ['ip r a default via 172.16.0.1 t 103', ...up],
      want: ['103 unicast 0.0.0.0/0 via 172.16.0.1 dev eth1'],
    },
    {
      name: 'a gateway on no network keeps no device',
      lines: [...up, 'ip route add default via 9.9.9.9 table 103'],
      want: ['103 unicast 0.0.0.0/0 via 9.9.9.9'],
    },
    {
      name: 'without addresses the device is unknown',
      lines: ['ip route add default via 9.9.9.9 table 103'],
      want: ['103 unicast 0.0.0.0/0 via 9.9.9.9 ? the interface of the next hop 9.9.9.9 (no ip addr was given)'],
    },
    {
      name: 'add of what exists is refused',
      lines: ['ip route add 1.0.0.0/8 dev a table 103', 'ip route add 1.0.0.0/8 dev b table 103'],
      want: ['103 unicast 1.0.0.0/8 dev a'],
      problems: ['RV302 2:1'],
    },
    {
      name: 'another metric is another route',
      lines: ['ip route add 1.0.0.0/8 dev a table 103', 'ip route add 1.0.0.0/8 dev b metric 5 table 103'],
      want: ['103 unicast 1.0.0.0/8 dev a', '103 unicast 1.0.0.0/8 metric 5 dev b'],
    },
    {
      name: 'append and prepend',
      lines: [
        'ip route add 1.0.0.0/8 dev a table 103',
        'ip route append 1.0.0.0/8 dev b table 103',
        'ip route prepend 1.0.0.0/8 dev c table 103',
      ],
      want: ['103 unicast 1.0.0.0/8 dev c', '103 unicast 1.0.0.0/8 dev a', '103 unicast 1.0.0.0/8 dev b'],
    },
    {
      name: 'replace',
      lines: ['ip route replace 1.0.0.0/8 dev a table 103', 'ip route replace 1.0.0.0/8 dev b table 103'],
      want: ['103 unicast 1.0.0.0/8 dev b'],
    },
    {
      name: 'change of none is refused',
      lines: ['ip route change 1.0.0.0/8 dev a table 103'],
      want: [],
      problems: ['RV302 1:1'],
    },
    {
      name: 'del',
      lines: [
        'ip route add 1.0.0.0/8 dev a table 103',
        'ip route add 2.0.0.0/8 dev a table 103',
        'ip route del 1.0.0.0/8 table 103',
      ],
      want: ['103 unicast 2.0.0.0/8 dev a'],
    },
    {
      name: 'del takes the lowest metric first',
      lines: [
        'ip route add 1.0.0.0/8 dev a metric 5 table 103',
        'ip route add 1.0.0.0/8 dev b table 103',
        'ip route del 1.0.0.0/8 table 103',
      ],
      want: ['103 unicast 1.0.0.0/8 metric 5 dev a'],
    },
    {
      name: 'an exact copy is refused',
      lines: ['ip route append 1.0.0.0/8 dev a table 103', 'ip route append 1.0.0.0/8 dev a table 103'],
      want: ['103 unicast 1.0.0.0/8 dev a'],
      problems: ['RV302 2:1'],
    },
    {
      name: 'flush of a table',
      lines: ['ip route add 1.0.0.0/8 dev a table 103', 'ip route flush table 103', 'ip route flush cache'],
      want: [],
    },
    {
      name: 'bits behind the length are refused',
      lines: ['ip route add 1.0.0.1/8 dev a table 103'],
      want: [],
      problems: ['RV302 1:1'],
    },
    { name: 'a blackhole', lines: ['ip route add blackhole default table 103'], want: ['103 blackhole 0.0.0.0/0'] },
    {
      name: 'addresses make connected routes',
      lines: up,
      table: 254,
      want: ['254 unicast 172.16.0.0/24 dev eth1', '254 unicast 10.0.0.0/24 dev eth2'],
    },
    {
      name: 'an address that goes takes its network along',
      lines: [...up, 'ip addr del 10.0.0.254/24 dev eth2'],
      table: 254,
      want: ['254 unicast 172.16.0.0/24 dev eth1'],
    },
    {
      name: 'a second address of the network is secondary',
      lines: ['ip addr add 10.0.0.254/24 dev eth2', 'ip addr add 10.0.0.253/24 dev eth2'],
      table: 254,
      want: ['254 unicast 10.0.0.0/24 dev eth2'],
    },
    {
      name: 'a link that goes down takes its routes along, and only the connected one comes back',
      lines: [...up, 'ip route add 9.0.0.0/8 via 10.0.0.1', 'ip link set eth2 down', 'ip link set dev eth2 up'],
      table: 254,
      want: ['254 unicast 172.16.0.0/24 dev eth1', '254 unicast 10.0.0.0/24 dev eth2'],
    },
  ];
  it.each(cases)('$name', ({ lines, table, want, problems: wantProblems }) => {
    const text = script(...lines);
    expect(routesOf(stateOf(text), table ?? 103)).toEqual(want);
    expect(problems(text)).toEqual(wantProblems ?? []);
  });

  it('a table that only commands made is completely known, main is not', () => {
    const device = stateOf(
      script(...up, 'ip route add default via 172.16.0.1 table 103', 'ip rule add fwmark 1 table 104'),
    );
    expect(device.known.routeTables4).toEqual(new Set([255, 103, 104]));
  });

  it('an interface that the dump does not have is refused', () => {
    const device = stateOf(
      '1: lo: <LOOPBACK,UP> mtu 65536\n    inet 127.0.0.1/8 scope host lo\nip route add 1.0.0.0/8 dev eth7\necho 1 > /proc/sys/net/ipv4/conf/eth7/rp_filter\n',
    );
    expect(placesOf(device).filter((place) => place !== 'RV304')).toEqual(['RV302 3:1', 'RV302 4:1']);
  });
});

describe('kernel settings', () => {
  const cases: readonly { line: string; path: string; value: string }[] = [
    { line: 'echo 0 > /proc/sys/net/ipv4/conf/eth1/rp_filter', path: 'net/ipv4/conf/eth1/rp_filter', value: '0' },
    { line: 'echo "2" >/proc/sys/net/ipv4/conf/eth1.5/rp_filter', path: 'net/ipv4/conf/eth1.5/rp_filter', value: '2' },
    {
      line: 'echo 2 | sudo tee /proc/sys/net/ipv4/conf/eth1/rp_filter > /dev/null',
      path: 'net/ipv4/conf/eth1/rp_filter',
      value: '2',
    },
    { line: "printf '1\\n' > /proc/sys/net/ipv4/ip_forward", path: 'net/ipv4/ip_forward', value: '1' },
    { line: 'sysctl -w net.ipv4.conf.eth1.rp_filter=2', path: 'net/ipv4/conf/eth1/rp_filter', value: '2' },
    {
      line: 'sysctl -q -w "net.ipv4.conf.eth1.rp_filter = 2" net.ipv4.ip_forward=1',
      path: 'net/ipv4/conf/eth1/rp_filter',
      value: '2',
    },
    { line: 'sysctl net.ipv4.conf.eth1/5.rp_filter=2', path: 'net/ipv4/conf/eth1.5/rp_filter', value: '2' },
  ];
  it.each(cases)('$line', ({ line, path, value }) => {
    const device = stateOf(script(line));
    expect(device.sysctls.get(path)?.value).toBe(value);
    expect(device.sysctls.get(path)?.origin).toMatchObject({ line: 1 });
    expect(device.runWideUnknowns).toEqual([]);
  });

  it('ip_forward is the switch of every interface', () => {
    const device = stateOf(script('ip addr add 10.0.0.1/24 dev eth0', 'echo 0 > /proc/sys/net/ipv4/ip_forward'));
    for (const name of ['all', 'default', 'eth0'])
      expect(device.sysctls.get(`net/ipv4/conf/${name}/forwarding`)?.value).toBe('0');
  });

  it('where only commands are given forwarding is on, two settings are 0, rp_filter is unknown, and RV304 says so', () => {
    const device = stateOf(script('iptables -t mangle -A PREROUTING -i eth0 -j ACCEPT'));
    expect(codesOf(device)).toEqual(['RV304']);
    const value = (name: string): string | undefined => device.sysctls.get(`net/ipv4/conf/eth0/${name}`)?.value;
    expect([value('forwarding'), value('src_valid_mark'), value('accept_local'), value('rp_filter')]).toEqual([
      '1',
      '0',
      '0',
      undefined,
    ]);
    expect(device.known).toMatchObject({ netfilter4: true, policyRules4: true, interfaces: false, sysctls: false });
  });

  it('beside dumps nothing is assumed', () => {
    const device = stateOfFiles({
      a: '### ip rule show\n0:\tfrom all lookup local\n',
      b: script('echo 0 > /proc/sys/net/ipv4/conf/eth1/rp_filter'),
    });
    expect([...device.sysctls.keys()]).toEqual(['net/ipv4/conf/eth1/rp_filter']);
    expect(device.known).toMatchObject({ netfilter4: false, policyRules4: true, sysctls: false });
    expect(codesOf(device)).toEqual(['RV304', 'RV304', 'RV304', 'RV304']);
  });
});

describe('prompts', () => {
  it('`# CMD` is a prompt where every command has one', () => {
    expect(
      prerouting(script(`# iptables -t mangle -A PREROUTING ${A}`, 'Some prose.', '#iptables -t mangle -F')),
    ).toEqual([shown(1)]);
  });

  it('`# CMD` is a comment where another command has none, and that is said', () => {
    const text = script(`iptables -t mangle -A PREROUTING ${A}`, `# iptables -t mangle -F`);
    expect(prerouting(text)).toEqual([shown(1)]);
    expect(stateOf(text).notices.join()).toMatch(/router\.txt:2:1.*comment/);
  });

  it('host names and dollar signs are prompts', () => {
    const text = script(
      `root@r1:~# iptables -t mangle -A PREROUTING ${rule(1)}`,
      `[admin@r1 ~]$ sudo iptables -t mangle -A PREROUTING ${rule(2)}`,
    );
    expect(prerouting(text)).toEqual([shown(1), shown(2)]);
  });

  it('a second command behind " # " is taken, and said', () => {
    const device = stateOf(
      '# echo 0 > /proc/sys/net/ipv4/conf/eth1/rp_filter # echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter\n',
    );
    expect(device.sysctls.get('net/ipv4/conf/all/rp_filter')).toMatchObject({
      value: '0',
      origin: { line: 1, column: 53 },
    });
    expect(device.notices.join()).toContain('router.txt:1:53');
  });

  it('without a prompt what is behind " # " is a comment', () => {
    const device = stateOf(
      'echo 0 > /proc/sys/net/ipv4/conf/eth1/rp_filter # echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter\n',
    );
    expect(device.sysctls.has('net/ipv4/conf/all/rp_filter')).toBe(false);
  });

  it('a sentence behind "# " is prose, and said; a command that matters is not', () => {
    const heading = stateOf(script('# Configure the router', `# iptables -t mangle -A PREROUTING ${A}`));
    expect(heading.runWideUnknowns).toEqual([]);
    expect(heading.notices.join()).toContain('router.txt:1:1');
    expect(
      stateOf(script('# nft flush ruleset', `# iptables -t mangle -A PREROUTING ${A}`)).runWideUnknowns,
    ).toHaveLength(1);
    expect(
      stateOf(script('r1# do-something', `r1# iptables -t mangle -A PREROUTING ${A}`)).runWideUnknowns,
    ).toHaveLength(1);
  });

  it('prompts with commands that print the state begin sections', () => {
    const device = stateOf(
      script(
        'r1# ip rule show',
        '0:\tfrom all lookup local',
        'r1# ip route show table 103',
        'default dev eth1',
        'r1# ip -4 neigh',
        `r1# iptables -t mangle -A PREROUTING ${A}`,
        'r1#',
      ),
    );
    expect(policyOf(device)).toEqual(['0: lookup 255']);
    expect(routesOf(device, 103)).toEqual(['103 unicast 0.0.0.0/0 dev eth1']);
    expect(rulesOf(device, 'mangle', 'PREROUTING')).toHaveLength(1);
  });

  it('a comment with such a command in a script begins nothing', () => {
    const device = stateOf(script('# ip rule show', `iptables -t mangle -A PREROUTING ${A}`));
    expect(policyOf(device)).toHaveLength(3);
    expect(rulesOf(device, 'mangle', 'PREROUTING')).toHaveLength(1);
  });

  it('a placeholder that was left in is refused with its place', () => {
    const text = script('The text.', '# iptables -t mangle -I PREROUTING -i <interface-facing-the-clients> -j ACCEPT');
    expect(() => stateOf(text, 'seed.txt')).toThrow(InputError);
    expect(() => stateOf(text, 'seed.txt')).toThrow(/^seed\.txt:2:39: <interface-facing-the-clients> is a placeholder/);
  });
});

describe('what is not followed', () => {
  const unknown: readonly { name: string; lines: readonly string[] }[] = [
    { name: 'a loop', lines: ['for i in eth0 eth1; do', '  iptables -t mangle -A PREROUTING -i $i -j ACCEPT', 'done'] },
    { name: 'a condition', lines: ['if [ -n "$1" ]; then iptables -t mangle -F; fi', 'iptables -t mangle -F'] },
    { name: 'a function', lines: ['add() {', '  iptables -t mangle -A PREROUTING -j ACCEPT', '}'] },
    { name: 'a substitution', lines: ['iptables -t mangle -A PREROUTING -s $(cat addresses) -j ACCEPT'] },
    { name: 'a variable that is not set', lines: ['iptables -t mangle -A PREROUTING -s $SPS -j ACCEPT'] },
    { name: 'fed text', lines: ['iptables-restore <<EOF', '*mangle', 'COMMIT', 'EOF', 'iptables -t mangle -F'] },
    { name: 'a file that is restored', lines: ['iptables-restore < rules', 'iptables -t mangle -F'] },
    { name: 'native nftables', lines: ['nft add table inet fw4', 'iptables -t mangle -F'] },
    { name: 'settings from a file', lines: ['sysctl -p', 'iptables -t mangle -F'] },
    { name: 'a program that nobody knows', lines: ['./setup.sh', 'iptables -t mangle -F'] },
    { name: 'prose among commands without prompts', lines: ['Then do this:', 'iptables -t mangle -F'] },
    {
      name: 'a script that stops where a command fails',
      lines: ['set -e', 'iptables -t mangle -D PREROUTING -j DROP', 'iptables -t mangle -F'],
    },
    {
      name: 'a deletion among rules that are not understood',
      lines: [
        'iptables -t mangle -A PREROUTING -m limit --limit 60/min -j DROP',
        'iptables -t mangle -D PREROUTING -m limit --limit 1/s -j DROP',
      ],
    },
  ];
  it.each(unknown)('$name makes the run unknown, and is said with its place', ({ lines }) => {
    const device = stateOf(script(...lines));
    expect(device.runWideUnknowns.length).toBeGreaterThan(0);
    expect(device.problems.some((problem) => /RV30[12]/.test(problem.code) && problem.where !== undefined)).toBe(true);
  });

  it('a number behind a rule that is not understood means nobody knows what', () => {
    const bad = 'iptables -t mangle -A PREROUTING -s host.example -j ACCEPT';
    expect(stateOf(script(bad, 'iptables -t mangle -D PREROUTING 1')).runWideUnknowns).toHaveLength(1);
    expect(stateOf(script(bad, `iptables -t mangle -I PREROUTING ${A}`)).runWideUnknowns).toEqual([]);
  });

  it('what stands in a loop is not applied, what follows it is', () => {
    const text = script(
      'for i in a b; do',
      ' iptables -t mangle -A PREROUTING -j DROP',
      'done',
      `iptables -t mangle -A PREROUTING ${A}`,
    );
    expect(prerouting(text)).toEqual([shown(1)]);
  });

  it('what only prints is nothing', () => {
    const device = stateOf(
      script(
        '#!/bin/sh',
        'set -u',
        'echo "starting"',
        'modprobe nf_conntrack',
        'iptables -t mangle -L -v -n',
        'ip rule show',
        'sleep 1',
        `iptables -t mangle -A PREROUTING ${A}`,
      ),
    );
    expect(device.runWideUnknowns).toEqual([]);
    expect(codesOf(device)).toEqual(['RV304']);
  });
});

describe('applyLinuxCommands', () => {
  const dump = [
    '### iptables-save',
    '*mangle',
    '-A PREROUTING -i eth0 -p tcp -m tcp --dport 22 -j CONNMARK --set-xmark 0x1/0xffffffff',
    '-A PREROUTING -m connmark --mark 0x1 -j MARK --set-xmark 0x1/0xffffffff',
    'COMMIT',
    '### ip rule show',
    '0:\tfrom all lookup local',
    '32766:\tfrom all lookup main',
    '### ip route show table all',
    '172.16.0.0/24 dev eth1 scope link',
    '### ip addr show',
    '2: eth1: <UP> mtu 1500',
    '    inet 172.16.0.254/24 scope global eth1',
    '### sysctl -a',
    'net.ipv4.conf.eth1.rp_filter = 1',
    '### rt_tables',
    '103 scb',
  ].join('\n');

  it('changes a copy, and only that', () => {
    const device = stateOf(dump);
    const before = JSON.stringify(device.rulesets);
    const fixed = applyLinuxCommands(device, [
      'iptables -t mangle -D PREROUTING -m connmark --mark 1 -j MARK --set-mark 1',
      'iptables -t mangle -I PREROUTING 2 ! -i eth1 -m connmark --mark 1 -j MARK --set-mark 1',
      'ip rule add fwmark 1 table scb',
      'ip route replace default via 172.16.0.1 table scb',
      'sysctl -w net.ipv4.conf.eth1.rp_filter=2',
    ]);
    expect(fixed.problems).toEqual(device.problems);
    expect(fixed.known).toEqual(device.known);
    expect(rulesOf(fixed, 'mangle', 'PREROUTING').map(showRule)).toEqual([
      'in eth0, protocol 6, header 6, destination-port 22 > connmark-set 0x1/0xffffffff',
      '! in eth1, connmark 0x1 > mark 0x1/0xffffffff',
    ]);
    expect(policyOf(fixed)).toEqual(['0: lookup 255', '32765: mark 0x1 lookup 103', '32766: lookup 254']);
    expect(routesOf(fixed, 103)).toEqual(['103 unicast 0.0.0.0/0 via 172.16.0.1 dev eth1']);
    expect(fixed.sysctls.get('net/ipv4/conf/eth1/rp_filter')).toMatchObject({
      value: '2',
      origin: { path: 'commands', line: 5 },
    });
    expect(JSON.stringify(device.rulesets)).toBe(before);
    expect(device.sysctls.get('net/ipv4/conf/eth1/rp_filter')?.value).toBe('1');
    expect(policyOf(device)).toHaveLength(2);
  });

  it('a refused command is a problem', () => {
    const device = stateOf(dump);
    expect(applyLinuxCommands(device, ['ip rule del fwmark 7']).problems).toHaveLength(device.problems.length + 1);
  });
});
