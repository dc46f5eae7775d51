import { type Command, InvalidArgumentError, Option } from 'commander';
import { openLiveCaptures, type LiveCaptures } from '../capture/live-captures.ts';
import { exitCodeOf, type FailOn } from '../report/report.ts';
import { resolveIntent } from '../verification/intent.ts';
import { VANTAGES, type VantageName } from '../verification/verification.ts';
import { LiveVerification } from '../verify.ts';
import { PacketBatch } from '../wire/packet-batch.ts';
import { findSiteFile, loadRouter, readText } from './inputs.ts';
import { filterOf } from './live-filter.ts';
import { liveSources, type Via, VIAS } from './live-sources.ts';
import { collect, positive, withIntent, withOutput, withReport, withRouter } from './options.ts';
import { parseSiteFile } from './site-file.ts';
import { type IntentOptions, statedIntent } from './stated-intent.ts';
import { refuseInput } from './write-output.ts';
import { type RenderingOptions, writeReport } from './write-report.ts';

const BATCH_ROWS = 4096;

interface LiveOptions extends IntentOptions, RenderingOptions {
  readonly router?: readonly string[];
  readonly site?: string;
  readonly interface?: readonly string[];
  readonly via: Via;
  readonly filter?: string;
  readonly duration?: number;
  readonly packets?: number;
  readonly vantage?: VantageName;
  readonly require?: string;
  readonly failOn: FailOn;
  readonly connections?: 'all' | 'failed' | 'none';
  readonly verifyChecksums?: boolean;
}

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
    .option('--packets <count>', 'end after so many frames', positive);
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
  if (options.output !== undefined) refuseInput(options.output, inputs);
  if (loaded.pickedUp !== undefined) say(`router state: ${loaded.pickedUp}`);
  if (site?.pickedUp === true) say(`site file: ${site.path}`);
  const filter = options.filter ?? filterOf(resolveIntent(stated, loaded.router).intent);
  const sources = liveSources({ streams, interfaces: options.interface ?? [], via: options.via, filter });
  const ending = endOnDemand(() => {
    for (const source of sources) source.stop();
  });
  let captures: LiveCaptures | undefined;
  try {
    captures = await openLiveCaptures(sources, { verifyChecksums: options.verifyChecksums ?? false });
    ending.begun(captures, options.duration);
    const verification = new LiveVerification(captures, loaded, stated, {
      verifyChecksums: options.verifyChecksums ?? false,
      requireObserved: options.require === 'observed',
      ...(options.vantage !== undefined && { vantage: options.vantage }),
      ...(options.connections !== undefined && { connections: options.connections }),
    });
    if (options.quiet !== true)
      say(
        `listening to ${sources.map((source) => source.path).join(', ')}${streams.length > 0 ? '' : ` for ${filter}`}; Ctrl-C ends it with the report`,
      );
    await follow(captures, verification, options);
    const { report, evidence } = verification.conclude();
    writeReport(report, options, inputs, evidence);
    return exitCodeOf(report, options.failOn);
  } finally {
    ending.dispose();
    await captures?.close();
  }
}

/** Runs what comes until it ends, or the packets that were asked for are there. */
async function follow(captures: LiveCaptures, verification: LiveVerification, options: LiveOptions): Promise<void> {
  const batch = new PacketBatch(BATCH_ROWS);
  let left = options.packets ?? Number.POSITIVE_INFINITY;
  while (await captures.next(batch)) {
    if (batch.length >= left) batch.length = left;
    left -= batch.length;
    verification.consume(batch);
    if (left > 0) continue;
    captures.stop();
    return;
  }
}

/** Ends on Ctrl-C, on a request to terminate, and after the time given: all three with a report. `stop` is for the time before it has begun. */
function endOnDemand(stop: () => void): {
  begun(captures: LiveCaptures, seconds: number | undefined): void;
  dispose(): void;
} {
  let end = stop;
  let timer: NodeJS.Timeout | undefined;
  let asked = false;
  const onSignal = () => {
    // Who asks twice does not want to wait.
    if (asked) process.exit(130);
    asked = true;
    end();
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  return {
    begun: (captures, seconds) => {
      end = () => captures.stop();
      if (asked) end();
      else if (seconds !== undefined) timer = setTimeout(end, seconds * 1000);
    },
    dispose: () => {
      clearTimeout(timer);
      process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    },
  };
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

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
