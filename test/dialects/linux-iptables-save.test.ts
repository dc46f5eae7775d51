import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/text/input-error.ts';
import { codesOf, placesOf, rulesOf, showRule, stateOf, stateOfFiles } from './state-text.ts';

const mangle = (...rules: string[]): string => ['*mangle', ':USER - [0:0]', ...rules, 'COMMIT', ''].join('\n');
const one = (rule: string): string =>
  rulesOf(stateOf(mangle(`-A PREROUTING ${rule}`)), 'mangle', 'PREROUTING')
    .map(showRule)
    .join(' | ');

describe('matches', () => {
  const cases: readonly { name: string; rule: string; want: string }[] = [
    { name: 'no condition and no target', rule: '', want: ' > none' },
    { name: 'the ingress', rule: '-i eth0 -j ACCEPT', want: 'in eth0 > accept' },
    { name: 'an inverted ingress', rule: '! -i eth1 -j ACCEPT', want: '! in eth1 > accept' },
    { name: 'a wildcard', rule: '-i eth+ -j ACCEPT', want: 'in eth+ > accept' },
    { name: 'a lone plus is no condition', rule: '-i + -j ACCEPT', want: ' > accept' },
    { name: 'a network', rule: '-s 10.0.0.0/24 -j DROP', want: 'source 10.0.0.0/255.255.255.0 > drop' },
    {
      name: 'host bits are cleared',
      rule: '-d 10.0.0.5/24 -j DROP',
      want: 'destination 10.0.0.0/255.255.255.0 > drop',
    },
    { name: 'an odd mask', rule: '-d 10.0.0.5/255.0.255.255', want: 'destination 10.0.0.5/255.0.255.255 > none' },
    { name: 'a single address', rule: '! -s 10.0.0.5', want: '! source 10.0.0.5/255.255.255.255 > none' },
    { name: 'everything is no condition', rule: '-s 0/0 -d any/0', want: ' > none' },
    {
      name: 'the old place of the exclamation mark',
      rule: '-s ! 10.0.0.5',
      want: '! source 10.0.0.5/255.255.255.255 > none',
    },
    {
      name: 'a list expands in order',
      rule: '-s 1.1.1.1,2.2.2.2 -j ACCEPT',
      want: 'source 1.1.1.1/255.255.255.255 > accept | source 2.2.2.2/255.255.255.255 > accept',
    },
    { name: 'a protocol by number', rule: '-p 47', want: 'protocol 47 > none' },
    { name: 'a protocol by name', rule: '! -p gre', want: '! protocol 47 > none' },
    { name: 'all protocols are no condition', rule: '-p all', want: ' > none' },
    { name: 'later fragments', rule: '! -f', want: '! fragment > none' },
    { name: 'a bare transport match', rule: '-p tcp -m tcp', want: 'protocol 6, header 6 > none' },
    { name: 'a port', rule: '-p tcp -m tcp --dport 3389', want: 'protocol 6, header 6, destination-port 3389 > none' },
    { name: 'a port without -m', rule: '-p udp --sport 53', want: 'protocol 17, header 17, source-port 53 > none' },
    {
      name: 'a service name',
      rule: '-p tcp --dport ms-wbt-server',
      want: 'protocol 6, header 6, destination-port 3389 > none',
    },
    {
      name: 'an open range',
      rule: '-p tcp --dport 1024:',
      want: 'protocol 6, header 6, destination-port 1024-65535 > none',
    },
    {
      name: 'the full range is no condition',
      rule: '-p tcp -m tcp --dport 0:65535',
      want: 'protocol 6, header 6 > none',
    },
    {
      name: 'an inverted range',
      rule: '-p tcp -m tcp ! --sport 1:2',
      want: 'protocol 6, header 6, ! source-port 1-2 > none',
    },
    { name: '--syn', rule: '-p tcp ! --syn', want: 'protocol 6, header 6, ! flags 17/2 > none' },
    {
      name: '--tcp-flags',
      rule: '-p tcp -m tcp --tcp-flags ALL SYN,ACK',
      want: 'protocol 6, header 6, flags 3f/12 > none',
    },
    {
      name: 'multiport',
      rule: '-p tcp -m multiport ! --dports 22,3389,5900:5910',
      want: 'protocol 6, ! multiport destination 22,3389,5900-5910 > none',
    },
    {
      name: 'multiport of either side',
      rule: '-p udp -m multiport --ports 1',
      want: 'protocol 17, multiport either 1 > none',
    },
    { name: 'a mark', rule: '-m mark --mark 0x3/0x1', want: 'mark 0x3/0x1 > none' },
    { name: 'a connection mark, inverted', rule: '-m connmark ! --mark 0x1', want: '! connmark 0x1 > none' },
    {
      name: 'mark and connmark in one rule',
      rule: '-m mark --mark 1 -m connmark --mark 2',
      want: 'mark 0x1, connmark 0x2 > none',
    },
    { name: 'ctstate', rule: '-m conntrack --ctstate RELATED,ESTABLISHED', want: 'ctstate 12 > none' },
    { name: 'ctstate of translations', rule: '-m conntrack ! --ctstate DNAT,SNAT', want: '! ctstate 96 > none' },
    {
      name: 'an ICMP type',
      rule: '-p icmp -m icmp ! --icmp-type 8',
      want: 'protocol 1, ! icmp-type {"type":8,"codes":{"first":0,"last":255},"negated":true} > none',
    },
    {
      name: 'an ICMP type by its name, without -m',
      rule: '-p icmp --icmp-type host-unreachable',
      want: 'protocol 1, icmp-type {"type":3,"codes":{"first":1,"last":1},"negated":false} > none',
    },
    {
      name: 'direction and tuple of the connection, beside the state',
      rule: '-m conntrack --ctstate NEW --ctdir REPLY ! --ctorigsrc 10.0.0.0/24',
      want: 'ctstate 2, ct-direction {"reply":true,"besideState":true}, ! ct-tuple {"field":"original-source","first":167772160,"last":167772160,"mask":4294967040,"negated":true,"besideState":true} > none',
    },
    {
      name: 'ports of the connection',
      rule: '-m conntrack --ctrepldstport 1000:2000',
      want: 'ct-tuple {"field":"reply-destination-port","first":1000,"last":2000,"mask":65535,"negated":false,"besideState":false} > none',
    },
    {
      name: 'the status of the connection',
      rule: '-m conntrack ! --ctstatus ASSURED,CONFIRMED',
      want: '! ct-status {"status":12,"negated":true,"besideState":false} > none',
    },
    { name: 'a TTL', rule: '-m ttl --ttl-lt 5', want: 'ttl {"compare":"less","value":5,"negated":false} > none' },
    {
      name: 'a length',
      rule: '-m length ! --length 40:',
      want: '! length {"range":{"first":40,"last":65535},"negated":true} > none',
    },
    {
      name: 'a type of service by its name',
      rule: '-m tos --tos Minimize-Delay',
      want: 'tos {"value":16,"mask":63,"negated":false} > none',
    },
    {
      name: 'a DSCP class',
      rule: '-m dscp --dscp-class AF21',
      want: 'tos {"value":72,"mask":252,"negated":false} > none',
    },
    {
      name: 'a packet type',
      rule: '-m pkttype --pkt-type broadcast',
      want: 'packet-type {"type":"broadcast","negated":false} > none',
    },
    {
      name: 'types of an address',
      rule: '-m addrtype ! --dst-type LOCAL,BROADCAST --limit-iface-in',
      want: '! address-type {"which":"destination","types":12,"limit":"in","negated":true} > none',
    },
    { name: 'state', rule: '-m state --state NEW,UNTRACKED', want: 'ctstate 18 > none' },
    { name: 'a MAC address', rule: '-m mac ! --mac-source 02:00:00:00:01:01', want: '! mac 02:00:00:00:01:01 > none' },
    {
      name: 'options joined by an equals sign',
      rule: '--protocol=tcp --dport=22',
      want: 'protocol 6, header 6, destination-port 22 > none',
    },
    {
      name: 'abbreviated options',
      rule: '--proto tcp --destination-p 22',
      want: 'protocol 6, header 6, destination-port 22 > none',
    },
  ];
  it.each(cases)('$name', ({ rule, want }) => {
    const device = stateOf(mangle(`-A PREROUTING ${rule}`));
    expect(rulesOf(device, 'mangle', 'PREROUTING').map(showRule).join(' | ')).toBe(want);
    expect(codesOf(device).filter((code) => code !== 'RV304')).toEqual([]);
  });
});

