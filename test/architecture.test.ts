import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

const SRC = join(import.meta.dirname, '..', 'src');

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory()
      ? sources(join(folder, entry.name))
      : entry.name.endsWith('.ts')
        ? [relative(SRC, join(folder, entry.name))]
        : [],
  );
}

/** Layer of a path below src: its first folder, or the name of a file that stands there. */
function layerOf(path: string): string {
  const [first = ''] = path.split('/');
  return first.replace(/\.ts$/, '');
}

function importsOf(path: string): string[] {
  const text = readFileSync(join(SRC, path), 'utf8');
  return [...text.matchAll(/(?:from|import)\s+'([^']+)'/g)].map((match) => match[1]!);
}

function allowedImports(): Map<string, Set<string>> {
  const table = readFileSync(join(SRC, 'README.md'), 'utf8').split('## Layers')[1]!.split('What this leaves out')[0]!;
  const rows = [...table.matchAll(/^\| (\S+) \| ([^|]*)\|$/gm)].filter((row) => !['layer', '---'].includes(row[1]!));
  return new Map(rows.map((row) => [row[1]!, new Set(row[2]!.trim().split(/\s+/).filter(Boolean))]));
}

const FILES = sources(SRC);
const ALLOWED = allowedImports();

describe('imports point one way', () => {
  it('every layer has a row in src/README.md, and every row a layer', () => {
    expect([...new Set(FILES.map(layerOf))].sort()).toEqual([...ALLOWED.keys()].sort());
  });

  it('a file imports only its own layer and those in its row', () => {
    const wrong = FILES.flatMap((file) =>
      importsOf(file)
        .filter((name) => name.startsWith('.'))
        .map((name) => normalize(join(dirname(file), name)))
        .filter((target) => layerOf(target) !== layerOf(file) && !ALLOWED.get(layerOf(file))!.has(layerOf(target)))
        .map((target) => `${file} -> ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  it('the table itself has no cycle', () => {
    const open = new Map([...ALLOWED].map(([layer, set]) => [layer, new Set(set)]));
    while (open.size > 0) {
      const free = [...open].filter(([, set]) => [...set].every((layer) => !open.has(layer))).map(([layer]) => layer);
      expect(free, `cycle among ${[...open.keys()].join(' ')}`).not.toEqual([]);
      for (const layer of free) open.delete(layer);
    }
  });

  it('files of one registry do not import each other', () => {
    const bases: Record<string, RegExp> = {
      dialects: /^dialects\/base\//,
      findings: /^findings\/finding\.ts$/,
      formats: /^formats\/(format\.ts$|html\/|markdown\/)/,
    };
    const wrong = FILES.filter((file) => layerOf(file) in bases && !file.endsWith('/index.ts')).flatMap((file) =>
      importsOf(file)
        .filter((name) => name.startsWith('.'))
        .map((name) => normalize(join(dirname(file), name)))
        .filter((target) => layerOf(target) === layerOf(file) && !bases[layerOf(file)]!.test(target))
        .map((target) => `${file} -> ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  it('only the command line uses process, only capture and commands touch files and network', () => {
    const usesProcess = FILES.filter((file) => /\bprocess\.\w/.test(readFileSync(join(SRC, file), 'utf8'))).map(
      layerOf,
    );
    expect(new Set(usesProcess.filter((layer) => !['cli', 'commands'].includes(layer)))).toEqual(new Set());
    const touchesFiles = FILES.filter((file) =>
      importsOf(file).some((name) => /^node:(fs|net|http|https|dgram|child_process|tls)/.test(name)),
    );
    expect(touchesFiles.filter((file) => !['cli', 'commands', 'capture'].includes(layerOf(file)))).toEqual([]);
  });

  it('expected and observed do not know each other', () => {
    expect(ALLOWED.get('forwarding')!.has('observation')).toBe(false);
    expect(ALLOWED.get('observation')!.has('forwarding')).toBe(false);
  });
});

describe('registries are complete', () => {
  it.each(['dialects', 'findings', 'formats'])('%s/index.ts names every file of its folder', (folder) => {
    const index = readFileSync(join(SRC, folder, 'index.ts'), 'utf8');
    const own = FILES.filter((file) => dirname(file) === folder && !/\/(index|finding|format|walk)\.ts$/.test(file));
    expect(own.length).toBeGreaterThan(2);
    expect(own.filter((file) => !index.includes(`'./${file.split('/')[1]}'`))).toEqual([]);
  });
});
