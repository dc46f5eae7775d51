import { InputError } from '../../text/input-error.ts';
import { lineFrom, type SourceLine, splitLines } from '../../text/line-scanner.ts';
import type { Dialect } from './dialect.ts';
import { asText, withoutJson } from './ip-json.ts';
import { type Heading, isStateCommand, normaliseCommand, promptLength, type Section } from './section.ts';
import { hasPrompts, isSetupCommand } from './shell-lines.ts';

/** A text of a router's state; the caller has read it. */
export interface RouterSource {
  readonly path: string;
  readonly text: string;
}

/** A section with the dialect that reads it; without one nothing is known that does. */
export interface AssignedSection {
  readonly section: Section;
  readonly dialect?: Dialect;
}

const BUNDLE_HEADING = /^### *(\S.*?)\s*$/;

const hint =
  'expected iptables-save, ip rule, ip route, ip addr, ip neigh, sysctl, rt_tables, the commands that set the router up, a configuration of Cisco IOS, ' +
  'or an export of a Sophos UTM; ' +
  '`redirect-verify collect linux` (cisco-ios, sophos-utm) prints what to run on the router';

/** Splits a source into sections: at `### COMMAND` lines of a bundle, at prompts with a command that prints state, or by content. */
export function splitSections(source: RouterSource, dialects: readonly Dialect[]): AssignedSection[] {
  const lines = splitLines(source.path, source.text);
  const first = lines.find((line) => line.text.trim() !== '');
  if (first === undefined) throw new InputError(`${source.path}:1: the router file is empty; ${hint}`);
  const bundle = lines.some((line) => {
    const heading = BUNDLE_HEADING.exec(line.text)?.[1];
    return (
      heading !== undefined &&
      (heading.startsWith('redirect-verify collect') || headingDialect(heading, line, dialects) !== undefined)
    );
  });
  const sections = bundle ? splitBundle(source.path, lines, dialects) : splitPrompts(source.path, lines, dialects);
  if (!sections.some((section) => section.dialect !== undefined)) {
    throw new InputError(`${source.path}:${first.line}: this is no router state that this tool knows; ${hint}`);
  }
  return sections;
}

function headingDialect(text: string, at: SourceLine, dialects: readonly Dialect[]): Dialect | undefined {
  const heading: Heading = { command: normaliseCommand(text), at };
  return dialects.find((dialect) => dialect.recognise({ path: at.path, heading, lines: [] }));
}

/** A section under a heading; without a dialect where none knows the heading. */
function headedSection(
  path: string,
  text: string,
  at: SourceLine,
  lines: readonly SourceLine[],
  dialects: readonly Dialect[],
): AssignedSection {
  const heading: Heading = { command: normaliseCommand(text), at };
  const section: Section = { path, heading, lines: heading.command.startsWith('ip ') ? asText(lines) : lines };
  const dialect = dialects.find((candidate) => candidate.recognise(section));
  return dialect === undefined ? { section } : { section, dialect };
}

function splitBundle(path: string, lines: readonly SourceLine[], dialects: readonly Dialect[]): AssignedSection[] {
  const sections: AssignedSection[] = [];
  let heading: { text: string; at: SourceLine } | undefined;
  let inside: SourceLine[] = [];
  const close = (): void => {
    if (heading === undefined) {
      if (inside.some((line) => line.text.trim() !== '')) sections.push(...splitContent(path, inside, dialects, false));
    } else if (!heading.text.startsWith('redirect-verify collect')) {
      sections.push(headedSection(path, heading.text, heading.at, inside, dialects));
    } else if (inside.some((line) => line.text.trim() !== '')) {
      // Between the first line of a collection and its first section there is nothing.
      sections.push({ section: { path, lines: inside.filter((line) => line.text.trim() !== '') } });
    }
    inside = [];
  };
  for (const line of lines) {
    const text = BUNDLE_HEADING.exec(line.text)?.[1];
    if (text === undefined) inside.push(line);
    else {
      close();
      heading = { text, at: line };
    }
  }
  close();
  return sections;
}