describe('targets', () => {
  const full = '0xffffffff';
  const cases: readonly { rule: string; want: string }[] = [
    { rule: '-j ACCEPT', want: 'accept' },
    { rule: '-j DROP', want: 'drop' },
    { rule: '-j RETURN', want: 'return' },
    { rule: '-j REJECT --reject-with tcp-reset', want: 'reject tcp-reset' },
    { rule: '-j REJECT', want: 'reject icmp-port-unreachable' },
    { rule: '-j USER', want: 'jump USER' },
    { rule: '-g USER', want: 'goto USER' },
    { rule: '-j MARK --set-mark 1', want: `mark 0x1/${full}` },
    { rule: '-j MARK --set-mark 0x10/0x3', want: 'mark 0x10/0x13' },
    { rule: '-j MARK --set-xmark 0x10/0x3', want: 'mark 0x10/0x3' },
    { rule: '-j MARK --and-mark 0xff', want: 'mark 0x0/0xffffff00' },
    { rule: '-j MARK --or-mark 0x4', want: 'mark 0x4/0x4' },
    { rule: '-j MARK --xor-mark 0x4', want: 'mark 0x4/0x0' },
    { rule: '-j CONNMARK --set-mark 1', want: `connmark-set 0x1/${full}` },
    { rule: '-j CONNMARK --set-xmark 0x1/0xff', want: 'connmark-set 0x1/0xff' },
    { rule: '-j CONNMARK --or-mark 8', want: 'connmark-set 0x8/0x8' },
    { rule: '-j CONNMARK --save-mark', want: `connmark-save nf ${full} ct ${full}` },
    { rule: '-j CONNMARK --save-mark --mask 0xff', want: 'connmark-save nf 0xff ct 0xff' },
    { rule: '-j CONNMARK --restore-mark --nfmask 0xf0 --ctmask 0xf', want: 'connmark-restore nf 0xf0 ct 0xf' },
    { rule: '-j SNAT --to-source 1.1.1.1', want: 'snat 1.1.1.1-1.1.1.1' },
    {
      rule: '-p tcp -j SNAT --to 1.1.1.1-1.1.1.9:1000-2000 --persistent',
      want: 'snat 1.1.1.1-1.1.1.9:1000-2000 persistent',
    },
    { rule: '-p tcp -j DNAT --to-destination :8080', want: 'dnat :8080' },
    { rule: '-p tcp -j DNAT --to-destination 10.0.0.1:22 --random', want: 'dnat 10.0.0.1-10.0.0.1:22 random' },
    { rule: '-p udp -j MASQUERADE --to-ports 1024-65535 --random-fully', want: 'masquerade 1024-65535 random-fully' },
    { rule: '-j LOG --log-prefix "to SPS: " --log-level 7', want: 'pass LOG' },
    { rule: '-j NFLOG --nflog-group 2', want: 'pass NFLOG' },
    { rule: '-p tcp -j TCPMSS --clamp-mss-to-pmtu', want: 'pass TCPMSS' },
    { rule: '-j CLASSIFY --set-class 1:1', want: 'pass CLASSIFY' },
  ];
  it.each(cases)('$rule', ({ rule, want }) => {
    expect(one(rule).replace(/^.* > /, '')).toBe(want);
  });
});

