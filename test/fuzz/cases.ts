/** The kinds of cases: what is mutated, and which command line reads it. */
import { gzipSync } from 'node:zlib';
import type { Corpus, StoredCapture, StoredFolder, StoredText } from './corpus.ts';
import { MORE_STATES } from './more-states.ts';
import { mutateFrames, randomFrames } from './mutate-frames.ts';
import { INJECTIONS, mutateJson, mutateText, randomText } from './mutate-text.ts';
import { Random } from './random.ts';
import { type Frame, type WriteOptions, writeCapture } from './write-capture.ts';

/** A command line with the files that it reads, which lie in its working directory. */
export interface Case {
  readonly kind: string;
  readonly argv: readonly string[];
  readonly files: ReadonlyMap<string, Buffer>;
  /** What must hold of its end beyond what holds of all. */
  readonly claim?: Claim;
}

export type Claim =
  /** The same capture written in another way: a second command line, whose verdict and connections are the same. */
  | { readonly kind: 'same-as'; readonly argv: readonly string[] }
  /** A first part of the capture of a set-up that does not work. */
  | { readonly kind: 'never-verified' };

type Make = (random: Random, corpus: Corpus) => Case;

/** Each kind with its weight. */
const KINDS: Readonly<Record<string, readonly [weight: number, make: Make]>> = {
  frames: [5, framesCase],
  file: [4, fileCase],
  noise: [2, noiseCase],
  router: [6, routerCase],
  text: [3, textCase],
  site: [1, siteCase],
  join: [2, joinCase],
  error: [1, errorCase],
  merge: [1, mergeCase],
  scenario: [1, scenarioCase],
  diff: [1, diffCase],
  init: [1, initCase],
  packet: [1, packetCase],
  reencoded: [1, reencodedCase],
  prefix: [1, prefixCase],
};

export const KIND_NAMES = Object.keys(KINDS);

/** The case of a number: the same one for the same seed, whatever was run before. */
export function makeCase(corpus: Corpus, seed: number, index: number, only?: string): Case {
  const random = new Random(seed, index);
  const kind = only ?? weighted(random);
  const entry = KINDS[kind];
  if (entry === undefined) throw new Error(`no kind ${kind}; there are: ${KIND_NAMES.join(' ')}`);
  return entry[1](random, corpus);
}

function weighted(random: Random): string {
  const sum = Object.values(KINDS).reduce((total, [weight]) => total + weight, 0);
  let left = random.below(sum);
  for (const [name, [weight]] of Object.entries(KINDS)) {
    left -= weight;
    if (left < 0) return name;
  }
  throw new Error('weights do not add up');
}

const FORMATS = ['text', 'json', 'ndjson', 'junit', 'sarif', 'markdown', 'html'] as const;

function scenarioOf(random: Random, corpus: Corpus): StoredFolder {
  return random.pick(corpus.folders.filter((folder) => folder.kind === 'scenario'));
}

function framesOf(capture: StoredCapture): Frame[] {
  return capture.frames.map((frame, index) => ({
    seconds: frame.seconds,
    nanoseconds: frame.nanoseconds,
    linkType: frame.linkType,
    interface: capture.interfaceNames[index],
    originalLength: frame.originalLength,
    bytes: Buffer.from(frame.bytes),
  }));
}

function writeOptions(random: Random, lies: number): WriteOptions {
  return {
    format: random.chance(0.25) ? 'pcap' : 'pcapng',
    littleEndian: random.chance(0.8),
    nanoseconds: random.chance(0.7),
    gzip: random.chance(0.15),
    lies,
  };
}

function routerFiles(folder: StoredFolder): [string, Buffer][] {
  return folder.router.map(({ name, text }) => [`router/${name}`, Buffer.from(text)]);
}

function siteFile(folder: StoredFolder): [string, Buffer][] {
  return folder.site === undefined ? [] : [['redirect-verify.yaml', Buffer.from(folder.site)]];
}

function outputOptions(random: Random): string[] {
  const options = ['--format', random.pick(FORMATS)];
  if (random.chance(0.3)) options.push('--verbose');
  if (random.chance(0.1)) options.push('--connections', random.pick(['failed', 'none']));
  return options;
}

