import { type SourceLine, spanOfLine } from '../text/line-scanner.ts';
import { parseDate } from './base/date-text.ts';
import type { DeviceDraft } from './base/device-draft.ts';
import type { Dialect } from './base/dialect.ts';

function readDate(line: SourceLine, draft: DeviceDraft): void {
  const date = parseDate(line.text.trim());
  if (date === undefined) draft.unparsed('this date is not understood; give that of `date -u`', spanOfLine(line));
  // A collection that takes the state again afterwards has a second date; the state's time is that of the first.
  else draft.collectedAt ??= date;
}

/** Who the router is and when its state was taken: `date`, `hostname`, `uname`. */
export const linuxIdentity: Dialect = {
  name: 'linux-identity',
  stage: 0,

  recognise: ({ heading }) =>
    heading !== undefined && /^(?:date|hostname|uname|cat \/etc\/hostname)(?: |$)/.test(heading.command),

  parse(section, draft) {
    const line = section.lines.find((other) => other.text.trim() !== '');
    if (line === undefined) return;
    const text = line.text.trim();
    const { command } = section.heading!;
    if (command.startsWith('date')) readDate(line, draft);
    else if (command.startsWith('uname')) {
      const words = text.split(/\s+/);
      // `uname -a` prints the name of the system and the host before the release.
      draft.kernelRelease ??= words.length > 2 ? words[2]! : words[0]!;
    } else {
      draft.isNew('hostname', text, spanOfLine(line));
      draft.hostname = text;
    }
  },
};
