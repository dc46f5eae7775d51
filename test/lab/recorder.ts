/** Recording on the router in all three ways at once: one pcapng of three interfaces, one `any` file, one file each. */
import { join } from 'node:path';
import { type Background, CommandError, run, sleep, start } from './command.ts';
import type { Namespaces } from './namespaces.ts';
import { ROUTER_INTERFACES } from './topology.ts';

export const CAPTURE_FILES = {
  merged: 'capture.pcapng',
  any: 'any.pcap',
  perInterface: { eth0: 'eth0.pcap', eth1: 'eth1.pcap', eth2: 'eth2.pcap' },
} as const;

export interface RecorderOptions {
  /** Bytes kept of each frame. */
  readonly snapLength: number;
  /** Of the router, beside the usual three. */
  readonly furtherInterfaces: readonly string[];
}

export interface Recorder {
  /** Waits until all that was seen is written, ends the programs, and checks that none lost anything. */
  stop(): Promise<FrameCounts>;
}

/** Frames in each way of recording; the three are the same. */
export interface FrameCounts {
  readonly merged: number;
  readonly any: number;
  readonly perInterface: number;
}

/** Hosts announce their IPv6 multicast groups (MLD, behind a hop-by-hop header) when they like. */
const FILTER = 'ip or arp or (ip6 and not ip6 proto 0)';
/** Longer than the time for which dumpcap and libpcap may leave a filled block of the ring unread (1 s). */
const FLUSH_MILLISECONDS = 1200;

/** Starts recording into a directory; resolves once every program listens. */
export async function startRecorder(
  namespaces: Namespaces,
  directory: string,
  options: RecorderOptions,
): Promise<Recorder> {
  const snap = ['-s', String(options.snapLength)];
  const names: readonly string[] = [...ROUTER_INTERFACES, ...options.furtherInterfaces];
  const interfaces = names.flatMap((name) => ['-i', name, '-f', FILTER, ...snap]);
  const merged = join(directory, CAPTURE_FILES.merged);
  // -Z root: tcpdump otherwise gives up its rights before it opens the file.
  const tcpdump = (argv: readonly string[], file: string) =>
    ['tcpdump', '-Z', 'root', '-U', ...snap, ...argv, '-w', join(directory, file), FILTER] as const;
  const programs: [Background, string][] = [
    [start(namespaces.enter('router', ['dumpcap', '-q', ...interfaces, '-w', merged])), 'File: '],
    [start(namespaces.enter('router', tcpdump(['-i', 'any', '-y', 'LINUX_SLL2'], CAPTURE_FILES.any))), 'listening on'],
  ];
  for (const name of names) {
    const argv = tcpdump(['-i', name], `${name}.pcap`);
    programs.push([start(namespaces.enter('router', argv)), 'listening on']);
  }
  const stopAll = () => Promise.all(programs.map(([program]) => program.stop('SIGINT')));
  try {
    for (const [program, sign] of programs) await program.until(() => program.errors().includes(sign), 'listening');
  } catch (error) {
    await stopAll();
    throw error;
  }
  return {
    stop: async () => {
      await sleep(FLUSH_MILLISECONDS);
      await stopAll();
      for (const [program] of programs) requireNoLoss(program.errors());
      return countFrames(directory, names);
    },
  };
}

/** tcpdump prints `0 packets dropped by kernel`, dumpcap `received/dropped on interface 'eth0': 12/0 (…)`. */
function requireNoLoss(report: string): void {
  const losses = [...report.matchAll(/^(\d+) packets? dropped|received\/dropped on interface '.*?': \d+\/(\d+)/gm)];
  if (losses.some(([, tcpdump, dumpcap]) => Number(tcpdump ?? dumpcap) > 0)) {
    throw new CommandError(`the recording lost packets: ${report.trim()}`);
  }
}

function countFrames(directory: string, names: readonly string[]): FrameCounts {
  const count = (file: string) => {
    const text = run(['capinfos', '-Mc', join(directory, file)]);
    return Number(/Number of packets:\s+(\d+)/.exec(text)?.[1]);
  };
  const perInterface = names.map((name) => count(`${name}.pcap`));
  const counts = {
    merged: count(CAPTURE_FILES.merged),
    any: count(CAPTURE_FILES.any),
    perInterface: perInterface.reduce((sum, frames) => sum + frames, 0),
  };
  if (counts.merged !== counts.any || counts.any !== counts.perInterface) {
    throw new CommandError(`the recordings differ: ${JSON.stringify(counts)} frames`);
  }
  return counts;
}