function runOptions(random: Random, folder: StoredFolder): string[] {
  const options: string[] = [];
  if (folder.isWhatIf !== random.chance(0.1)) options.push('--what-if');
  if (random.chance(0.1)) options.push('--verify-checksums');
  if (random.chance(0.1)) options.push('--vantage', random.pick(['router', 'client', 'server', 'sps', 'mirror']));
  return options;
}

/** Frames mutated by their structure, in a file that is correct or lies a little. */
function framesCase(random: Random, corpus: Corpus): Case {
  const folder = scenarioOf(random, corpus);
  const foreign = framesOf(random.pick(random.pick(corpus.folders).captures.concat(folder.captures)));
  const files = new Map([...routerFiles(folder), ...siteFile(folder)]);
  const names: string[] = [];
  for (const capture of random.chance(0.7) ? [random.pick(folder.captures)] : folder.captures) {
    const frames = mutateFrames(random, framesOf(capture), foreign.length === 0 ? framesOf(capture) : foreign);
    const options = writeOptions(random, random.chance(0.3) ? 0.05 : 0);
    files.set(capture.name, writeCapture(random, frames, options));
    const [, own] = /^(eth\d)\.pcap$/.exec(capture.name) ?? [];
    names.push(own !== undefined && random.chance(0.7) ? `${own}=${capture.name}` : capture.name);
  }
  const command = random.pick(['verify', 'verify', 'verify', 'trace']);
  const output =
    command === 'verify' ? [...outputOptions(random), ...runOptions(random, folder)] : traceOptions(random);
  return { kind: 'frames', argv: [command, ...names, '--router', 'router', ...output], files };
}

function traceOptions(random: Random): string[] {
  return random.pick([
    ['--format', 'ndjson'],
    [],
    ['--detailed'],
    ['--summary'],
    ['--frame', String(random.between(1, 40))],
  ]);
}

/** A stored file with bytes changed, cut, doubled, swapped. */
function fileCase(random: Random, corpus: Corpus): Case {
  const folder = scenarioOf(random, corpus);
  const capture = random.pick(folder.captures);
  const whole = capture.bytes.length > 60_000 ? writeStored(random, capture) : capture.bytes;
  const bytes = mutateBytes(random, random.chance(0.2) ? gzipSync(whole, { level: 1 }) : whole);
  const files = new Map([...routerFiles(folder), ...siteFile(folder), [capture.name, bytes] as [string, Buffer]]);
  const rest = random.chance(0.3)
    ? ['trace', capture.name]
    : ['verify', capture.name, ...outputOptions(random), ...runOptions(random, folder)];
  return { kind: 'file', argv: [...rest, '--router', 'router'], files };
}

function writeStored(random: Random, capture: StoredCapture): Buffer {
  const format = capture.name.endsWith('ng') ? 'pcapng' : 'pcap';
  return writeCapture(random, framesOf(capture), {
    format,
    littleEndian: true,
    nanoseconds: true,
    gzip: false,
    lies: 0,
  });
}

function mutateBytes(random: Random, original: Buffer): Buffer {
  let bytes = Buffer.from(original);
  for (let count = random.few(16); count > 0 && bytes.length > 0; count--) {
    const at = random.chance(0.3) ? random.below(Math.min(200, bytes.length)) : random.below(bytes.length);
    switch (random.below(8)) {
      case 0:
        bytes = bytes.subarray(0, at);
        break;
      case 1:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + random.pick([1, 2, 4, 100]))]);
        break;
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, at), random.bytes(random.pick([1, 4, 100])), bytes.subarray(at)]);
        break;
      case 3:
        bytes = Buffer.concat([bytes, bytes.subarray(at)]);
        break;
      case 4:
        if (at + 4 <= bytes.length)
          bytes.writeUInt32LE(random.pick([0, 1, 0xffff_ffff, 0x7fff_ffff, 0x1_0000, random.next()]), at);
        break;
      default:
        bytes[at] = random.chance(0.5) ? bytes[at]! ^ (1 << random.below(8)) : random.below(256);
    }
  }
  return bytes;
}

