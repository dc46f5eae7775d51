import { describe, expect, it } from 'vitest';
import { simulationTable } from '../../src/dialects/base/simulation-status.ts';
import { stateOf } from './state-text.ts';

/**
 * Every match of IPv4 with options that together are all that it has. A leading `protocol:` is what the extension needs.
 * Ref: iptables-extensions(8), and the options that iptables' own parser tests use.
 */
const MATCHES: Readonly<Record<string, readonly string[]>> = {
  addrtype: [
    '--src-type LOCAL',
    '! --dst-type MULTICAST --limit-iface-in',
    '--dst-type UNICAST,BROADCAST --limit-iface-out',
  ],
  ah: ['51:--ahspi 7:9', '51:! --ahspi 8'],
  bpf: ['--bytecode "2,40 0 0 12,6 0 0 65535"', '--object-pinned /sys/fs/bpf/one'],
  cgroup: ['--cgroup 7', '! --cgroup 7', '--path "/system.slice"'],
  cluster: [
    '--cluster-total-nodes 3 --cluster-local-node 1 --cluster-hash-seed 0x77',
    '--cluster-total-nodes 3 --cluster-local-nodemask 0x3 --cluster-hash-seed 0x77',
  ],
  comment: ['--comment "two words"'],
  connbytes: [
    '--connbytes 5:99 --connbytes-mode bytes --connbytes-dir both',
    '! --connbytes 7 --connbytes-mode avgpkt --connbytes-dir reply',
  ],
  connlabel: ['--label "bit17"', '! --label 18 --set'],
  connlimit: [
    '--connlimit-upto 9 --connlimit-mask 24 --connlimit-saddr',
    '--connlimit-above 9 --connlimit-mask 8 --connlimit-daddr',
  ],
  connmark: ['--mark 0x6/0x7', '! --mark 5'],
  conntrack: [
    '--ctstate NEW,SNAT',
    '! --ctproto 17',
    '--ctorigsrc 10.1.0.0/16 --ctorigdst 10.2.0.1 --ctreplsrc 10.2.0.1 ! --ctrepldst 10.1.0.7',
    '--ctorigsrcport 5:9 --ctorigdstport 22 ! --ctreplsrcport 22: --ctrepldstport :9',
    '--ctstatus ASSURED,SEEN_REPLY',
    '--ctexpire 5:900',
    '--ctdir REPLY',
  ],
  cpu: ['--cpu 3', '! --cpu 1'],
  dccp: ['dccp:--sport 5:6 ! --dport 7', 'dccp:--dccp-types REQUEST,RESET', 'dccp:! --dccp-option 9'],
  devgroup: ['--src-group 7', '--dst-group 0x2/0xf'],
  dscp: ['--dscp 0x0a', '! --dscp-class AF31'],
  ecn: ['tcp:--ecn-tcp-cwr', 'tcp:! --ecn-tcp-ece', '--ecn-ip-ect 1'],
  esp: ['esp:--espspi 5:8', 'esp:! --espspi 3'],
  hashlimit: [
    '--hashlimit-upto 7/min --hashlimit-burst 3 --hashlimit-mode srcip,dstport --hashlimit-name one',
    '--hashlimit-above 512kb/s --hashlimit-burst 1mb --hashlimit-name two --hashlimit-srcmask 24 --hashlimit-dstmask 16',
    '--hashlimit-above 7/hour --hashlimit-name three --hashlimit-htable-size 64 --hashlimit-htable-max 99 --hashlimit-htable-expire 700 --hashlimit-htable-gcinterval 800',
    '--hashlimit-upto 5/sec --hashlimit-name four --hashlimit-rate-match --hashlimit-rate-interval 3',
  ],
  helper: ['--helper "sip-5060"', '! --helper tftp'],
  icmp: ['icmp:--icmp-type any', 'icmp:--icmp-type 3/13', 'icmp:! --icmp-type ttl-exceeded', 'icmp:--icmp-type 5/0:3'],
  ipcomp: ['ipcomp:--ipcompspi 0x11', 'ipcomp:! --ipcompspi 5', 'ipcomp:--compres'],
  iprange: ['--src-range 10.1.0.4-10.1.0.9', '! --dst-range 10.2.0.4-10.2.0.9'],
  ipvs: [
    '--ipvs',
    '! --ipvs',
    '--vproto 6 --vaddr 10.1.0.0/24 --vport 443 --vdir REPLY --vmethod MASQ',
    '--vproto tcp --vportctl 21',
  ],
  length: ['--length 50:90', '! --length 40'],
  limit: ['--limit 7/min', '--limit 5000/sec --limit-burst 8'],
  mac: ['--mac-source 02:00:00:00:07:01', '! --mac-source 02-00-00-00-07-02'],
  mark: ['--mark 0x6/0x7', '! --mark 5'],
  multiport: [
    'tcp:--sports 5,7:9',
    'udp:! --dports 5',
    'sctp:--ports 5,6',
    'tcp:--source-ports 5',
    'tcp:--destination-ports 5',
  ],
  nfacct: ['--nfacct-name "one object"'],
  osf: ['tcp:--genre Windows --ttl 2 --log 1'],
  owner: ['--uid-owner 5-9', '! --gid-owner 7', '--socket-exists', '! --uid-owner root --suppl-groups --gid-owner 5'],
  physdev: ['--physdev-in swp1 --physdev-is-in', '! --physdev-out swp2', '--physdev-is-bridged', '--physdev-is-out'],
  pkttype: ['--pkt-type multicast', '! --pkt-type unicast'],
  policy: [
    '--dir in --pol none',
    '--dir in --pol ipsec --strict --reqid 5 --spi 0x7 --proto esp --mode tunnel --tunnel-src 10.1.0.1 --tunnel-dst 10.2.0.1 --next --reqid 6',
  ],
  quota: ['--quota 5000', '! --quota 7'],
  rateest: [
    '--rateest one --rateest-lt --rateest-bps 700bit',
    '--rateest-delta --rateest one --rateest-bps1 7bit --rateest-gt --rateest-bps2 9kbit',
    '--rateest1 one --rateest-pps1 5 --rateest-eq --rateest2 two --rateest-pps2 6',
    '--rateest one --rateest-pps 7 --rateest-gt',
  ],
  realm: ['--realm 7/0xf', '! --realm cosmos'],
  recent: [
    '--set --name one --rsource',
    '! --rcheck --seconds 70 --reap --hitcount 3 --name one --mask 255.255.255.0 --rdest',
    '--update --rttl --seconds 5 --name one',
    '--remove --name one',
  ],
  rpfilter: ['--loose --validmark --accept-local --invert', ''],
  sctp: [
    'sctp:--sport 5:6',
    'sctp:! --dport 7',
    'sctp:--chunk-types any INIT,DATA:Be',
    'sctp:! --chunk-types only ABORT',
  ],
  set: [
    '--match-set one src,dst --return-nomatch',
    '! --match-set one dst ! --update-counters ! --update-subcounters',
    '--match-set one src --packets-eq 5 ! --bytes-gt 7',
    '--match-set one src --packets-lt 5 --bytes-lt 7',
    '--match-set one src --packets-gt 5 ! --bytes-eq 7',
  ],
  socket: ['--transparent', '--nowildcard --restore-skmark', ''],
  state: ['--state NEW,UNTRACKED', '! --state INVALID'],
  statistic: ['--mode random --probability 0.25', '--mode nth --every 3 --packet 1', '--mode nth ! --every 4'],
  string: [
    '--algo kmp --string "a b" --from 7 --to 99 --icase',
    '! --algo bm --hex-string "|00ff|x"',
    '--algo bm ! --string x',
  ],
  tcp: [
    'tcp:--sport 5:6 ! --dport 7',
    'tcp:--tcp-flags SYN,ACK,FIN SYN',
    'tcp:! --syn',
    'tcp:--tcp-option 5',
    'tcp:--source-port 5 --destination-port 6',
  ],
  tcpmss: ['tcp:--mss 500:900', 'tcp:! --mss 7'],
  time: [
    '--timestart 07:00 --timestop 19:30 --weekdays Mon,Tue --contiguous --kerneltz',
    '--monthdays 5,6 --datestart 2030-01-02T03:04:05 --datestop 2031-01-02 --utc',
    '! --weekdays Sat ! --monthdays 31',
  ],
  tos: ['--tos 0x08/0x1c', '! --tos Maximize-Throughput', '--tos 4'],
  ttl: ['--ttl-eq 5', '! --ttl-eq 6', '--ttl-lt 7', '--ttl-gt 8', '--ttl 9'],
  u32: ['--u32 "6&0xFF=0x1"', '! --u32 "0>>22&0x3C@0=5:9"'],
  udp: ['udp:--sport 5:6 ! --dport 7', 'udp:--source-port 5', 'udplite:--destination-port 5'],
};

