import { type Family, formatIpAddress, type IpAddress, parseIpAddress, type Words } from './ip-address.ts';

/** An address prefix. `words` keep host bits as written; {@link prefixContains} ignores them. */
export interface IpPrefix {
  readonly family: Family;
  readonly words: Words;
  /** 0–32 or 0–128. */
  readonly prefixLength: number;
}

/** The netmask word (unsigned 32-bit) of a length from 0 to 32. */
export function maskOfLength(prefixLength: number): number {
  return prefixLength <= 0 ? 0 : (0xffffffff << (32 - Math.min(prefixLength, 32))) >>> 0;
}

/** The four mask words of a prefix length in a family. */
export function maskWords(family: Family, prefixLength: number): Words {
  if (family === 4) return [maskOfLength(prefixLength), 0, 0, 0];
  return [
    maskOfLength(prefixLength),
    maskOfLength(prefixLength - 32),
    maskOfLength(prefixLength - 64),
    maskOfLength(prefixLength - 96),
  ];
}

/** Parses `ADDRESS` or `ADDRESS/LENGTH`; undefined where it is neither. A bare address is a host prefix. */
export function parsePrefix(text: string): IpPrefix | undefined {
  const slash = text.indexOf('/');
  const address = parseIpAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  const longest = address.family === 4 ? 32 : 128;
  if (slash < 0) return { ...address, prefixLength: longest };
  const lengthText = text.slice(slash + 1);
  if (!/^\d{1,3}$/.test(lengthText)) return undefined;
  const prefixLength = Number(lengthText);
  return prefixLength > longest ? undefined : { ...address, prefixLength };
}

/** The prefix of one address. */
export function hostPrefix(address: IpAddress): IpPrefix {
  return { ...address, prefixLength: address.family === 4 ? 32 : 128 };
}

/** Whether the address lies in the prefix (false across families). */
export function prefixContains(prefix: IpPrefix, address: IpAddress): boolean {
  if (prefix.family !== address.family) return false;
  const mask = maskWords(prefix.family, prefix.prefixLength);
  return mask.every((bits, index) => ((prefix.words[index]! ^ address.words[index]!) & bits) === 0);
}

/** Whether `inner` is a part of `outer`. */
export function prefixCovers(outer: IpPrefix, inner: IpPrefix): boolean {
  return outer.prefixLength <= inner.prefixLength && prefixContains(outer, inner);
}

/** The prefix with its host bits cleared. */
export function networkOf(prefix: IpPrefix): IpPrefix {
  const mask = maskWords(prefix.family, prefix.prefixLength);
  const word = (index: number): number => (prefix.words[index]! & mask[index]!) >>> 0;
  return { ...prefix, words: [word(0), word(1), word(2), word(3)] };
}

/** Prints `ADDRESS/LENGTH`, always with the length. */
export function formatPrefix(prefix: IpPrefix): string {
  return `${formatIpAddress(prefix)}/${prefix.prefixLength}`;
}