/** Random bytes in the decoders of every link type, and files that are nothing but random behind their first bytes. */
function noiseCase(random: Random, corpus: Corpus): Case {
  const folder = scenarioOf(random, corpus);
  const files = new Map([...routerFiles(folder), ...siteFile(folder)]);
  if (random.chance(0.7)) {
    files.set(
      'noise',
      writeCapture(random, randomFrames(random, 40), writeOptions(random, random.chance(0.3) ? 0.05 : 0)),
    );
  } else {
    const begin = random.pick([
      '',
      '0a0d0d0a',
      'd4c3b2a1',
      'a1b23c4d',
      '1f8b08',
      '0a0d0d0a1c0000004d3c2b1a01000000ffffffffffffffff1c000000',
    ]);
    files.set('noise', Buffer.concat([Buffer.from(begin, 'hex'), random.bytes(random.below(3000))]));
  }
  const command = random.pick([['trace'], ['verify', '--format', random.pick(FORMATS)]]);
  return { kind: 'noise', argv: [...command, 'noise', '--router', 'router'], files };
}

function mutateState(random: Random, state: StoredText, corpus: Corpus): Buffer {
  const { text, name } = state;
  if (name.endsWith('.json') && random.chance(0.8)) return Buffer.from(mutateJson(random, text, corpus.words));
  return Buffer.from(mutateText(random, text, random.pick(corpus.states).text, corpus.words));
}

/** A router's state that was changed in places, with the traffic of its set-up, or by itself. */
function routerCase(random: Random, corpus: Corpus): Case {
  const folder = scenarioOf(random, corpus);
  const files = new Map<string, Buffer>(siteFile(folder));
  const mutated = random.below(folder.router.length);
  folder.router.forEach((state, index) => {
    files.set(`router/${state.name}`, index === mutated ? mutateState(random, state, corpus) : Buffer.from(state.text));
  });
  if (random.chance(0.2)) {
    const other = random.chance(0.5) ? random.pick(corpus.states) : random.pick(MORE_STATES);
    files.set(`router/other-${other.name}`, mutateState(random, other, corpus));
  }
  if (random.chance(0.4))
    return {
      kind: 'router',
      argv: [
        'check',
        '--router',
        'router',
        ...(random.chance(0.7) ? ['--site', 'redirect-verify.yaml'] : intent(random)),
        ...outputOptions(random),
      ],
      files,
    };
  const capture = folder.captures.find((item) => item.name === 'capture.pcapng') ?? random.pick(folder.captures);
  files.set(capture.name, writeStored(random, capture));
  const rest = random.chance(0.2) ? traceOptions(random) : [...outputOptions(random), ...runOptions(random, folder)];
  const command = rest.includes('--format') && !rest.includes('ndjson') ? 'verify' : random.pick(['verify', 'trace']);
  const options =
    command === 'trace'
      ? traceOptions(random)
      : rest.filter((word) => !['--detailed', '--summary', '--frame'].includes(word) && !/^\d+$/.test(word));
  return { kind: 'router', argv: [command, capture.name, '--router', 'router', ...options], files };
}

function intent(random: Random): string[] {
  return [
    '--service',
    random.pick(['rdp', 'ssh', 'tcp/1-65535']),
    '--servers',
    random.pick(['10.0.0.0/24', '0.0.0.0/0', '10.0.0.10/32']),
    '--sps',
    '172.16.0.1',
  ];
}

/** Random words and lines of every language. */
function textCase(random: Random, corpus: Corpus): Case {
  const lines = Array.from({ length: 5 }, () => random.pick(corpus.states).text.split('\n')).flat();
  const files = new Map<string, Buffer>();
  for (let count = random.pick([1, 1, 1, 2]); count > 0; count--) {
    const text = random.chance(0.1)
      ? random.bytes(random.below(500)).toString('latin1')
      : randomText(random, corpus.words, lines);
    files.set(`router/${count}.txt`, Buffer.from(text));
  }
  return {
    kind: 'text',
    argv: ['check', '--router', 'router', ...(random.chance(0.7) ? intent(random) : []), ...outputOptions(random)],
    files,
  };
}

