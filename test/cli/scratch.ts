/** A folder for the files of a test, and the stored captures that tests of the command line use. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ROOT } from './compiled-cli.ts';

export interface Scratch {
  readonly path: string;
  /** Writes a file, its folders too, and returns its path. */
  write(name: string, content: string | Uint8Array): string;
  /** Copies a file of the repository and returns the copy's path. */
  copy(from: string, name: string): string;
  /** Makes a folder and returns its path. */
  folder(name: string): string;
  remove(): void;
}

export function makeScratch(): Scratch {
  const path = mkdtempSync(join(tmpdir(), 'redirect-verify-cli-'));
  const place = (name: string): string => {
    const target = join(path, name);
    mkdirSync(dirname(target), { recursive: true });
    return target;
  };
  return {
    path,
    write: (name, content) => {
      writeFileSync(place(name), content);
      return join(path, name);
    },
    copy: (from, name) => {
      copyFileSync(join(ROOT, from), place(name));
      return join(path, name);
    },
    folder: (name) => {
      mkdirSync(join(path, name), { recursive: true });
      return join(path, name);
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** Paths from the repository's root, which is where {@link runCli} runs. */
export const STORED = {
  /** Verified, no finding. */
  good: 'captures/seed-own-address/capture.pcapng',
  goodRouter: 'captures/seed-own-address/router/router.txt',
  site: 'captures/seed-own-address/redirect-verify.yaml',
  /** Failed. */
  bad: 'captures/empty-table/capture.pcapng',
  badRouter: 'captures/empty-table/router/router.txt',
  /** Verified, with a warning (RV507). */
  warned: 'captures/masquerade-toward-sps/capture.pcapng',
} as const;
