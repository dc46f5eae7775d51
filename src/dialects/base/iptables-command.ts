import type { Match } from '../../model/netfilter.ts';
import type { Family } from '../../net/ip-address.ts';
import type { Word } from '../../text/line-scanner.ts';
import { RuleError } from './iptables-extension.ts';
import { MATCH_EXTENSIONS, type MatchExtension, UNMODELLED_MATCHES } from './iptables-matches.ts';
import {
  COMMAND_VERBS,
  GENERIC_OPTIONS,
  IMPLIED_MATCHES,
  type IptablesVerb,
  LONG_SYNONYMS,
  parseProtocol,
  SHORT_OPTIONS,
} from './iptables-options.ts';
import {
  buildRules,
  type Invertible,
  type Loaded,
  type RuleBody,
  type RuleParts,
  unknownRule,
  unmodelledNames,
} from './iptables-rule.ts';
import { TARGET_EXTENSIONS, type TargetExtension } from './iptables-targets.ts';

/** What one iptables command line asks for, rules expanded in the order of `-s a,b -d c,d` (sources outside). */
export interface IptablesCommand {
  readonly verb?: IptablesVerb;
  readonly table: string;
  readonly chain?: string;
  /** Number of the rule, from 1. */
  readonly number?: number;
  /** Of `-P`: the policy; of `-E`: the new name. */
  readonly argument?: string;
  readonly rules: readonly RuleBody[];
  /** Names of matches and targets whose effect is not modelled. */
  readonly unmodelled: readonly string[];
  /** Of these, names that are no extension of iptables that this reader has heard of. */
  readonly unheard: readonly string[];
  /** `-4`, `-6`: the command concerns this family only. */
  readonly onlyFamily?: Family;
  /** Why the rule could not be read. The rules then hold one rule of which everything is unknown. */
  readonly error?: string;
}

export interface CommandContext {
  readonly family: Family;
  /** `-s ! 10.0.0.0/8`, as iptables before 1.4.3 printed it; later versions refuse it. */
  readonly innerNegation: boolean;
  /** How many rules one statement may expand to. */
  readonly expansionLimit: number;
  /** Table where `-t` is not said. */
  readonly table: string;
}

/** Reads one rule or command line, word by word, as iptables' own option loop does. */
class CommandReader {
  private readonly words: readonly Word[];
  private readonly context: CommandContext;
  private index = 0;
  private negated = false;
  private verb: IptablesVerb | undefined;
  private table: string;
  private chain: string | undefined;
  private number: number | undefined;
  private argument: string | undefined;
  private onlyFamily: Family | undefined;
  private sources: Invertible | undefined;
  private destinations: Invertible | undefined;
  private inInterface: Match | undefined;
  private outInterface: Match | undefined;
  private matchesAllIn = false;
  private protocol: { number: number; negated: boolean } | undefined;
  private fragment: { negated: boolean } | undefined;
  private readonly matches: Loaded<MatchExtension>[] = [];
  private target: Loaded<TargetExtension> | undefined;
  private goto: string | undefined;
  private comment: string | undefined;
  readonly unheard: string[] = [];

  constructor(words: readonly Word[], context: CommandContext) {
    this.words = words;
    this.context = context;
    this.table = context.table;
  }

  read(): IptablesCommand {
    let error: string | undefined;
    let rules: RuleBody[] = [];
    try {
      this.readWords();
      if (this.takesRule()) rules = buildRules(this.parts(), this.context, this.unheard);
    } catch (thrown) {
      if (!(thrown instanceof RuleError)) throw thrown;
      error = thrown.message;
      rules = [unknownRule(this.words)];
      this.recoverCommand();
    }
    return {
      ...(this.verb === undefined ? {} : { verb: this.verb }),
      table: this.table,
      ...(this.chain === undefined ? {} : { chain: this.chain }),
      ...(this.number === undefined ? {} : { number: this.number }),
      ...(this.argument === undefined ? {} : { argument: this.argument }),
      rules,
      unmodelled: error === undefined ? unmodelledNames(rules) : [],
      unheard: this.unheard,
      ...(this.onlyFamily === undefined ? {} : { onlyFamily: this.onlyFamily }),
      ...(error === undefined ? {} : { error }),
    };
  }

