import type { PolicyRule } from '../model/routing.ts';
import type { Family } from '../net/ip-address.ts';
import { type SourceLine, scanWords, spanOfLine } from '../text/line-scanner.ts';
import type { DeviceDraft } from './base/device-draft.ts';
import type { Dialect } from './base/dialect.ts';
import { readRuleWords } from './base/ip-rule-words.ts';
import { WordCursor } from './base/ip-words.ts';
import type { Section } from './base/section.ts';

const RULE = /^(\d+):\s+(?:not\s+)?from\s/;

function familyOf(section: Section): Family {
  if (section.heading !== undefined) return section.heading.command.includes(' -6 ') ? 6 : 4;
  const listed = section.lines.map((line) => line.text.trim().replace(/\s+/g, ' ')).filter((text) => text !== '');
  // What every router has for IPv6; IPv4 has table default besides.
  if (listed.join('|') === '0: from all lookup local|32766: from all lookup main') return 6;
  return section.lines.some((line) => /\b(?:from|to)\s+[0-9a-f]*:[0-9a-f:]*/i.test(line.text)) ? 6 : 4;
}

function parseRule(line: SourceLine, family: Family, draft: DeviceDraft): PolicyRule {
  const origin = spanOfLine(line);
  const words = scanWords({ ...line, text: line.text.replace(/^\s*\d+:/, '') }, 'none') ?? [];
  const priority = Number(/^\s*(\d+):/.exec(line.text)?.[1] ?? 0);
  const read = readRuleWords(new WordCursor(words), family, (name) => draft.tableId(name, origin, false));
  const { selectors } = read;
  const error = read.error ?? (read.action === undefined ? 'the action of the rule is missing' : undefined);
  if (error !== undefined) draft.unparsed(`policy rule not understood: ${error}`, origin);
  else if (selectors.unmodelled.length > 0) {
    draft.unmodelled(
      `whether this policy rule matches is unknown: ${selectors.unmodelled.join(', ')} is not modelled`,
      origin,
    );
  }
  return {
    family,
    priority,
    ...selectors,
    // A rule that was not understood may match anything and do anything.
    ...(error === undefined ? {} : { unmodelled: [...selectors.unmodelled, `not understood: ${error}`] }),
    action: read.action ?? { kind: 'blackhole' },
    origin,
  };
}

/** `ip rule show`. Ref: ip-rule(8); linux-forwarding 3. */
export const linuxIpRule: Dialect = {
  name: 'linux-ip-rule',
  stage: 2,

  recognise: ({ heading, lines }) =>
    heading === undefined
      ? RULE.test(lines[0]?.text.trimStart() ?? '')
      : /^ip (?:-[46] )?(?:-d )?rule show$/.test(heading.command),

  /** Priorities only rise within one list; where they fall, another one begins. */
  extent(first) {
    let last = Number.parseInt(first.text, 10);
    return (line, recognised) => {
      const priority = Number.parseInt(line.text, 10);
      if (!recognised || priority < last) return false;
      last = priority;
      return true;
    };
  },

  parse(section, draft) {
    const family = familyOf(section);
    const lines = section.lines.filter((line) => line.text.trim() !== '');
    const at = lines[0] ?? section.heading?.at;
    if (at === undefined) return;
    const content = lines.map((line) => line.text.trim().replace(/\s+/g, ' ')).join('\n');
    draft.given.policyRules.add(family);
    if (!draft.isNew(`ip rule (IPv${family})`, content, spanOfLine(at))) return;
    for (const line of lines) {
      if (/^\s*\d+:/.test(line.text)) draft.policyRules.push(parseRule(line, family, draft));
      else {
        draft.unparsed('this is no policy rule', spanOfLine(line));
        draft.unknown('a line among the policy rules that is not understood', spanOfLine(line));
      }
    }
  },
};
