import { type Family, parseIpAddress, type Words } from '../../net/ip-address.ts';
import { maskWords } from '../../net/prefix.ts';
import { RuleError } from './iptables-extension.ts';

/** An address with its mask as iptables stores it: host bits cleared, the mask as odd as written. */
export interface MaskedAddress {
  readonly address: Words;
  readonly mask: Words;
}

/** Parses one element of `-s`/`-d`: `ADDRESS[/LENGTH|/MASK]`. Names are refused: what they resolve to is not in the text. */
export function parseMaskedAddress(text: string, family: Family): MaskedAddress {
  const slash = text.indexOf('/');
  const maskText = slash < 0 ? undefined : text.slice(slash + 1);
  const mask = maskText === undefined ? maskWords(family, 128) : parseMask(maskText, family);
  if (mask === undefined) throw new RuleError(`"${maskText}" is no prefix length or mask`);
  const nameText = slash < 0 ? text : text.slice(0, slash);
  // Before a null mask iptables does not look at the address at all: `0/0`, `any/0`. Ref: libxtables xtables_ipparse_multiple().
  if (mask.every((word) => word === 0)) return { address: [0, 0, 0, 0], mask };
  const address = parseIpAddress(nameText);
  if (address === undefined || address.family !== family) {
    throw new RuleError(
      `"${nameText}" is no IPv${family} address (what a name resolves to is not in the router's state)`,
    );
  }
  const word = (index: number): number => (address.words[index]! & mask[index]!) >>> 0;
  return { address: [word(0), word(1), word(2), word(3)], mask };
}

function parseMask(text: string, family: Family): Words | undefined {
  if (/^\d{1,3}$/.test(text)) {
    const length = Number(text);
    return length <= (family === 4 ? 32 : 128) ? maskWords(family, length) : undefined;
  }
  const address = parseIpAddress(text);
  return address?.family === family ? address.words : undefined;
}