function splitPrompts(path: string, lines: readonly SourceLine[], dialects: readonly Dialect[]): AssignedSection[] {
  const prompted = hasPrompts(lines.map((line) => line.text));
  if (!prompted) return splitContent(path, lines, dialects, false);
  const sections: AssignedSection[] = [];
  const outside: SourceLine[] = [];
  let heading: { text: string; at: SourceLine } | undefined;
  let inside: SourceLine[] = [];
  const close = (): void => {
    if (heading !== undefined) sections.push(headedSection(path, heading.text, heading.at, inside, dialects));
    heading = undefined;
    inside = [];
  };
  for (const line of lines) {
    const start = promptLength(line.text);
    const command = start === undefined ? undefined : line.text.slice(start).trim();
    if (command !== undefined && isStateCommand(normaliseCommand(command))) {
      close();
      heading = { text: command, at: lineFrom(line, start!) };
    } else if (command !== undefined && isSetupCommand(command)) {
      close();
      outside.push(line);
    } else if (heading === undefined) outside.push(line);
    // A prompt with nothing behind it is the end of a pasted terminal.
    else if (!/^\s*(?:\[[^\]]{1,120}\]|[^\s#$]{0,120})[#$]\s*$/.test(line.text)) inside.push(line);
  }
  close();
  if (outside.some((line) => line.text.trim() !== '')) sections.push(...splitContent(path, outside, dialects, true));
  return sections;
}

/**
 * Splits lines without headings: each line that opens a dialect's text begins a section, which goes on as the dialect says. Set-up
 * commands and what stands between them make one section of the last dialect, the shell's, in their order.
 */
function splitContent(
  path: string,
  lines: readonly SourceLine[],
  dialects: readonly Dialect[],
  prompted: boolean,
): AssignedSection[] {
  const sections: { dialect: Dialect; lines: SourceLine[] }[] = [];
  const shellLines: SourceLine[] = [];
  const unclaimed: SourceLine[][] = [];
  const shell = dialects.find((dialect) => dialect.stage === SHELL_STAGE);
  let current:
    | { dialect: Dialect; lines: SourceLine[]; extent?: (line: SourceLine, recognised: boolean) => boolean }
    | undefined;
  let shellFound = false;
  let lastUnclaimed = -2;
  for (const [index, line] of withoutJson(lines).entries()) {
    if (line.text.trim() === '') {
      current?.lines.push(line);
      shellLines.push(line);
      continue;
    }
    const found = dialects.find((dialect) => dialect.recognise({ path, lines: [line] }));
    if (current !== undefined) {
      const recognised = found === current.dialect;
      if (current.extent?.(line, recognised) ?? recognised) {
        current.lines.push(line);
        continue;
      }
    }
    if (found !== undefined && found !== shell) {
      const extent = found.extent?.(line);
      current = { dialect: found, lines: [line], ...(extent === undefined ? {} : { extent }) };
      sections.push(current);
      continue;
    }
    current = undefined;
    shellLines.push(line);
    if (found === shell && shell !== undefined) shellFound = true;
    else if (!line.text.trimStart().startsWith('#')) {
      if (lastUnclaimed === index - 1) unclaimed.at(-1)!.push(line);
      else unclaimed.push([line]);
      lastUnclaimed = index;
    }
  }
  const assigned: AssignedSection[] = sections.map((section) => ({
    section: { path, lines: section.lines },
    dialect: section.dialect,
  }));
  if (shellFound && shell !== undefined) assigned.push({ section: { path, lines: shellLines }, dialect: shell });
  else if (!prompted) for (const run of unclaimed) assigned.push({ section: { path, lines: run } });
  return assigned;
}

/** The stage of commands, which are applied on top of all dumps. */
export const SHELL_STAGE = 9;
