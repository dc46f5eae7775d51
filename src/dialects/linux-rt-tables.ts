import { scanWords, spanOfLine } from '../text/line-scanner.ts';
import type { Dialect } from './base/dialect.ts';

const ENTRY = /^\s*(?:\d+|0x[0-9a-f]+)\s+[A-Za-z_][\w.-]*\s*(?:#.*)?$/i;

/** `/etc/iproute2/rt_tables`: numbers and names of routing tables. Ref: ip-route(8), FILES. */
export const linuxRtTables: Dialect = {
  name: 'linux-rt-tables',
  stage: 0,

  recognise: ({ heading, lines }) =>
    heading === undefined
      ? ENTRY.test(lines[0]?.text ?? '')
      : /^(?:cat )?(?:\S*\/)?rt_tables(?:\.d\/\S*)?(?: |$)/.test(heading.command),

  parse({ heading, lines }, draft) {
    if (heading !== undefined) draft.given.routingTableNames = true;
    for (const line of lines) {
      const words = scanWords({ ...line, text: line.text.replace(/#.*/, '') }, 'none') ?? [];
      if (words.length === 0) continue;
      const [number, name] = words.map((word) => word.text);
      const id = number !== undefined && /^(?:\d+|0x[0-9a-f]+)$/i.test(number) ? Number(number) : undefined;
      if (id === undefined || id > 0xffffffff || name === undefined) {
        draft.unparsed('a line of rt_tables is a number and a name', spanOfLine(line));
      } else if ((draft.tableNames.get(name) ?? id) !== id) {
        draft.unparsed(
          `table ${name} has the number ${draft.tableNames.get(name)} already, which stays`,
          spanOfLine(line),
        );
      } else draft.tableNames.set(name, id);
    }
  },
};
