/** Parses `aa:bb:cc:dd:ee:ff` (also with `-`) into a 48-bit number; undefined where it is none. */
export function parseMac(text: string): number | undefined {
  if (!/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(text)) return undefined;
  return Number.parseInt(text.replace(/[:-]/g, ''), 16);
}

/** Prints a 48-bit number as `aa:bb:cc:dd:ee:ff`. */
export function formatMac(mac: number): string {
  const hex = mac.toString(16).padStart(12, '0');
  return hex.replace(/(..)(?=.)/g, '$1:');
}
