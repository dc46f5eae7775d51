import { configPlace, type Note, type Where } from '../diagnostic/diagnostic.ts';
import { proofOf } from '../verification/failures.ts';
import type { Attempt } from './join-attempt.ts';
import type { JoinFlow } from './join-flow.ts';
import { type AssessedFlow, isUnknownCertificate, type JoinRun } from './join-run.ts';
import type { SimulatedFlow } from './simulate-join.ts';

/** Key of a finding about one connection, for links between findings. */
export function flowKey(code: string, flow: JoinFlow): string {
  return `${code}:${flow.label}`;
}

/** The code that says of a connection why it is impossible: RV702 where the redirect catches it, else RV701; undefined where it is not. */
export function impossibleCode(item: AssessedFlow): 'RV701' | 'RV702' | undefined {
  if (item.verdict !== 'impossible') return undefined;
  return item.expected?.fate === 'redirected' ? 'RV702' : 'RV701';
}

/** The walk of the packet that decided as notes, and the statement that decided as a place. */
export function proofOfFlow({ walk, packet }: SimulatedFlow): { notes: readonly Note[]; where?: Where } {
  const proof = walk === undefined ? [] : proofOf(walk);
  const where = proof.findLast((note) => note.where !== undefined)?.where;
  return {
    notes: [...(packet === undefined ? [] : [{ message: `the packet: ${packet}` }]), ...proof],
    ...(where !== undefined && { where }),
  };
}

/** The first frame of an attempt as a place. */
export function attemptPlace(run: JoinRun, attempt: Attempt): Where {
  return {
    kind: 'frame',
    path: run.observed.captures[attempt.first.file]?.path ?? '',
    frame: attempt.first.frame,
  };
}

/** How an attempt went: `refused by a reset`, `no answer came`. */
export function attemptWords(attempt: Attempt): string {
  switch (attempt.state) {
    case 'answered':
      return 'answered';
    case 'refused':
      return `refused by ${attempt.refusal ?? 'a reset'}`;
    case 'reset':
      return 'accepted, and reset before anything was said';
    case 'silent':
      return 'no answer came';
    case 'one-sided':
      return 'packets of one direction only';
    case 'open':
      return 'the capture ends before an answer could come';
  }
}

/** What keeps a run from an answer, in words, each with the frame that shows it where there is one. */
export function openQuestions(run: JoinRun): readonly { readonly message: string; readonly where?: Where }[] {
  const flows = run.flows
    .filter((item) => item.verdict === 'unknown')
    .map(({ flow, expected, last }) => {
      if (last !== undefined)
        return { message: `${flow.label}: ${attemptWords(last)}`, where: attemptPlace(run, last) };
      const why = expected?.detail ?? "it was not tried in a capture, and no router's state was given";
      return { message: `${flow.label}: ${why}` };
    });
  const certificates = run.certificates.filter(isUnknownCertificate).map((seen) => ({
    message: `${seen.flow.label}: SPP's certificate cannot be seen${seen.tls.certificate === 'encrypted' ? ' (TLS 1.3)' : ''}, and SPS sent no request behind the handshake that would show that it took it`,
    where: attemptPlace(run, seen.attempt),
  }));
  const statements = (run.router?.runWideUnknowns ?? []).map((unknown) => ({
    message: `${unknown.name} is not modelled, and could change what becomes of any packet`,
    where: configPlace(unknown.origin),
  }));
  const omitted =
    run.observed.omitted > 0 ? [{ message: `${run.observed.omitted} further attempts were not looked into` }] : [];
  return [...flows, ...certificates, ...statements, ...omitted];
}
