/** Scenarios of IPv6, made of those of IPv4: each address is the last word of one of IPv6, so that neighbours keep their MAC addresses. */
import type { Scenario, ScenarioFrame, ScenarioRule } from './scenario.ts';

const PREFIX = 'fd00:0:0:1::';
const PREFIX_BYTES = Buffer.from('fd00000000000001' + '0000000000000000', 'hex');
const ETHERNET = 14;
const ICMP = 1;
const ICMPV6 = 58;

/** Types that mean the same; others become what no connection is begun with. */
const TYPES: ReadonlyMap<number, number> = new Map([
  [8, 128],
  [0, 129],
  [3, 1],
  [4, 2],
  [11, 3],
  [12, 4],
  [13, 135],
  [17, 143],
  [5, 137],
]);

function hexGroups(address: string): string {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
  return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}

/** `10.0.0.0/24` as `fd00:0:0:1::a00:0/120`. */
function address6(text: string): string {
  const [address = '', length] = text.split('/');
  if (text === '0.0.0.0/0') return '::/0';
  return `${PREFIX}${hexGroups(address)}${length === undefined ? '' : `/${96 + Number(length)}`}`;
}

const withAddresses = (text: string): string => text.replaceAll(/\b\d+\.\d+\.\d+\.\d+(?:\/\d+\b)?/g, address6);

/** Prefix lengths that rules compare with, too. */
function commandOf(command: string): string | undefined {
  if (/\bscope\b|^nexthop|broadcast|^link/.test(command)) return command.startsWith('link') ? command : undefined;
  const lengths = command.replace(/suppress_prefixlength (\d+)/, (_, length: string) =>
    length === '0' ? 'suppress_prefixlength 0' : `suppress_prefixlength ${96 + Number(length)}`,
  );
  return `-6 ${withAddresses(lengths).replaceAll('ipproto icmp', 'ipproto ipv6-icmp')}`;
}

/** The rule of ip6tables that is most like one of iptables; undefined where there is none. */
export function rule6Of(rule: ScenarioRule): ScenarioRule | undefined {
  if (rule.table === 'nat') return undefined;
  if (/ -f |^-f |--set |MASQUERADE|[SD]NAT|REDIRECT|NETMAP|-j ECN|-m ecn/.test(rule.text)) return undefined;
  const text = withAddresses(rule.text)
    .replaceAll(/-p icmp\b/g, '-p ipv6-icmp')
    .replaceAll(/(?:-m icmp )?(! )?--icmp-type (\S+)/g, (_, not: string | undefined, type: string) => {
      const [number, code] = type.split('/');
      return `-m icmp6 ${not ?? ''}--icmpv6-type ${TYPES.get(Number(number)) ?? 128}${code === undefined ? '' : `/${code}`}`;
    })
    .replaceAll(/-m ttl (! )?--ttl-(\w+)/g, '-m hl $1--hl-$2')
    .replaceAll(/-j TTL --ttl-(\w+)/g, '-j HL --hl-$1')
    .replaceAll(/ ?--reject-with icmp\S+/g, '');
  return /--icmp-type|--(?:ct)?(?:orig|repl)(?:src|dst) /.test(text) ? undefined : { ...rule, text };
}

/** An IPv4 packet as one of IPv6, its identification as flow label. Fragments and IP options are left out. */
function packetOf(packet: Buffer): Buffer {
  const headerLength = (packet[0]! & 15) * 4;
  const isIcmp = packet[9] === ICMP;
  const payload = Buffer.from(packet.subarray(headerLength, packet.readUInt16BE(2)));
  const header = Buffer.alloc(40);
  header.writeUInt32BE(((6 << 28) | (packet[1]! << 20) | packet.readUInt16BE(4)) >>> 0, 0);
  header[6] = isIcmp ? ICMPV6 : packet[9]!;
  header[7] = packet[8]!;
  for (const [from, to] of [
    [12, 8],
    [16, 24],
  ] as const) {
    addressOf(packet.subarray(from, from + 4)).copy(header, to);
  }
  let transport: Buffer = payload;
  if (isIcmp && payload.length >= 8) {
    const type = TYPES.get(payload[0]!) ?? 200 + (payload[0]! & 15);
    payload[0] = type;
    const quotes = type <= 4 && payload.length > 28 && payload[8]! >>> 4 === 4;
    if (quotes) transport = Buffer.concat([payload.subarray(0, 8), quotedOf(payload.subarray(8))]);
  }
  header.writeUInt16BE(transport.length, 4);
  const at = { 6: 16, 17: 6, [ICMPV6]: 2 }[header[6]!];
  if (at !== undefined && transport.length >= at + 2) {
    transport.writeUInt16BE(0, at);
    const pseudo = Buffer.alloc(8);
    pseudo.writeUInt32BE(transport.length, 0);
    pseudo[7] = header[6]!;
    const sum = checksum(Buffer.concat([header.subarray(8), pseudo, transport]));
    transport.writeUInt16BE(sum === 0 ? 0xffff : sum, at);
  }
  return Buffer.concat([header, transport]);
}

