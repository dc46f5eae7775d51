import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { CaptureInput } from '../capture/capture-set.ts';
import { parseDevice } from '../dialects/index.ts';
import { parseIpAddress } from '../net/ip-address.ts';
import { InputError } from '../text/input-error.ts';
import { routerOfDevice } from '../verification/router-of-device.ts';
import type { Router } from '../verification/router.ts';

/** A file of a router's state is never that large; a capture given by mistake is. */
const LARGEST_STATE_BYTES = 256 * 1024 * 1024;
const SITE_FILE = 'redirect-verify.yaml';

/** Captures as given: FILE, `-`, or IFACE=FILE unless a file of that whole name exists. Throws InputError where one is no file. */
export function captureInputs(given: readonly string[]): CaptureInput[] {
  if (given.filter((item) => item === '-').length > 1)
    throw new InputError('standard input (-) can be given only once');
  const inputs = given.map((item): CaptureInput => {
    const equals = item.indexOf('=');
    if (equals <= 0 || item === '-' || existsSync(item) || isPath(item.slice(0, equals))) return { path: item };
    return { path: item.slice(equals + 1), interface: item.slice(0, equals) };
  });
  // Before the router's state is looked for beside it: a capture that is not there would be told as a state that is not there.
  for (const { path } of inputs) {
    if (path !== '-' && statOf(path).isDirectory())
      throw new InputError(`${path}: is a directory; name the capture files in it`);
  }
  return inputs;
}

/** Interfaces of some makes have slashes in their names, as in FastEthernet0/1; other texts with a slash are paths. */
function isPath(text: string): boolean {
  return text.includes('/') && !/^[A-Za-z][A-Za-z-]*\d[\d/.:]*$/.test(text);
}

/** Throws InputError where a file is said to be of an interface that the router does not have. */
export function checkInterfaceNames(captures: readonly CaptureInput[], router: Router): void {
  if (router.interfaces.length === 0) return;
  for (const capture of captures) {
    if (capture.interface === undefined || router.interfaces.some((item) => item.name === capture.interface)) continue;
    const known = router.interfaces.map((item) => item.name).join(', ');
    throw new InputError(
      `${capture.interface}=${capture.path}: the router has no interface ${capture.interface} (it has ${known})`,
    );
  }
}

/** A router with the files that its state was read from. */
export interface LoadedRouter {
  readonly router: Router;
  readonly sources: readonly { readonly path: string; readonly sha256: string }[];
  /** What was found without being asked for, to be printed. */
  readonly pickedUp?: string;
}

/** Reads the router's state from the paths given, else from what lies beside the first capture. */
export function loadRouter(
  paths: readonly string[],
  captures: readonly CaptureInput[],
  nextHopsDown: readonly string[] = [],
): LoadedRouter {
  let used = paths;
  let pickedUp: string | undefined;
  if (used.length === 0) {
    pickedUp = stateBeside(captures);
    if (pickedUp === undefined) {
      throw new InputError(
        "no router state: give it with --router PATH, or put it beside the capture as router.conf or router/; 'redirect-verify collect linux' prints the script that collects it",
      );
    }
    used = [pickedUp];
  }
  const files = used.flatMap(stateFiles);
  const sources = files.map((path) => ({ path, text: readText(path) }));
  // In enough noise some line looks like a statement of some language.
  const binary = sources.find((source) => source.text.includes('\u0000'));
  if (binary !== undefined) throw new InputError(`${binary.path}: this is no router state but a binary file`);
  const router = assumeDown(routerOfDevice(parseDevice(sources)), nextHopsDown);
  return {
    router,
    sources: sources.map(({ path, text }) => ({ path, sha256: createHash('sha256').update(text).digest('hex') })),
    ...(pickedUp !== undefined && { pickedUp }),
  };
}

/** The router with next hops taken to be down. Throws InputError where one is no address, or the router does not redirect by next hops. */
function assumeDown(router: Router, nextHopsDown: readonly string[]): Router {
  if (nextHopsDown.length === 0) return router;
  const addresses = nextHopsDown.map((text) => {
    const address = parseIpAddress(text);
    if (address === undefined) throw new InputError(`--next-hop-down: '${text}' is not an IP address`);
    return address;
  });
  if (router.assumingDown === undefined)
    throw new InputError(
      '--next-hop-down: on a Linux router a next hop that is down is asked for by ARP, and nothing else changes',
    );
  return router.assumingDown(addresses);
}

/** The router's state that lies beside the first capture. */
export function stateBeside(captures: readonly CaptureInput[]): string | undefined {
  const first = captures.find((capture) => capture.path !== '-');
  if (first === undefined) return undefined;
  return ['router.conf', 'router'].map((name) => join(dirname(first.path), name)).find((path) => existsSync(path));
}

/** The file, or the files of a folder that are read as a router's state. Throws InputError. */
export function stateFiles(path: string): string[] {
  const stat = statOf(path);
  if (!stat.isDirectory()) return [path];
  const files = readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
    .map((entry) => join(path, entry.name))
    .sort();
  if (files.length === 0) throw new InputError(`${path}: the folder holds no files of a router's state`);
  return files;
}

/** Reads a text file. Throws InputError with the path and what is wrong with it. */
export function readText(path: string): string {
  const stat = statOf(path);
  if (stat.isDirectory()) throw new InputError(`${path}: is a directory, a text file was expected`);
  if (stat.size > LARGEST_STATE_BYTES)
    throw new InputError(`${path}: ${stat.size} bytes are too many for a text of configuration`);
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new InputError(`${path}: cannot be read (${codeOf(error)})`);
  }
}

function statOf(path: string): ReturnType<typeof statSync> & object {
  try {
    return statSync(path);
  } catch (error) {
    throw new InputError(
      codeOf(error) === 'ENOENT' ? `${path}: no such file or directory` : `${path}: cannot be read (${codeOf(error)})`,
    );
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

/** The site file to use: the one given, else beside the first capture, else in the working directory or a parent. */
export function findSiteFile(
  given: string | undefined,
  captures: readonly CaptureInput[],
): { path: string; pickedUp: boolean } | undefined {
  if (given !== undefined) return { path: given, pickedUp: false };
  const first = captures.find((capture) => capture.path !== '-');
  const candidates = first === undefined ? [] : [join(dirname(first.path), SITE_FILE)];
  for (let folder = resolve('.'); ; folder = dirname(folder)) {
    candidates.push(join(folder, SITE_FILE));
    if (dirname(folder) === folder) break;
  }
  const path = candidates.find((candidate) => existsSync(candidate));
  return path === undefined ? undefined : { path, pickedUp: true };
}
