import type { CaptureInput } from '../capture/capture-set.ts';
import type { Report } from '../report/report.ts';
import { InputError } from '../text/input-error.ts';
import type { StatedIntent } from '../verification/intent.ts';
import { verify } from '../verify.ts';
import {
  captureInputs,
  checkInterfaceNames,
  findSiteFile,
  type LoadedRouter,
  loadRouter,
  readText,
  stateBeside,
  stateFiles,
} from './inputs.ts';
import { parseSiteFile } from './site-file.ts';
import { type IntentOptions, statedIntent } from './stated-intent.ts';

/** What a run is about, in the words of the command line. */
export interface Request extends IntentOptions {
  readonly captures: readonly string[];
  /** Files and folders of the router's state; empty: what lies beside the first capture. */
  readonly router?: readonly string[];
  readonly nextHopDown?: readonly string[];
  /** Absent: the one beside the first capture, else in the working directory or a parent. False: none. */
  readonly site?: string | false;
}

/** A request with its files read. */
export interface Prepared {
  readonly captures: readonly CaptureInput[];
  readonly stated: StatedIntent;
  readonly loaded: LoadedRouter;
  /** Every file that was read or will be. */
  readonly inputs: readonly string[];
  /** What was picked up without being asked for, a line each. */
  readonly notices: readonly string[];
}

/** Reads the router's state and the site file of a request. Throws InputError. */
export function prepare(request: Request): Prepared {
  const captures = captureInputs(request.captures);
  const site = request.site === false ? undefined : findSiteFile(request.site, captures);
  const siteText = site === undefined ? undefined : parseSiteFile(site.path, readText(site.path));
  const stated = statedIntent(request, siteText ?? {}, site?.path ?? '');
  const loaded = loadRouter(request.router ?? [], captures, request.nextHopDown);
  checkInterfaceNames(captures, loaded.router);
  return {
    captures,
    stated,
    loaded,
    inputs: [
      ...captures.map((capture) => capture.path),
      ...loaded.sources.map((source) => source.path),
      ...(site === undefined ? [] : [site.path]),
    ],
    notices: [
      ...(loaded.pickedUp === undefined ? [] : [`router state: ${loaded.pickedUp}`]),
      ...(site?.pickedUp === true ? [`site file: ${site.path}`] : []),
    ],
  };
}

/** The files that a request would read, as far as they are there. */
export function filesOf({ captures: given, router, site }: Request): string[] {
  const captures = given.flatMap((word) => orNone(() => captureInputs([word])));
  const states = router !== undefined && router.length > 0 ? router : [stateBeside(captures) ?? []].flat();
  const siteFile = site === false ? undefined : findSiteFile(site, captures);
  return [
    ...captures.map((capture) => capture.path),
    ...states.flatMap((path) => orNone(() => stateFiles(path))),
    ...(siteFile === undefined ? [] : [siteFile.path]),
  ];
}

function orNone<Item>(read: () => Item[]): Item[] {
  try {
    return read();
  } catch (error) {
    if (error instanceof InputError) return [];
    throw error;
  }
}

/** What {@link verifyFiles} takes: as the command line's options, one value or several where they may be repeated. */
export interface VerifyRequest {
  readonly captures: string | readonly string[];
  readonly router?: string | readonly string[];
  readonly site?: string | false;
  readonly sps?: string | readonly string[];
  readonly spsInterface?: string | readonly string[];
  readonly snat?: 'own' | 'client' | 'fixed';
  readonly service?: string | readonly string[];
  readonly clients?: string | readonly string[];
  readonly servers?: string | readonly string[];
  readonly whatIf?: boolean;
  readonly require?: 'observed';
  readonly verifyChecksums?: boolean;
  readonly connections?: 'all' | 'failed' | 'none';
}

/**
 * Does every monitored connection in these captures traverse SPS both ways? The same as the command line's main job, as a function.
 *
 * Throws InputError, with one line that says what is wrong, where an input cannot be read or the intent cannot be known.
 */
export async function verifyFiles(request: VerifyRequest): Promise<Report> {
  const prepared = prepare({
    captures: several(request.captures) ?? [],
    ...lists(request, ['router', 'sps', 'spsInterface', 'service', 'clients', 'servers']),
    ...(request.site !== undefined && { site: request.site }),
    ...(request.snat !== undefined && { snat: request.snat }),
  });
  return verify(prepared.captures, prepared.loaded.router, prepared.stated, {
    whatIf: request.whatIf ?? false,
    requireObserved: request.require === 'observed',
    verifyChecksums: request.verifyChecksums ?? false,
    sources: prepared.loaded.sources,
    ...(request.connections !== undefined && { connections: request.connections }),
  });
}

function several(value: string | readonly string[] | undefined): readonly string[] | undefined {
  return typeof value === 'string' ? [value] : value;
}

function lists<Key extends 'router' | 'sps' | 'spsInterface' | 'service' | 'clients' | 'servers'>(
  request: VerifyRequest,
  keys: readonly Key[],
): Partial<Record<Key, readonly string[]>> {
  const given = keys.flatMap((key) => {
    const value = several(request[key]);
    return value === undefined ? [] : [[key, value] as const];
  });
  return Object.fromEntries(given) as Partial<Record<Key, readonly string[]>>;
}
