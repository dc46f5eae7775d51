import { spanOfLine } from '../text/line-scanner.ts';
import type { Dialect } from './base/dialect.ts';

const ENTRY = /^(?:ipv[46]\s+\d+\s+)?[a-z0-9]+\s+\d+\s+(?:\d+\s+)?.*\bsrc=\S+ dst=\S+/;

/** `conntrack -L`: kept line by line. Connections are simulated from the captured packets alone. */
export const linuxConntrack: Dialect = {
  name: 'linux-conntrack',
  stage: 1,
  recognise: ({ heading, lines }) =>
    heading === undefined
      ? ENTRY.test(lines[0]?.text ?? '')
      : /^(?:conntrack -L(?: |$)|cat \/proc\/net\/nf_conntrack)/.test(heading.command),
  parse(section, draft) {
    for (const line of section.lines) if (ENTRY.test(line.text)) draft.conntrackLines.push(spanOfLine(line));
  },
};
