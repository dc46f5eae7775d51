import type { LinuxDevice } from '../../model/linux-device.ts';
import { InputError } from '../../text/input-error.ts';
import { spanOfLine } from '../../text/line-scanner.ts';
import { formatPlace } from '../../text/span.ts';
import { DeviceDraft } from './device-draft.ts';
import type { Dialect } from './dialect.ts';
import { prepareForCommands, resolveState } from './resolve-state.ts';
import type { Section } from './section.ts';
import { type AssignedSection, type RouterSource, SHELL_STAGE, splitSections } from './split-sections.ts';

/** Texts beyond this are no router's state. */
const LENGTH_LIMIT = 256 * 1024 * 1024;

/** Reads the sources of one router with the given dialects, dumps first, then commands in the order of the sources. */
export function readState(sources: readonly RouterSource[], dialects: readonly Dialect[]): LinuxDevice {
  const draft = new DeviceDraft();
  const assigned: AssignedSection[] = [];
  for (const source of sources) {
    if (source.text.length > LENGTH_LIMIT)
      throw new InputError(`${source.path}: the router file is larger than 256 MiB`);
    for (const section of splitSections(source, dialects)) assigned.push(section);
  }
  if (assigned.length === 0)
    throw new InputError('no router state is given; `redirect-verify collect linux` prints what to run');
  const stages = [...new Set(dialects.map((dialect) => dialect.stage))].sort((a, b) => a - b);
  for (const stage of stages) {
    const ready = assigned.filter(({ dialect }) => dialect?.stage === stage);
    if (stage === SHELL_STAGE) prepareForCommands(draft);
    for (const { section, dialect } of ready) {
      draft.dialects.add(dialect!.name);
      dialect!.parse(section, draft);
    }
  }
  for (const { section, dialect } of assigned) if (dialect === undefined) reportUnknown(section, draft);
  return resolveState(draft);
}

/** A section that no dialect reads: said once, and nothing of it is used. */
function reportUnknown(section: Section, draft: DeviceDraft): void {
  const line = section.lines.find((other) => other.text.trim() !== '');
  if (line === undefined) return;
  const { heading } = section;
  if (heading !== undefined)
    draft.unparsed(`nothing here reads the output of "${heading.command}"`, spanOfLine(heading.at));
  else {
    const last = section.lines.at(-1)!;
    const until = last.line === line.line ? '' : ` (to ${formatPlace(spanOfLine(last))})`;
    draft.unparsed(`this is of no dialect that is known${until}`, spanOfLine(line));
  }
}
