import { IpProtocol } from '../../net/ip-protocol.ts';
import { formatMark } from '../../net/masked-mark.ts';
import { Status } from '../../wire/packet-batch.ts';
import { DecisionFlag } from '../decision.ts';
import { Answer } from './answer.ts';
import { hasTemplate, type HookPlace, matches } from './match.ts';
import { dropsRedirected, translateFirst } from './nat.ts';
import { baseIndex, HOOKS, MatchKind, type Program, RulesVariant, TargetKind } from './program.ts';
import { EntryUse, type Run } from './run.ts';

/** What a hook makes of a packet. */
export const Verdict = { accept: 0, drop: 1, unknown: 2 } as const;

/** A base chain's verdict only: it has translated the packet. */
const TRANSLATED = 3;

/** Beyond so many choices, unknown MARK rules make bits unknown instead of splitting worlds. */
const SPLIT_LIMIT = 5;
/** iptables allows fewer nested jumps than this. */
const STACK_LIMIT = 1024;

const stack = new Int32Array(STACK_LIMIT * 2);

/**
 * Runs a table's base chains of a hook. On a drop, `cause` and the rejected flag of the run are set; on unknown, its `unknown`.
 * Where legacy and nft rules both have the chain, their order is not known (linux-forwarding 8.14): both are tried. What the one has
 * translated, the other does not see. Ref: nf_nat_core.c: nf_nat_inet_fn()
 */
export function traverse(run: Run, hook: number, table: number, place: HookPlace): number {
  const chains = run.router.program.bases[baseIndex(hook, table)]!;
  if (chains.length === 0) return Verdict.accept;
  if (chains.length === 1) return whole(runBaseChain(run, hook, chains[0]!, place));
  const backwards = run.choose(2, run.router.reasons.ruleOrder) === 1;
  for (let index = 0; index < chains.length; index++) {
    const chain = chains[backwards ? chains.length - 1 - index : index]!;
    const verdict = runBaseChain(run, hook, chain, place);
    if (verdict !== Verdict.accept) return whole(verdict);
  }
  return Verdict.accept;
}

/** A hook's verdict by that of a base chain behind which nothing runs. */
function whole(verdict: number): number {
  return verdict === TRANSLATED ? Verdict.accept : verdict;
}

function runBaseChain(run: Run, hook: number, base: number, place: HookPlace): number {
  const { program } = run.router;
  run.rulesVariant = program.chainVariant[base]!;
  let chain = base;
  let rule = program.chainStart[base]!;
  let end = program.chainEnd[base]!;
  let depth = 0;
  for (;;) {
    if (rule === end) {
      if (depth === 0) return applyPolicy(run, hook, base);
      depth--;
      rule = stack[depth * 2]!;
      chain = stack[depth * 2 + 1]!;
      end = program.chainEnd[chain]!;
      continue;
    }
    const target = program.target[rule]!;
    const answer = applies(run, hook, program, rule, place);
    if (answer === Answer.drop) {
      run.cause = program.ruleOrigin[rule]!;
      if (run.rulesVariant === RulesVariant.legacy) return Verdict.drop;
      run.unknown = run.router.reasons.rulesVariant;
      return Verdict.unknown;
    }
    if (answer === Answer.no) {
      rule++;
      continue;
    }
    switch (target) {
      case TargetKind.accept:
        return Verdict.accept;
      case TargetKind.drop:
        run.cause = program.ruleOrigin[rule]!;
        return Verdict.drop;
      case TargetKind.reject:
        run.cause = program.ruleOrigin[rule]!;
        run.flags |= DecisionFlag.rejected;
        run.rejectedByReset = program.operandA[rule] === 1;
        return Verdict.drop;
      case TargetKind.return:
        rule = end;
        continue;
      case TargetKind.jump:
        if (depth === STACK_LIMIT) throw new Error('chains are nested deeper than any kernel allows');
        stack[depth * 2] = rule + 1;
        stack[depth * 2 + 1] = chain;
        depth++;
        chain = program.operandA[rule]!;
        rule = program.chainStart[chain]!;
        end = program.chainEnd[chain]!;
        continue;
      case TargetKind.goto:
        chain = program.operandA[rule]!;
        rule = program.chainStart[chain]!;
        end = program.chainEnd[chain]!;
        continue;
      case TargetKind.snat:
      case TargetKind.dnat:
      case TargetKind.masquerade:
      case TargetKind.redirect:
      case TargetKind.netmap:
        if (dropsRedirected(run, rule)) {
          run.cause = program.ruleOrigin[rule]!;
          return Verdict.drop;
        }
        return translateFirst(run, hook, rule) ? TRANSLATED : Verdict.unknown;
      case TargetKind.unmodelled:
        run.unknown = program.ruleReason[rule]!;
        return Verdict.unknown;
      case TargetKind.tproxy:
        // Ref: xt_TPROXY.c: tproxy_tg4(): without a socket that may take it, it is dropped.
        if (run.choose(2, program.ruleReason[rule]!) === 0) {
          run.cause = program.ruleOrigin[rule]!;
          return Verdict.drop;
        }
        changePacket(run, program, rule);
        run.hasSocket = true;
        return Verdict.accept;
      default:
        changePacket(run, program, rule);
    }
    rule++;
  }
}

