import type { Neighbour } from '../model/network-interface.ts';
import { parseIpAddress } from '../net/ip-address.ts';
import { parseMac } from '../net/mac-address.ts';
import { type SourceLine, scanWords, spanOfLine } from '../text/line-scanner.ts';
import type { Dialect } from './base/dialect.ts';

const STATES = 'REACHABLE|STALE|DELAY|PROBE|FAILED|INCOMPLETE|PERMANENT|NOARP|NONE';
const NEIGHBOUR = new RegExp(`^[0-9a-f.:]+ dev \\S+ .*(?:\\b(?:${STATES})\\s*$|\\blladdr [0-9a-f]{2}:)`, 'i');

function parseNeighbour(line: SourceLine): Neighbour | undefined {
  const words = (scanWords(line, 'none') ?? []).map((word) => word.text);
  const after = (name: string): string | undefined => {
    const index = words.indexOf(name);
    return index < 0 ? undefined : words[index + 1];
  };
  const address = parseIpAddress(words[0] ?? '');
  const device = after('dev');
  if (address === undefined || device === undefined) return undefined;
  const mac = parseMac(after('lladdr') ?? '');
  const state = words.findLast((word) => new RegExp(`^(?:${STATES})$`).test(word));
  return {
    address,
    device,
    ...(mac === undefined ? {} : { mac }),
    ...(state === undefined ? {} : { state }),
    origin: spanOfLine(line),
  };
}

/** `ip neigh show`: which MAC address has which IP address. Ref: ip-neighbour(8). */
export const linuxIpNeigh: Dialect = {
  name: 'linux-ip-neigh',
  stage: 1,

  recognise: ({ heading, lines }) =>
    heading === undefined
      ? NEIGHBOUR.test(lines[0]?.text ?? '')
      : /^ip (?:-[46] )?(?:-d )?neighbour show(?: |$)/.test(heading.command),

  parse(section, draft) {
    const seen = new Set(draft.neighbours.map((other) => `${other.device} ${other.address.words} ${other.mac}`));
    for (const line of section.lines) {
      if (line.text.trim() === '') continue;
      const neighbour = parseNeighbour(line);
      if (neighbour === undefined) {
        draft.unparsed('this is no neighbour entry', spanOfLine(line));
        continue;
      }
      // One address with two MAC addresses is kept twice: SPS may have moved to its partner in between.
      const key = `${neighbour.device} ${neighbour.address.words} ${neighbour.mac}`;
      if (seen.has(key)) continue;
      seen.add(key);
      draft.neighbours.push(neighbour);
    }
  },
};
