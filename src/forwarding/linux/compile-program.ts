import type { LinuxDevice } from '../../model/linux-device.ts';
import type { Chain, ConntrackTarget, Hook, Rule, Ruleset, Table, TableName, Target } from '../../model/netfilter.ts';
import type { Family } from '../../net/ip-address.ts';
import type { Links } from './links.ts';
import { MatchCompiler } from './match-compiler.ts';
import { HOOKS, type Program, type RulePlace, TABLES, type Translation } from './program.ts';
import { RulesVariant, TargetKind, ZoneFlag } from './program-kinds.ts';
import type { Registry } from './reasons.ts';
import { type CompiledSet, compileSets } from './sets.ts';

/** Targets that are not modelled and make the kernel track connections. */
const TRACKING_TARGETS = new Set([
  'CONNMARK',
  'CONNSECMARK',
  'CT --timeout',
  'DNAT',
  'SNAT',
  'MASQUERADE',
  'NETMAP',
  'REDIRECT',
]);

/** Compiles a device's rule sets of a family. Chains that jump in a circle, which no kernel loads, count as unmodelled. */
export function compileProgram(device: LinuxDevice, links: Links, registry: Registry, family: Family = 4): Program {
  const sets = family === 4 ? compileSets(device, links) : new Map<string, CompiledSet>();
  const builder = new ProgramBuilder(links, registry, sets, family);
  for (const ruleset of device.rulesets) if (ruleset.family === family) builder.addRuleset(ruleset);
  return builder.finish();
}

const isSocketMark = (text: string): boolean => text.startsWith('-m socket ') && text.includes('--restore-skmark');

class ProgramBuilder {
  readonly #family: Family;
  readonly #registry: Registry;
  readonly #chains: { table: TableName; chain: Chain; start: number; end: number; variant: number }[] = [];
  readonly #chainOrigin: number[] = [];
  readonly #bases: Record<Hook, Record<TableName, number[]>>;
  readonly #matches: MatchCompiler;
  readonly #matchStart: number[] = [];
  readonly #target: number[] = [];
  readonly #operandA: number[] = [];
  readonly #operandB: number[] = [];
  readonly #ruleOrigin: number[] = [];
  readonly #ruleReason: number[] = [];
  readonly #places: RulePlace[] = [];
  readonly #translations: Translation[] = [];
  #defragments = false;
  #tracks = false;
  #zones = false;
  #translates = false;