describe('what is not modelled', () => {
  const cases: readonly { name: string; rule: string; want: string }[] = [
    {
      name: 'takes its options up to the next -m',
      rule: '-m limit --limit 5/sec --limit-burst 7 -m mark --mark 1 -j ACCEPT',
      want: '? -m limit --limit 5/sec --limit-burst 7, mark 0x1 > accept',
    },
    {
      name: 'takes its options up to the target',
      rule: '-m recent ! --rcheck --name nets --seconds 60 -j DROP',
      want: '? -m recent ! --rcheck --name nets --seconds 60 > drop',
    },
    {
      name: 'leaves ports to the protocol',
      rule: '-p tcp -m limit --limit 5/sec --dport 22 -j DROP',
      want: 'protocol 6, ? -m limit --limit 5/sec, header 6, destination-port 22 > drop',
    },
    {
      name: 'keeps quoted values that look like options',
      rule: '-m string --algo bm --string "-j ACCEPT" -j DROP',
      want: '? -m string --algo bm --string "-j ACCEPT" > drop',
    },
    {
      name: 'when an entry expires, beside the state',
      rule: '-m conntrack --ctstate NEW --ctexpire 10',
      want: 'ctstate 2, ? --ctexpire 10 > none',
    },
    {
      name: 'a TCP option',
      rule: '-p tcp -m tcp --tcp-option 2',
      want: 'protocol 6, header 6, ? --tcp-option 2 > none',
    },
    { name: 'a target that computes marks', rule: '-j HMARK --hmark-tuple src --hmark-mod 3', want: ' > ? HMARK' },
    {
      name: 'a target that leaves it to user space',
      rule: '-j NFQUEUE --queue-num 1 --queue-bypass',
      want: ' > ? NFQUEUE',
    },
    { name: 'shifts of the connection mark', rule: '-j CONNMARK --left-shift-mark 2 --set-mark 1', want: 'error' },
    {
      name: 'a shifted range of ports',
      rule: '-j DNAT --to-destination 10.0.0.1:1000-2000/3000',
      want: ' > ? DNAT to a shifted port range',
    },
  ];
  it.each(cases.filter((entry) => entry.want !== 'error'))('$name', ({ rule, want }) => {
    const device = stateOf(mangle(`-A PREROUTING ${rule}`));
    expect(rulesOf(device, 'mangle', 'PREROUTING').map(showRule)).toEqual([want]);
    expect(placesOf(device).filter((place) => place !== 'RV304')).toEqual(['RV301 3:1']);
  });
});

