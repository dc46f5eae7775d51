import type { Rule, Ruleset, Table, TableName, Target } from '../../model/netfilter.ts';
import type { Family } from '../../net/ip-address.ts';
import type { Span } from '../../text/span.ts';
import type { IptablesCommand } from './iptables-command.ts';
import { NOT_UNDERSTOOD, type RuleBody } from './iptables-rule.ts';

export interface ChainDraft {
  readonly name: string;
  policy?: 'ACCEPT' | 'DROP';
  rules: Rule[];
  origin?: Span;
}

export interface TableDraft {
  readonly name: TableName;
  readonly chains: Map<string, ChainDraft>;
  origin?: Span;
}

/** A rule set while it is being read or changed. */
export interface RulesetDraft {
  readonly family: Family;
  readonly variant: Ruleset['variant'];
  readonly tables: Map<TableName, TableDraft>;
}

/** Built-in chains of each table in hook order. Ref: iptables(8), TABLES. */
export const BUILT_IN_CHAINS: Readonly<Record<TableName, readonly string[]>> = {
  raw: ['PREROUTING', 'OUTPUT'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  security: ['INPUT', 'FORWARD', 'OUTPUT'],
};

/** Whether the text names one of the five tables. */
export function isTableName(text: string): text is TableName {
  return Object.hasOwn(BUILT_IN_CHAINS, text);
}

/** The table of the rule set, made with its built-in chains (policy ACCEPT) where it is not there yet. */
export function tableOf(ruleset: RulesetDraft, name: TableName): TableDraft {
  let table = ruleset.tables.get(name);
  if (table === undefined) {
    table = { name, chains: new Map() };
    for (const chain of BUILT_IN_CHAINS[name]) table.chains.set(chain, { name: chain, policy: 'ACCEPT', rules: [] });
    ruleset.tables.set(name, table);
  }
  return table;
}

/** A draft of a rule set that can be changed without changing the original. */
export function draftOfRuleset(ruleset: Ruleset): RulesetDraft {
  return {
    family: ruleset.family,
    variant: ruleset.variant,
    tables: new Map(
      ruleset.tables.map((table) => [
        table.name,
        {
          ...table,
          chains: new Map(table.chains.map((chain) => [chain.name, { ...chain, rules: [...chain.rules] }])),
        },
      ]),
    ),
  };
}

/** The rule set as data. */
export function rulesetOfDraft(draft: RulesetDraft): Ruleset {
  const tables: Table[] = [...draft.tables.values()].map((table) => ({
    name: table.name,
    chains: [...table.chains.values()].map((chain) => ({ ...chain, rules: [...chain.rules] })),
    ...(table.origin === undefined ? {} : { origin: table.origin }),
  }));
  return { family: draft.family, variant: draft.variant, tables };
}

/** What came of a command: nothing to say, or why the router would refuse it (then nothing was changed). */
export interface Outcome {
  readonly refused?: string;
  /** The refusal, or which rule is meant, depends on rules that are not understood: the state after it is unknown. */
  readonly uncertain?: boolean;
  /** `-C`: whether the rule is there. */
  readonly found?: boolean;
}

const DONE: Outcome = {};

const refuse = (refused: string): Outcome => ({ refused });

/** Two rules with equal keys are one and the same to `-D` and `-C`: conditions and target by meaning, the comment included. */
export function ruleKey(rule: RuleBody): string {
  let key = KEYS.get(rule);
  if (key === undefined) {
    key = JSON.stringify([rule.matches, rule.target, rule.comment ?? null]);
    KEYS.set(rule, key);
  }
  return key;
}

const KEYS = new WeakMap<RuleBody, string>();

const isNotUnderstood = (rule: Rule): boolean =>
  rule.target.kind === 'unmodelled' && rule.target.name === NOT_UNDERSTOOD;

const isOpen = (rule: RuleBody): boolean =>
  rule.target.kind === 'unmodelled' || rule.matches.some((match) => match.kind === 'unmodelled');

/** Whether two rules may be equal although their texts differ: both hold the same thing that is not understood. */
function perhapsEqual(a: RuleBody, b: RuleBody): boolean {
  const names = (rule: RuleBody): string =>
    JSON.stringify([
      rule.matches.flatMap((match) => (match.kind === 'unmodelled' ? [match.name] : [])),
      rule.target.kind === 'unmodelled' ? rule.target.name : rule.target,
    ]);
  return isOpen(a) && isOpen(b) && names(a) === names(b);
}

/**
 * Applies a command to its table as iptables does: `-I n` before rule n, `-D` the first equal rule, and so on. A rule that could not be
 * read is inserted or appended like any other, as a rule of which everything is unknown.
 * Ref: iptables(8); order of several inserted at once: iptables.c insert_entry(), each at the same number.
 */
export function applyIptablesCommand(table: TableDraft, command: IptablesCommand, origin: Span): Outcome {
  const chainName = command.chain;
  switch (command.verb) {
    case 'append':
    case 'insert':
    case 'replace':
    case 'delete':
    case 'check':
      return applyRuleCommand(table, command, origin);
    case 'new-chain': {
      if (chainName === undefined || !isChainName(chainName)) return refuse('that is no name for a chain');
      if (table.chains.has(chainName)) return refuse(`chain ${chainName} already exists`);
      table.chains.set(chainName, { name: chainName, rules: [], origin });
      return DONE;
    }
    case 'delete-chain':
      return deleteChain(table, chainName);
    case 'rename-chain':
      return renameChain(table, chainName, command.argument);
    case 'policy':
      return setPolicy(table, chainName, command.argument, origin);
    case 'flush': {
      if (chainName === undefined) for (const chain of table.chains.values()) chain.rules = [];
      else {
        const chain = table.chains.get(chainName);
        if (chain === undefined) return refuse(`there is no chain ${chainName}`);
        chain.rules = [];
      }
      return DONE;
    }
    case 'zero':
    case 'list':
      return DONE;
    default:
      return refuse('no command is given');
  }
}

const isChainName = (name: string): boolean => name !== '' && name.length < 29 && !/^[-!]|\s/.test(name);

function applyRuleCommand(table: TableDraft, command: IptablesCommand, origin: Span): Outcome {
  const chain = table.chains.get(command.chain ?? '');
  if (chain === undefined) return refuse(`there is no chain ${command.chain ?? ''} in table ${table.name}`);
  const rules = command.rules.map((rule): Rule => ({ ...rule, origin }));
  if (
    command.number !== undefined &&
    command.number > (command.verb === 'insert' ? 1 : 0) &&
    chain.rules.some(isNotUnderstood)
  ) {
    // The router may have refused the rule that stands for it here, or made several of it.
    return {
      refused: 'which rule is meant by the number is not known behind one that is not understood',
      uncertain: true,
    };
  }
  switch (command.verb) {
    case 'append':
      for (const rule of rules) chain.rules.push(rule);
      return DONE;
    case 'insert': {
      const number = command.number ?? 1;
      if (number > chain.rules.length + 1) {
        return refuse(`index of insertion too big: ${chain.name} has ${chain.rules.length} rules`);
      }
      chain.rules.splice(number - 1, 0, ...rules.reverse());
      return DONE;
    }
    case 'replace': {
      const [rule] = rules;
      if (rule === undefined || rules.length > 1) return refuse('one rule cannot be replaced by several');
      const number = command.number ?? 0;
      if (number > chain.rules.length) return refuse(`${chain.name} has no rule ${number}`);
      chain.rules[number - 1] = rule;
      return DONE;
    }
    case 'delete':
      if (command.number !== undefined) {
        if (command.number > chain.rules.length) return refuse(`${chain.name} has no rule ${command.number}`);
        chain.rules.splice(command.number - 1, 1);
        return DONE;
      }
      return deleteEqual(chain, rules);
    default:
      return checkEqual(chain, rules);
  }
}

function deleteEqual(chain: ChainDraft, rules: readonly Rule[]): Outcome {
  for (const rule of rules) {
    const key = ruleKey(rule);
    const index = chain.rules.findIndex((existing) => ruleKey(existing) === key);
    const perhaps = !isOpen(rule) ? -1 : chain.rules.findIndex((existing) => perhapsEqual(existing, rule));
    if (index < 0 || (perhaps >= 0 && perhaps < index)) {
      return perhaps >= 0
        ? { refused: `whether ${chain.name} holds this rule cannot be told`, uncertain: true }
        : refuse(`${chain.name} has no such rule`);
    }
    chain.rules.splice(index, 1);
  }
  return DONE;
}

function checkEqual(chain: ChainDraft, rules: readonly Rule[]): Outcome {
  const keys = new Set(chain.rules.map((rule) => ruleKey(rule)));
  const found = rules.every((rule) => keys.has(ruleKey(rule)));
  if (!found && rules.some((rule) => chain.rules.some((existing) => perhapsEqual(existing, rule)))) {
    return { refused: `whether ${chain.name} holds this rule cannot be told`, uncertain: true };
  }
  return { found };
}

const refersTo = (target: Target, chain: string): boolean =>
  (target.kind === 'jump' || target.kind === 'goto') && target.chain === chain;

function isReferenced(table: TableDraft, name: string): boolean {
  return [...table.chains.values()].some((chain) => chain.rules.some((rule) => refersTo(rule.target, name)));
}

function deleteChain(table: TableDraft, name: string | undefined): Outcome {
  if (name === undefined) {
    const users = [...table.chains.values()].filter((chain) => chain.policy === undefined);
    const blocked = users.find((chain) => chain.rules.length > 0 || isReferenced(table, chain.name));
    if (blocked !== undefined) return refuse(`chain ${blocked.name} is not empty or still referenced`);
    for (const chain of users) table.chains.delete(chain.name);
    return DONE;
  }
  const chain = table.chains.get(name);
  if (chain === undefined) return refuse(`there is no chain ${name}`);
  if (chain.policy !== undefined) return refuse(`${name} is a built-in chain`);
  if (chain.rules.length > 0 || isReferenced(table, name))
    return refuse(`chain ${name} is not empty or still referenced`);
  table.chains.delete(name);
  return DONE;
}

function renameChain(table: TableDraft, from: string | undefined, to: string | undefined): Outcome {
  const chain = table.chains.get(from ?? '');
  if (chain === undefined || chain.policy !== undefined) return refuse(`there is no chain ${from ?? ''} to rename`);
  if (to === undefined || !isChainName(to) || table.chains.has(to))
    return refuse(`a chain cannot be renamed to ${to ?? ''}`);
  const renamed = [...table.chains.values()].map((other) => ({
    ...other,
    name: other === chain ? to : other.name,
    rules: other.rules.map((rule) =>
      refersTo(rule.target, chain.name) ? { ...rule, target: { ...rule.target, chain: to } as Target } : rule,
    ),
  }));
  table.chains.clear();
  for (const other of renamed) table.chains.set(other.name, other);
  return DONE;
}

function setPolicy(table: TableDraft, name: string | undefined, policy: string | undefined, origin: Span): Outcome {
  const chain = table.chains.get(name ?? '');
  if (chain === undefined) return refuse(`there is no chain ${name ?? ''}`);
  if (chain.policy === undefined) return refuse(`${chain.name} is no built-in chain, only those have a policy`);
  if (policy !== 'ACCEPT' && policy !== 'DROP') return refuse(`a policy is ACCEPT or DROP, not ${policy ?? ''}`);
  chain.policy = policy;
  chain.origin = origin;
  return DONE;
}
