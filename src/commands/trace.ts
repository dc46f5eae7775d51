import { type Command, Option } from 'commander';
import type { CaptureInput } from '../capture/capture-set.ts';
import { openCaptureSet } from '../capture/open-capture.ts';
import { renderWalk, type WalkDetail } from '../formats/walk.ts';
import { IpProtocol } from '../net/ip-protocol.ts';
import { formatMark } from '../net/masked-mark.ts';
import { formatTimestamp } from '../report/build-report.ts';
import { InputError } from '../text/input-error.ts';
import { jsonText, visible } from '../text/visible.ts';
import type { Router } from '../verification/router.ts';
import { type TracedFrame, type TraceTotals, trace } from '../verification/trace.ts';
import { captureInputs, checkInterfaceNames, loadRouter } from './inputs.ts';
import { parseFlags, parseMark, parsePacketWords, traceMadePacket } from './made-packet.ts';
import { collect, positive, withRouter } from './options.ts';
import { sayToError, writeOut } from './write-output.ts';

interface TraceCommandOptions {
  readonly router?: readonly string[];
  readonly nextHopDown?: readonly string[];
  readonly frame?: number;
  readonly packet?: string;
  readonly ingress?: string;
  readonly mark?: string;
  readonly flags?: string;
  readonly state?: 'new' | 'established';
  readonly bothDirections?: boolean;
  readonly detailed?: boolean;
  readonly summary?: boolean;
  readonly minimal?: boolean;
  readonly format: 'text' | 'ndjson';
  readonly verifyChecksums?: boolean;
}

/** `redirect-verify trace CAPTURE...`. */
export function addTrace(program: Command): void {
  const command = program
    .command('trace')
    .description('what does the router do with each frame, and why?')
    .argument('[capture...]', 'capture files, - for standard input, or IFACE=FILE');
  withRouter(command)
    .option('--frame <number>', 'one frame only, with every step and its configuration line', positive)
    .addOption(new Option('--packet <words>', 'a made-up packet instead: "tcp 192.168.0.10:40000 > 10.0.0.10:3389"'))
    .option('--ingress <iface>', 'the interface that the made-up packet enters by')
    .option('--mark <number>', 'the mark with which the made-up packet arrives')
    .option('--flags <flags>', 'TCP flags of the made-up packet: letters as in SA, or names as in SYN,ACK (default: S)')
    .addOption(
      new Option('--state <state>', 'the made-up packet opens a connection, or is of one that is open').choices([
        'new',
        'established',
      ]),
    )
    .option('--both-directions', 'the answer to the made-up packet, too')
    .addOption(
      new Option('--detailed', 'every step with its configuration line (as for one frame or packet)').conflicts([
        'summary',
        'minimal',
      ]),
    )
    .addOption(new Option('--summary', 'the steps that had a part in the end').conflicts('minimal'))
    .option('--minimal', 'the end alone (as for many frames)')
    .addOption(new Option('--format <format>', 'format').choices(['text', 'ndjson']).default('text'))
    .option('--site <file>', 'accepted and not needed here')
    .option('--sps <address>', 'accepted and not needed here', collect)
    .action(async (captures: string[], options: TraceCommandOptions) => {
      await run(captures, options);
    });
}

async function run(given: readonly string[], options: TraceCommandOptions): Promise<void> {
  const captures = captureInputs(given);
  if (options.packet !== undefined) {
    if (captures.length > 0) throw new InputError('trace: give either captures or --packet');
    if (options.ingress === undefined) throw new InputError('trace: --packet needs --ingress IFACE');
    if (options.frame !== undefined) throw new InputError('trace: --frame goes with captures, not with --packet');
    const { router } = loadRouter(options.router ?? [], captures, options.nextHopDown);
    const flow = parsePacketWords(options.packet);
    if (options.flags !== undefined && flow.protocol !== IpProtocol.tcp)
      throw new InputError('--flags: only TCP has flags');
    const made = {
      ...flow,
      ingress: options.ingress,
      ...(options.flags !== undefined && { flags: parseFlags(options.flags) }),
      ...(options.mark !== undefined && { mark: parseMark(options.mark) }),
      state: options.state ?? 'new',
      bothDirections: options.bothDirections ?? false,
    };
    writeOut(traceMadePacket(router, made, options.format, detailOf(options) ?? 'detailed'));
    return;
  }
  for (const [name, value] of [
    ['--mark', options.mark],
    ['--flags', options.flags],
    ['--state', options.state],
    ['--both-directions', options.bothDirections],
  ] as const)
    if (value !== undefined) throw new InputError(`trace: ${name} goes with --packet`);
  if (options.ingress !== undefined)
    throw new InputError('trace: --ingress goes with --packet; name the interface of a file as IFACE=FILE');
  if (captures.length === 0) throw new InputError('trace: give a capture, or a made-up packet with --packet');
  const { router, pickedUp } = loadRouter(options.router ?? [], captures, options.nextHopDown);
  if (pickedUp !== undefined) sayToError(`router state: ${pickedUp}`);
  checkInterfaceNames(captures, router);
  await traceCaptures(captures, router, options);
}

