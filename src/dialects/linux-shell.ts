import type { Dialect } from './base/dialect.ts';
import { isRouterCommand } from './base/shell-lines.ts';
import { SHELL_STAGE } from './base/split-sections.ts';

export const linuxShell: Dialect = {
  name: 'linux-shell',
  stage: SHELL_STAGE,
  recognise: ({ heading, lines }) => heading === undefined && isRouterCommand(lines[0]?.text ?? ''),
  parse(section, draft) {
    draft.changed.any = true;
    for (const line of section.lines)
      draft.unparsed('commands are not read yet', { path: line.path, line: line.line, column: 1, text: line.text });
  },
};
