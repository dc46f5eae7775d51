/** What became of a frame, told from what the kernel did during its injection. */
import type { KernelAnswer, ScenarioFrame, ScenarioInterface } from '../scenario.ts';

/** An answer of oracle.py. */
export interface RawAnswer {
  readonly time: string;
  readonly mark?: number;
  readonly delivered?: number;
  /** Kernel function and drop reason of the packet itself. */
  readonly drops?: readonly (readonly [string, string])[];
  /** ICMP errors about the packet, `type/code`, as they were made; rules of the router may have dropped them. */
  readonly errors?: readonly string[];
  readonly out?: readonly (readonly [number, string])[];
  readonly refused?: string;
}

const ICMP = 1;
const IP = 14;

/**
 * `forwarded eth2 10.0.0.1`, `delivered`, or `dropped REASON [ICMP TYPE/CODE]` with the kernel's own word for why.
 * `changesTtl`: rules of the router change the time to live. Ref: include/net/dropreason-core.h.
 */
export function fateOf(
  raw: RawAnswer,
  frame: ScenarioFrame,
  interfaces: readonly Pick<ScenarioInterface, 'name'>[],
  changesTtl = false,
): KernelAnswer {
  const said = [...(raw.errors ?? [])];
  const base = { time: raw.time, ...(raw.mark === undefined ? {} : { mark: raw.mark }), errors: said };
  if (raw.refused !== undefined) return { ...base, fate: `refused ${raw.refused}` };
  const sent = Buffer.from(frame.hex, 'hex');
  const copies: string[] = [];
  const redirects: string[] = [];
  for (const [index, hex] of raw.out ?? []) {
    const bytes = Buffer.from(hex, 'hex');
    if (!(bytes[IP]! >>> 4 === 6 ? isCopy6 : isCopy)(bytes, sent, changesTtl)) {
      if (isRedirect6(bytes)) redirects.push('137/0');
    } else copies.push(`forwarded ${interfaces[index]!.name} ${neighbourOf(bytes)}`);
  }
  // The kernel traces no errors of ICMPv6; redirects are seen leaving.
  said.push(...redirects);
  if (copies.length > 0) return { ...base, fate: [...new Set(copies)].join(' and ') };
  const [first] = raw.drops ?? [];
  // The observer looks before conntrack confirms, which can fail.
  if (raw.delivered !== undefined && first?.[1] !== 'NETFILTER_DROP') return { ...base, fate: 'delivered' };
  const reason = first === undefined ? 'silently' : first[1] === 'NOT_SPECIFIED' ? `${first[1]} ${first[0]}` : first[1];
  // Redirects accompany packets on their way to FORWARD, whatever happens there.
  const errors = said.filter((error) => !/^(?:5|137)\//.test(error)).map((error) => `ICMP ${error}`);
  return { ...base, fate: ['dropped', reason, ...errors.slice(0, 1)].join(' ') };
}

/** The packet itself, its TTL one less unless rules change it, as opposed to something that the router says about it. */
function isCopy(bytes: Buffer, sent: Buffer, changesTtl: boolean): boolean {
  // What is put together has its own length and time to live, and leaves in pieces again.
  if (isFragment(sent) && isFragment(bytes)) {
    return bytes.readUInt16BE(IP + 4) === sent.readUInt16BE(IP + 4) && bytes[IP + 9] === sent[IP + 9];
  }
  const transport = IP + (bytes[IP]! & 15) * 4;
  const isAnswer = bytes[IP + 9] === ICMP && bytes[transport] !== sent[IP + (sent[IP]! & 15) * 4];
  return (
    bytes.readUInt16BE(IP + 4) === sent.readUInt16BE(IP + 4) &&
    bytes[IP + 9] === sent[IP + 9] &&
    (bytes.readUInt16BE(IP + 2) === sent.readUInt16BE(IP + 2) || (bytes.readUInt16BE(IP + 6) & 0x3fff) !== 0) &&
    (bytes[IP + 1] === sent[IP + 1] || sent[IP + 1] !== 0xc0) &&
    (changesTtl ? !isAnswer : bytes[IP + 8] === sent[IP + 8]! - 1 || bytes[0] === 0xff)
  );
}

/** The same of IPv6: nothing translates addresses there. */
function isCopy6(bytes: Buffer, sent: Buffer, changesTtl: boolean): boolean {
  const isLabel = bytes.readUInt16BE(IP + 2) === sent.readUInt16BE(IP + 2);
  const isRest = bytes.subarray(IP + 4, IP + 7).equals(sent.subarray(IP + 4, IP + 7));
  const isFlow = bytes.subarray(IP + 8, IP + 40).equals(sent.subarray(IP + 8, IP + 40));
  return isLabel && isRest && isFlow && (changesTtl || bytes[IP + 7] === sent[IP + 7]! - 1);
}

function isRedirect6(bytes: Buffer): boolean {
  return bytes[IP]! >>> 4 === 6 && bytes[IP + 6] === 58 && bytes[IP + 40] === 137;
}

/** The oracle's neighbours have MAC addresses made of their IP addresses. */
function neighbourOf(bytes: Buffer): string {
  if (bytes[0] === 0xff) return 'broadcast';
  return bytes.subarray(2, 6).join('.');
}

const isFragment = (bytes: Buffer): boolean => (bytes.readUInt16BE(IP + 6) & 0x3fff) !== 0;

/** A second copy of a piece goes, the datagram stays. Ref: ip_fragment.c: ip_frag_queue() */
const DUPLICATE = /^dropped DUP_FRAG/;

/** Names the datagram that a frame is a fragment of; undefined where it is none. */
export function datagramKey({ hex }: ScenarioFrame): string | undefined {
  const bytes = Buffer.from(hex, 'hex');
  if (!isFragment(bytes)) return undefined;
  return [bytes.subarray(IP + 4, IP + 6), bytes.subarray(IP + 9, IP + 10), bytes.subarray(IP + 12, IP + 20)]
    .map((part) => part.toString('hex'))
    .join(' ');
}

/** Fragments that the kernel held have the fate of their datagram, which the frame shows that ended it. */
export function withHeldFates(frames: readonly ScenarioFrame[], answers: readonly KernelAnswer[]): KernelAnswer[] {
  const datagramOf = frames.map(datagramKey);
  return answers.map((answer, index) => {
    const datagram = datagramOf[index];
    if (datagram === undefined || answer.fate !== SILENTLY) return answer;
    const last = answers.find(
      ({ fate }, later) =>
        later > index && datagramOf[later] === datagram && fate !== SILENTLY && !DUPLICATE.test(fate),
    );
    return last === undefined ? answer : { time: answer.time, fate: last.fate };
  });
}

const SILENTLY = 'dropped silently';
