/** The seed's procedure for Linux routers with its example values, and a reader for procedures pasted from documentation. */

const FORWARD_RULE =
  'iptables -t mangle -I PREROUTING -i eth0 -p tcp -d 10.0.0.0/24 --dport 3389 -j CONNMARK --set-mark 1';
const REPLY_RULE =
  'iptables -t mangle -I PREROUTING -i eth2 -p tcp -s 10.0.0.0/24 --sport 3389 -j CONNMARK --set-mark 1';
const MARK_RULE = 'iptables -t mangle -A PREROUTING ! -i eth1 -m connmark --mark 1 -j MARK --set-mark 1';
const TABLE_NAME = '103 scb';
const ROUTE = '/sbin/ip route add default via 172.16.0.1 table scb';
const POLICY_RULE = '/sbin/ip rule add from all fwmark 1 table scb';
const NO_REVERSE_PATH_FILTER = ['eth1', 'all'].map((name) => `echo 0 > /proc/sys/net/ipv4/conf/${name}/rp_filter`);

/** The steps by name, so that a scenario can leave one out or put another in its place. */
export const STEPS = { FORWARD_RULE, REPLY_RULE, MARK_RULE, TABLE_NAME, ROUTE, POLICY_RULE } as const;

/** The procedure where SPS uses its own address toward servers. */
export const OWN_ADDRESS: readonly string[] = [FORWARD_RULE, MARK_RULE, TABLE_NAME, ROUTE, POLICY_RULE];

/** The procedure where SPS uses the client's address toward servers. */
export const SPOOFING: readonly string[] = [
  FORWARD_RULE,
  REPLY_RULE,
  MARK_RULE,
  TABLE_NAME,
  ROUTE,
  POLICY_RULE,
  ...NO_REVERSE_PATH_FILTER,
];

/** The same redirect for IPv6, with its own addresses; there is no reverse path filter to turn off. */
export function forIpv6(commands: readonly string[]): string[] {
  return commands
    .filter((command) => !command.startsWith('echo '))
    .map((command) =>
      command
        .replace(/^iptables /, 'ip6tables ')
        .replace(/^\/sbin\/ip /, 'ip -6 ')
        .replace('10.0.0.0/24', '2001:db8:10::/64')
        .replace('172.16.0.1', '2001:db8:172::1'),
    );
}

/** As it stands in the documentation: prompts, and the two `echo` lines in one. */
export function pastedProcedure(commands: readonly string[]): string {
  const echoes = commands.filter((command) => command.startsWith('echo '));
  const others = commands.filter((command) => !command.startsWith('echo '));
  const lines = others.map((command) => (isTableName(command) ? command : `# ${command}`));
  if (echoes.length > 0) lines.push(echoes.map((command) => `# ${command}`).join(' '));
  return `${lines.join('\n')}\n`;
}

/** The commands of a pasted procedure: prompts removed, a second command behind ` # ` on a line of its own. */
export function parseProcedure(text: string): string[] {
  return text
    .split('\n')
    .flatMap((line) => (line.startsWith('# ') ? line.slice(2).split(' # ') : [line]))
    .map((command) => command.trim())
    .filter(Boolean);
}

/** `103 scb`: a line for rt_tables and no command. */
export function isTableName(line: string): boolean {
  return /^\d+\s+[\w.-]+$/.test(line);
}