/** Every target of IPv4, in the same way; before the options the table where it is not mangle. */
const TARGETS: Readonly<Record<string, readonly string[]>> = {
  ACCEPT: [''],
  AUDIT: ['--type drop'],
  CHECKSUM: ['--checksum-fill'],
  CLASSIFY: ['--set-class 7:5'],
  CLUSTERIP: ['--new --hashmode sourceip --clustermac 01:00:5e:00:07:01 --total-nodes 3 --local-node 1 --hash-init 5'],
  CONNMARK: [
    '--set-xmark 0x5/0x7',
    '--set-mark 5',
    '--save-mark --nfmask 0x7 --ctmask 0x70',
    '--restore-mark --mask 0x7',
    '--and-mark 5',
    '--or-mark 6',
    '--xor-mark 7',
    '--set-xmark 0x5/0x7 --left-shift-mark 3',
    '--restore-mark --right-shift-mark 3',
  ],
  CONNSECMARK: ['--save', '--restore'],
  CT: [
    'raw/--notrack',
    'raw/--zone 7',
    'raw/--zone-orig mark',
    'raw/--zone-reply 8',
    'raw/--helper sip --ctevents new --expevents new',
    'raw/--timeout one',
  ],
  DNAT: [
    'nat/tcp:--to-destination 10.1.0.7:5-9 --random --persistent',
    'nat/tcp:--to-destination 10.1.0.7:5-9/50',
    'nat/--to-destination 10.1.0.7-10.1.0.9 --random-fully',
  ],
  DROP: [''],
  DSCP: ['--set-dscp 0x0a', '--set-dscp-class AF31'],
  ECN: ['tcp:--ecn-tcp-remove', 'tcp:--ecn-tcp-cwr 1', 'tcp:--ecn-tcp-ece 0', '--ecn-ip-ect 2'],
  HMARK: [
    '--hmark-tuple src,dst,sport,dport --hmark-mod 7 --hmark-offset 5 --hmark-rnd 9',
    '--hmark-src-prefix 24 --hmark-dst-prefix 16 --hmark-sport-mask 0xff --hmark-dport-mask 0xf --hmark-proto-mask 0xf --hmark-mod 3 --hmark-rnd 1',
    '--hmark-src-prefix 24 --hmark-spi-mask 0xf --hmark-mod 3 --hmark-rnd 1',
    '--hmark-sport 5 --hmark-dport 6 --hmark-spi 7 --hmark-mod 3 --hmark-rnd 1',
  ],
  IDLETIMER: ['--timeout 70 --label one --alarm'],
  LED: ['--led-trigger-id "one" --led-delay inf --led-always-blink'],
  LOG: [
    '--log-prefix "one: " --log-level debug --log-tcp-sequence --log-tcp-options --log-ip-options --log-uid --log-macdecode',
  ],
  MARK: ['--set-xmark 0x5/0x7', '--set-mark 5', '--and-mark 5', '--or-mark 6', '--xor-mark 7'],
  MASQUERADE: ['nat/tcp:--to-ports 5-9 --random', 'nat/--random-fully', 'nat/'],
  NETMAP: ['nat/--to 10.1.0.0/16'],
  NFLOG: ['--nflog-group 7 --nflog-prefix "one" --nflog-range 5 --nflog-threshold 6', '--nflog-size 9'],
  NFQUEUE: ['--queue-num 5 --queue-bypass', '--queue-balance 5:8 --queue-cpu-fanout'],
  NOTRACK: ['raw/'],
  RATEEST: ['--rateest-name one --rateest-interval 500ms --rateest-ewmalog 1s'],
  REDIRECT: ['nat/tcp:--to-ports 5 --random', 'nat/--random-fully', 'nat/'],
  REJECT: ['filter/--reject-with icmp-admin-prohibited', 'filter/tcp:--reject-with tcp-reset', 'filter/'],
  RETURN: [''],
  SECMARK: ['--selctx system_u:object_r:one_t:s0'],
  SET: [
    '--add-set one src,dst --exist --timeout 70',
    '--del-set one dst',
    '--map-set one src --map-prio --map-queue',
    '--map-set one src --map-mark',
  ],
  SNAT: ['nat/tcp:--to-source 10.1.0.7:5-9 --random', 'nat/--to-source 10.1.0.7-10.1.0.9 --persistent --random-fully'],
  SYNPROXY: ['filter/tcp:--sack-perm --timestamp --wscale 5 --mss 1400 --ecn'],
  TCPMSS: ['tcp:--set-mss 1300', 'tcp:--clamp-mss-to-pmtu'],
  TCPOPTSTRIP: ['tcp:--strip-options sack-permitted,timestamp'],
  TEE: ['--gateway 10.1.0.1 --oif eth7'],
  TOS: ['--set-tos 0x08/0x1c', '--and-tos 5', '--or-tos 6', '--xor-tos 7', '--set-tos Minimize-Cost'],
  TPROXY: ['tcp:--on-port 5 --on-ip 10.1.0.7 --tproxy-mark 0x5/0x7'],
  TRACE: ['raw/'],
  TTL: ['--ttl-set 5', '--ttl-inc 6', '--ttl-dec 7'],
  ULOG: ['--ulog-nlgroup 5 --ulog-prefix one --ulog-cprange 6 --ulog-qthreshold 7'],
};