function applyPolicy(run: Run, hook: number, base: number): number {
  const { program } = run.router;
  const drops = program.chainPolicy[base] === 2;
  if (run.steps !== null) {
    const origin = run.router.registry.origins[program.chainOrigin[base]!];
    run.steps.push({
      kind: 'chain-policy',
      hook: HOOKS[hook]!,
      table: program.chainTables[base]!,
      chain: program.chainNames[base]!,
      policy: drops ? 'DROP' : 'ACCEPT',
      ...(origin === undefined ? {} : { origin }),
    });
  }
  if (!drops) return Verdict.accept;
  run.cause = program.chainOrigin[base]!;
  return Verdict.drop;
}

/** Whether a rule's target is to be applied, never unknown: that splits worlds, but only where it makes a difference. */
function applies(run: Run, hook: number, program: Program, rule: number, place: HookPlace): number {
  const end = program.matchStart[rule + 1]!;
  let unknown = -1;
  for (let match = program.matchStart[rule]!; match < end; match++) {
    const answer = matches(run, program, match, place);
    if (answer === Answer.yes) continue;
    if (answer === Answer.no) {
      if (run.steps !== null) recordMiss(run, hook, program, rule, match, place);
      return Answer.no;
    }
    if (answer === Answer.drop) {
      if (unknown !== -1 && run.choose(2, reasonOf(run, program, unknown)) === 0) return Answer.no;
      return Answer.drop;
    }
    if (unknown === -1) unknown = match;
  }
  if (unknown === -1) {
    if (run.steps !== null) recordMatch(run, hook, program, rule, 'matched');
    return Answer.yes;
  }
  if (run.steps !== null) recordMatch(run, hook, program, rule, 'unknown');
  if (!isEffective(run, program, rule)) return Answer.no;
  if (run.worlds.depth >= SPLIT_LIMIT && isMarkTarget(program.target[rule]!)) {
    blurMarks(run, program, rule);
    return Answer.no;
  }
  const taken = run.choose(2, reasonOf(run, program, unknown)) === 1;
  refineMarks(run, program, rule, taken, place);
  return taken ? Answer.yes : Answer.no;
}

function reasonOf(run: Run, program: Program, match: number): number {
  const reason = program.matchReason[match]!;
  if (reason !== -1) return reason;
  const isShort = !run.laterFragment && (run.status & Status.malformed) !== 0;
  return isShort ? run.router.reasons.shortHeader : run.router.reasons.cut;
}

function isMarkTarget(target: number): boolean {
  return target >= TargetKind.mark && target <= TargetKind.connmarkRestore;
}

function isHeaderTarget(target: number): boolean {
  return target === TargetKind.ttl || target === TargetKind.tos || target === TargetKind.ecn;
}

/** Whether applying the target changes anything: what an ineffective rule's matches say does not matter. */
function isEffective(run: Run, program: Program, rule: number): boolean {
  const target = program.target[rule]!;
  if (target === TargetKind.passThrough) return false;
  if (target === TargetKind.jump) return program.chainInert[program.operandA[rule]!] === 0;
  if (!isMarkTarget(target) && !isHeaderTarget(target)) return true;
  const { mark, markUnknown, connmark, connmarkUnknown, currentTtl, tos, tcpFlags } = run;
  changePacket(run, program, rule);
  const same =
    run.mark === mark &&
    run.markUnknown === markUnknown &&
    run.connmark === connmark &&
    run.connmarkUnknown === connmarkUnknown &&
    run.currentTtl === currentTtl &&
    run.tos === tos &&
    run.tcpFlags === tcpFlags;
  run.currentTtl = currentTtl;
  run.tos = tos;
  run.tcpFlags = tcpFlags;
  run.mark = mark;
  run.markUnknown = markUnknown;
  run.connmark = connmark;
  run.connmarkUnknown = connmarkUnknown;
  return !same;
}

/**
 * What targets change of the packet and its connection mark. MARK and CONNMARK (linux-forwarding 2.1) are exclusive or, so bits outside
 * the mask toggle. Ref: xt_mark.c, xt_connmark.c, xt_HL.c, xt_DSCP.c, ipt_ECN.c.
 */
