import type { Ruleset } from '../../model/netfilter.ts';
import type { Family } from '../../net/ip-address.ts';
import { type SourceLine, spanOfLine, type Word } from '../../text/line-scanner.ts';
import { formatPlace, type Span } from '../../text/span.ts';
import type { DeviceDraft } from './device-draft.ts';
import { runIp } from './ip-run.ts';
import { runIptables } from './iptables-run.ts';
import { isTableName, type Outcome, tableOf } from './netfilter-draft.ts';
import {
  joinContinuations,
  promptedCommands,
  readShellLine,
  refusePlaceholder,
  type ShellCommand,
  type ShellItem,
} from './shell-script.ts';
import { hasPrompts, isSetupCommand } from './shell-lines.ts';
import { sysctlPath } from './sysctl-path.ts';
import { writeSysctl } from './sysctl-write.ts';

/** How many comparisons with rules and routes a text of commands may cost; no router's set-up comes near. */
const WORK_LIMIT = 10_000_000;

/** Commands that change nothing a packet's path depends on, or only print. */
const HARMLESS = new Set(
  (
    ': true echo printf sleep logger modprobe insmod which mkdir chmod chown umask ls cat grep egrep awk sed head tail less more wc ' +
    'sort uniq ping traceroute tracepath tcpdump ss netstat date hostname uname whoami id pwd cd clear touch cp mv rm vi vim nano ' +
    'iptables-save ip6tables-save iptables-legacy-save ip6tables-legacy-save iptables-nft-save ip6tables-nft-save conntrack ' +
    'netfilter-persistent dmesg lsmod tee sync wait'
  ).split(' '),
);

/** Commands that are known to reach into the path of packets, and are not modelled. */
const UNMODELLED = new Set(
  (
    'nft iptables-restore ip6tables-restore iptables-legacy-restore ip6tables-legacy-restore iptables-nft-restore ' +
    'ip6tables-nft-restore ebtables arptables tc route ifconfig brctl bridge ipset firewall-cmd ufw netplan ifup ifdown nmcli vconfig ' +
    'ethtool systemctl service sysctl-p'
  ).split(' '),
);

/** Words that begin or end a construct, with the change of nesting. */
const CONSTRUCTS: Readonly<Record<string, number>> = {
  if: 1,
  for: 1,
  while: 1,
  until: 1,
  case: 1,
  select: 1,
  '{': 1,
  fi: -1,
  done: -1,
  esac: -1,
  '}': -1,
};

const DONE: Outcome = {};
const refuse = (refused: string): Outcome => ({ refused });
const uncertain = (refused: string): Outcome => ({ refused, uncertain: true });

/** Runs commands against the state, line by line, as far as they are simple commands; what is not followed makes the run unknown. */
class ShellRun {
  private readonly draft: DeviceDraft;
  private readonly variables = new Map<string, string>();
  /** Nesting of constructs that are not followed; what stands in them is not applied. */
  private depth = 0;
  private ended = false;
  private stopsOnError = false;
  private heredoc: string | undefined;
  /** Outcome of the last command, for `&&` and `||`. */
  private failed = false;
  private work = 0;

  constructor(draft: DeviceDraft) {
    this.draft = draft;
  }

