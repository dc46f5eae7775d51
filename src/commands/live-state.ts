import { statSync, watch, type FSWatcher } from 'node:fs';
import { dirname } from 'node:path';
import { InputError } from '../text/input-error.ts';
import { type LoadedRouter, loadRouter } from './inputs.ts';

/** Files are often written in several steps: nothing is read before they have been left alone for so long. */
const QUIET_MILLISECONDS = 300;
/** Watching can fail to tell on some file systems; looking cannot. */
const LOOK_MILLISECONDS = 2000;

/** Reads the router's state again when asked to. */
export interface StateReader {
  dispose(): void;
}

/**
 * Reads the state again on SIGHUP, and, with `watching`, when its files change. `onState` gets what was read where it differs from what was
 * read before; `onFailure` why it could not be read: the old state holds on then.
 */
export function rereadState(
  paths: readonly string[],
  first: LoadedRouter,
  watching: boolean,
  onState: (loaded: LoadedRouter) => void,
  onFailure: (message: string) => void,
): StateReader {
  let known = sums(first);
  let pending: NodeJS.Timeout | undefined;
  const read = (): void => {
    try {
      const loaded = loadRouter(paths, []);
      if (sums(loaded) === known) return;
      onState(loaded);
      known = sums(loaded);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      onFailure(error.message);
    }
  };
  const soon = (): void => {
    clearTimeout(pending);
    pending = setTimeout(read, QUIET_MILLISECONDS);
  };
  process.on('SIGHUP', soon);
  const watchers = watching ? watchAll(paths, first, soon) : [];
  let seen = stamp(paths, first);
  const look = watching
    ? setInterval(() => {
        const now = stamp(paths, first);
        if (now !== seen) soon();
        seen = now;
      }, LOOK_MILLISECONDS)
    : undefined;
  return {
    dispose: () => {
      process.off('SIGHUP', soon);
      clearTimeout(pending);
      clearInterval(look);
      for (const watcher of watchers) watcher.close();
    },
  };
}

/** Editors replace files: their folders are watched. */
function watchAll(paths: readonly string[], first: LoadedRouter, changed: () => void): FSWatcher[] {
  const folders = new Set([...paths.filter(isFolder), ...first.sources.map((source) => dirname(source.path))]);
  return [...folders].flatMap((folder) => {
    try {
      return [watch(folder, changed).on('error', () => {})];
    } catch {
      // It is looked at, too.
      return [];
    }
  });
}

function stamp(paths: readonly string[], first: LoadedRouter): string {
  return [...paths, ...first.sources.map((source) => source.path)]
    .map((path) => {
      const stat = statSync(path, { throwIfNoEntry: false });
      return stat === undefined ? '-' : `${stat.mtimeMs}/${stat.size}/${stat.ino}`;
    })
    .join();
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function sums(loaded: LoadedRouter): string {
  return loaded.sources.map((source) => `${source.path} ${source.sha256}`).join();
}
