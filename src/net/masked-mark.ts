/** A mark with the bits that count; both unsigned 32-bit. The value is *not* reduced by the mask (iptables does not either). */
export interface MaskedMark {
  readonly value: number;
  readonly mask: number;
}

/** Prints `0x1`, or `0x1/0xff` where the mask is not full. */
export function formatMaskedMark(mark: MaskedMark): string {
  const value = formatMark(mark.value);
  return mark.mask === 0xffffffff ? value : `${value}/${formatMark(mark.mask)}`;
}

/** Prints a mark as `0x1f`. */
export function formatMark(mark: number): string {
  return `0x${(mark >>> 0).toString(16)}`;
}

/** Parses `1`, `0x1`, `0x1/0xff` (C notation, 32 bits); undefined where it is none. */
export function parseMaskedMark(text: string): MaskedMark | undefined {
  const [valueText, maskText, ...rest] = text.split('/');
  if (rest.length > 0) return undefined;
  const value = parseUnsigned32(valueText ?? '');
  const mask = maskText === undefined ? 0xffffffff : parseUnsigned32(maskText);
  return value === undefined || mask === undefined ? undefined : { value, mask };
}

/** Parses an unsigned 32-bit number as strtoul(…, 0) does: decimal, `0x` hexadecimal, `0` octal. */
export function parseUnsigned32(text: string): number | undefined {
  let value: number;
  if (/^0x[0-9a-f]+$/i.test(text)) value = Number.parseInt(text.slice(2), 16);
  else if (/^0[0-7]*$/.test(text)) value = Number.parseInt(text, 8);
  else if (/^[1-9]\d*$/.test(text)) value = Number(text);
  else return undefined;
  return value <= 0xffffffff ? value : undefined;
}