  constructor(links: Links, registry: Registry, sets: ReadonlyMap<string, CompiledSet>, family: Family) {
    this.#matches = new MatchCompiler(links, registry, sets, family);
    this.#family = family;
    this.#registry = registry;
    const perTable = (): Record<TableName, number[]> => ({ raw: [], mangle: [], nat: [], filter: [], security: [] });
    this.#bases = {
      PREROUTING: perTable(),
      INPUT: perTable(),
      FORWARD: perTable(),
      OUTPUT: perTable(),
      POSTROUTING: perTable(),
    };
  }

  addRuleset(ruleset: Ruleset): void {
    const variant = RulesVariant[ruleset.variant];
    for (const table of ruleset.tables) this.#addTable(table, variant);
  }

  #addTable(table: Table, variant: number): void {
    const first = this.#chains.length;
    const numbers = new Map<string, number>();
    table.chains.forEach((chain, position) => {
      if (!numbers.has(chain.name)) numbers.set(chain.name, first + position);
    });
    for (const chain of table.chains) {
      const start = this.#target.length;
      chain.rules.forEach((rule, position) => {
        this.#addRule(table, chain, rule, position + 1, numbers);
      });
      this.#chainOrigin.push(this.#registry.origin(chain.origin));
      const number = this.#chains.push({ table: table.name, chain, start, end: this.#target.length, variant }) - 1;
      const hook = HOOKS.find((name) => name === chain.name);
      const acts = chain.rules.length > 0 || chain.policy === 'DROP';
      if (hook !== undefined && acts) this.#bases[hook][table.name].push(number);
    }
  }

  #addRule(table: Table, chain: Chain, rule: Rule, number: number, chains: ReadonlyMap<string, number>): void {
    this.#matchStart.push(this.#matches.length);
    // A socket's mark is taken over as soon as its match holds, whatever the matches behind it say and the target does.
    const restores = rule.matches.findIndex((match) => match.kind === 'unmodelled' && isSocketMark(match.text));
    const tested = restores < 0 ? rule.matches : rule.matches.slice(0, restores + 1);
    for (const match of tested) this.#matches.add(match, rule);
    this.#ruleOrigin.push(this.#registry.origin(rule.origin));
    this.#places.push({ table: table.name, chain: chain.name, number, rule });
    const [kind, a, b, reason] =
      restores < 0
        ? this.#compileTarget(rule, chains)
        : this.#unmodelled('match socket --restore-skmark is not modelled', rule);
    this.#target.push(kind);
    this.#operandA.push(a | 0);
    this.#operandB.push(b | 0);
    this.#ruleReason.push(reason);
  }

  #compileTarget(rule: Rule, chains: ReadonlyMap<string, number>): [number, number, number, number] {
    const target: Target = rule.target;
    switch (target.kind) {
      case 'none':
      case 'set-change':
        return [TargetKind.passThrough, 0, 0, -1];
      case 'pass-through':
        if (TRACKING_TARGETS.has(target.name)) this.#tracks = true;
        return [TargetKind.passThrough, 0, 0, -1];
      case 'accept':
        return [TargetKind.accept, 0, 0, -1];
      case 'drop':
        return [TargetKind.drop, 0, 0, -1];
      case 'return':
        return [TargetKind.return, 0, 0, -1];
      case 'reject':
        return [TargetKind.reject, target.with === 'tcp-reset' ? 1 : 0, 0, -1];
      case 'jump':
      case 'goto': {
        const chain = chains.get(target.chain);
        if (chain === undefined) {
          return this.#unmodelled(`chain ${target.chain} is not defined`, rule);
        }
        return [target.kind === 'jump' ? TargetKind.jump : TargetKind.goto, chain, 0, -1];
      }
      case 'mark':
        return [TargetKind.mark, target.value, target.mask, -1];
      case 'connmark-set':
        this.#tracks = true;
        return [TargetKind.connmarkSet, target.value, target.mask, -1];
      case 'connmark-save':
        this.#tracks = true;
        return [TargetKind.connmarkSave, target.nfmask, target.ctmask, -1];
      case 'connmark-restore':
        this.#tracks = true;
        return [TargetKind.connmarkRestore, target.nfmask, target.ctmask, -1];
      case 'snat':
      case 'dnat':
      case 'redirect':
      case 'masquerade':
      case 'netmap':
        if (this.#family === 6) return this.#compileTranslation6(target.kind, rule);
        // The kind first: it appends the translation that is counted behind it.
        return [this.#translationKind(target), this.#translations.length - 1, 0, -1];
      case 'notrack':
        return [TargetKind.notrack, 0, 0, -1];
      case 'ct':
        return this.#compileConntrack(target);
      case 'ttl':
        return [TargetKind.ttl, ['set', 'increase', 'decrease'].indexOf(target.how), target.value, -1];
      case 'tos':
        return [TargetKind.tos, target.value, target.mask, -1];
      case 'ecn-tcp-remove':
        return [TargetKind.ecn, 0, 0, -1];
      case 'tproxy':
        this.#defragments = true;
        return [
          TargetKind.tproxy,
          target.value,
          target.mask,
          this.#registry.unknown('whether a local program waits for what TPROXY takes is not known', rule.origin),
        ];
      case 'unmodelled':
        return this.#compileUnmodelled(target.name, rule);
    }
  }

  /** What it makes of the packet is not known, nor what comes back. */
  #compileTranslation6(kind: string, rule: Rule): [number, number, number, number] {
    this.#tracks = true;
    this.#translates = true;
    return this.#unmodelled(`target ${kind.toUpperCase()} of ip6tables is not modelled`, rule);
  }

  #compileConntrack(target: ConntrackTarget): [number, number, number, number] {
    this.#tracks = true;
    const { helper, zone, zoneDirection } = target;
    if (zone !== 0) this.#zones = true;
    const directions =
      (zoneDirection === 'reply' ? 0 : ZoneFlag.original) | (zoneDirection === 'original' ? 0 : ZoneFlag.reply);
    const flags = directions | (helper === undefined ? 0 : ZoneFlag.helper);
    return [TargetKind.conntrack, flags | (zone === 'mark' ? ZoneFlag.fromMark : zone), 0, -1];
  }

  #translationKind(target: Extract<Target, { kind: 'snat' | 'dnat' | 'redirect' | 'masquerade' | 'netmap' }>): number {
    this.#tracks = true;
    this.#translates = true;
    if (target.kind === 'netmap') {
      this.#translations.push({
        address: target.address | 0,
        mask: target.mask | 0,
        severalAddresses: false,
        random: false,
      });
      return TargetKind.netmap;
    }
    const range = target.kind === 'masquerade' || target.kind === 'redirect' ? undefined : target.addresses;
    this.#translations.push({
      ...(range === undefined ? {} : { address: range.first.words[0] | 0 }),
      mask: -1,
      severalAddresses: range !== undefined && range.first.words[0] !== range.last.words[0],
      ...(target.ports === undefined ? {} : { ports: target.ports }),
      random: target.flags.some((flag) => flag.includes('random')),
    });
    if (target.kind === 'snat') return TargetKind.snat;
    if (target.kind === 'redirect') return TargetKind.redirect;
    return target.kind === 'dnat' ? TargetKind.dnat : TargetKind.masquerade;
  }

  #compileUnmodelled(name: string, rule: Rule): [number, number, number, number] {
    if (TRACKING_TARGETS.has(name)) this.#tracks = true;
    return this.#unmodelled(`target ${name} is not modelled`, rule);
  }

  #unmodelled(reason: string, rule: Rule): [number, number, number, number] {
    return [TargetKind.unmodelled, 0, 0, this.#registry.unknown(reason, rule.origin)];
  }

  finish(): Program {
    this.#matchStart.push(this.#matches.length);
    this.#breakCircles();
    const inert = this.#findInert();
    const tracks = this.#tracks || this.#matches.tracks;
    const chainPolicy = Uint8Array.from(this.#chains, ({ chain }) => {
      if (chain.policy === undefined) return HOOKS.some((hook) => hook === chain.name) ? 1 : 0;
      return chain.policy === 'DROP' ? 2 : 1;
    });
    for (const hook of HOOKS) {
      for (const table of TABLES) {
        this.#bases[hook][table] = this.#bases[hook][table].filter(
          (chain) => inert[chain] === 0 || chainPolicy[chain] === 2,
        );
      }
    }
    return {
      chainStart: Int32Array.from(this.#chains, (chain) => chain.start),
      chainEnd: Int32Array.from(this.#chains, (chain) => chain.end),
      chainPolicy,
      chainOrigin: Int32Array.from(this.#chainOrigin),
      chainNames: this.#chains.map(({ chain }) => chain.name),
      chainTables: this.#chains.map(({ table }) => table),
      chainInert: inert,
      chainVariant: Uint8Array.from(this.#chains, ({ variant }) => variant),
      matchStart: Int32Array.from(this.#matchStart),
      target: Uint8Array.from(this.#target),
      operandA: Int32Array.from(this.#operandA),
      operandB: Int32Array.from(this.#operandB),
      ruleOrigin: Int32Array.from(this.#ruleOrigin),
      ruleReason: Int32Array.from(this.#ruleReason),
      places: this.#places,
      translations: this.#translations,
      ...this.#matches.columns(),
      bases: HOOKS.flatMap((hook) => TABLES.map((table) => this.#bases[hook][table])),
      tracks,
      zones: this.#zones,
      marksTemplates: this.#marksTemplates(),
      defragments: tracks || this.#defragments || this.#matches.defragments,
      translates: this.#translates,
      ownErrorsMark: this.#marksOwnErrors(),
    };
  }

  /** A jump that closes a circle would never end; the kernel refuses such rules, so what they do is unknown. */
  #breakCircles(): void {
    const state = new Uint8Array(this.#chains.length);
    const visit = (root: number): void => {
      const stack = [{ chain: root, rule: this.#chains[root]!.start }];
      state[root] = 1;
      while (stack.length > 0) {
        const top = stack[stack.length - 1]!;
        if (top.rule >= this.#chains[top.chain]!.end) {
          state[top.chain] = 2;
          stack.pop();
          continue;
        }
        const rule = top.rule++;
        if (this.#target[rule] !== TargetKind.jump && this.#target[rule] !== TargetKind.goto) continue;
        const next = this.#operandA[rule]!;
        if (state[next] === 1) {
          const { rule: statement } = this.#places[rule]!;
          this.#target[rule] = TargetKind.unmodelled;
          this.#ruleReason[rule] = this.#registry.unknown('this jump closes a circle of chains', statement.origin);
        } else if (state[next] === 0) {
          state[next] = 1;
          stack.push({ chain: next, rule: this.#chains[next]!.start });
        }
      }
    };
    for (let chain = 0; chain < this.#chains.length; chain++) if (state[chain] === 0) visit(chain);
  }

  /** A chain of LOG and RETURN rules leaves packets alone, whatever its matches say: unknown matches in it do not matter. */
  #findInert(): Uint8Array {
    const inert = new Uint8Array(this.#chains.length).fill(1);
    let changed = true;
    while (changed) {
      changed = false;
      this.#chains.forEach((chain, number) => {
        if (inert[number] === 0) return;
        for (let rule = chain.start; rule < chain.end; rule++) {
          const kind = this.#target[rule]!;
          const harmless =
            !(chain.variant !== RulesVariant.nft && this.#testsTcpHeader(rule)) &&
            (kind === TargetKind.passThrough ||
              kind === TargetKind.return ||
              (kind === TargetKind.jump && inert[this.#operandA[rule]!] === 1));
          if (harmless) continue;
          inert[number] = 0;
          changed = true;
          return;
        }
      });
    }
    return inert;
  }

  /** Then the rule drops fragments that would write over the header, whatever its target (linux-forwarding 8.5). */
  #testsTcpHeader(rule: number): boolean {
    for (let match = this.#matchStart[rule]!; match < this.#matchStart[rule + 1]!; match++) {
      if (this.#matches.testsTcpHeader(match)) return true;
    }
    return false;
  }

  #marksTemplates(): boolean {
    return this.#chains.some(({ table, start, end }) => {
      const kinds = table === 'raw' ? this.#target.slice(start, end) : [];
      return kinds.some((kind) => kind === TargetKind.connmarkSet || kind === TargetKind.connmarkSave);
    });
  }

  #marksOwnErrors(): boolean {
    const hooks: readonly Hook[] = ['OUTPUT', 'POSTROUTING'];
    const todo = hooks.flatMap((hook) => TABLES.flatMap((table) => this.#bases[hook][table]));
    const seen = new Set(todo);
    for (const number of todo) {
      const chain = this.#chains[number]!;
      for (let rule = chain.start; rule < chain.end; rule++) {
        const kind = this.#target[rule]!;
        if (kind === TargetKind.connmarkSet || kind === TargetKind.connmarkSave || kind === TargetKind.unmodelled)
          return true;
        if ((kind === TargetKind.jump || kind === TargetKind.goto) && !seen.has(this.#operandA[rule]!)) {
          seen.add(this.#operandA[rule]!);
          todo.push(this.#operandA[rule]!);
        }
      }
    }
    return false;
  }
}
