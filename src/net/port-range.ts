/** Ports from `first` to `last`, both included, 0–65535. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** Parses `80`, `80-90` or `80:90` (also open ends `:90`, `80:`); undefined where it is none. */
export function parsePortRange(text: string): PortRange | undefined {
  const match = /^(\d{0,5})(?:([:-])(\d{0,5}))?$/.exec(text);
  if (match === null || text === '') return undefined;
  const [, low = '', separator, high] = match;
  if (separator === undefined && low === '') return undefined;
  const first = low === '' ? 0 : Number(low);
  const last = separator === undefined ? first : high === undefined || high === '' ? 65535 : Number(high);
  return first > 65535 || last > 65535 || first > last ? undefined : { first, last };
}

/** Prints `80` or `80-90`. */
export function formatPortRange(range: PortRange): string {
  return range.first === range.last ? `${range.first}` : `${range.first}-${range.last}`;
}
