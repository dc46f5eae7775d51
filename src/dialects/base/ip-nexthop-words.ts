import type { NextHop, NextHopObject } from '../../model/routing.ts';
import { parseIpAddress } from '../../net/ip-address.ts';
import type { WordCursor } from './ip-words.ts';

/** What the words of a next hop object say. */
export interface NextHopWords {
  readonly object?: NextHopObject;
  /** Which word or value is not understood. */
  readonly error?: string;
}

type HopDraft = { -readonly [K in keyof NextHop]: NextHop[K] };

/** Words with one value that do not touch the path. */
const NEUTRAL = new Set([
  'scope',
  'proto',
  'protocol',
  'type',
  'buckets',
  'idle_timer',
  'unbalanced_timer',
  'unbalanced_time',
]);

/** Words without value that do not touch the path. */
const FLAGS = new Set(['offload', 'rt_offload', 'trap', 'rt_trap', 'hw_stats', 'used']);

const identifier = (text: string | undefined): number | undefined => {
  const id = /^\d{1,10}$/.test(text ?? '') ? Number(text) : Number.NaN;
  return id >= 1 && id <= 0xffffffff ? id : undefined;
};

/** `1,3/2`: ids with weights. */
function readMembers(text: string): { id: number; weight: number }[] | undefined {
  const members = text.split('/').map((part) => {
    const [id, weight = '1'] = part.split(',');
    return { id: identifier(id), weight: Number(weight) };
  });
  const whole = members.every(({ id, weight }) => id !== undefined && weight >= 1 && weight <= 65_536);
  return whole ? members.map(({ id, weight }) => ({ id: id!, weight })) : undefined;
}

/**
 * Reads one object as `ip nexthop show` prints it and as `ip nexthop add` takes it. Never throws.
 * Ref: iproute2 ip/ipnexthop.c: print_nexthop(), ipnh_modify().
 */
export function readNextHopWords(cursor: WordCursor): NextHopWords {
  let id: number | undefined;
  let members: { id: number; weight: number }[] | undefined;
  let blackhole = false;
  const hop: HopDraft = { weight: 1, dead: false, linkDown: false, onLink: false };
  const unmodelled: string[] = [];
  while (!cursor.atEnd) {
    const word = cursor.take()!;
    const value = (): string => cursor.take() ?? '';
    if (word === 'id') {
      id = identifier(value());
      if (id === undefined) return { error: 'the id is no number' };
    } else if (word === 'group') {
      const text = value();
      members = readMembers(text);
      if (members === undefined) return { error: `"${text}" is no group of next hops` };
    } else if (word === 'via') {
      const text = value();
      const gateway = parseIpAddress(text === 'inet' || text === 'inet6' ? value() : text);
      if (gateway === undefined) return { error: `via ${text} is no address` };
      hop.gateway = gateway;
    } else if (word === 'dev') hop.device = value();
    else if (word === 'blackhole') blackhole = true;
    else if (word === 'onlink') hop.onLink = true;
    else if (word === 'dead') hop.dead = true;
    else if (word === 'linkdown') hop.linkDown = true;
    else if (word === 'encap' || word === 'fdb') {
      unmodelled.push(`${word} ${cursor.rest()}`.trim());
      break;
    } else if (NEUTRAL.has(word)) value();
    else if (!FLAGS.has(word)) return { error: `"${word}" is not understood` };
  }
  if (id === undefined) return { error: 'the id is missing' };
  if (blackhole) return { object: { kind: 'blackhole', id } };
  if (members !== undefined) return { object: { kind: 'group', id, members, unmodelled } };
  return { object: { kind: 'hop', id, hop, unmodelled } };
}
