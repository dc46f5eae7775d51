import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { withUsual } from './scenario.ts';
import { shellDifferences } from './shell.ts';

const FOLDER = fileURLToPath(new URL('shell-cases', import.meta.url));

interface ShellCase {
  readonly before: readonly string[];
  readonly commands: readonly string[];
  readonly after: readonly string[];
}

const cases = readdirSync(FOLDER).map((name) => {
  const { before, commands, after } = JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as ShellCase;
  return { name, before: withUsual(before), commands, after: withUsual(after) };
});

describe('the shell dialect ends where the kernel does', () => {
  it.each(cases)('$name', ({ before, commands, after }) => {
    expect(shellDifferences(before, `${commands.join('\n')}\n`, after)).toEqual([]);
  });

  it.each(cases)('$name: without its commands it would be missed', ({ before, commands, after }) => {
    expect(commands.length).toBeGreaterThan(3);
    expect(shellDifferences(before, 'ip rule add pref 9 fwmark 99 lookup 99\n', after)).not.toEqual([]);
  });
});
