import { parseIpv4 } from '../../net/ip-address.ts';
import type { IpPrefix } from '../../net/prefix.ts';
import { hostPrefix, networkOf } from '../../net/prefix.ts';
import type { CiscoDraft, TranslationDraft } from './cisco-draft.ts';
import { prefixOf } from './cisco-interface.ts';
import { ciscoPort } from './cisco-names.ts';
import { type Statement, takeInterface } from './cisco-words.ts';

/**
 * Reads a statement behind `ip nat`: translations are recognised, and packets that they apply to are undetermined. Returns whether the
 * words are of a translation.
 */
export function readTranslation(draft: CiscoDraft, statement: Statement, removes: boolean): boolean {
  const origin = statement.span;
  if (statement.take('pool')) {
    const name = statement.next();
    const first = parseIpv4(statement.next());
    const last = parseIpv4(statement.next());
    if (first !== undefined && last !== undefined) draft.pools.set(name, { first, last });
    return true;
  }
  const side = statement.takeOne('inside', 'outside');
  if (side === undefined)
    return /^(?:translation|log|service|create|settings|portmap|stateful|switchover|sip-sbc|name|piggyback-support|alg)\b/i.test(
      statement.rest(),
    );
  if (removes) {
    const words = statement.span.text.replace(/^no\s+/i, '').toLowerCase();
    draft.translations = draft.translations.filter((item) => item.origin.text.toLowerCase() !== words);
    return true;
  }
  const parsed = parseSource(statement, side);
  draft.unmodelled('translation of addresses (NAT) is recognised and not modelled', origin);
  // Without its parts known, it may apply to every packet between inside and outside.
  draft.translations.push(parsed ?? { side, origin });
  return true;
}

function parseSource(statement: Statement, side: 'inside' | 'outside'): TranslationDraft | undefined {
  const origin = statement.span;
  if (!statement.take('source')) return undefined;
  if (statement.take('list')) {
    const list = statement.next();
    if (statement.take('pool')) return { side, list, pool: statement.next(), origin };
    if (statement.take('interface')) {
      const globalInterface = takeInterface(statement);
      return { side, list, ...(globalInterface !== undefined && { globalInterface }), origin };
    }
    return { side, list, origin };
  }
  if (!statement.take('static')) return undefined;
  if (statement.take('network')) {
    const local = parseIpv4(statement.next());
    const global = parseIpv4(statement.next());
    const mask = statement.next();
    const prefix = local === undefined ? undefined : networkPrefix(local, mask);
    if (prefix === undefined || global === undefined) return undefined;
    const size = 2 ** (32 - prefix.prefixLength);
    const first = networkOf({ ...prefix, words: [global, 0, 0, 0] }).words[0];
    return { side, local: prefix, global: [{ first, last: first + size - 1 }], origin };
  }
  return parseStatic(statement, side);
}

function networkPrefix(address: number, mask: string): IpPrefix | undefined {
  const text = `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
  return mask.startsWith('/') ? prefixOf(`${text}${mask}`, undefined) : prefixOf(text, mask);
}

function parseStatic(statement: Statement, side: 'inside' | 'outside'): TranslationDraft | undefined {
  const origin = statement.span;
  const word = statement.takeOne('tcp', 'udp');
  const protocol = word === undefined ? undefined : word === 'tcp' ? 6 : 17;
  const local = parseIpv4(statement.next());
  if (local === undefined) return undefined;
  const localPort = protocol === undefined ? undefined : ciscoPort(statement.next(), protocol);
  const globalInterface = statement.take('interface') ? takeInterface(statement) : undefined;
  const global = globalInterface === undefined ? parseIpv4(statement.next()) : undefined;
  const globalPort = protocol === undefined ? undefined : ciscoPort(statement.next(), protocol);
  return {
    side,
    local: hostPrefix({ family: 4, words: [local, 0, 0, 0] }),
    ...(protocol !== undefined && { protocol }),
    ...(localPort !== undefined && { localPort }),
    ...(global !== undefined && { global: [{ first: global, last: global }] }),
    ...(globalInterface !== undefined && { globalInterface }),
    ...(globalPort !== undefined && { globalPort }),
    origin,
  };
}
