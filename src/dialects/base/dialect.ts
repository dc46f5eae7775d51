import type { SourceLine } from '../../text/line-scanner.ts';
import type { DeviceDraft } from './device-draft.ts';
import type { Section } from './section.ts';

/**
 * One language in which a router's state is written. A new one is a file in `dialects/` and a line in its `index.ts`.
 */
export interface Dialect {
  /** As the report names it. */
  readonly name: string;
  /** Sections are read by ascending stage, within one by path and line: names before what uses them, commands last. */
  readonly stage: number;
  /**
   * Whether the section is of this dialect: by its heading where it has one, else by its first line alone, which then opens
   * a text of this dialect out of any context.
   */
  recognise(section: Section): boolean;
  /**
   * For sections without heading: begins one with its first line and returns what tells, line by line, whether the next one still
   * belongs to it; `recognised` says whether that line by itself is of this dialect. Without it recognised lines belong.
   */
  extent?(first: SourceLine): (line: SourceLine, recognised: boolean) => boolean;
  /** Reads the section into the draft; what it cannot read becomes a problem there. */
  parse(section: Section, draft: DeviceDraft): void;
}
