/** What is installed with the tool: what the README says of it, and nothing that runs when it is installed. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const OPTIONAL = 'cap';
/** Builds a native module. */
const BUILDS: readonly string[] = [OPTIONAL];
/** Of what the README says. */
const TOLERANCE = 0.1;

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly scripts?: Readonly<Record<string, string>>;
}

interface Locked extends Manifest {
  readonly dev?: boolean;
  readonly peer?: boolean;
  readonly hasInstallScript?: boolean;
}

const read = <Value>(path: string): Value => JSON.parse(readFileSync(join(ROOT, path), 'utf8')) as Value;
const manifest = read<Manifest>('package.json');
const { packages } = read<{ readonly packages: Readonly<Record<string, Locked>> }>('package-lock.json');
const direct = Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies });

/** Everything that comes with the tool, by where it is installed. */
function shipped(): string[] {
  const found = new Set<string>();
  const add = (name: string): void => {
    const place = `node_modules/${name}`;
    if (found.has(place)) return;
    found.add(place);
    const { dependencies, optionalDependencies } = packages[place]!;
    for (const next of Object.keys({ ...dependencies, ...optionalDependencies })) add(next);
  };
  for (const name of direct) add(name);
  return [...found].sort();
}

function table(): { name: string; kilobytes: number }[] {
  const text = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const [, rows = ''] = /<!-- libraries -->\n([\s\S]*?)<!-- \/libraries -->/.exec(text) ?? [];
  return [...rows.matchAll(/^\| ([a-z-]+)(?: \(optional\))? \| .{30,} \| (\d+) kB \| \d+ kB \|$/gm)].map(
    ([, name, kilobytes]) => ({ name: name!, kilobytes: Number(kilobytes) }),
  );
}

function bytesIn(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => statSync(join(folder, name)))
    .reduce((sum, stat) => sum + (stat.isFile() ? stat.size : 0), 0);
}

describe('the libraries that come with the tool', () => {
  it('are those that the README justifies', () => {
    expect(table().map((item) => item.name)).toEqual(direct);
  });

  it.each(table().filter((item) => item.name !== OPTIONAL))('$name is as large as the README says', (item) => {
    const kilobytes = bytesIn(join(ROOT, 'node_modules', item.name)) / 1000;
    expect(Math.abs(kilobytes - item.kilobytes)).toBeLessThan(TOLERANCE * item.kilobytes + 1);
  });

  it('bring nothing else, but cap what it is built with', () => {
    expect(shipped()).toEqual([...direct, 'nan'].map((name) => `node_modules/${name}`).sort());
  });

  it('run nothing when they are installed, but cap, which is built then', () => {
    // As npm knows it, of every place that is not for development, and as the packages themselves say.
    const locked = Object.entries(packages).filter(([place, item]) => place !== '' && !item.dev && !item.peer);
    expect(locked.map(([place]) => place)).toEqual(expect.arrayContaining(shipped()));
    const builds = BUILDS.map((name) => `node_modules/${name}`);
    expect(locked.filter(([, item]) => item.hasInstallScript).map(([place]) => place)).toEqual(builds);
    const own = shipped().filter((place) => {
      if (!existsSync(join(ROOT, place))) return place === `node_modules/${OPTIONAL}`;
      const { scripts = {} } = read<Manifest>(`${place}/package.json`);
      const implied = existsSync(join(ROOT, place, 'binding.gyp'));
      return implied || ['preinstall', 'install', 'postinstall'].some((name) => name in scripts);
    });
    expect(own).toEqual(builds);
  });
});