function siteCase(random: Random, corpus: Corpus): Case {
  const folder = random.pick(corpus.folders.filter((item) => item.site !== undefined));
  const full = `${folder.site}\nsnat: own\nspsInterfaces: [eth1]\njoin: { spp: 10.0.0.20, sps: [172.16.0.1], entered: spp.example }\n`;
  const site = mutateText(random, random.chance(0.5) ? full : (folder.site ?? ''), full, corpus.words);
  const files = new Map([...routerFiles(folder), ['site.yaml', Buffer.from(site)] as [string, Buffer]]);
  return {
    kind: 'site',
    argv: ['check', '--router', 'router', '--site', 'site.yaml', ...outputOptions(random)],
    files,
  };
}

function joinCase(random: Random, corpus: Corpus): Case {
  const folder = random.pick(corpus.folders.filter((item) => item.kind === 'join'));
  const files = new Map<string, Buffer>([...routerFiles(folder), ...siteFile(folder)]);
  const names: string[] = [];
  for (const capture of folder.captures) {
    const how = random.below(4);
    const bytes =
      how === 0
        ? mutateBytes(random, capture.bytes)
        : how === 1
          ? mutatePayload(random, capture)
          : writeCapture(random, mutateFrames(random, framesOf(capture), framesOf(capture)), writeOptions(random, 0));
    files.set(capture.name, bytes);
    names.push(capture.name);
  }
  return {
    kind: 'join',
    argv: [
      'join',
      '--spp',
      '10.0.0.20',
      '--sps',
      '172.16.0.1',
      '--entered',
      random.pick(['10.0.0.20', 'spp.example']),
      '--router',
      'router',
      ...names,
      ...outputOptions(random),
    ],
    files,
  };
}

/** Bytes of TLS changed, headers left alone. */
function mutatePayload(random: Random, capture: StoredCapture): Buffer {
  const frames = framesOf(capture);
  for (const frame of frames) {
    if (frame.bytes.length < 80 || !random.chance(0.5)) continue;
    for (let count = random.few(8); count > 0; count--)
      frame.bytes[random.between(54, frame.bytes.length - 1)] = random.chance(0.5)
        ? random.pick([0, 0xff, 0x80])
        : random.below(256);
  }
  return writeCapture(random, frames, writeOptions(random, 0));
}

function errorCase(random: Random, corpus: Corpus): Case {
  const text = Array.from({ length: random.few(5) }, () =>
    mutateText(random, random.pick(corpus.errors), random.pick(corpus.errors), corpus.words),
  ).join('\n');
  return {
    kind: 'error',
    argv: ['explain', '--error', 'error.txt'],
    files: new Map([['error.txt', Buffer.from(text)]]),
  };
}

function mergeCase(random: Random, corpus: Corpus): Case {
  const reports = corpus.folders.flatMap((folder) => folder.report ?? []);
  const files = new Map<string, Buffer>();
  const first = random.pick(reports);
  for (let count = random.few(4); count > 0; count--)
    files.set(
      `${count}.json`,
      Buffer.from(mutateJson(random, random.chance(0.8) ? first : random.pick(reports), corpus.words)),
    );
  return { kind: 'merge', argv: ['merge', ...files.keys(), ...outputOptions(random)], files };
}

function scenarioCase(random: Random, corpus: Corpus): Case {
  const folder = scenarioOf(random, corpus);
  const files = new Map<string, Buffer>([...routerFiles(folder), ...siteFile(folder)]);
  for (const capture of folder.captures) files.set(capture.name, writeStored(random, capture));
  files.set(
    'scenario.yaml',
    Buffer.from(mutateText(random, folder.description, random.pick(corpus.folders).description, corpus.words)),
  );
  return { kind: 'scenario', argv: ['test', '.', ...(random.chance(0.2) ? ['--update'] : [])], files };
}

function diffCase(random: Random, corpus: Corpus): Case {
  const folder = scenarioOf(random, corpus);
  const capture = random.pick(folder.captures);
  const files = new Map<string, Buffer>([...siteFile(folder), [capture.name, writeStored(random, capture)]]);
  for (const state of folder.router) {
    files.set(
      `before/${state.name}`,
      random.chance(0.5) ? Buffer.from(state.text) : mutateState(random, state, corpus),
    );
    files.set(`after/${state.name}`, mutateState(random, state, corpus));
  }
  return {
    kind: 'diff',
    argv: [
      'diff',
      '--before',
      'before',
      '--after',
      'after',
      capture.name,
      '--format',
      random.pick(['text', 'json', 'markdown']),
    ],
    files,
  };
}

