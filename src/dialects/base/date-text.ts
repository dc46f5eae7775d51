const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

/** Hours east of UTC of zone abbreviations that mean one zone only. */
const ZONES: Readonly<Record<string, number>> = {
  UTC: 0,
  GMT: 0,
  Z: 0,
  WET: 0,
  WEST: 1,
  CET: 1,
  CEST: 2,
  EET: 2,
  EEST: 3,
  MSK: 3,
  JST: 9,
  KST: 9,
  AEST: 10,
  AEDT: 11,
  EST: -5,
  EDT: -4,
  CDT: -5,
  MST: -7,
  MDT: -6,
  PST: -8,
  PDT: -7,
};

interface Parts {
  readonly year: number;
  /** From 0. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  /** Nine digits. */
  readonly fraction: string;
  readonly zone: string;
}

/**
 * Parses the output of `date` (C locale, 12 or 24 hours), `date -u`, `date -R`, `date -Is`, `date --rfc-3339`, or seconds since 1970, into RFC 3339
 * in UTC with nine digits; undefined where it is none, or where its time zone is not said or has several meanings.
 */
export function parseDate(text: string): string | undefined {
  if (/^\d{9,10}$/.test(text)) return format(Number(text) * 1000, '');
  const parts = parseIso(text) ?? parseWords(text);
  if (parts === undefined) return undefined;
  const offset = zoneMinutes(parts.zone);
  if (
    offset === undefined ||
    parts.month > 11 ||
    parts.day > 31 ||
    parts.hour > 23 ||
    parts.minute > 59 ||
    parts.second > 60
  ) {
    return undefined;
  }
  const time = Date.UTC(parts.year, parts.month, parts.day, parts.hour, parts.minute, parts.second);
  return format(time - offset * 60_000, parts.fraction);
}

function format(milliseconds: number, fraction: string): string | undefined {
  const date = new Date(milliseconds);
  if (Number.isNaN(date.getTime())) return undefined;
  return `${date.toISOString().slice(0, 19)}.${fraction.padEnd(9, '0').slice(0, 9)}Z`;
}

function zoneMinutes(zone: string): number | undefined {
  const offset = /^([+-])(\d{2}):?(\d{2})?$/.exec(zone);
  if (offset !== null) {
    const minutes = Number(offset[2]) * 60 + Number(offset[3] ?? 0);
    return offset[1] === '-' ? -minutes : minutes;
  }
  const hours = ZONES[zone.toUpperCase()];
  return hours === undefined ? undefined : hours * 60;
}

function parseIso(text: string): Parts | undefined {
  const match =
    /^(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*(Z|UTC|[+-]\d{2}:?\d{2})$/i.exec(
      text,
    );
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction, zone] = match;
  return {
    year: Number(year),
    month: Number(month) - 1,
    day: Number(day),
    hour: Number(hour),
    minute: Number(minute),
    second: Number(second ?? 0),
    fraction: fraction ?? '',
    zone: zone!,
  };
}

/** `Sat Nov 21 20:01:02 UTC 2026`, `Sat Nov 21 08:01:02 PM UTC 2026`, `Sat, 21 Nov 2026 20:01:02 +0000`, `Sat 21 Nov 2026 08:01:02 PM UTC`. */
function parseWords(text: string): Parts | undefined {
  if (text.length > 100) return undefined;
  const words = text.replaceAll(',', ' ').split(/\s+/);
  const month = words.findIndex((word) => MONTHS.includes(word.toLowerCase()));
  const clock = words.findIndex((word) => /^\d{1,2}:\d{2}:\d{2}$/.test(word));
  const year = words.findIndex((word) => /^\d{4}$/.test(word));
  const day = words.findIndex((word) => /^\d{1,2}$/.test(word));
  if (month < 0 || clock < 0 || year < 0 || day < 0) return undefined;
  const used = new Set([month, clock, year, day]);
  const half = words.findIndex((word) => /^[AP]M$/i.test(word));
  if (half >= 0) used.add(half);
  const rest = words.filter((word, index) => !used.has(index) && !/^(?:mon|tue|wed|thu|fri|sat|sun)$/i.test(word));
  if (rest.length !== 1) return undefined;
  const [hour, minute, second] = words[clock]!.split(':').map(Number) as [number, number, number];
  const hour24 = half < 0 ? hour : (hour % 12) + (/^p/i.test(words[half]!) ? 12 : 0);
  return {
    year: Number(words[year]),
    month: MONTHS.indexOf(words[month]!.toLowerCase()),
    day: Number(words[day]),
    hour: hour24,
    minute,
    second,
    fraction: '',
    zone: rest[0]!,
  };
}