  private takesRule(): boolean {
    const byNumber = this.verb === 'delete' && this.number !== undefined;
    return ['append', 'insert', 'replace', 'delete', 'check'].includes(this.verb ?? '') && !byNumber;
  }

  /** After an error the rest may still say which table and chain are concerned. */
  private recoverCommand(): void {
    for (let index = this.index; index < this.words.length; index++) {
      const word = this.words[index]!.text;
      const next = this.words[index + 1]?.text;
      if ((word === '-t' || word === '--table') && next !== undefined) this.table = next;
      const verb = /^-[ADIR]$/.test(word) ? COMMAND_VERBS[SHORT_OPTIONS[word[1]!]!] : undefined;
      if (verb !== undefined && this.verb === undefined && next !== undefined) {
        this.verb = verb;
        this.chain = next;
      }
    }
  }

  private readWords(): void {
    while (this.index < this.words.length) {
      const { text, quoted } = this.words[this.index]!;
      if (text === '!' && !quoted) {
        if (this.negated) throw new RuleError('two exclamation marks in a row');
        this.negated = true;
        this.index++;
        continue;
      }
      if (text.startsWith('--')) this.readLong(text.slice(2));
      else if (text.startsWith('-') && text.length > 1) this.readShort(text.slice(1));
      else throw new RuleError(`"${text}" stands where an option should be`);
      if (this.negated) throw new RuleError('this option cannot be inverted');
    }
  }

  private readLong(written: string): void {
    this.index++;
    const equals = written.indexOf('=');
    const name = equals < 0 ? written : written.slice(0, equals);
    const attached = equals < 0 ? undefined : written.slice(equals + 1);
    if (this.readExtensionOption(name, attached, false)) return;
    // CLUSTERIP has an option of the name of a command.
    const isSecondCommand = Object.hasOwn(COMMAND_VERBS, name) && this.verb !== undefined;
    if (GENERIC_OPTIONS.has(name) && !(isSecondCommand && this.openUnmodelled() !== undefined)) {
      this.readGeneric(LONG_SYNONYMS[name] ?? name, attached);
      return;
    }
    if (this.loadImplied(name) && this.readExtensionOption(name, attached, false)) return;
    const open = this.openUnmodelled();
    if (open !== undefined) {
      this.readUnmodelledOption(open, written);
      return;
    }
    // getopt takes an abbreviation that only one option begins with.
    if (this.readExtensionOption(name, attached, true)) return;
    if (this.loadImplied(name, true) && this.readExtensionOption(name, attached, true)) return;
    const long = [...GENERIC_OPTIONS].filter((option) => option.startsWith(name));
    if (long.length === 1) this.readGeneric(LONG_SYNONYMS[long[0]!] ?? long[0]!, attached);
    else throw new RuleError(`--${name} is no option here`);
  }

  private readShort(letters: string): void {
    this.index++;
    const name = SHORT_OPTIONS[letters[0]!];
    if (name === undefined) {
      const open = this.openUnmodelled();
      if (open === undefined) throw new RuleError(`-${letters} is no option`);
      this.readUnmodelledOption(open, letters, '-');
      return;
    }
    const flags = ['numeric', 'verbose', 'exact', 'fragments', 'ipv4', 'ipv6'];
    const rest = letters.slice(1);
    if (rest !== '' && flags.includes(name)) {
      // `-vnL`: flags in a bundle.
      this.readGeneric(name, undefined);
      this.index--;
      this.readShort(rest);
      return;
    }
    this.readGeneric(name, rest === '' ? undefined : rest);
  }

  private takeNegation(): boolean {
    const { negated } = this;
    this.negated = false;
    return negated;
  }

  private peek(): Word | undefined {
    return this.words[this.index];
  }

  private take(option: string, attached?: string): string {
    if (attached !== undefined) return attached;
    const word = this.words[this.index++];
    if (word === undefined) throw new RuleError(`--${option} needs a value`);
    return word.text;
  }

  /** A value that may be inverted in the way of old versions: `-s ! 10.0.0.0/8`. */
  private takeInvertible(option: string, attached?: string): Invertible {
    let negated = this.takeNegation();
    if (attached === undefined && this.peek()?.text === '!' && !this.peek()!.quoted) {
      if (!this.context.innerNegation || negated)
        throw new RuleError('the exclamation mark must stand before the option');
      negated = true;
      this.index++;
    }
    return { text: this.take(option, attached), negated };
  }

