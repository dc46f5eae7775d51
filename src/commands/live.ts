import { type Command, InvalidArgumentError, Option } from 'commander';
import { resolveIntent } from '../verification/intent.ts';
import { VANTAGES } from '../verification/verification.ts';
import { findSiteFile, loadRouter, readText } from './inputs.ts';
import { filterOf } from './live-filter.ts';
import { type LiveOptions, LiveSession } from './live-session.ts';
import { liveSources, VIAS } from './live-sources.ts';
import { collect, positive, withIntent, withOutput, withReport, withRouter } from './options.ts';
import { parseSiteFile } from './site-file.ts';
import { statedIntent } from './stated-intent.ts';
import { refuseOutputs, sayToError } from './write-output.ts';

/** A stream may be silent for long before its first bytes: after this time the user is told what is waited for. */
const PATIENCE_MILLISECONDS = 1000;

/** `redirect-verify live [-i IFACE...] [-]`: the verdicts of verify as traffic flows. */
export function addLive(program: Command): void {
  const command = program
    .command('live')
    .description('the same as verify, of live traffic')
    .argument('[stream...]', '- for standard input, or a named pipe, that a capture is written to')
    .option('-i, --interface <iface>', 'an interface of this machine, or any (repeatable; default: any)', collect)
    .addOption(new Option('--via <program>', 'what captures').choices(VIAS).default('auto'))
    .option('--filter <expression>', 'capture filter (pcap-filter syntax; default: what the intent needs)')
    .option('--duration <time>', 'end after this time: 90, 90s, 15m or 2h', duration)
    .option('--packets <count>', 'end after so many frames', positive)
    .option(
      '--until-verified <count>',
      'end with 0 once so many connections of each service were verified both ways, with 1 at the first failure, with 3 after --duration',
      positive,
    )
    .option('--watch', "read the router's state again when its files change (SIGHUP does so at any time)")
    .option('--write <file>', 'keep what is captured as pcapng')
    .option('--metrics <address>', 'serve Prometheus metrics, e.g. at 127.0.0.1:9464')
    .option('--max-connections <count>', 'connections remembered at most', positive, 20_000);
  withIntent(withRouter(command))
    .addOption(
      new Option(
        '--require <evidence>',
        'observed: a verdict that rests on synthesized packets alone is inconclusive',
      ).choices(['observed']),
    )
    .addOption(
      new Option('--vantage <where>', 'where it is captured (default: told by MAC addresses and interfaces)').choices(
        VANTAGES,
      ),
    );
  withOutput(withReport(command)).action(async (streams: string[], options: LiveOptions) => {
    process.exitCode = await run(streams, options);
  });
}

async function run(streams: readonly string[], options: LiveOptions): Promise<number> {
  const site = findSiteFile(options.site, []);
  const siteText = site === undefined ? undefined : parseSiteFile(site.path, readText(site.path));
  const stated = statedIntent(options, siteText ?? {}, site?.path ?? '');
  // What lies in the working directory is as good as beside a capture.
  const loaded = loadRouter(options.router ?? [], [{ path: './live' }]);
  const inputs = [...loaded.sources.map((source) => source.path), ...(site === undefined ? [] : [site.path])];
  refuseOutputs(
    [
      { option: '--output', path: options.output },
      { option: '--write', path: options.write },
    ],
    [...inputs, ...streams],
  );
  if (loaded.pickedUp !== undefined) sayToError(`router state: ${loaded.pickedUp}`);
  if (site?.pickedUp === true) sayToError(`site file: ${site.path}`);
  const filter = options.filter ?? filterOf(resolveIntent(stated, loaded.router).intent);
  const sources = liveSources({ streams, interfaces: options.interface ?? [], via: options.via, filter });
  const listening = `listening to ${sources.map((source) => source.path).join(', ')}${streams.length > 0 ? '' : ` for ${filter}`}; Ctrl-C ends it with the report`;
  const session = new LiveSession(sources, { loaded, stated, inputs }, options);
  try {
    await announced(session, options.quiet === true ? undefined : listening);
    await session.run();
    return session.report();
  } finally {
    await session.close();
  }
}

/** Opens the session and says what it listens to: at once where that goes quickly, so that a failure is one line; else while it waits. */
async function announced(session: LiveSession, listening: string | undefined): Promise<void> {
  let unsaid = listening;
  const announce = () => {
    if (unsaid !== undefined) sayToError(unsaid);
    unsaid = undefined;
  };
  const waiting = setTimeout(announce, PATIENCE_MILLISECONDS);
  try {
    await session.open();
  } finally {
    clearTimeout(waiting);
  }
  announce();
}

/** Parses `90`, `90s`, `15m` or `2h` into seconds. */
export function duration(value: string): number {
  const match = /^(\d{1,7})([smh]?)$/.exec(value);
  const seconds = Number(match?.[1] ?? 0) * (match?.[2] === 'h' ? 3600 : match?.[2] === 'm' ? 60 : 1);
  // A timer of more than 24.8 days would fire at once.
  if (match === null || seconds < 1 || seconds > 2_000_000)
    throw new InvalidArgumentError('expected a time like 90, 90s, 15m or 2h.');
  return seconds;
}