/** Odd addresses become those that are as odd in IPv6. */
function addressOf(ipv4: Buffer): Buffer {
  const made = Buffer.concat([PREFIX_BYTES.subarray(0, 12), ipv4]);
  const first = ipv4[0]!;
  const isNone = ipv4.every((octet) => octet === 0);
  const odd = isNone
    ? ''
    : first === 127
      ? ''
      : first === 255
        ? 'fe80'
        : first >= 224 && first < 240
          ? 'ff0e'
          : undefined;
  if (odd === undefined) return made;
  made.fill(0, 0, 12);
  Buffer.from(odd, 'hex').copy(made);
  if (first === 127) made.writeUInt32BE(1, 12);
  return made;
}

/** What is left of it may be less than its header says. */
function quotedOf(packet: Buffer): Buffer {
  const whole = Buffer.from(packet);
  whole.writeUInt16BE(packet.length, 2);
  return packetOf(whole);
}

/** The Internet checksum. Ref: RFC 1071. */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += (bytes[at]! << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function frameOf(frame: ScenarioFrame): ScenarioFrame {
  const bytes = Buffer.from(frame.hex, 'hex');
  const head = Buffer.concat([bytes.subarray(0, 12), Buffer.from('86dd', 'hex')]);
  const packet = packetOf(bytes.subarray(ETHERNET));
  return { ...frame, hex: Buffer.concat([head, packet]).toString('hex') };
}

/** The scenario of IPv6 that is most like one of IPv4. What the kernel does not take of it is left out by the oracle. */
export function toIpv6(scenario: Scenario): Scenario {
  const defined = <T>(list: readonly (T | undefined)[]): T[] => list.filter((item): item is T => item !== undefined);
  const tracking = Object.entries(scenario.sysctls).filter(([path]) => path.startsWith('net/netfilter/'));
  const interfaces = scenario.interfaces.map((link) => ({
    ...link,
    addresses: link.addresses.map(address6),
  }));
  return {
    ...scenario,
    family: 6,
    interfaces,
    sysctls: Object.fromEntries([...tracking, ...sysctls6(scenario)]),
    rules: defined(scenario.rules.map(rule6Of)),
    sets: [],
    commands: defined(scenario.commands.map(commandOf)),
    frames: scenario.frames.map(frameOf),
  };
}

/** Some routers have settings of IPv6 that are not as usual. */
function sysctls6(scenario: Scenario): [string, string][] {
  const lot = scenario.rules.length + scenario.frames.length;
  if (lot % 8 === 0) return [['net/ipv6/conf/eth1/drop_unicast_in_l2_multicast', '1']];
  if (lot % 16 === 1) return [['net/ipv6/conf/all/forwarding', '0']];
  if (lot % 16 === 2)
    return [
      ['net/ipv6/conf/all/forwarding', '0'],
      ['net/ipv6/conf/eth0/force_forwarding', '1'],
    ];
  return [];
}

/** Permanent neighbours: discovery would go through the router's own rules. */
export function neighboursOf(scenario: Scenario): string[] {
  const targets = new Set<string>();
  for (const { hex } of scenario.frames) targets.add(hex.slice(2 * (ETHERNET + 24), 2 * (ETHERNET + 40)));
  const texts = new Set([...targets].map((hex) => hex.match(/.{4}/g)!.join(':')));
  for (const command of scenario.commands)
    for (const [, gateway] of command.matchAll(/via (\S+:\S+)/g)) texts.add(gateway!);
  return [...texts].flatMap((address) => {
    const [high = '0', low = '0'] = address.split(':').slice(-2);
    const mac = `0600${high.padStart(4, '0')}${low.padStart(4, '0')}`.match(/../g)!.join(':');
    return scenario.interfaces.map(({ name }) => `neigh replace ${address} lladdr ${mac} dev ${name} nud permanent`);
  });
}
