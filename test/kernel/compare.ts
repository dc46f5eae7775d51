/** Lets the verifier answer for a recorded scenario, by its front door, and compares with what the kernel did. */
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openCaptureSet } from '../../src/capture/open-capture.ts';
import { parseRouterState } from '../../src/dialects/index.ts';
import { formatIpv4, parseIpAddress } from '../../src/net/ip-address.ts';
import { linuxRouter } from '../../src/verification/linux-router.ts';
import type { Router } from '../../src/verification/router.ts';
import { trace, type TracedFrame, type TraceTotals } from '../../src/verification/trace.ts';
import { captureBytes } from './capture.ts';
import { datagramKey } from './oracle/fate.ts';
import type { KernelAnswer, RecordedScenario, ScenarioFrame } from './scenario.ts';

/** What the verifier says of a frame, as far as it is compared. */
export type VerifierAnswer = Pick<
  TracedFrame,
  | 'disposition'
  | 'egress'
  | 'nextHop'
  | 'fwmark'
  | 'fwmarkUnknown'
  | 'connmark'
  | 'table'
  | 'icmpRedirect'
  | 'rejected'
  | 'unknown'
  | 'walk'
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

/** The verifier's answers by frame; undefined where it says nothing of a frame. `watched` may put something between it and the router. */
export async function verifierAnswers(
  recorded: RecordedScenario,
  explain = false,
  watched: (router: Router) => Router = (router) => router,
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
      for await (const frame of trace(captures, watched(linuxRouter(device)), totals, options)) {
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
  const redirected = new Set<string>();
  recorded.answers.forEach((kernel, frame) => {
    const answer = answers[frame];
    // Whether the carrier came back the verifier cannot know; that the packet is lost meanwhile is what it says.
    if (answer?.unknown !== undefined && / had no carrier /.test(answer.unknown) && isLost(kernel)) return;
    // So is what comes after the last frame.
    if (answer?.unknown !== undefined && / holds the fragment /.test(answer.unknown) && isLost(kernel)) return;
    if (answer?.disposition === 'undetermined') {
      undetermined++;
      redirected.add(sourceOf(recorded.frames[frame]!));
      const reason = answer.unknown ?? 'no reason given';
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
      return;
    }
    const said = answer === undefined ? 'did not enter' : describe(answer);
    const isIpv6 = isIpv6Frame(recorded.frames[frame]!);
    const errors = isIpv6
      ? kernel.errors?.includes('137/0') !== true || answer?.icmpRedirect === true
      : errorsAgree(answer, kernel, recorded, frame, redirected);
    if (errors && agrees(answer, kernel, recorded.frames[frame]!, recorded.dump)) return;
    if (errors && waitsInVain(recorded, answers, frame)) return;
    const mark = kernel.mark === undefined ? '' : ` (mark ${kernel.mark})`;
    const redirect = answer?.icmpRedirect === true ? ' with ICMP 5' : '';
    disagreements.push({
      frame,
      verifier: answer === undefined ? said : `${said} (mark ${answer.fwmark})${redirect}`,
      kernel: `${kernel.fate}${mark}${errors ? '' : ` with ICMP ${kernel.errors?.join(' ICMP ') || 'nothing'}`}`,
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
  // Of fragments: duplicates, what does not fit, and with it all that was held.
  'not-forwarding':
    /^dropped (?:IP_INADDRERRORS|OTHERHOST|NOT_SPECIFIED ip_forward|DUP_FRAG|FRAG_TOO_FAR|NOT_SPECIFIED ip_defrag)$/,
};

/** The same of IPv6, where it has other words. ICMPv6 errors are not traced. */
const FATES_6: Readonly<Record<string, RegExp>> = {
  ...FATES,
  martian: /^dropped (?:IP_INHDR|UNICAST_IN_L2_MULTICAST)$/,
  'no-route': /^dropped IP_INNOROUTES$/,
  blackhole: /^dropped NOT_SPECIFIED dst_discard\w*$/,
  // IP_INADDRERRORS: beyond the scope of the source's address.
  unreachable: /^dropped (?:IP_INNOROUTES|IP_INADDRERRORS)$/,
  prohibited: /^dropped IP_INNOROUTES$/,
  'ttl-expired': /^dropped IP_INHDR$/,
  'too-big': /^dropped PKT_TOO_BIG$/,
  'not-forwarding': /^dropped (?:IPV6DISABLED|IP_INADDRERRORS|OTHERHOST|NOT_SPECIFIED ip6_forward)$/,
};

function agrees6(answer: VerifierAnswer | undefined, { fate, mark }: KernelAnswer, frame: ScenarioFrame): boolean {
  if (answer === undefined) return /^refused|^dropped (?:IP_INHDR|PKT_TOO_SMALL)$/.test(fate);
  if (mark !== undefined && answer.fwmarkUnknown !== true && mark !== answer.fwmark) return false;
  // The kernel has another word for it where the packet goes to nobody. Ref: net/ipv6/route.c: ip6_pkt_drop()
  const toNobody = /^0+$/.test(frame.hex.slice(2 * (IP + 24), 2 * (IP + 40)));
  const isRefused = answer.disposition === 'no-route' || answer.disposition === 'prohibited';
  if (toNobody && isRefused && fate === 'dropped IP_INADDRERRORS') return true;
  if (answer.disposition !== 'forwarded') return FATES_6[answer.disposition]?.test(fate) ?? false;
  return fate === `forwarded ${answer.egress} ${lowWord(answer.nextHop!)}`;
}

const isIpv6Frame = ({ hex }: ScenarioFrame): boolean => hex.slice(24, 28) === '86dd';

function agrees(answer: VerifierAnswer | undefined, kernel: KernelAnswer, frame: ScenarioFrame, dump: string): boolean {
  if (isIpv6Frame(frame)) return agrees6(answer, kernel, frame);
  const bytes = Buffer.from(frame.hex, 'hex');
  const isFragment = (bytes.readUInt16BE(IP + 6) & 0x3fff) !== 0;
  // What is no IP packet by its own header does not enter.
  if (answer === undefined) return /^refused|^dropped (?:IP_INHDR|IP_CSUM|PKT_TOO_SMALL)$/.test(kernel.fate);
  const marked = kernel.mark !== undefined && answer.fwmarkUnknown !== true;
  if (marked && kernel.mark !== answer.fwmark) return false;
  if (answer.disposition === 'forwarded') {
    // A broadcast address as next hop shows in the frame as the broadcast MAC address.
    const broadcast = kernel.fate === `forwarded ${answer.egress} broadcast`;
    return (
      (broadcast && isBroadcast(answer.nextHop, dump)) || kernel.fate === `forwarded ${answer.egress} ${answer.nextHop}`
    );
  }
  // What is for the router itself is put together there, too: it waits, and what does not fit is thrown away.
  const waits = answer.disposition === 'not-forwarding' || answer.disposition === 'delivered';
  if (isFragment && waits && /^dropped (?:silently|DUP_FRAG|NOT_SPECIFIED ip_defrag)$/.test(kernel.fate)) return true;
  const hasOptions = (bytes[IP]! & 15) > 5;
  if (hasOptions && answer.disposition === 'martian' && REFUSED_OPTIONS.test(kernel.fate)) return true;
  return FATES[answer.disposition]?.test(kernel.fate) ?? false;
}

/**
 * Whether a fragment waited in the router itself for a later one that ended on its own way there, as a router does that puts nothing together
 * in front of routing: the recorded fate is then that one's.
 */
function waitsInVain(
  recorded: RecordedScenario,
  answers: readonly (VerifierAnswer | undefined)[],
  at: number,
): boolean {
  const answer = answers[at];
  const datagram = datagramKey(recorded.frames[at]!);
  if (answer?.disposition !== 'delivered' || datagram === undefined) return false;
  const { fate } = recorded.answers[at]!;
  return recorded.frames.some((frame, later) => {
    if (later <= at || datagramKey(frame) !== datagram) return false;
    const kernel = recorded.answers[later]!;
    const other = answers[later];
    // Put together in front of routing, all would be said to go one way.
    if (kernel.fate !== fate || other === undefined || other.disposition === 'delivered') return false;
    return other.disposition !== 'undetermined' && agrees(other, kernel, frame, recorded.dump);
  });
}

/** Broken options, and source routes that the router does not follow. */
const REFUSED_OPTIONS = /^dropped (?:IP_INHDR(?: ICMP 12\/0)?|NOT_SPECIFIED ip_rcv_finish\w*)$/;

/** IPv6 addresses of the generated routers are IPv4 addresses in their last word, which the MAC address of a neighbour holds. */
function lowWord(address: string): string {
  return formatIpv4(parseIpAddress(address)!.words[3]);
}

/** What the router may say about a packet, besides redirects; dispositions without a line say nothing. Ref: linux-forwarding 10. */
const ERRORS: Readonly<Record<string, RegExp>> = {
  // The protocol or the port is not in use.
  delivered: /^3\/[23]$/,
  'no-route': /^3\/0$/,
  // A policy rule's `unreachable` is the kernel's "no route".
  unreachable: /^3\/[01]$/,
  prohibited: /^3\/13$/,
  'ttl-expired': /^11\/0$/,
  'too-big': /^3\/4$/,
  // Broken options.
  martian: /^12\/0$/,
};

/**
 * No other ICMP error than the disposition implies; a redirect only where one is foretold, and the first one that is foretold to a
 * source. Others may be missing: the kernel limits their rate. Ref: route.c: ip_rt_send_redirect().
 */
function errorsAgree(
  answer: VerifierAnswer | undefined,
  kernel: KernelAnswer,
  recorded: RecordedScenario,
  index: number,
  redirected: Set<string>,
): boolean {
  if (kernel.errors === undefined) return true;
  if (answer === undefined) return kernel.errors.length === 0;
  const frame = recorded.frames[index]!;
  const source = sourceOf(frame);
  const redirects = kernel.errors.some((error) => error.startsWith('5/'));
  if (redirects && answer.icmpRedirect !== true) return false;
  const isFirst = answer.icmpRedirect === true && !redirected.has(source);
  // An attempt counts whatever came of it.
  if (answer.icmpRedirect === true) redirected.add(source);
  // Whether the reverse lookup finds the source on the link may depend on a mark that is not known.
  const isCertain = answer.disposition === 'forwarded' && answer.fwmarkUnknown !== true;
  if (isFirst && !redirects && isCertain && mayHaveErrors(frame)) {
    return !routesOwnPackets(recorded.dump);
  }
  const allowed = answer.rejected === true ? /^3\/\d+$/ : ERRORS[answer.disposition];
  return kernel.errors.every((error) => error.startsWith('5/') || allowed?.test(error) === true);
}

const IP = 14;

/** Nothing is said about ICMP errors, later fragments, and what comes from or goes to nobody in particular. Ref: icmp.c: __icmp_send(). */
function mayHaveErrors(frame: ScenarioFrame): boolean {
  const bytes = Buffer.from(frame.hex, 'hex');
  const isQuery = [0, 8, 13, 14, 15, 16, 17, 18].includes(bytes[IP + (bytes[IP]! & 15) * 4]!);
  const isError = bytes[IP + 9] === 1 && !isQuery;
  const isLater = (bytes.readUInt16BE(IP + 6) & 0x1fff) !== 0;
  const first = bytes[IP + 12]!;
  const isOdd = bytes[IP + 19] === 0xff || first === 0 || first === 127 || first >= 224;
  return !isError && !isLater && !isOdd;
}

/** The router's own packets are certain to find a way: there are no rules but by mark, and no routes that refuse. */
function routesOwnPackets(dump: string): boolean {
  const rules = dump.match(/^\d+:\t.*$/gm) ?? [];
  const plain = /^\d+:\tfrom all (?:fwmark \S+ |to 7\.7\.7\.7 )?lookup \w+ *$/;
  return rules.every((rule) => plain.test(rule)) && !/^(?:unreachable|prohibit|blackhole|throw) /m.test(dump);
}

function sourceOf(frame: ScenarioFrame): string {
  return frame.hex.slice(2 * (IP + 12), 2 * (IP + 16));
}

function isBroadcast(address: string | undefined, dump: string): boolean {
  return dump.includes(`broadcast ${address} dev`) || /^broadcast \S+\/\d+ dev/m.test(dump);
}
