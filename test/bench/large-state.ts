/** Of the rule set of a large router, in which the seed's redirect stands behind rules about everybody else. */
const CHAINS = 40;
const RULES = 5000;
const TABLES = 20;
const POLICY_RULES = 200;
const ROUTES = 100_000;
const FIRST_TABLE = 200;
const FIRST_PRIORITY = 1000;

/**
 * The seed's router with 5,000 rules in 40 chains, 20 routing tables, 200 policy rules and 100,000 routes: other hosts' rules and networks,
 * past which every packet of the captures goes.
 */
export function largeState(seed: string): string {
  const redirect = '-A PREROUTING -d 10.0.0.0/24';
  const local = '0:\tfrom all lookup local\n';
  const main = '10.0.0.0/24 dev eth2 proto kernel';
  return [
    [':POSTROUTING ACCEPT [0:0]\n', `:POSTROUTING ACCEPT [0:0]\n${chainNames()}`],
    [redirect, `${jumps()}${redirect}`],
    ['COMMIT\n', `${rules()}COMMIT\n`],
    [local, `${local}${policyRules()}`],
    [main, `${routes()}${main}`],
  ].reduce((text, [before, after]) => {
    if (!text.includes(before!)) throw new Error(`the seed's state lacks ${before}`);
    return text.replace(before!, () => after!);
  }, withoutNft(seed));
}

/** Of the same rules in two dialects one is enough. */
function withoutNft(seed: string): string {
  return seed.replace(/### nft list ruleset\n[\s\S]*?(?=### ip rule show)/, '');
}

function chainNames(): string {
  return times(CHAINS, (chain) => `:hosts-${chain} - [0:0]\n`);
}

function jumps(): string {
  return times(CHAINS, (chain) => `-A PREROUTING -j hosts-${chain}\n`);
}

/** Rules of the kinds that one finds: hosts and ports, networks, interfaces, states, marks, several ports at once, lengths. */
function rules(): string {
  const own = RULES - CHAINS - 2;
  return times(own, (index) => {
    const host = `100.${64 + (index % 64)}.${(index >>> 6) % 256}.${1 + (index % 250)}`;
    const kinds = [
      `-s ${host}/32 -p tcp -m tcp --dport ${1024 + (index % 60000)} -j MARK --set-xmark 0x2/0xff`,
      `-d ${host}/32 -p udp -m udp --dport 53 -j MARK --set-xmark 0x3/0xff`,
      `-s ${host}/32 -i eth0 -j ACCEPT`,
      `-d ${host}/32 -p tcp -m multiport --dports 80,443,8080 -j MARK --set-xmark 0x4/0xff`,
      `-s ${host}/32 -m conntrack --ctstate NEW -j CONNMARK --set-xmark 0x5/0xff`,
      `-p tcp -m tcp --dport ${4000 + (index % 500)} -m connmark --mark 0x7f -j MARK --set-xmark 0x6/0xff`,
      `-m mark --mark 0x${(64 + (index % 60)).toString(16)}/0xff -j RETURN`,
    ];
    return `-A hosts-${index % CHAINS} ${kinds[index % kinds.length]!}\n`;
  });
}

function policyRules(): string {
  return times(POLICY_RULES, (index) => {
    const table = FIRST_TABLE + (index % (TABLES - 3));
    const selector =
      index % 2 === 0
        ? `from 100.${64 + (index % 64)}.${index}.0/24`
        : `from all fwmark 0x${(64 + index).toString(16)}/0xff`;
    return `${FIRST_PRIORITY + index}:\t${selector} lookup ${table}\n`;
  });
}

/** The tables scb, main and local are there already. */
function routes(): string {
  return times(ROUTES, (index) => {
    const network = `${20 + (index >>> 14)}.${(index >>> 6) & 255}.${(index & 63) * 4}.0/22`;
    const table = index % TABLES < TABLES - 3 ? ` table ${FIRST_TABLE + (index % TABLES)}` : '';
    return `${network} via 10.0.0.${1 + (index % 9)} dev eth2${table} \n`;
  });
}

function times(count: number, make: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => make(index)).join('');
}