/** Those that only ip6tables has. */
const IPV6: Readonly<Record<string, readonly string[]>> = {
  '-m hl': ['--hl-eq 5', '! --hl-eq 6', '--hl-lt 7', '--hl-gt 8'],
  '-m icmp6': [
    'ipv6-icmp:--icmpv6-type 128',
    'ipv6-icmp:! --icmpv6-type port-unreachable',
    'ipv6-icmp:--icmpv6-type 1/3',
  ],
  '-j HL': ['--hl-set 5', '--hl-inc 6', '--hl-dec 7'],
};

function codesOf(written: string, extension: string): string[] {
  const [, table = 'mangle', rest = ''] = /^(?:(raw|nat|filter)\/)?(.*)$/s.exec(written) ?? [];
  const [, protocol, options = ''] = /^(?:([a-z0-9-]+):)?(.*)$/s.exec(rest) ?? [];
  const chain = table === 'filter' ? 'FORWARD' : /SNAT|MASQUERADE/.test(extension) ? 'POSTROUTING' : 'PREROUTING';
  const text = `-A ${chain}${protocol === undefined ? '' : ` -p ${protocol}`} ${extension} ${options}`.trimEnd();
  const save = Object.hasOwn(IPV6, extension) ? 'ip6tables-save' : 'iptables-save';
  const device = stateOf(`### ipset save\ncreate one hash:ip\n### ${save}\n*${table}\n${text}\nCOMMIT\n`);
  return device.problems.map(({ code }) => code).filter((code) => code !== 'RV304');
}