function changePacket(run: Run, program: Program, rule: number): void {
  const a = program.operandA[rule]!;
  const b = program.operandB[rule]!;
  switch (program.target[rule]) {
    case TargetKind.mark:
    case TargetKind.tproxy:
      run.markUnknown &= ~b;
      run.mark = ((run.mark & ~b) ^ a) & ~run.markUnknown;
      return;
    case TargetKind.connmarkSet:
      if (run.use === EntryUse.none) return;
      run.connmarkUnknown &= ~b;
      run.connmark = ((run.connmark & ~b) ^ a) & ~run.connmarkUnknown;
      return;
    case TargetKind.connmarkSave:
      if (run.use === EntryUse.none) return;
      run.connmarkUnknown = (run.connmarkUnknown & ~b) | (run.markUnknown & a);
      run.connmark = ((run.connmark & ~b) ^ (run.mark & a)) & ~run.connmarkUnknown;
      return;
    case TargetKind.connmarkRestore:
      if (run.use === EntryUse.none) {
        if (hasTemplate(run)) restoreFromTemplate(run, a, b);
        return;
      }
      run.markUnknown = (run.markUnknown & ~a) | (run.connmarkUnknown & b);
      run.mark = ((run.mark & ~a) ^ (run.connmark & b)) & ~run.markUnknown;
      return;
    case TargetKind.notrack:
      if (!run.tracked && !run.templated) run.untracked = true;
      return;
    case TargetKind.conntrack:
      // The first that a packet meets counts, and NOTRACK is one. Ref: xt_CT.c: xt_ct_target().
      if (run.tracked || run.untracked || run.templated) return;
      run.templated = true;
      run.template = a;
      return;
    case TargetKind.ttl:
      run.currentTtl = a === 0 ? b : a === 1 ? Math.min(255, run.currentTtl + b) : Math.max(0, run.currentTtl - b);
      return;
    case TargetKind.tos:
      run.tos = ((run.tos & ~b) ^ a) & 0xff;
      return;
    case TargetKind.ecn:
      if (run.protocol === IpProtocol.tcp) run.tcpFlags &= ~0xc0;
      return;
    default:
      return;
  }
}

/** The template's mark is that of all packets that meet the rule: 0 unless a rule of raw writes to it. Ref: xt_connmark.c */
function restoreFromTemplate(run: Run, nfmask: number, ctmask: number): void {
  const unknown = run.router.program.marksTemplates ? ctmask : 0;
  run.markUnknown = (run.markUnknown & ~nfmask) | unknown;
  run.mark = run.mark & ~nfmask & ~run.markUnknown;
}

/** The rule may have been applied: bits on which both ways do not agree become unknown. */
function blurMarks(run: Run, program: Program, rule: number): void {
  const { mark, markUnknown, connmark, connmarkUnknown } = run;
  changePacket(run, program, rule);
  run.markUnknown |= markUnknown | (run.mark ^ mark);
  run.mark &= ~run.markUnknown;
  run.connmarkUnknown |= connmarkUnknown | (run.connmark ^ connmark);
  run.connmark &= ~run.connmarkUnknown;
}

/** In the world in which the rule matched, the marks that it tests have the values that it tests for. */
function refineMarks(run: Run, program: Program, rule: number, taken: boolean, place: HookPlace): void {
  const start = program.matchStart[rule]!;
  const end = program.matchStart[rule + 1]!;
  let unknownCount = 0;
  for (let match = start; match < end; match++) {
    if (matches(run, program, match, place) === Answer.unknown) unknownCount++;
  }
  // Where it did not match and more than one thing was unknown, nothing follows for any of them.
  if (!taken && unknownCount !== 1) return;
  for (let match = start; match < end; match++) {
    const kind = program.matchKind[match];
    if (kind !== MatchKind.mark && kind !== MatchKind.connmark) continue;
    if (matches(run, program, match, place) !== Answer.unknown) continue;
    const holds = taken === (program.matchNegated[match] === 0);
    const wanted = program.matchA[match]!;
    const mask = program.matchB[match]!;
    if (kind === MatchKind.mark) refinePacketMark(run, wanted, mask, holds);
    else refineConnmark(run, wanted, mask, holds);
  }
}

/** Follows from the packet mark's test having held, or not, that some of its unknown bits are known. */
export function refinePacketMark(run: Run, wanted: number, mask: number, holds: boolean): void {
  const tested = run.markUnknown & mask;
  if (!holds && (tested & (tested - 1)) !== 0) return;
  run.mark |= (holds ? wanted : ~wanted) & tested;
  run.markUnknown &= ~tested;
}