function initCase(random: Random, corpus: Corpus): Case {
  const folder = scenarioOf(random, corpus);
  const files = new Map<string, Buffer>();
  for (const state of folder.router) files.set(`router/${state.name}`, mutateState(random, state, corpus));
  return { kind: 'init', argv: ['init', '--router', 'router', '--output', '-'], files };
}

function packetCase(random: Random, corpus: Corpus): Case {
  const folder = scenarioOf(random, corpus);
  const words = mutateText(
    random,
    'tcp 192.168.0.10:40000 > 10.0.0.10:3389',
    'icmp [2001:db8::1] > 10.0.0.10',
    corpus.words,
  );
  const options: string[] = [];
  if (random.chance(0.3)) options.push('--mark', mutateText(random, '0x1/0xff', '1', corpus.words));
  if (random.chance(0.3)) options.push('--flags', mutateText(random, 'SYN,ACK', 'SA', corpus.words));
  if (random.chance(0.3)) options.push('--both-directions');
  if (random.chance(0.3)) options.push('--state', 'established');
  const ingress = random.chance(0.8) ? 'eth0' : random.pick([...INJECTIONS, 'FastEthernet0/0', 'lo']);
  return {
    kind: 'packet',
    argv: ['trace', `--packet=${words}`, `--ingress=${ingress}`, '--router', 'router', ...options],
    files: new Map(routerFiles(folder)),
  };
}

/** The same frames in two files. Other blocks, byte order, compression and resolution are no difference. */
function reencodedCase(random: Random, corpus: Corpus): Case {
  const folder = scenarioOf(random, corpus);
  const capture = folder.captures.find((item) => item.name === 'capture.pcapng') ?? random.pick(folder.captures);
  const stored = framesOf(capture);
  const frames = random.chance(0.5) ? stored : mutateFrames(random, stored, stored);
  for (const frame of frames) frame.nanoseconds -= frame.nanoseconds % 1000;
  const write = (options: Partial<WriteOptions>): Buffer =>
    writeCapture(random, frames, {
      format: 'pcapng',
      littleEndian: true,
      nanoseconds: true,
      gzip: false,
      lies: 0,
      ...options,
    });
  const files = new Map<string, Buffer>([...routerFiles(folder), ...siteFile(folder)]);
  files.set('one', write({}));
  files.set(
    'two',
    write({ littleEndian: random.chance(0.5), nanoseconds: random.chance(0.5), gzip: random.chance(0.5) }),
  );
  const argv = (name: string): string[] => [
    'verify',
    name,
    '--router',
    'router',
    '--format',
    'json',
    ...(folder.isWhatIf ? ['--what-if'] : []),
  ];
  return { kind: 'reencoded', argv: argv('one'), files, claim: { kind: 'same-as', argv: argv('two') } };
}

/** The capture of a set-up that fails, ended somewhere. */
function prefixCase(random: Random, corpus: Corpus): Case {
  const folder = random.pick(corpus.folders.filter((item) => item.kind === 'scenario' && item.verdict === 'failed'));
  const capture = folder.captures.find((item) => item.name === 'capture.pcapng') ?? random.pick(folder.captures);
  const frames = framesOf(capture);
  const whole = writeCapture(random, frames.slice(0, random.below(frames.length + 1)), {
    format: 'pcapng',
    littleEndian: true,
    nanoseconds: true,
    gzip: false,
    lies: 0,
  });
  const bytes = whole.subarray(0, whole.length - random.pick([0, 0, 1, 5, 60]));
  const files = new Map<string, Buffer>([...routerFiles(folder), ...siteFile(folder), ['capture.pcapng', bytes]]);
  return {
    kind: 'prefix',
    argv: [
      'verify',
      'capture.pcapng',
      '--router',
      'router',
      '--format',
      'json',
      ...(folder.isWhatIf ? ['--what-if'] : []),
    ],
    files,
    claim: { kind: 'never-verified' },
  };
}
