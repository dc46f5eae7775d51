import { spanOfLine } from '../text/line-scanner.ts';
import type { Dialect } from './base/dialect.ts';

const TABLE = /^table (?:(ip6?|inet|arp|bridge|netdev) )?(\S+) \{/;
const MANAGED = /^# Warning: table (\S+) (\S+) is managed by iptables-nft/;

/** Nesting depth of braces after a line, quoted text apart. */
function depthAfter(depth: number, text: string): number {
  const bare = text.replace(/"[^"]*"/g, '').replace(/#.*/, '');
  return depth + bare.split('{').length - bare.split('}').length;
}

/**
 * `nft list ruleset`. Only the tables are read: those that iptables-nft manages are known by iptables-save, of which this text is an
 * inexact translation; what native ones do to packets is not modelled. Which is which is judged when every dump was read.
 * Ref: linux-forwarding 8.13.
 */
export const linuxNftRuleset: Dialect = {
  name: 'linux-nft-ruleset',
  stage: 2,

  recognise: ({ heading, lines }) =>
    heading === undefined
      ? TABLE.test(lines[0]?.text ?? '') || MANAGED.test(lines[0]?.text ?? '')
      : /^nft (?:-\w+ )*list ruleset$/.test(heading.command),

  extent(first) {
    let depth = depthAfter(0, first.text);
    return (line, recognised) => {
      const inside = depth > 0 || recognised;
      depth = Math.max(0, depthAfter(depth, line.text));
      return inside;
    };
  },

  parse(section, draft) {
    const managed = new Set<string>();
    let depth = 0;
    let current: { family: string; name: string; line: (typeof section.lines)[number]; native: boolean } | undefined;
    const close = (): void => {
      if (current === undefined) return;
      const { family, name, line, native } = current;
      const known = managed.has(`${family} ${name}`) || !native;
      draft.nftTables.push({ family, name, managed: known, origin: spanOfLine(line) });
      current = undefined;
    };
    for (const line of section.lines) {
      const warning = MANAGED.exec(line.text);
      if (warning !== null) managed.add(`${warning[1]} ${warning[2]}`);
      const table = depth === 0 ? TABLE.exec(line.text) : null;
      if (table !== null) current = { family: table[1] ?? 'ip', name: table[2]!, line, native: false };
      else if (depth === 0 && line.text.trim() !== '' && !line.text.startsWith('#')) {
        draft.unmodelled('this part of the nftables rule set is not modelled', spanOfLine(line));
        draft.unknown('nftables statement', spanOfLine(line));
      }
      if (current !== undefined && isNative(line.text)) current.native = true;
      depth = Math.max(0, depthAfter(depth, line.text));
      if (depth === 0) close();
    }
    close();
  },
};

/** Statements that iptables-nft never makes: sets, maps, flowtables, verdict maps, base chains with other than iptables' names. */
function isNative(text: string): boolean {
  const chain = /^\s*chain (\S+) \{/.exec(text);
  if (chain !== null) return false;
  return (
    /^\s*(?:set|map|flowtable|counter|quota|limit|ct helper|ct timeout|ct expectation|secmark|synproxy) \S+ \{/.test(
      text,
    ) || /\bvmap\b/.test(text)
  );
}
