/** The kernel as an oracle: routers in network namespaces, held by oracle.py. */
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { neighboursOf } from '../ipv6.ts';
import { type RecordedScenario, restoreText, type Scenario } from '../scenario.ts';
import { fateOf, type RawAnswer, withHeldFates } from './fate.ts';

/** Programs and the Debian packages that have them. */
const PROGRAMS: readonly (readonly [program: string, debianPackage: string])[] = [
  ['python3', 'python3'],
  ['ip', 'iproute2'],
  ['iptables-nft-restore', 'iptables'],
  ['iptables-legacy-restore', 'iptables'],
  ['nft', 'nftables'],
  ['ipset', 'ipset'],
];

/** What keeps this machine from asking its kernel; empty where nothing does. */
export function missingForOracle(): string[] {
  const missing: string[] = [];
  if (process.platform !== 'linux') return ['a Linux kernel'];
  if (process.getuid?.() !== 0) missing.push('root');
  const folders = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`.split(':');
  const absent = PROGRAMS.filter(([program]) => !folders.some((folder) => existsSync(`${folder}/${program}`)));
  const packages = new Set(absent.map(([, debianPackage]) => debianPackage));
  if (packages.size > 0) missing.push(`the Debian packages ${[...packages].join(', ')}`);
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK);
  } catch {
    missing.push('/dev/net/tun');
  }
  return missing;
}

/** The kernel, or what is set up for asking it, refused. */
export class OracleError extends Error {}

/** What else an oracle is asked for. */
export interface AskOptions {
  /** Sections that only commands of the shell need. */
  readonly detail?: boolean;
  /** The connection entries after so many frames are part of the dump. */
  readonly connectionsAfter?: number;
}

/** A running oracle. Scenarios are asked one after the other. */
export class Oracle {
  readonly kernel: string;
  /** Of the process that holds the namespaces. */
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;
  #errors: string;

  private constructor(child: ChildProcess, reader: Interface, lines: AsyncIterator<string>, kernel: string) {
    this.#child = child;
    this.#reader = reader;
    this.#lines = lines;
    this.kernel = kernel;
    this.pid = child.pid!;
    this.#errors = '';
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#errors += text;
    });
  }

  static async start(): Promise<Oracle> {
    const script = fileURLToPath(new URL('oracle.py', import.meta.url));
    const path = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;
    const child = spawn('python3', [script], { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, PATH: path } });
    let errors = '';
    const early = (text: Buffer): void => {
      errors += text.toString();
    };
    child.stderr.on('data', early);
    const reader = createInterface({ input: child.stdout });
    const lines = reader[Symbol.asyncIterator]();
    const first = await lines.next();
    if (first.done === true) throw new OracleError(`the oracle did not start: ${errors.trim()}`);
    child.stderr.off('data', early);
    return new Oracle(child, reader, lines, (JSON.parse(first.value) as { kernel: string }).kernel);
  }

  /** Builds the router, injects the frames. Throws OracleError where the kernel takes the rules not. */
  async ask(scenario: Scenario, options: AskOptions = {}): Promise<RecordedScenario> {
    const request = {
      ...(scenario.family === 6 && { family: 6, neighbours: neighboursOf(scenario) }),
      interfaces: scenario.interfaces,
      sysctls: scenario.sysctls,
      nft: restoreText(scenario, 'nft'),
      legacy: restoreText(scenario, 'legacy'),
      ipset: scenario.sets.map((line) => `${line}\n`).join(''),
      // In a batch a command has no options of its own.
      commands: scenario.commands.map((command) => command.replace(/^-6 /, '')),
      frames: scenario.frames.map((frame) => ({ in: frame.in, hex: frame.hex })),
      detail: options.detail ?? false,
      ...(options.connectionsAfter === undefined ? {} : { connectionsAfter: options.connectionsAfter }),
    };
    this.#child.stdin!.write(`${JSON.stringify(request)}\n`);
    const line = await this.#lines.next();
    if (line.done === true) throw new OracleError(`the oracle ended: ${this.#errors.trim()}`);
    const answer = JSON.parse(quoteTimes(line.value)) as {
      error?: string;
      dump: string;
      answers: RawAnswer[];
      connections?: string | null;
    };
    if (answer.error !== undefined) throw new OracleError(answer.error);
    const changesTtl = scenario.rules.some((rule) => /-j (?:TTL|HL) /.test(rule.text));
    return {
      profile: scenario.profile,
      kernel: this.kernel,
      // Settings stay the last section.
      dump: answer.dump.replace('### sysctl -a\n', (heading) => `${answer.connections ?? ''}${heading}`),
      interfaces: scenario.interfaces.map(({ name }) => ({ name })),
      frames: scenario.frames,
      answers: withHeldFates(
        scenario.frames,
        answer.answers.map((raw, index) => fateOf(raw, scenario.frames[index]!, scenario.interfaces, changesTtl)),
      ),
    };
  }

  async stop(): Promise<void> {
    this.#child.stdin!.end();
    await new Promise((resolve) => this.#child.once('close', resolve));
    this.#reader.close();
  }
}

/** Nanoseconds since 1970 are more than a JavaScript number holds. */
function quoteTimes(json: string): string {
  return json.replaceAll(/"time":(\d+)/g, '"time":"$1"');
}
