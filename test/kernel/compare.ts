/** Lets the verifier answer for a recorded scenario, by its front door, and compares with what the kernel did. */
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openCaptureSet } from '../../src/capture/open-capture.ts';
import { parseRouterState } from '../../src/dialects/index.ts';
import { linuxRouter } from '../../src/verification/linux-router.ts';
import { trace, type TracedFrame, type TraceTotals } from '../../src/verification/trace.ts';
import { captureBytes } from './capture.ts';
import type { KernelAnswer, RecordedScenario } from './scenario.ts';

/** What the verifier says of a frame, as far as it is compared. */
export type VerifierAnswer = Pick<
  TracedFrame,
  'disposition' | 'egress' | 'nextHop' | 'fwmark' | 'fwmarkUnknown' | 'connmark' | 'table' | 'unknown' | 'walk'
>;

/** One frame about which verifier and kernel do not agree. */
export interface Disagreement {
  /** Index in the scenario. */
  readonly frame: number;
  readonly verifier: string;
  readonly kernel: string;
}

export interface Comparison {
  readonly packets: number;
  readonly undetermined: number;
  /** Why, and how often. */
  readonly reasons: ReadonlyMap<string, number>;
  readonly disagreements: readonly Disagreement[];
  readonly answers: readonly (VerifierAnswer | undefined)[];
}

const ROUTER_ERROR = /^(?:RV302|RV303)$/;

/** The verifier's answers by frame; undefined where it says nothing of a frame. */
export async function verifierAnswers(
  recorded: RecordedScenario,
  explain = false,
): Promise<(VerifierAnswer | undefined)[]> {
  const device = parseRouterState([{ path: 'router.txt', text: recorded.dump }]);
  const refused = device.problems.find((problem) => ROUTER_ERROR.test(problem.code));
  if (refused !== undefined) throw new Error(`${refused.code}: ${refused.message}`);
  const path = join(tmpdir(), `redirect-verify-kernel-${process.pid}.pcapng`);
  writeFileSync(path, captureBytes(recorded));
  const answers: (VerifierAnswer | undefined)[] = recorded.frames.map(() => undefined);
  try {
    const captures = await openCaptureSet([{ path }], { verifyChecksums: true });
    const totals: TraceTotals = { frames: 0, ingress: 0, observed: 0, ambiguous: 0, unpairedEgress: 0 };
    try {
      const options = { verifyChecksums: true, explain: () => explain };
      for await (const frame of trace(captures, linuxRouter(device), totals, options)) {
        answers[frame.frame - 1] = frame;
      }
    } finally {
      await captures.close();
    }
  } finally {
    rmSync(path, { force: true });
  }
  return answers;
}

/** Compares all frames of a scenario. */
export async function compare(recorded: RecordedScenario, explain = false): Promise<Comparison> {
  const answers = await verifierAnswers(recorded, explain);
  return judge(recorded, answers);
}

/** Compares answers, wherever they come from. */
export function judge(recorded: RecordedScenario, answers: readonly (VerifierAnswer | undefined)[]): Comparison {
  const disagreements: Disagreement[] = [];
  const reasons = new Map<string, number>();
  let undetermined = 0;
  recorded.answers.forEach((kernel, frame) => {
    const answer = answers[frame];
    // Whether the carrier came back the verifier cannot know; that the packet is lost meanwhile is what it says.
    if (answer?.unknown !== undefined && / had no carrier /.test(answer.unknown) && isLost(kernel)) return;
    if (answer?.disposition === 'undetermined') {
      undetermined++;
      const reason = answer.unknown ?? 'no reason given';
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
      return;
    }
    const said = answer === undefined ? 'did not enter' : describe(answer);
    if (agrees(answer, kernel, recorded.dump)) return;
    const mark = kernel.mark === undefined ? '' : ` (mark ${kernel.mark})`;
    disagreements.push({
      frame,
      verifier: answer === undefined ? said : `${said} (mark ${answer.fwmark})`,
      kernel: `${kernel.fate}${mark}`,
    });
  });
  return { packets: recorded.answers.length, undetermined, reasons, disagreements, answers };
}

/** Without carrier a device's queue discipline drops everything; what waits for the answer to a dropped ARP request ends in silence. */
const isLost = ({ fate }: KernelAnswer): boolean => /^dropped (?:QDISC_DROP|silently)/.test(fate);

function describe(answer: VerifierAnswer): string {
  return answer.disposition === 'forwarded' ? `forwarded ${answer.egress} ${answer.nextHop}` : answer.disposition;
}

/** How the kernel's words about a packet that ended look for each disposition. Ref: linux-forwarding 10; 1.7 to 1.9. */
const FATES: Readonly<Record<string, RegExp>> = {
  delivered: /^delivered$/,
  'dropped-by-rule': /^dropped NETFILTER_DROP/,
  'dropped-by-reverse-path': /^dropped IP_RPFILTER$/,
  martian: /^dropped (IP_LOCAL_SOURCE|IP_INVALID_SOURCE|IP_LOCALNET|IP_INVALID_DEST|IP_CSUM|IP_INHDR)$/,
  'no-route': /^dropped IP_INNOROUTES(?: ICMP 3\/0)?$/,
  blackhole:
    /^dropped NOT_SPECIFIED ip_route_input\w*$|^dropped NOT_SPECIFIED (?:ip_rcv_finish\w*|ip_error|dst_discard)$/,
  // A policy rule's `unreachable` is the kernel's "no route".
  unreachable: /^dropped (?:NOT_SPECIFIED ip_error(?: ICMP 3\/1)?|IP_INNOROUTES(?: ICMP 3\/0)?)$/,
  prohibited: /^dropped NOT_SPECIFIED ip_error(?: ICMP 3\/13)?$/,
  'ttl-expired': /^dropped IP_INHDR(?: ICMP 11\/0)?$/,
  'too-big': /^dropped PKT_TOO_BIG(?: ICMP 3\/4)?$/,
  'not-forwarding': /^dropped (?:IP_INADDRERRORS|OTHERHOST|NOT_SPECIFIED ip_forward)$/,
};

function agrees(answer: VerifierAnswer | undefined, kernel: KernelAnswer, dump: string): boolean {
  if (answer === undefined) return kernel.fate.startsWith('refused');
  const marked = kernel.mark !== undefined && answer.fwmarkUnknown !== true;
  if (marked && kernel.mark !== answer.fwmark) return false;
  if (answer.disposition === 'forwarded') {
    // A broadcast address as next hop shows in the frame as the broadcast MAC address.
    const broadcast = kernel.fate === `forwarded ${answer.egress} broadcast`;
    return (
      (broadcast && isBroadcast(answer.nextHop, dump)) || kernel.fate === `forwarded ${answer.egress} ${answer.nextHop}`
    );
  }
  return FATES[answer.disposition]?.test(kernel.fate) ?? false;
}

function isBroadcast(address: string | undefined, dump: string): boolean {
  return dump.includes(`broadcast ${address} dev`) || /^broadcast \S+\/\d+ dev/m.test(dump);
}
