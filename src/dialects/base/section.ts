import type { SourceLine } from '../../text/line-scanner.ts';

/** What a section of a bundle says it holds: a command, normalised by {@link normaliseCommand}, or a file's name. */
export interface Heading {
  readonly command: string;
  readonly at: SourceLine;
}

/**
 * Lines of one source that one dialect reads. With a heading an empty section means "known, and empty"; without one the
 * dialect was told by the content.
 */
export interface Section {
  readonly path: string;
  readonly heading?: Heading;
  readonly lines: readonly SourceLine[];
}

/** Objects of `ip` in the order in which iproute2 tries a prefix. Ref: iproute2 ip/ip.c cmds[]. */
const IP_OBJECTS = [
  'address',
  'addrlabel',
  'maddress',
  'route',
  'rule',
  'neighbor',
  'neighbour',
  'ntable',
  'link',
  'nexthop',
];

/** Commands of each object, in the order in which iproute2 tries a prefix. Ref: iproute2 ip/ip{address,link,neigh,route,rule}.c. */
const IP_COMMANDS: Readonly<Record<string, readonly string[]>> = {
  address: ['add', 'change', 'replace', 'delete', 'show', 'lst', 'list', 'flush', 'save', 'showdump', 'restore'],
  link: ['add', 'set', 'change', 'replace', 'delete', 'show', 'lst', 'list', 'xstats', 'afstats', 'property'],
  neighbour: ['add', 'change', 'replace', 'delete', 'get', 'show', 'lst', 'list', 'flush'],
  route: [
    'list',
    'show',
    'lst',
    'get',
    'add',
    'change',
    'chg',
    'replace',
    'prepend',
    'append',
    'test',
    'delete',
    'flush',
    'save',
    'showdump',
    'restore',
  ],
  nexthop: ['add', 'replace', 'delete', 'list', 'show', 'lst', 'get', 'flush', 'bucket'],
  rule: ['list', 'lst', 'show', 'save', 'restore', 'add', 'delete', 'flush'],
};

/** An `ip` command with its abbreviations resolved. */
export interface IpCommand {
  /** `address`, `link`, `neighbour`, `route`, `rule` or another object of iproute2. */
  readonly object: string;
  /** `add`, `show` …; as written where the object has no such command. */
  readonly verb: string;
  /** 4 or 6 by `-4`, `-6`, `-family`; absent where not said. */
  readonly family?: 4 | 6;
  readonly options: readonly string[];
  /** Index of the first word after the verb. */
  readonly rest: number;
}

/** Resolves `ip [OPTIONS] OBJECT [COMMAND]` from the words after `ip`; undefined where there is no known object. */
export function parseIpCommand(words: readonly string[]): IpCommand | undefined {
  const options: string[] = [];
  let family: 4 | 6 | undefined;
  let index = 0;
  while (index < words.length && words[index]!.startsWith('-')) {
    const option = words[index++]!.replace(/^--?/, '');
    if (option === '4') family = 4;
    else if (option === '6') family = 6;
    else if (option === 'family' || option === 'f') {
      const name = words[index++];
      if (name === 'inet') family = 4;
      else if (name === 'inet6') family = 6;
    } else options.push(option);
  }
  const name = words[index++];
  if (name === undefined || !/^[a-z]+$/.test(name)) return undefined;
  const found = IP_OBJECTS.find((object) => object.startsWith(name));
  if (found === undefined) return undefined;
  const object = found === 'neighbor' ? 'neighbour' : found;
  const written = words[index];
  const verb =
    written === undefined
      ? 'show'
      : IP_COMMANDS[object]?.find((command) => /^[a-z]+$/.test(written) && command.startsWith(written));
  const shown = verb === 'list' || verb === 'lst' ? 'show' : verb;
  return {
    object,
    verb: shown ?? written ?? 'show',
    ...(family === undefined ? {} : { family }),
    options,
    rest: written === undefined ? index : index + 1,
  };
}

/**
 * A command as headings are compared: without sudo, paths, redirections and a pipe behind it; `ip` with its abbreviations resolved
 * and its family first (`ip -6 route show table all`).
 */
export function normaliseCommand(text: string): string {
  const bare = text
    .replace(/\s*\|.*$/, '')
    .replace(/\s*(?:[12&]?>>?)\s*\S+/g, '')
    .trim();
  const words = bare.split(/\s+/);
  while (words[0] === 'sudo' || words[0] === 'command') words.shift();
  if (words[0] === undefined) return '';
  words[0] = words[0].replace(/^\/(?:\S*\/)?(?=[\w.-]+$)/, (path) =>
    path.includes('proc') || path.includes('etc') ? path : '',
  );
  if (words[0] !== 'ip') return words.join(' ');
  const command = parseIpCommand(words.slice(1));
  if (command === undefined) return words.join(' ');
  const rest = words.slice(1 + command.rest);
  if (command.object === 'route' && command.verb === 'show') {
    // `t all`, `tab all`: iproute2 takes prefixes here too.
    const at = rest.findIndex((word) => word.length > 0 && 'table'.startsWith(word) && rest.length > 1);
    if (at >= 0) rest[at] = 'table';
  }
  const family = command.family === undefined ? [] : [`-${command.family}`];
  const detailed = command.options.some((option) => /^d(e(t(a(i(ls?)?)?)?)?)?$/.test(option)) ? ['-d'] : [];
  return ['ip', ...family, ...detailed, command.object, command.verb, ...rest].join(' ');
}

const STATE_COMMAND = new RegExp(
  [
    '^ip6?tables(?:-legacy|-nft)?-save(?: |$)',
    '^ip6?tables(?:-legacy|-nft)?(?: -t \\w+)? (?:-S|--list-rules)(?: -t \\w+)?$',
    '^ip (?:-[46] )?(?:-d )?(?:rule|route|address|link|neighbour|nexthop) show(?: |$)',
    '^sysctl (?!.*(?:=|-w|-p))',
    '^cat /etc/iproute2/rt_tables',
    '^cat /proc/sys/',
    '^(?:grep|tail|head) .*/proc/sys/',
    '^nft (?:-\\w+ )*list ruleset$',
    '^date(?: |$)(?!.*(?:-s|--set))',
    '^hostname(?: -[fsA]|)$',
    '^uname(?: |$)',
    '^ipset (?:save|list)(?: |$)',
    '^conntrack -L(?: |$)',
    '^ss -lntuH?$',
  ].join('|'),
);

/** Whether a command only prints a part of the state that some dialect reads. */
export function isStateCommand(command: string): boolean {
  return STATE_COMMAND.test(command);
}

/**
 * A shell prompt before a command: `# `, `$ `, `router# `, `root@r1:~# `, `[root@r1 ~]# `. The blank is needed: `#iptables …` is a
 * rule that somebody commented out, never a prompt.
 */
const PROMPT = /^\s*(?:\[[^\]]{1,120}\]|[^\s#$]{0,120})[#$]\s+(?=\S)/;

/** The index where the command begins behind a prompt; undefined where there is none. */
export function promptLength(text: string): number | undefined {
  return PROMPT.exec(text)?.[0].length;
}