  runLine(line: SourceLine): void {
    if (this.heredoc !== undefined) {
      if (line.text.trim() === this.heredoc) this.heredoc = undefined;
      return;
    }
    if (this.ended || /^\s*(?:#|$)/.test(line.text)) return;
    const construct = /^\s*(?:function\s+\w+|[\w-]+\s*\(\s*\))/.test(line.text);
    if (construct || this.depth > 0 || /^\s*(?:if|for|while|until|case|select|\{|\()(?:\s|$)/.test(line.text)) {
      this.skipConstruct(line);
      return;
    }
    const heredoc = /<<-?\s*["']?(\w+)["']?/.exec(line.text);
    if (heredoc !== null) {
      this.heredoc = heredoc[1];
      this.giveUp('text that is fed to a command is not read', spanOfLine(line));
      return;
    }
    if (isSetupCommand(line.text)) refusePlaceholder(line);
    this.runItems(line);
  }

  private runItems(line: SourceLine): void {
    const items = readShellLine(line, this.variables);
    for (const [index, item] of items.entries()) {
      if (this.ended) return;
      if (item.kind === 'unknown') {
        this.giveUp(item.reason, item.origin);
        return;
      }
      if (item.after === '&&' && this.failed) continue;
      if (item.after === '||' && !this.failed) continue;
      if (item.after === '|') {
        this.runReader(item);
        continue;
      }
      if (this.runCommand(item, items[index + 1]) === 'stop') return;
    }
  }

  private skipConstruct(line: SourceLine): void {
    if (this.depth === 0) this.giveUp('conditions, loops and functions are not followed', spanOfLine(line));
    const bare = line.text.replace(/(["'])(?:(?!\1).)*\1/g, '').replace(/(?:^|\s)#.*/, '');
    for (const word of bare.split(/[\s;&|()]+/)) this.depth += Object.hasOwn(CONSTRUCTS, word) ? CONSTRUCTS[word]! : 0;
    if (/\(\s*\)\s*$/.test(bare)) this.depth += 0;
    this.depth = Math.max(0, this.depth);
  }

  /** Reports what is not followed: whatever it does to packets is unknown. */
  private giveUp(reason: string, origin: Span, code: 'RV301' | 'RV302' = 'RV302'): void {
    if (code === 'RV301') this.draft.unmodelled(reason, origin);
    else this.draft.unparsed(reason, origin);
    this.draft.unknown(reason, origin);
  }

  private runCommand(command: ShellCommand, next: ShellItem | undefined): 'stop' | undefined {
    this.work += this.costOf(command);
    if (this.work > WORK_LIMIT) {
      this.ended = true;
      this.giveUp('the commands are too many to be applied', command.origin);
      return 'stop';
    }
    const outcome = this.execute(command, next);
    this.failed = outcome.found === false || outcome.refused !== undefined;
    const { origin } = command;
    if (outcome.refused === undefined) return undefined;
    if (outcome.uncertain === true) {
      this.giveUp(`this command is not understood: ${outcome.refused}`, origin);
      return 'stop';
    }
    const quiet =
      command.redirections.some(({ operator, target }) => /^(?:2|&)>>?$/.test(operator) && target === '/dev/null') ||
      (next?.kind === 'command' && next.after === '||');
    if (!quiet) this.draft.unparsed(`the router refuses this command: ${outcome.refused}`, origin);
    if (this.stopsOnError && !(next?.kind === 'command' && next.after === '||')) {
      this.giveUp('the script may end here, where a command fails', origin);
    }
    return undefined;
  }

  /** About how many rules, routes and interfaces a command is compared with. */
  private costOf({ words }: ShellCommand): number {
    const { draft } = this;
    const texts = words.slice(0, 12).map((word) => word.text);
    if (texts.some((text) => /(?:^|\/)ip$/.test(text))) return draft.routes.length + draft.policyRules.length + 1;
    if (!texts.some((text) => /^-(?:[DCXE]|-delete|-check|-rename)/.test(text))) return 1;
    let rules = 1;
    for (const ruleset of draft.rulesets) {
      for (const table of ruleset.tables.values())
        for (const chain of table.chains.values()) rules += 1 + chain.rules.length;
    }
    return rules;
  }

  private execute(command: ShellCommand, next: ShellItem | undefined): Outcome {
    const words = [...command.words];
    while (words[0]?.text === 'sudo' || words[0]?.text === 'command' || words[0]?.text === 'exec') {
      words.shift();
      while (words[0] !== undefined && /^-[nEHS]$/.test(words[0].text)) words.shift();
    }
    if (words.length === 0 || words[0]!.text === 'export' || words[0]!.text === 'readonly')
      return this.assign(command, words);
    const name = words[0]!.text.replace(/^\/(?:[\w.-]+\/)*/, '');
    const rest = words.slice(1);
    const input = command.redirections.find(({ operator }) => operator.includes('<'));
    if (input !== undefined) return uncertain('text that is fed to a command is not read');
    const iptables = /^ip(6?)tables(?:-(legacy|nft))?$/.exec(name);
    if (iptables !== null)
      return this.runIptables(iptables[1] === '6' ? 6 : 4, variantOf(iptables[2]), rest, command.origin);
    switch (name) {
      case 'ip':
        return runIp(this.draft, rest, command.origin);
      case 'sysctl':
        return this.runSysctl(rest, command.origin);
      case 'echo':
      case 'printf':
        return next?.kind === 'command' && next.after === '|' ? this.hold(rest) : this.runEcho(name, rest, command);
      case 'exit':
        this.ended = true;
        return DONE;
      case 'set':
        return this.runSet(rest);
      case 'false':
        return { found: false };
      default:
        return this.runOther(name, command);
    }
  }

  private assign(command: ShellCommand, words: readonly Word[]): Outcome {
    const exported = words.slice(1).flatMap(({ text }) => {
      const at = text.indexOf('=');
      return at < 0 ? [] : [{ name: text.slice(0, at), value: text.slice(at + 1) }];
    });
    for (const { name, value } of [...command.assignments, ...exported]) this.variables.set(name, value);
    return DONE;
  }

  private runSet(rest: readonly Word[]): Outcome {
    for (const { text } of rest) {
      if (/^-[a-z]*e/.test(text)) this.stopsOnError = true;
      if (/^\+[a-z]*e/.test(text)) this.stopsOnError = false;
    }
    return DONE;
  }

  private runOther(name: string, command: ShellCommand): Outcome {
    const writes = command.redirections.some(
      ({ operator, target }) => /^1?>/.test(operator) && /^\/proc\/|rt_tables/.test(target),
    );
    if (HARMLESS.has(name) && !writes) return DONE;
    if (/^ip6?tables-/.test(name) || UNMODELLED.has(name)) {
      this.giveUp(`${name} is not modelled`, command.origin, 'RV301');
      return DONE;
    }
    return uncertain(`${JSON.stringify(name)} is no command that is known here`);
  }

  private runIptables(
    family: Family,
    variant: Ruleset['variant'] | undefined,
    words: readonly Word[],
    origin: Span,
  ): Outcome {
    const { draft } = this;
    const chosen =
      variant ?? draft.defaultVariant.get(family) ?? draft.rulesets.find((set) => set.family === family)?.variant;
    const ruleset = draft.ruleset(family, chosen ?? 'unspecified');
    draft.changed.netfilter.add(family);
    return runIptables(draft, {
      family,
      words,
      origin,
      innerNegation: false,
      table: (name) => (isTableName(name) ? tableOf(ruleset, name) : undefined),
    });
  }

  private runSysctl(words: readonly Word[], origin: Span): Outcome {
    let last: Outcome = DONE;
    for (const { text } of words) {
      if (/^(?:-[wqenN]+|--write|--quiet|--ignore)$/.test(text)) continue;
      if (/^(?:-[pf]|--load|--system)/.test(text)) {
        this.giveUp('the file that sysctl loads is not in the text', origin, 'RV301');
        return DONE;
      }
      const at = text.indexOf('=');
      if (at > 0) last = this.write(sysctlPath(text.slice(0, at).trim()), text.slice(at + 1).trim(), origin);
    }
    return last;
  }

  private write(path: string, value: string, origin: Span): Outcome {
    const device = /^net\/ipv[46]\/conf\/([^/]+)\//.exec(path)?.[1];
    const { draft } = this;
    if (
      device !== undefined &&
      device !== 'all' &&
      device !== 'default' &&
      draft.given.interfaces &&
      !draft.interfaces.has(device)
    ) {
      return refuse(`there is no interface ${device}`);
    }
    if (!/^[\w.,:/ \t-]*$/.test(value)) return uncertain(`"${value}" is no value of a kernel setting`);
    writeSysctl(draft, path, value, origin);
    return DONE;
  }

  private held: string | undefined;

  /** `echo VALUE | tee FILE`: the value waits for its reader. */
  private hold(words: readonly Word[]): Outcome {
    this.held = textOf(words);
    return DONE;
  }

  private runReader(command: ShellCommand): void {
    const { held } = this;
    this.held = undefined;
    const words = command.words.map((word) => word.text).filter((text) => text !== 'sudo');
    const name = words[0]?.replace(/^\/(?:[\w.-]+\/)*/, '') ?? '';
    if (name === 'tee' && held !== undefined) {
      for (const target of words.slice(1))
        if (!target.startsWith('-')) this.report(this.writeFile(target, held, command.origin), command.origin);
    } else if (!HARMLESS.has(name) || command.redirections.some(({ target }) => /^\/proc\//.test(target))) {
      this.giveUp('what a pipe feeds to this command is not read', command.origin);
    }
  }

  private report(outcome: Outcome, origin: Span): void {
    if (outcome.uncertain === true) this.giveUp(outcome.refused!, origin);
    else if (outcome.refused !== undefined)
      this.draft.unparsed(`the router refuses this command: ${outcome.refused}`, origin);
  }

  private runEcho(name: 'echo' | 'printf', words: readonly Word[], command: ShellCommand): Outcome {
    let text = textOf(words);
    if (name === 'printf') text = text.replace(/\\n/g, '\n').replace(/\\t/g, '\t').trim();
    for (const { operator, target } of command.redirections) {
      if (!/^1?>>?\|?$/.test(operator)) continue;
      const outcome = this.writeFile(target, text, command.origin);
      if (outcome.refused !== undefined) return outcome;
    }
    return DONE;
  }

  private writeFile(target: string, text: string, origin: Span): Outcome {
    if (/[*?[]/.test(target) && target.startsWith('/proc/')) return uncertain('file name patterns are not followed');
    if (target.startsWith('/proc/sys/')) return this.write(sysctlPath(target), text.trim(), origin);
    if (/rt_tables/.test(target)) {
      for (const entry of text.split('\n')) {
        const [number = '', name = ''] = entry.trim().split(/\s+/);
        if (!/^(?:0x[0-9a-f]+|\d+)$/i.test(number) || name === '')
          return uncertain('a line of rt_tables is a number and a name');
        this.draft.tableNames.set(name, Number(number));
      }
      return DONE;
    }
    if (/^\/(?:proc|sys)\//.test(target)) return uncertain(`what ${target} does is not modelled`);
    // A configuration file takes effect when something loads it; that is another command.
    return DONE;
  }
}

const variantOf = (text: string | undefined): Ruleset['variant'] | undefined =>
  text === 'legacy' || text === 'nft' ? text : undefined;

/** What `echo` prints of its words. */
function textOf(words: readonly Word[]): string {
  const texts = words.map((word) => word.text);
  while (/^-[neE]+$/.test(texts[0] ?? '')) texts.shift();
  return texts.join(' ');
}

/** Runs a text of commands: behind its prompts where every command has one, else every line. */
export function runShell(draft: DeviceDraft, lines: readonly SourceLine[]): void {
  draft.changed.any = true;
  const run = new ShellRun(draft);
  const joined = joinContinuations(lines);
  if (!hasPrompts(joined.map((line) => line.text))) {
    for (const line of joined) run.runLine(line);
    noteComments(draft, joined);
    return;
  }
  const prose: SourceLine[] = [];
  for (const line of joined) {
    const { commands, taken } = promptedCommands(line);
    for (const command of commands) {
      if (isCommandBehindPrompt(line, command)) run.runLine(command);
      else if (/\S/.test(command.text) && !/^\s*#/.test(command.text)) prose.push(line);
    }
    for (const second of taken) {
      draft.notices.push(
        `${placeOf(second)}: the second command of the line, behind " # ", was taken as well; a shell would ignore it`,
      );
    }
  }
  if (prose.length > 0) {
    const count = prose.length === 1 ? 'a line' : `${prose.length} lines`;
    draft.notices.push(
      `${placeOf(prose[0]!)}: ${count} behind "# " that hold no command known here were taken as prose`,
    );
  }
}

/** Says where lines that look like commands behind a prompt are comments, because other commands have no prompt. */
function noteComments(draft: DeviceDraft, lines: readonly SourceLine[]): void {
  const comments = lines.filter(
    (line) => /^\s*#\s/.test(line.text) && isSetupCommand(line.text.replace(/^\s*#\s+/, '')),
  );
  const [first] = comments;
  if (first === undefined) return;
  const count =
    comments.length === 1 ? 'this line is a comment' : `${comments.length} lines like this one are comments`;
  draft.notices.push(`${placeOf(first)}: ${count}, because other commands of the text stand without a prompt`);
}

const placeOf = ({ path, line, column }: SourceLine): string => formatPlace({ path, line, column, text: '' });

/** Commands beyond set-up commands that reach into the path of packets, strict enough to be no sentence. */
const OTHER_COMMAND = new RegExp(
  '^(?:sudo\\s+)?(?:/\\S*/)?(?:(?:nft|tc|ipset|ebtables|arptables|brctl|ifconfig|firewall-cmd|ufw|netplan|ifup|ifdown|nmcli|vconfig|ethtool)\\s+\\S' +
    '|ip6?tables\\S*-restore|route\\s+(?:add|del)\\s|(?:service|systemctl)\\s+\\S+\\s+\\S+\\s*$|bridge\\s+(?:vlan|link|fdb)\\s|sysctl\\s+-|set\\s+[-+]e|exit\\b' +
    '|ip\\s+-|export\\s+\\w+=|\\w+=\\S|for\\s+\\w+\\s+in\\s|(?:if|while|until)\\s+[\\[!]|\\$)|>\\s*/proc/',
);

/**
 * Whether what stands behind a prompt is a command. Behind `host# ` or `$ ` everything is; behind a bare `# ` a sentence may stand, as a
 * heading or a comment, so there only what can be a command that matters.
 */
function isCommandBehindPrompt(line: SourceLine, command: SourceLine): boolean {
  if (/^\s*#/.test(command.text) || command.text.trim() === '') return false;
  if (!/^\s*#\s/.test(line.text)) return true;
  return isSetupCommand(command.text) || OTHER_COMMAND.test(command.text.trim());
}
