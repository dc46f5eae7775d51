import { CtState } from '../../model/netfilter.ts';
import { IpProtocol } from '../../net/ip-protocol.ts';
import { HookNumber, MatchKind, type Program, TableNumber, TargetKind, baseIndex } from './program.ts';
import type { Run } from './run.ts';

/** Ways in which so many rules can hold or not are tried. */
const RULE_LIMIT = 6;

/** Rules of OUTPUT and POSTROUTING that the router's own packets may meet and that write to the connection mark, in order. */
export interface AnswerMarks {
  readonly kinds: readonly number[];
  readonly operandA: readonly number[];
  readonly operandB: readonly number[];
  /** The rules or their order are too much to follow: any bit may change. */
  readonly unclear: boolean;
}

type Compiled = Pick<
  Program,
  | 'bases'
  | 'chainStart'
  | 'chainEnd'
  | 'target'
  | 'operandA'
  | 'operandB'
  | 'matchStart'
  | 'matchKind'
  | 'matchA'
  | 'matchNegated'
>;

/** What ICMP errors of the router may do to the mark of the connection that they are about. `reflectsMark`: they have the packet's own mark. */
export function compileErrorMarks(program: Compiled, reflectsMark: boolean): AnswerMarks {
  const kinds: number[] = [];
  const operandA: number[] = [];
  const operandB: number[] = [];
  let unclear = false;
  let marks = reflectsMark;
  const walk = (chain: number, depth: number): void => {
    for (let rule = program.chainStart[chain]!; rule < program.chainEnd[chain]!; rule++) {
      const kind = program.target[rule]!;
      if (!mayHoldForError(program, rule)) continue;
      if (kind === TargetKind.unmodelled || kinds.length > RULE_LIMIT || depth > RULE_LIMIT) unclear = true;
      if (unclear) return;
      if (kind === TargetKind.mark || kind === TargetKind.connmarkRestore) marks = true;
      if (kind === TargetKind.jump || kind === TargetKind.goto) walk(program.operandA[rule]!, depth + 1);
      if (kind !== TargetKind.connmarkSet && kind !== TargetKind.connmarkSave) continue;
      kinds.push(kind);
      operandA.push(program.operandA[rule]!);
      operandB.push(program.operandB[rule]!);
    }
  };
  for (const hook of [HookNumber.output, HookNumber.postrouting]) {
    for (const table of Object.values(TableNumber)) {
      for (const chain of program.bases[baseIndex(hook, table)]!) walk(chain, 0);
    }
  }
  // What is saved is then not only the mark 0 that such packets begin with.
  if (marks && kinds.includes(TargetKind.connmarkSave)) unclear = true;
  return { kinds, operandA, operandB, unclear: unclear || kinds.length > RULE_LIMIT };
}

/** False only where the rule is certainly for other packets than ICMP errors, which are RELATED. */
function mayHoldForError(program: Compiled, rule: number): boolean {
  for (let match = program.matchStart[rule]!; match < program.matchStart[rule + 1]!; match++) {
    if (program.matchNegated[match] === 1) continue;
    const a = program.matchA[match]!;
    const kind = program.matchKind[match]!;
    if (kind === MatchKind.protocol && a !== IpProtocol.icmp && a !== IpProtocol.icmpv6) return false;
    if (kind === MatchKind.ctstate && (a & (CtState.related | CtState.snat | CtState.dnat)) === 0) return false;
  }
  return true;
}

/** An error of the router's own about the packet may have gone through its rules by now: the connection mark is as before, or as they make it. */
export function blurByError(run: Run): void {
  const { kinds, operandA, operandB, unclear } = run.router.errorMarks;
  if (unclear) {
    run.connmark = 0;
    run.connmarkUnknown = -1;
    return;
  }
  const before = run.connmark;
  let unknown = run.connmarkUnknown;
  for (let held = 1; held < 1 << kinds.length; held++) {
    let mark = before;
    let blurred = run.connmarkUnknown;
    for (let index = 0; index < kinds.length; index++) {
      if ((held & (1 << index)) === 0) continue;
      const kept = ~operandB[index]!;
      const written = kinds[index] === TargetKind.connmarkSet ? operandA[index]! : 0;
      blurred &= kept;
      mark = ((mark & kept) ^ written) & ~blurred;
    }
    unknown |= blurred | (mark ^ before);
  }
  run.connmarkUnknown = unknown;
  run.connmark = before & ~unknown;
}