describe('what only dumps hold', () => {
  const cases = [
    {
      name: 'a range that ends before it begins, which old versions took: it holds no port',
      rule: '-p udp -m udp --dport 20:10',
      want: 'protocol 17, header 17, destination-port 20-10 > none',
    },
    {
      name: 'a MAC address that was blotted out',
      rule: '-m mac --mac-source XX:XX:XX:XX:XX:XX -j DROP',
      want: '? --mac-source XX:XX:XX:XX:XX:XX > drop',
    },
  ];
  it.each(cases)('$name', ({ rule, want }) => {
    const device = stateOf(mangle(`-A PREROUTING ${rule}`));
    expect(rulesOf(device, 'mangle', 'PREROUTING').map(showRule)).toEqual([want]);
    expect(codesOf(device)).not.toContain('RV302');
  });

  it('a command with such a range is refused', () => {
    const device = stateOf('### shell\niptables -A FORWARD -p udp --dport 20:10 -j DROP\n', 'commands.sh');
    expect(codesOf(device)).toContain('RV302');
  });
});

describe('what is not understood', () => {
  const rules = [
    '-p tcp --dport 70000',
    '-p tcp -m multiport --dports 20:10',
    '-p tcp --dport nosuchservice',
    '--dport 22',
    '-p udp -m tcp',
    '-m multiport --dports 22',
    '-p tcp -m multiport --dports 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16',
    '-m mark --mark 0x1ffffffff',
    '-m mark --mark x',
    '-j MARK',
    '-j MARK --set-mark 1 --or-mark 2',
    '-j CONNMARK --set-mark 1 --mask 1',
    '-m state --state SOMETIMES',
    '-s host.example',
    '-s 10.0.0.1/33',
    '! -s 1.1.1.1,2.2.2.2',
    '-i interface-name-too-long',
    '-o eth0',
    '-p nosuchprotocol',
    '-i',
    '! ! -i eth0',
    '-j ACCEPT --nosuch',
    '-j SNAT --to-source nowhere',
    '-j DNAT --to-destination 10.0.0.1:22',
    '-m comment --comment "open',
    'eth0',
  ];
  it.each(rules)('%s is reported with its place and stands as a rule of which all is unknown', (rule) => {
    const device = stateOf(mangle('-A PREROUTING -j ACCEPT', `-A PREROUTING ${rule}`));
    expect(placesOf(device)).toContain('RV302 4:1');
    const got = rulesOf(device, 'mangle', 'PREROUTING');
    const unknown = got[1]?.matches[0]?.kind === 'unmodelled' && got[1].target.kind === 'unmodelled';
    expect(unknown || device.runWideUnknowns.length > 0).toBe(true);
  });

  it('a match that iptables does not know is unknown, and said', () => {
    const device = stateOf(mangle('-A PREROUTING -m nosuch --thing 1 -j ACCEPT'));
    expect(rulesOf(device, 'mangle', 'PREROUTING').map(showRule)).toEqual(['? -m nosuch --thing 1 > accept']);
    expect(placesOf(device)).toContain('RV302 3:1');
  });

  it('a jump to a chain that nothing defines is RV303 and unknown', () => {
    const device = stateOf(mangle('-A PREROUTING -j NOWHERE'));
    expect(rulesOf(device, 'mangle', 'PREROUTING').map(showRule)).toEqual([' > ? NOWHERE']);
    expect(placesOf(device)).toContain('RV303 3:1');
  });

  it('chains in a cycle end in an unknown target', () => {
    const device = stateOf('*mangle\n:A - [0:0]\n:B - [0:0]\n-A PREROUTING -j A\n-A A -j B\n-A B -j A\nCOMMIT\n');
    expect(rulesOf(device, 'mangle', 'B').map(showRule)).toEqual([' > ? A']);
    expect(codesOf(device)).toContain('RV302');
  });
});