  private readGeneric(name: string, attached: string | undefined): void {
    const verb = COMMAND_VERBS[name];
    if (verb !== undefined) {
      this.readVerb(name, verb, attached);
      return;
    }
    switch (name) {
      case 'table':
        this.table = this.take(name, attached);
        return;
      case 'source':
        if (this.sources !== undefined) throw new RuleError('the source is given twice');
        this.sources = this.takeInvertible(name, attached);
        return;
      case 'destination':
        if (this.destinations !== undefined) throw new RuleError('the destination is given twice');
        this.destinations = this.takeInvertible(name, attached);
        return;
      case 'in-interface':
      case 'out-interface':
        this.readInterface(name, attached);
        return;
      case 'protocol':
        this.readProtocol(attached);
        return;
      case 'fragments':
        this.fragment = { negated: this.takeNegation() };
        return;
      case 'match':
        this.loadMatch(this.take(name, attached));
        return;
      case 'jump':
      case 'goto':
        this.readTarget(name, this.take(name, attached));
        return;
      case 'set-counters':
        this.take(name, attached);
        if (attached === undefined && /^\d+$/.test(this.peek()?.text ?? '')) this.index++;
        return;
      case 'wait':
      case 'wait-interval':
        if (attached === undefined && /^\d+$/.test(this.peek()?.text ?? '')) this.index++;
        return;
      case 'modprobe':
        this.take(name, attached);
        return;
      case 'ipv4':
      case 'ipv6':
        this.onlyFamily = name === 'ipv4' ? 4 : 6;
        return;
      default:
        // verbose, numeric, exact: nothing but print.
        return;
    }
  }

  private readVerb(name: string, verb: IptablesVerb, attached: string | undefined): void {
    if (this.verb !== undefined && !(this.verb === 'list' && verb === 'zero'))
      throw new RuleError('two commands in one line');
    this.verb = verb;
    const optional = ['delete-chain', 'flush', 'zero', 'list'].includes(verb);
    const next = this.peek();
    if (attached !== undefined || !optional || (next !== undefined && !next.text.startsWith('-'))) {
      this.chain = this.take(name, attached);
    }
    const number = this.peek()?.text ?? '';
    if (['insert', 'delete', 'replace', 'zero', 'list'].includes(verb) && /^\d+$/.test(number)) {
      this.number = Number(number);
      this.index++;
    } else if (verb === 'replace') throw new RuleError('-R needs the number of a rule');
    if (verb === 'policy' || verb === 'rename-chain') this.argument = this.take(name);
    if (this.number === 0) throw new RuleError('rules count from 1');
  }

  private readInterface(name: 'in-interface' | 'out-interface', attached: string | undefined): void {
    const { text, negated } = this.takeInvertible(name, attached);
    if (text.length > 15 || text === '' || /[\s/]/.test(text)) throw new RuleError(`"${text}" is no interface name`);
    const prefix = text.endsWith('+');
    const match: Match = { kind: name, name: prefix ? text.slice(0, -1) : text, prefix, negated };
    // `+` alone matches every interface and is not stored.
    const kept = text === '+' && !negated ? undefined : match;
    if (name === 'in-interface') {
      this.inInterface = kept;
      this.matchesAllIn = kept === undefined;
    } else this.outInterface = kept;
  }

  private readProtocol(attached: string | undefined): void {
    const { text, negated } = this.takeInvertible('protocol', attached);
    const number = parseProtocol(text);
    if (number === undefined) throw new RuleError(`"${text}" is no protocol`);
    if (number === 0 && negated) throw new RuleError('"! -p all" would never match');
    this.protocol = number === 0 ? undefined : { number, negated };
  }

  private loadMatch(name: string): void {
    const extension = MATCH_EXTENSIONS.get(name);
    if (extension === undefined && !UNMODELLED_MATCHES.has(name)) this.unheard.push(`-m ${name}`);
    this.matches.push({ name, uses: [], words: [], ...(extension === undefined ? {} : { extension }) });
  }

