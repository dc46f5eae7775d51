import { CtStatus } from '../../model/netfilter.ts';
import { Answer } from './answer.ts';
import { Entry, EntryFlag } from './connection-table.ts';
import { hasTemplate } from './match.ts';
import { CT_FIELDS, MatchKind, type Program } from './program.ts';
import { EntryUse, type Run } from './run.ts';

const LOST = EntryFlag.lost;

/** Conditions on the packet's connection entry other than its state and mark. Ref: xt_conntrack.c: conntrack_mt(). */
export function matchEntry(run: Run, program: Program, match: number): number {
  const a = program.matchA[match]!;
  const kind = program.matchKind[match]!;
  const beside = kind === MatchKind.ctTuple ? program.extras[a + 4]! : program.matchB[match]!;
  // Without an entry only the state was looked at, if there was one.
  if (hasTemplate(run)) return Answer.unknown;
  if (run.use === EntryUse.none) return beside === 1 ? Answer.yes : Answer.no;
  const flags = run.table.words[run.base + Entry.flags]!;
  if ((flags & LOST) !== 0) return Answer.unknown;
  if (kind === MatchKind.ctDirection) return run.direction === a ? Answer.yes : Answer.no;
  const answer = kind === MatchKind.ctStatus ? matchStatus(run, flags, a) : matchTuple(run, program, a, flags);
  if (answer === Answer.unknown || program.matchNegated[match] === 0) return answer;
  return answer === Answer.yes ? Answer.no : Answer.yes;
}

function matchStatus(run: Run, flags: number, wanted: number): number {
  const isConfirmed = run.use !== EntryUse.fresh;
  if (isConfirmed && (wanted & CtStatus.confirmed) !== 0) return Answer.yes;
  if ((flags & EntryFlag.blurred) !== 0 && (wanted & (CtStatus.seenReply | CtStatus.assured)) !== 0)
    return Answer.unknown;
  const status =
    ((flags & EntryFlag.expected) !== 0 ? CtStatus.expected : 0) |
    ((flags & EntryFlag.seenReply) !== 0 ? CtStatus.seenReply : 0) |
    ((flags & EntryFlag.assured) !== 0 ? CtStatus.assured : 0);
  return (status & wanted) !== 0 ? Answer.yes : Answer.no;
}

function matchTuple(run: Run, program: Program, at: number, flags: number): number {
  const { extras } = program;
  const field = CT_FIELDS[extras[at]!]!;
  if (field === 'reply-destination-port' && (flags & EntryFlag.replyPortUnknown) !== 0) return Answer.unknown;
  const value = (fieldOf(run, field) & extras[at + 3]!) >>> 0;
  return value >= extras[at + 1]! && value <= extras[at + 2]! ? Answer.yes : Answer.no;
}

function fieldOf(run: Run, field: (typeof CT_FIELDS)[number]): number {
  const { words } = run.table;
  const { base } = run;
  switch (field) {
    case 'protocol':
      return words[base + Entry.protocol]!;
    case 'original-source':
      return words[base + Entry.source]!;
    case 'original-destination':
      return words[base + Entry.destination]!;
    case 'reply-source':
      return words[base + Entry.replySource]!;
    case 'reply-destination':
      return words[base + Entry.replyDestination]!;
    case 'original-source-port':
      return words[base + Entry.ports]! >>> 16;
    case 'original-destination-port':
      return words[base + Entry.ports]! & 0xffff;
    case 'reply-source-port':
      return words[base + Entry.replyPorts]! >>> 16;
    case 'reply-destination-port':
      return words[base + Entry.replyPorts]! & 0xffff;
  }
}