describe('the dump as a whole', () => {
  it('reads counters, policies, comments and the variant', () => {
    const device = stateOf(
      [
        '# Generated by iptables-save v1.8.9 (nf_tables) on Sat Nov 21 20:07:14 2026',
        '*filter',
        ':INPUT DROP [1:2]',
        ':FORWARD ACCEPT [0:0]',
        '[5:6] -A FORWARD -m comment --comment "it\'s \\"so\\" -j DROP" -j ACCEPT',
        'COMMIT',
        '# Completed on Sat Nov 21 20:07:14 2026',
      ].join('\r\n'),
    );
    expect(device.rulesets).toHaveLength(1);
    const [ruleset] = device.rulesets;
    expect(ruleset).toMatchObject({ family: 4, variant: 'nft' });
    const chains = ruleset!.tables[0]!.chains;
    expect(chains.map((chain) => `${chain.name} ${chain.policy}`)).toEqual([
      'INPUT DROP',
      'FORWARD ACCEPT',
      'OUTPUT ACCEPT',
    ]);
    expect(chains[1]!.rules[0]).toMatchObject({ comment: 'it\'s "so" -j DROP', target: { kind: 'accept' } });
    expect(chains[1]!.rules[0]!.origin).toMatchObject({ path: 'router.txt', line: 5, column: 1 });
  });

  it('a dump that does not name its variant is the legacy one', () => {
    const device = stateOf('# Generated by iptables-save v1.8.9 on Sat Nov 21 20:07:14 2026\n*mangle\nCOMMIT\n');
    expect(device.rulesets.map((ruleset) => ruleset.variant)).toEqual(['legacy']);
  });

  it('tells IPv6 by the program, by the heading and by addresses', () => {
    const byProgram = stateOf('# Generated by ip6tables-save v1.8.9 (nf_tables) on x\n*mangle\nCOMMIT\n');
    const byHeading = stateOf('### ip6tables-save\n*mangle\nCOMMIT\n');
    const byAddress = stateOf('*mangle\n-A PREROUTING -s fe80::/10 -j DROP\nCOMMIT\n');
    for (const device of [byProgram, byHeading, byAddress])
      expect(device.rulesets.map((set) => set.family)).toEqual([6]);
    expect(byHeading.known.netfilter6).toBe(true);
    expect(byHeading.known.netfilter4).toBe(false);
  });

  it('several inserted at one place end in reverse, as the kernel has them', () => {
    const device = stateOf(mangle('-A PREROUTING -j DROP', '-I PREROUTING -s 1.1.1.1,2.2.2.2 -d 3.3.3.3,4.4.4.4'));
    expect(
      rulesOf(device, 'mangle', 'PREROUTING').map((rule) => showRule(rule).replaceAll('/255.255.255.255', '')),
    ).toEqual([
      'source 2.2.2.2, destination 4.4.4.4 > none',
      'source 2.2.2.2, destination 3.3.3.3 > none',
      'source 1.1.1.1, destination 4.4.4.4 > none',
      'source 1.1.1.1, destination 3.3.3.3 > none',
      ' > drop',
    ]);
  });

  it('a table without COMMIT may be cut off: the run is unknown', () => {
    const device = stateOf('*mangle\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -j ACCEPT\n');
    expect(codesOf(device)).toContain('RV302');
    expect(device.runWideUnknowns).toHaveLength(1);
  });

  it('legacy tables that were not given make the run unknown', () => {
    const warning = '# Warning: iptables-legacy tables present, use iptables-legacy-save to see them\n';
    const without = stateOf(`### iptables-save\n*mangle\nCOMMIT\n${warning}`);
    expect(without.runWideUnknowns).toHaveLength(1);
    expect(codesOf(without)).toContain('RV304');
    const given = stateOf(`### iptables-save\n*mangle\nCOMMIT\n${warning}### iptables-legacy-save\n*nat\nCOMMIT\n`);
    expect(given.runWideUnknowns).toEqual([]);
    expect(given.rulesets.map((set) => set.variant)).toEqual(['unspecified', 'legacy']);
  });

  it('a table with native rules, which iptables-save does not show, makes the run unknown', () => {
    const device = stateOf("### iptables-save\n# Table `mangle' is incompatible, use 'nft' tool.\n");
    expect(codesOf(device)).toContain('RV301');
    expect(device.runWideUnknowns).toHaveLength(1);
  });

  it('iptables -S of one table is read, and the others are missing', () => {
    const device = stateOf(
      '### iptables -t mangle -S\n-P PREROUTING ACCEPT\n-N USER\n-A PREROUTING -j USER\n-A USER -j ACCEPT\n',
    );
    expect(rulesOf(device, 'mangle', 'PREROUTING').map(showRule)).toEqual([' > jump USER']);
    expect(device.known.netfilter4).toBe(false);
  });

  it('the same dump twice is one; another with other rules is another router', () => {
    const dump = (mark: number): string =>
      `# Generated by iptables-save v1.8.9 (nf_tables) on day ${mark}\n*mangle\n[0:${mark}] -A PREROUTING -j MARK --set-mark ${mark}\nCOMMIT\n`;
    const again = dump(1).replace('day 1', 'day 2').replace('[0:1]', '[7:7]');
    expect(rulesOf(stateOfFiles({ a: dump(1), b: again }), 'mangle', 'PREROUTING')).toHaveLength(1);
    expect(() => stateOfFiles({ 'a.txt': dump(1), 'b.txt': dump(2) })).toThrow(InputError);
    expect(() => stateOfFiles({ 'a.txt': dump(1), 'b.txt': dump(2) })).toThrow(/a\.txt:2:1 and b\.txt:2:1/);
  });

  it('a statement that expands beyond all reason is unknown', () => {
    const list = Array.from({ length: 100 }, (_, index) => `10.0.0.${index}`).join(',');
    const device = stateOf(mangle(`-A PREROUTING -s ${list} -d ${list} -j ACCEPT`));
    expect(rulesOf(device, 'mangle', 'PREROUTING')).toHaveLength(1);
    expect(placesOf(device)).toContain('RV302 3:1');
  });
});