  /** Loads the extension of the protocol where the option is one of its, or where nothing else can take it. */
  private loadImplied(option: string, abbreviated = false): boolean {
    const name = this.protocol === undefined ? undefined : IMPLIED_MATCHES.get(this.protocol.number);
    if (name === undefined || this.matches.some((loaded) => loaded.name === name)) return false;
    const extension = MATCH_EXTENSIONS.get(name);
    const declares = (options: object): boolean =>
      abbreviated ? Object.keys(options).some((name) => name.startsWith(option)) : Object.hasOwn(options, option);
    if (extension === undefined ? this.openUnmodelled() !== undefined : !declares(extension.options)) return false;
    this.loadMatch(name);
    return true;
  }

  private readTarget(kind: 'jump' | 'goto', name: string): void {
    if (this.target !== undefined || this.goto !== undefined) throw new RuleError('two targets in one rule');
    if (kind === 'goto') {
      this.goto = name;
      return;
    }
    const extension = TARGET_EXTENSIONS.get(name);
    this.target = { name, uses: [], words: [], ...(extension === undefined ? {} : { extension }) };
  }

  /** Extensions that may take an option, the latest loaded first, the target before all. */
  private candidates(): Loaded<MatchExtension | TargetExtension>[] {
    return [...(this.target === undefined ? [] : [this.target]), ...[...this.matches].reverse()];
  }

  private readExtensionOption(name: string, attached: string | undefined, abbreviated: boolean): boolean {
    for (const loaded of this.candidates()) {
      const options = loaded.extension?.options;
      if (options === undefined) continue;
      const found = abbreviated
        ? Object.keys(options).filter((option) => option.startsWith(name))
        : Object.hasOwn(options, name)
          ? [name]
          : [];
      if (found.length !== 1) continue;
      this.readUse(loaded, found[0]!, options[found[0]!]!, attached);
      return true;
    }
    return false;
  }

  private readUse(loaded: Loaded<unknown>, name: string, count: number, attached: string | undefined): void {
    let negated = this.takeNegation();
    if (count > 0 && attached === undefined && this.peek()?.text === '!' && !this.peek()!.quoted) {
      if (!this.context.innerNegation || negated)
        throw new RuleError('the exclamation mark must stand before the option');
      negated = true;
      this.index++;
    }
    const values: string[] = [];
    for (let taken = 0; taken < count; taken++) values.push(this.take(name, taken === 0 ? attached : undefined));
    if (loaded.name === 'comment') this.comment = values[0] ?? '';
    loaded.uses.push({ name, arguments: values, negated });
  }

  /** The latest loaded extension that is not modelled: options that nobody declares are its own. */
  private openUnmodelled(): Loaded<MatchExtension | TargetExtension> | undefined {
    return this.candidates().find((loaded) => loaded.extension === undefined);
  }

  /** Takes an option of an unmodelled extension with everything up to the next option or `!`. */
  private readUnmodelledOption(loaded: Loaded<unknown>, written: string, dashes = '--'): void {
    if (this.takeNegation()) loaded.words.push('!');
    loaded.words.push(`${dashes}${written}`);
    for (let next = this.peek(); next !== undefined; next = this.peek()) {
      const option = !next.quoted && (next.text === '!' || /^--?[A-Za-z]/.test(next.text));
      // `--option ! value` of old versions belongs to the option as well.
      if (
        option &&
        !(this.context.innerNegation && next.text === '!' && !this.words[this.index + 1]?.text.startsWith('-'))
      )
        return;
      loaded.words.push(next.quoted ? JSON.stringify(next.text) : next.text);
      this.index++;
    }
  }

  /** What was read of the rule. */
  private parts(): RuleParts {
    if (this.chain === undefined) throw new RuleError('the chain is missing');
    return {
      chain: this.chain,
      sources: this.sources,
      destinations: this.destinations,
      inInterface: this.inInterface,
      outInterface: this.outInterface,
      matchesAllIn: this.matchesAllIn,
      protocol: this.protocol,
      fragment: this.fragment,
      matches: this.matches,
      target: this.target,
      goto: this.goto,
      comment: this.comment,
    };
  }
}

/** Reads the words of one iptables command, or of one line of iptables-save. Never throws. */
export function parseIptablesCommand(words: readonly Word[], context: CommandContext): IptablesCommand {
  return new CommandReader(words, context).read();
}