describe('every option of every match and target is recognised', () => {
  const lines = [
    ...Object.entries(MATCHES).flatMap(([name, list]) => list.map((written) => [`-m ${name}`, written] as const)),
    ...Object.entries(TARGETS).flatMap(([name, list]) => list.map((written) => [`-j ${name}`, written] as const)),
    ...Object.entries(IPV6).flatMap(([extension, list]) => list.map((written) => [extension, written] as const)),
  ];
  it.each(lines)('%s %s', (extension, written) => {
    expect(codesOf(written, extension).filter((code) => code !== 'RV301')).toEqual([]);
  });

  it('what is not known is said', () => {
    expect(codesOf('--mark 5 --colour red', '-m mark')).toEqual(['RV302']);
    expect(codesOf('--weight 5', '-m feather')).toEqual(['RV302']);
  });

  it('has every option that the simulation knows', () => {
    const texts: Readonly<Record<string, string>> = {
      ...Object.fromEntries(Object.entries(MATCHES).map(([name, list]) => [`match ${name}`, list.join(' ')])),
      ...Object.fromEntries(Object.entries(TARGETS).map(([name, list]) => [`target ${name}`, list.join(' ')])),
      ...Object.fromEntries(
        Object.entries(IPV6).map(([extension, list]) => [
          extension.replace('-m', 'match').replace('-j', 'target'),
          list.join(' '),
        ]),
      ),
    };
    const absent = simulationTable()
      .filter((row) => row.name !== '')
      .flatMap((row) =>
        [...row.compared, ...row.documented, ...row.unmodelled]
          .filter((option) => !(texts[`${row.part} ${row.name}`] ?? '').includes(option))
          .map((option) => `${row.part} ${row.name} ${option}`),
      );
    expect(absent).toEqual([]);
  });
});
