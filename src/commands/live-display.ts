import { directionWords } from '../formats/format.ts';
import type { LiveEvent } from '../report/live-progress.ts';
import type { Report } from '../report/report.ts';
import { jsonText, visible } from '../text/visible.ts';
import { type TableState, tableLines } from './live-table.ts';

/** What happens beside verdicts: a source falls silent, the router's state is read again. */
export interface Notice {
  readonly event: 'source' | 'state';
  readonly message: string;
}

/** Shows a live run while it goes on. */
export interface LiveDisplay {
  events(events: readonly LiveEvent[], state: TableState): void;
  notice(notice: Notice): void;
  refresh(state: TableState): void;
  /** Before the final report is written. */
  end(): void;
}

/** Nothing is shown. */
export const QUIET: LiveDisplay = { events: () => {}, notice: () => {}, refresh: () => {}, end: () => {} };

/** A line for each event. */
export function lineDisplay(write: (text: string) => void): LiveDisplay {
  const say = (text: string): void => write(`${new Date().toISOString()} ${visible(text)}\n`);
  return {
    ...QUIET,
    events: (events) => {
      for (const event of events) say(eventWords(event));
    },
    notice: ({ message }) => say(message),
  };
}

/** An event in one line. */
export function eventWords(event: LiveEvent): string {
  if (event.event === 'finding') {
    const { severity, code, slug, message } = event.finding;
    return `${severity} ${code} ${slug}: ${message}`;
  }
  const { connection } = event;
  const name = `${connection.id} ${connection.protocol} ${connection.client} > ${connection.server}`;
  if (event.event === 'connection') return `new ${name}`;
  const was = event.was === undefined ? '' : ` (was ${event.was})`;
  const ways = `${directionWords(connection.clientToServer)} / ${directionWords(connection.serverToClient)}`;
  const findings = connection.findings.length === 0 ? '' : `  ${connection.findings.join(' ')}`;
  return `${connection.verdict}${was} ${name}  ${ways}${findings}`;
}

/** `--format ndjson`: a header at once, then events as they come; {@link ndjsonEnd} has the rest. */
export function ndjsonDisplay(write: (text: string) => void, header: Report): LiveDisplay {
  const say = (line: object): void => write(`${jsonText(line)}\n`);
  const { connections, findings, summary, verdict, schema, ...rest } = header;
  say({ type: 'header', schema, live: true, ...rest });
  return {
    ...QUIET,
    events: (events) => {
      for (const event of events) say({ type: 'event', time: new Date().toISOString(), ...event });
    },
    notice: (notice) => say({ type: 'event', time: new Date().toISOString(), ...notice }),
  };
}

/** The lines behind the events: what the report says in the end, and the summary last. */
export function ndjsonEnd(report: Report): string {
  const { connections, findings, summary, verdict, schema: _, ...rest } = report;
  const lines: object[] = [
    ...connections.map((item) => ({ type: 'connection', ...item })),
    ...findings.map((item) => ({ type: 'finding', ...item })),
    { type: 'summary', verdict, ...summary, ...rest },
  ];
  return lines.map((line) => `${jsonText(line)}\n`).join('');
}

/** In raw mode a key like others. */
const CTRL_C = '\u0003';
const ALTERNATE_SCREEN = '\u001b[?1049h\u001b[?25l';
const USUAL_SCREEN = '\u001b[?25h\u001b[?1049l';

/** A table on the terminal that changes in place, on a screen of its own; `onQuit` is called at `q` and Ctrl-C. `write` throws nothing. */
export function tableDisplay(color: boolean, onQuit: () => void, write: (text: string) => void): LiveDisplay {
  const { stdout, stdin } = process;
  let last: string | undefined;
  let state: TableState | undefined;
  let ended = false;
  const draw = (): void => {
    if (ended || state === undefined) return;
    const { columns = 80, rows = 24 } = stdout;
    const lines = tableLines({ ...state, ...(last !== undefined && { last }) }, columns, rows - 1, color);
    write(`\u001b[H${lines.map((line) => `${line}\u001b[K`).join('\r\n')}\u001b[J`);
  };
  const onKey = (keys: Buffer): void => {
    const pressed = keys.toString();
    if (['q', 'Q', CTRL_C].some((key) => pressed.includes(key))) onQuit();
  };
  const end = (): void => {
    if (ended) return;
    ended = true;
    stdout.off('resize', draw);
    if (stdin.isTTY === true) {
      stdin.off('data', onKey);
      stdin.setRawMode(false);
      stdin.pause();
    }
    process.off('exit', end);
    write(USUAL_SCREEN);
  };
  write(ALTERNATE_SCREEN);
  // However the run ends, the terminal is left as it was.
  process.on('exit', end);
  stdout.on('resize', draw);
  if (stdin.isTTY === true) {
    stdin.setRawMode(true);
    stdin.on('data', onKey);
    stdin.resume();
  }
  return {
    events: (events) => {
      for (const event of events) if (event.event === 'finding') last = eventWords(event);
    },
    notice: ({ message }) => {
      last = message;
      draw();
    },
    refresh: (current) => {
      state = current;
      draw();
    },
    end,
  };
}
