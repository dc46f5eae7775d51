/** Lines of `ipset save`. Ref: ipset(8). */
import { type IpSet, type IpSetPart, MemberFlag } from '../../model/ip-set.ts';
import { parseIpv4 } from '../../net/ip-address.ts';
import { IpProtocol } from '../../net/ip-protocol.ts';
import { parseMac } from '../../net/mac-address.ts';
import { maskOfLength } from '../../net/prefix.ts';
import type { Span } from '../../text/span.ts';
import { icmpTypeAndCode } from './iptables-header-matches.ts';
import { parseProtocol } from './iptables-options.ts';
import { parsePort } from './service-names.ts';

/** The parts of a member by type of set. Ref: ipset(8), SET TYPES. */
export const SET_TYPES: Readonly<Record<string, readonly IpSetPart[]>> = {
  'bitmap:ip': ['ip'],
  'bitmap:ip,mac': ['ip', 'mac'],
  'bitmap:port': ['port'],
  'hash:ip': ['ip'],
  'hash:ip,mac': ['ip', 'mac'],
  'hash:ip,mark': ['ip', 'mark'],
  'hash:ip,port': ['ip', 'port'],
  'hash:ip,port,ip': ['ip', 'port', 'ip'],
  'hash:ip,port,net': ['ip', 'port', 'net'],
  'hash:mac': ['mac'],
  'hash:net': ['net'],
  'hash:net,iface': ['net', 'iface'],
  'hash:net,net': ['net', 'net'],
  'hash:net,port': ['net', 'port'],
  'hash:net,port,net': ['net', 'port', 'net'],
  'list:set': ['set'],
};

/** Types that take packets of both families. */
const ANY_FAMILY: ReadonlySet<string> = new Set(['bitmap:port', 'hash:mac', 'list:set']);

/** Words of a create or add line that take a value, none of which decides whether a packet is in the set. */
const VALUES: ReadonlySet<string> = new Set(
  'hashsize maxelem bucketsize initval size gc probes resize packets bytes comment skbmark skbprio skbqueue'.split(' '),
);
const FLAGS: ReadonlySet<string> = new Set(['counters', 'comment', 'skbinfo', 'forceadd']);

/** A set while its lines are read. */
export class IpSetDraft {
  readonly name: string;
  readonly type: string;
  readonly origin: Span;
  readonly #parts: readonly IpSetPart[];
  readonly #members: number[] = [];
  readonly #names: string[] = [];
  #family: 4 | 6 = 4;
  #addressMask = 0xffffffff | 0;
  #markMask = 0xffffffff | 0;
  #range: { first: number; last: number } | undefined;
  #unknown: string | undefined;

  constructor(name: string, type: string, options: readonly string[], origin: Span) {
    this.name = name;
    this.type = type;
    this.origin = origin;
    const parts = Object.hasOwn(SET_TYPES, type) ? SET_TYPES[type] : undefined;
    this.#parts = parts ?? [];
    if (parts === undefined) this.#unknown = `sets of type ${type} are not modelled`;
    else this.#readOptions(options);
  }

  /** What keeps its members from being known. */
  get unknown(): string | undefined {
    return this.#unknown;
  }