function detailOf(options: TraceCommandOptions): WalkDetail | undefined {
  if (options.detailed === true) return 'detailed';
  if (options.summary === true) return 'summary';
  return options.minimal === true ? 'minimal' : undefined;
}

async function traceCaptures(
  inputs: readonly CaptureInput[],
  router: Router,
  options: TraceCommandOptions,
): Promise<void> {
  const captures = await openCaptureSet(inputs, { verifyChecksums: options.verifyChecksums ?? false });
  const totals: TraceTotals = { frames: 0, ingress: 0, observed: 0, ambiguous: 0, unpairedEgress: 0 };
  const ndjson = options.format === 'ndjson';
  let shown = 0;
  const pathOf = (file: number): string => captures.files()[file]?.path ?? '';
  try {
    if (ndjson)
      writeOut(`${jsonText({ type: 'header', schema: 'redirect-verify/trace/1', router: router.dialects })}\n`);
    const wanted = (_file: number, frame: number): boolean => options.frame === undefined || frame === options.frame;
    const detail = detailOf(options) ?? (options.frame === undefined ? 'minimal' : 'detailed');
    const explain = (file: number, frame: number): boolean => detail !== 'minimal' && !ndjson && wanted(file, frame);
    let lines: string[] = [];
    for await (const frame of trace(captures, router, totals, {
      verifyChecksums: options.verifyChecksums ?? false,
      explain,
    })) {
      if (!wanted(frame.file, frame.frame)) continue;
      shown++;
      lines.push(
        ndjson
          ? `${jsonText(frameLine(frame, pathOf(frame.file)))}\n`
          : frameText(frame, inputs.length > 1 ? pathOf(frame.file) : '', detail),
      );
      if (lines.length >= 1000) {
        // Whoever reads has seen enough.
        if (!writeOut(lines.join(''))) return;
        lines = [];
      }
    }
    writeOut(lines.join(''));
    for (const problem of captures.problems()) sayToError(`${problem.code}: ${problem.message}`);
    if (ndjson) writeOut(`${jsonText({ type: 'summary', ...totals })}\n`);
    if (options.frame !== undefined && shown === 0) {
      throw new InputError(
        `trace: frame ${options.frame} did not enter the router, or is not in the capture (${totals.frames} frames, ${totals.ingress} entered)`,
      );
    }
  } finally {
    await captures.close();
  }
}

function frameLine(frame: TracedFrame, path: string): object {
  return {
    type: 'frame',
    path,
    frame: frame.frame,
    timestamp: formatTimestamp(frame.seconds, frame.nanoseconds),
    ingress: frame.ingress,
    disposition: frame.disposition,
    ...(frame.egress !== undefined && { egress: frame.egress }),
    ...(frame.nextHop !== undefined && { nextHop: frame.nextHop }),
    ...(frame.fwmarkUnknown !== true && frame.noMarks !== true && { fwmark: frame.fwmark }),
    ...(frame.connmark !== undefined && { connmark: frame.connmark }),
    ...(frame.table !== undefined && { table: frame.table }),
    ...(frame.icmpRedirect === true && { icmpRedirect: true }),
    ...(frame.rejected === true && { rejected: true }),
    ...(frame.observedEgress !== undefined && { observedEgress: frame.observedEgress }),
    ...(frame.disposition === 'undetermined' && frame.unknown !== undefined && { unknown: frame.unknown }),
  };
}

function frameText(frame: TracedFrame, path: string, detail: WalkDetail): string {
  const to = frame.egress === undefined ? '' : ` by ${frame.egress} to ${frame.nextHop}`;
  const marks =
    frame.noMarks === true
      ? ''
      : `mark ${formatMark(frame.fwmark)}${frame.connmark === undefined ? '' : ` connmark ${formatMark(frame.connmark)}`}`;
  const table = frame.table === undefined ? '' : frame.noMarks === true ? frame.table : ` table ${frame.table}`;
  const routed = marks === '' && table === '' ? '' : ` (${marks}${table})`;
  const seen = frame.observedEgress === undefined ? '' : `, seen leaving by ${frame.observedEgress}`;
  const why = frame.disposition === 'undetermined' && frame.unknown !== undefined ? ` (${frame.unknown})` : '';
  const head = `${path === '' ? '' : `${path} `}${String(frame.frame).padStart(6)} ${frame.ingress} ${frame.packet}: ${frame.disposition}${to}${routed}${seen}${why}`;
  return frame.walk === undefined
    ? `${visible(head)}\n`
    : `${visible(head)}\n${renderWalk(frame.walk, detail).join('\n')}\n`;
}