function refineConnmark(run: Run, wanted: number, mask: number, holds: boolean): void {
  const tested = run.connmarkUnknown & mask;
  if (!holds && (tested & (tested - 1)) !== 0) return;
  run.connmark |= (holds ? wanted : ~wanted) & tested;
  run.connmarkUnknown &= ~tested;
}

function recordMatch(run: Run, hook: number, program: Program, rule: number, outcome: 'matched' | 'unknown'): void {
  const place = program.places[rule]!;
  const { mark, markUnknown, connmark, connmarkUnknown, currentTtl, tos } = run;
  const describe = effectOf(run, program, rule);
  run.steps!.push({
    kind: 'rule',
    hook: HOOKS[hook]!,
    table: place.table,
    chain: place.chain,
    number: place.number,
    outcome,
    effect: describe,
    fwmark: mark >>> 0,
    ...(run.use === EntryUse.none ? {} : { connmark: connmark >>> 0 }),
    origin: place.rule.origin,
  });
  run.currentTtl = currentTtl;
  run.tos = tos;
  run.mark = mark;
  run.markUnknown = markUnknown;
  run.connmark = connmark;
  run.connmarkUnknown = connmarkUnknown;
}

/** What the target does; leaves the marks changed, so that the caller puts them back. */
function effectOf(run: Run, program: Program, rule: number): string {
  const { target } = program.places[rule]!.rule;
  switch (target.kind) {
    case 'none':
      return 'counts only';
    case 'jump':
    case 'goto':
      return `${target.kind} ${target.chain}`;
    case 'mark':
    case 'connmark-restore': {
      if (target.kind === 'connmark-restore' && run.use === EntryUse.none)
        return 'CONNMARK restore: no connection entry';
      const before = printMark(run.mark, run.markUnknown);
      changePacket(run, program, rule);
      return `MARK ${before} > ${printMark(run.mark, run.markUnknown)}`;
    }
    case 'connmark-set':
    case 'connmark-save': {
      if (run.use === EntryUse.none) return 'CONNMARK: no connection entry';
      const before = printMark(run.connmark, run.connmarkUnknown);
      changePacket(run, program, rule);
      return `CONNMARK ${before} > ${printMark(run.connmark, run.connmarkUnknown)}`;
    }
    case 'pass-through':
    case 'unmodelled':
      return target.name;
    case 'ct':
      return target.zone === 0 ? 'CT' : `CT zone ${target.zone}`;
    case 'ttl': {
      const before = run.currentTtl;
      changePacket(run, program, rule);
      return `TTL ${before} > ${run.currentTtl}`;
    }
    case 'tos': {
      const before = run.tos;
      changePacket(run, program, rule);
      return `TOS ${formatMark(before)} > ${formatMark(run.tos)}`;
    }
    case 'ecn-tcp-remove':
      return 'ECN';
    case 'set-change':
      return 'SET';
    default:
      return target.kind.toUpperCase();
  }
}

/** `0x1`; bits that are not known as `0x1 (0xff unknown)`. */
export function printMark(mark: number, unknown: number): string {
  return unknown === 0 ? formatMark(mark) : `${formatMark(mark)} (${formatMark(unknown)} unknown)`;
}

const NAMED_ON_MISS: ReadonlyMap<number, string> = new Map([
  [MatchKind.inInterface, 'in-interface'],
  [MatchKind.outInterface, 'out-interface'],
  [MatchKind.mark, 'mark'],
  [MatchKind.connmark, 'connmark'],
  [MatchKind.ctstate, 'ctstate'],
]);

/** Rules that fail only on marks, states or interfaces: those are what a finding wants to name. */
function recordMiss(run: Run, hook: number, program: Program, rule: number, failed: number, place: HookPlace): void {
  const names: string[] = [];
  for (let match = failed; match < program.matchStart[rule + 1]!; match++) {
    if (matches(run, program, match, place) !== Answer.no) continue;
    const name = NAMED_ON_MISS.get(program.matchKind[match]!);
    if (name === undefined) return;
    const none = program.matchKind[match] === MatchKind.connmark && run.use === EntryUse.none;
    names.push(none ? `${name} (no connection entry)` : name);
  }
  const at = program.places[rule]!;
  run.steps!.push({
    kind: 'rule',
    hook: HOOKS[hook]!,
    table: at.table,
    chain: at.chain,
    number: at.number,
    outcome: 'missed',
    effect: names.join(', '),
    fwmark: run.mark >>> 0,
    ...(run.use === EntryUse.none ? {} : { connmark: run.connmark >>> 0 }),
    origin: at.rule.origin,
  });
}
