/** Texts that are kept to be compared with later ones: `UPDATE_GOLDEN=1` writes them anew. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import { expect } from 'vitest';

const UPDATE = process.env.UPDATE_GOLDEN === '1';

/** A compressed file of texts by title, a list each. */
export class ToldTexts {
  readonly #path: string;
  readonly #kept: Readonly<Record<string, readonly string[]>>;
  readonly #now: Record<string, readonly string[]> = {};

  constructor(path: string) {
    this.#path = path;
    this.#kept = existsSync(path) ? JSON.parse(unpack(path)) : {};
  }

  /** Expects the texts that are kept under this title; of several that are others, the first is shown. */
  expect(title: string, texts: readonly string[]): void {
    this.#now[title] = texts;
    if (UPDATE) return;
    const kept = this.#kept[title];
    // To compare many long texts at once takes long.
    const other = texts.findIndex((text, index) => text !== kept?.[index]);
    if (other >= 0) expect(`${other + 1}: ${texts[other]}`).toBe(`${other + 1}: ${kept?.[other]}`);
    expect(texts.length).toBe(kept?.length);
  }

  /** To be called behind all tests of the file. */
  save(): void {
    if (!UPDATE) return;
    pack(this.#path, JSON.stringify(this.#now));
    console.warn(`UPDATE_GOLDEN=1: ${this.#path} was written anew; review what changed`);
  }
}

export function unpack(path: string): string {
  return brotliDecompressSync(readFileSync(path)).toString();
}

/** What is much alike may stand far apart: the window holds everything. */
export function pack(path: string, text: string): void {
  const params = { [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_QUALITY]: 10 };
  writeFileSync(path, brotliCompressSync(text, { params }));
}
