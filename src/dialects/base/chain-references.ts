import { configPlace } from '../../diagnostic/diagnostic.ts';
import type { Rule, Target } from '../../model/netfilter.ts';
import type { DeviceDraft } from './device-draft.ts';
import type { ChainDraft, TableDraft } from './netfilter-draft.ts';
import { PASS_THROUGH_TARGETS, TARGET_EXTENSIONS, UNMODELLED_TARGETS } from './iptables-targets.ts';

/** How deep chains may call each other. The kernel's nf_tables takes 16; anything real is far below. */
const DEPTH_LIMIT = 200;

type Jump = Extract<Target, { kind: 'jump' | 'goto' }>;

const isJump = (target: Target): target is Jump => target.kind === 'jump' || target.kind === 'goto';

/** Replaces the target by one of which everything is unknown. */
function unknownTarget(rule: Rule, name: string): Rule {
  return { ...rule, target: { kind: 'unmodelled', name, text: rule.origin.text } };
}

/**
 * Makes every jump safe to follow: one to a chain that nothing defines is reported (RV303) and becomes unknown, and so does one that
 * closes a cycle or goes too deep, which the kernel would have refused to load.
 */
export function checkChains(draft: DeviceDraft): void {
  for (const ruleset of draft.rulesets) {
    for (const table of ruleset.tables.values()) {
      for (const chain of table.chains.values()) {
        if (chain.rules.some((rule) => needsCheck(table, rule)))
          chain.rules = chain.rules.map((rule) => checkRule(draft, table, rule));
      }
      breakCycles(draft, table);
    }
  }
}

const isExtension = (name: string): boolean =>
  TARGET_EXTENSIONS.has(name) || PASS_THROUGH_TARGETS.has(name) || UNMODELLED_TARGETS.has(name);

const EXTENSION_OF_KIND: ReadonlySet<string> = new Set(['pass-through', 'unmodelled']);

function needsCheck(table: TableDraft, rule: Rule): boolean {
  const { target } = rule;
  if (isJump(target)) return !table.chains.has(target.chain) || isBuiltIn(table.chains.get(target.chain));
  return (
    EXTENSION_OF_KIND.has(target.kind) && 'name' in target && isExtension(target.name) && table.chains.has(target.name)
  );
}

const isBuiltIn = (chain: ChainDraft | undefined): boolean => chain?.policy !== undefined;

function checkRule(draft: DeviceDraft, table: TableDraft, rule: Rule): Rule {
  if (!needsCheck(table, rule)) return rule;
  const { target } = rule;
  const where = configPlace(rule.origin);
  if (!isJump(target)) {
    // A chain with the name of an extension: which of the two the rule means, its text does not say.
    const name = 'name' in target ? target.name : '';
    draft.report({
      code: 'RV301',
      message: `${name} is a chain and a target of iptables: which is meant is unknown`,
      where,
    });
    return unknownTarget(rule, `${name} (chain or target)`);
  }
  const message = isBuiltIn(table.chains.get(target.chain))
    ? `the built-in chain ${target.chain} cannot be a target`
    : `nothing defines chain ${target.chain} in table ${table.name}`;
  draft.report({ code: 'RV303', message, where });
  return unknownTarget(rule, target.chain);
}

/** Depth-first search with its own stack, so that no text can exhaust ours. */
function breakCycles(draft: DeviceDraft, table: TableDraft): void {
  const done = new Set<ChainDraft>();
  for (const root of table.chains.values()) {
    if (done.has(root)) continue;
    const stack: { chain: ChainDraft; next: number }[] = [{ chain: root, next: 0 }];
    const onStack = new Set([root]);
    while (stack.length > 0) {
      const top = stack.at(-1)!;
      const rule = top.chain.rules[top.next];
      if (rule === undefined) {
        stack.pop();
        onStack.delete(top.chain);
        done.add(top.chain);
        continue;
      }
      const called = isJump(rule.target) ? table.chains.get(rule.target.chain) : undefined;
      if (called === undefined) top.next++;
      else if (onStack.has(called) || stack.length >= DEPTH_LIMIT) {
        const message = onStack.has(called)
          ? `chain ${called.name} leads back to itself`
          : `chains call each other too deep`;
        draft.unparsed(`${message}: no kernel takes this`, rule.origin);
        top.chain.rules[top.next] = unknownTarget(rule, called.name);
        top.next++;
      } else {
        top.next++;
        if (done.has(called)) continue;
        onStack.add(called);
        stack.push({ chain: called, next: 0 });
      }
    }
  }
}