  #readOptions(options: readonly string[]): void {
    for (let index = 0; index < options.length; index++) {
      const word = options[index]!;
      const value = options[index + 1] ?? '';
      if (word === 'family') {
        this.#family = value === 'inet6' ? 6 : 4;
      } else if (word === 'netmask' || word === 'bitmask') {
        const mask = parseMask(value);
        if (mask === undefined || (this.type !== 'hash:ip' && this.type !== 'bitmap:ip'))
          this.#unknown ??= `${word} of a set of type ${this.type} is not modelled`;
        else this.#addressMask = mask;
      } else if (word === 'markmask') {
        this.#markMask = Number(value) | 0;
      } else if (word === 'range') {
        this.#range = parseRange(value, this.type);
        if (this.#range === undefined) this.#unknown ??= `the range "${value}" is not understood`;
      } else if (FLAGS.has(word)) {
        continue;
      } else if (word !== 'timeout' && !VALUES.has(word)) {
        this.#unknown ??= `the option ${word} of a set is not modelled`;
        return;
      }
      index++;
    }
    if (this.#family === 6) this.#addressMask = 0xffffffff | 0;
  }

  /** Takes the words of an add line behind the set's name; a member that cannot be read makes the set unknown. */
  add(words: readonly string[]): void {
    if (this.#unknown !== undefined || this.#isOtherFamily()) return;
    const [member = '', ...options] = words;
    let flags = 0;
    let wildcard = 0;
    for (let index = 0; index < options.length; index++) {
      const word = options[index]!;
      if (word === 'nomatch') flags |= MemberFlag.nomatch;
      else if (word === 'wildcard') wildcard = 1;
      else if (word === 'timeout') flags |= options[++index] === '0' ? 0 : MemberFlag.timed;
      else if (VALUES.has(word)) index++;
      else this.#unknown ??= `the option ${word} of a member is not modelled`;
    }
    const length = this.#members.length;
    if (this.#readMember(member, wildcard)) this.#members.push(flags);
    else {
      this.#members.length = length;
      this.#unknown ??= `its member ${member} is not understood`;
    }
  }

  #isOtherFamily(): boolean {
    return this.#family === 6 && !ANY_FAMILY.has(this.type);
  }

  #readMember(text: string, wildcard: number): boolean {
    const texts = text.split(',');
    const parts = this.#parts;
    if (texts.length === 1 && this.type === 'bitmap:ip,mac') texts.push('');
    if (texts.length !== parts.length) return false;
    return parts.every((part, index) => this.#readPart(part, texts[index]!, wildcard));
  }

  #readPart(part: IpSetPart, text: string, wildcard: number): boolean {
    switch (part) {
      case 'ip': {
        const address = parseIpv4(text);
        return address !== undefined && this.#push(address & this.#addressMask, 32);
      }
      case 'net': {
        const [address, length] = text.split('/');
        const value = parseIpv4(address!);
        if (value === undefined || (length !== undefined && !/^\d+$/.test(length)) || Number(length ?? 0) > 32)
          return false;
        const bits = Number(length ?? 32);
        return this.#push(value & maskOfLength(bits), bits);
      }
      case 'port':
        return this.#readPort(text);
      case 'mac': {
        if (text === '') {
          this.#unknown ??= 'a member takes its MAC address from the first packet';
          return true;
        }
        const mac = parseMac(text);
        return mac !== undefined && this.#push(Math.floor(mac / 2 ** 32), mac | 0);
      }
      case 'iface':
        return !text.startsWith('physdev:') && text !== '' && this.#push(this.#nameIndex(text), wildcard);
      case 'mark': {
        const mark = /^(?:0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN;
        return mark <= 0xffffffff && this.#push(mark | 0, 0);
      }
      case 'set':
        return text !== '' && this.#push(this.#nameIndex(text), 0);
    }
  }

  #readPort(text: string): boolean {
    const colon = text.indexOf(':');
    const protocol = colon < 0 ? IpProtocol.tcp : parseProtocol(text.slice(0, colon));
    const port = colon < 0 ? text : text.slice(colon + 1);
    if (protocol === undefined) return false;
    const number = protocol === IpProtocol.icmp ? icmpTypeAndCode(port) : parsePort(port);
    if (number === undefined) return false;
    // Members of a bitmap have no protocol: both TCP and UDP are looked up.
    return this.#push(this.type === 'bitmap:port' ? 0 : protocol, number);
  }

  #push(first: number, second: number): boolean {
    this.#members.push(first | 0, second | 0);
    return true;
  }

  #nameIndex(name: string): number {
    const index = this.#names.indexOf(name);
    return index >= 0 ? index : this.#names.push(name) - 1;
  }

  finish(): IpSet {
    const { name, type, origin } = this;
    return {
      name,
      type,
      ...(ANY_FAMILY.has(type) ? {} : { family: this.#family }),
      parts: this.#parts,
      addressMask: this.#addressMask,
      markMask: this.#markMask,
      ...(this.#range === undefined ? {} : { range: this.#range }),
      members: Int32Array.from(this.#unknown === undefined ? this.#members : []),
      names: this.#names,
      ...(this.#unknown === undefined ? {} : { unknown: this.#unknown }),
      origin,
    };
  }
}

function parseMask(text: string): number | undefined {
  if (/^\d{1,2}$/.test(text) && Number(text) <= 32) return maskOfLength(Number(text)) | 0;
  const mask = parseIpv4(text);
  return mask === undefined ? undefined : mask | 0;
}

function parseRange(text: string, type: string): { first: number; last: number } | undefined {
  const [from = '', to] = text.split('-');
  if (type === 'bitmap:port') {
    const [first, last] = [parsePort(from), parsePort(to ?? from)];
    return first === undefined || last === undefined ? undefined : { first, last };
  }
  const [address = '', length = '32'] = from.split('/');
  const first = parseIpv4(address);
  if (first === undefined || !/^\d{1,2}$/.test(length) || Number(length) > 32) return undefined;
  const last = to === undefined ? (first | ~maskOfLength(Number(length))) >>> 0 : parseIpv4(to);
  return last === undefined ? undefined : { first, last };
}
