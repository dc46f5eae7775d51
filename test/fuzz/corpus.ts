/** What is mutated: every stored capture, router state, site file, join, report and error text, in the form in which mutations work on them. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parse } from 'yaml';
import { type RawFrame, readRawFrames } from '../../src/capture/open-capture.ts';
import { ROOT } from '../cli/compiled-cli.ts';
import { MORE_STATES } from './more-states.ts';
import { HEADING, RAW } from '../join/raw-errors.ts';

/** A text with the name that a run gives its file. */
export interface StoredText {
  readonly name: string;
  readonly text: string;
}

export interface StoredCapture {
  readonly name: string;
  readonly bytes: Buffer;
  readonly frames: readonly RawFrame[];
  /** Of each frame's interface, by its name; undefined where the file names none. */
  readonly interfaceNames: readonly (string | undefined)[];
}

/** A folder under captures/. */
export interface StoredFolder {
  readonly name: string;
  readonly kind: 'scenario' | 'join';
  readonly captures: readonly StoredCapture[];
  readonly router: readonly StoredText[];
  readonly site: string | undefined;
  readonly report: string | undefined;
  readonly description: string;
  readonly isWhatIf: boolean;
  readonly verdict: string;
}

export interface Corpus {
  readonly folders: readonly StoredFolder[];
  /** Texts of routers by what they are written in. */
  readonly states: readonly StoredText[];
  /** Error texts for `explain --error`. */
  readonly errors: readonly string[];
  /** Words of all states, each once. */
  readonly words: readonly string[];
}

/** Longer captures are cut: their later frames are as their first ones, and time is better spent on other cases. */
const MOST_FRAMES = 60;

export async function loadCorpus(): Promise<Corpus> {
  const root = join(ROOT, 'captures');
  const names = readdirSync(root).filter((name) => statSync(join(root, name)).isDirectory());
  const folders: StoredFolder[] = [];
  for (const name of names.sort()) folders.push(await loadFolder(join(root, name), name));
  const procedures = names.map((name) => join(root, name, 'procedure')).filter((path) => existsSync(path));
  const fixtures = join(ROOT, 'test/dialects/fixtures');
  const states = [
    ...folders.flatMap((folder) => folder.router),
    ...procedures.flatMap(textsIn),
    ...textsIn(fixtures),
    ...textsIn(join(ROOT, 'test/dialects/ip-json')),
    ...MORE_STATES,
  ];
  const unique = [...new Map(states.map((state) => [state.text, state])).values()];
  const words = [...new Set(unique.flatMap((state) => state.text.split(/[\s"{}[\],:]+/)))].filter(
    (word) => word.length > 0 && word.length < 40,
  );
  return { folders, states: unique, errors: [HEADING, ...Object.values(RAW)], words };
}

function textsIn(folder: string): StoredText[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => ({ name: entry.name, text: readFileSync(join(folder, entry.name), 'utf8') }))
    .filter(({ text }) => text.trim() !== '');
}

async function loadFolder(path: string, name: string): Promise<StoredFolder> {
  const isJoin = name.startsWith('join-');
  const descriptionPath = join(path, isJoin ? 'join.yaml' : 'scenario.yaml');
  const description = readFileSync(descriptionPath, 'utf8');
  const said = parse(description) as {
    readonly router: string;
    readonly captures?: { readonly merged: string };
    readonly expect: { readonly verdict: string };
    readonly options?: Readonly<Record<string, boolean>>;
  };
  const captures: StoredCapture[] = [];
  const own = readdirSync(path).filter((file) => /\.pcap(ng)?$/.test(file));
  // Some are judged by the traffic of others.
  const names = own.length > 0 ? own : [said.captures?.merged ?? ''];
  for (const file of names) captures.push(await loadCapture(join(path, file), basename(file)));
  const report = join(path, 'report.json');
  const site = join(path, 'redirect-verify.yaml');
  const router = join(path, said.router);
  return {
    name,
    kind: isJoin ? 'join' : 'scenario',
    captures,
    router: statSync(router).isDirectory()
      ? textsIn(router)
      : [{ name: 'router.txt', text: readFileSync(router, 'utf8') }],
    site: existsSync(site) ? readFileSync(site, 'utf8') : undefined,
    report: existsSync(report) ? readFileSync(report, 'utf8') : undefined,
    description,
    isWhatIf: said.options?.['what-if'] === true,
    verdict: said.expect.verdict,
  };
}

async function loadCapture(path: string, name: string): Promise<StoredCapture> {
  const frames: RawFrame[] = [];
  const interfaceNames: (string | undefined)[] = [];
  for await (const frame of readRawFrames({ path })) {
    frames.push(frame);
    if (frames.length >= MOST_FRAMES) break;
  }
  const bytes = readFileSync(path);
  const ids = name.endsWith('.pcapng') ? interfacesOfBlocks(bytes) : undefined;
  for (let index = 0; index < frames.length; index++) interfaceNames.push(ids?.[index]);
  return { name, bytes, frames, interfaceNames };
}

/** The interface names of the frames of a well-formed pcapng of little endian, as dumpcap writes it. */
function interfacesOfBlocks(bytes: Buffer): string[] {
  const names: string[] = [];
  const frames: string[] = [];
  for (let at = 0; at < bytes.length; at += bytes.readUInt32LE(at + 4)) {
    const type = bytes.readUInt32LE(at);
    if (type === 1) names.push(interfaceName(bytes, at));
    else if (type === 6) frames.push(names[bytes.readUInt32LE(at + 8)] ?? '');
  }
  return frames;
}

function interfaceName(bytes: Buffer, block: number): string {
  const end = block + bytes.readUInt32LE(block + 4) - 4;
  for (let at = block + 16; at + 4 <= end; ) {
    const code = bytes.readUInt16LE(at);
    const length = bytes.readUInt16LE(at + 2);
    if (code === 2) return bytes.toString('utf8', at + 4, at + 4 + length);
    if (code === 0) break;
    at += 4 + ((length + 3) & ~3);
  }
  return '';
}
