/** What `collect` prints for routers that are no Linux hosts. */
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { ciscoIosCollectCommands } from '../../src/commands/collect-cisco-ios.ts';
import { sophosUtmCollectScript } from '../../src/commands/collect-sophos-utm.ts';
import { sophosUtm } from '../../src/dialects/sophos-utm.ts';

describe('collect cisco-ios', () => {
  it('only shows: every line is a comment, a show command, or about the terminal', () => {
    const lines = ciscoIosCollectCommands().trimEnd().split('\n');
    expect(lines.filter((line) => !/^(?:!|show |terminal )/.test(line))).toEqual([]);
  });
});

describe('collect sophos-utm', () => {
  const run = (env: Readonly<Record<string, string>>, curl = '') =>
    spawnSync('sh', ['-c', `${curl}\n${sophosUtmCollectScript()}`], {
      env: { PATH: process.env.PATH ?? '', ...env },
      encoding: 'utf8',
    });

  it('asks for the address and the token', () => {
    const { status, stderr } = run({});
    expect({ status, stderr }).toEqual({ status: 2, stderr: 'set UTM and TOKEN\n' });
  });

  it('prints each answer under its path, and says what is not there', () => {
    const curl = `curl() { cat > /dev/null; for last; do :; done; case $last in */network/host/) echo '[{"_ref":"REF_A","_type":"network/host"}]' ;; *) return 22 ;; esac; }`;
    const { status, stdout, stderr } = run({ UTM: 'utm.example', TOKEN: 'x' }, curl);
    expect(status).toBe(0);
    expect(stdout).toBe('### /api/objects/network/host/\n[{"_ref":"REF_A","_type":"network/host"}]\n');
    expect(stderr).toContain('not there: nodes/routes.policy');
    expect(sophosUtm.recognise({ path: 'utm.txt', text: stdout })).toBe(true);
  });

  it('keeps the token out of the arguments', () => {
    const curl = `curl() { printf '%s\\n' "$@" >&2; cat > /dev/null; return 22; }`;
    expect(run({ UTM: 'utm.example', TOKEN: 'secret' }, curl).stderr).not.toContain('secret');
  });
});
