import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { describe, expect, it, vi } from 'vitest';
import { CATALOG } from '../../src/catalog.ts';
import { addExplain } from '../../src/commands/explain.ts';
import { DIAGNOSIS_ORDER, FINDINGS } from '../../src/findings/index.ts';

const { written } = vi.hoisted(() => ({ written: [] as string[] }));
vi.mock('../../src/commands/write-output.ts', () => ({ writeOut: (text: string) => written.push(text) }));

/** Codes never change meaning: what is promised to users, as data. Where a severity depends, its first value. */
const PROMISED: readonly (readonly [code: string, slug: string, severity: string])[] = [
  ['RV101', 'truncated-capture', 'warning'],
  ['RV102', 'ambiguous-ingress', 'warning'],
  ['RV103', 'one-direction-captured', 'note'],
  ['RV104', 'capture-lost-packets', 'warning'],
  ['RV105', 'frame-cut-short', 'warning'],
  ['RV106', 'unsupported-link-type', 'warning'],
  ['RV107', 'connection-began-before-capture', 'note'],
  ['RV109', 'stale-router-state', 'note'],
  ['RV201', 'malformed-packet', 'note'],
  ['RV301', 'unmodelled-statement', 'warning'],
  ['RV302', 'unparsed-statement', 'warning'],
  ['RV303', 'undefined-reference', 'error'],
  ['RV304', 'incomplete-router-state', 'warning'],
  ['RV401', 'mark-without-policy-rule', 'error'],
  ['RV402', 'policy-rule-into-empty-table', 'error'],
  ['RV403', 'shadowed-policy-rule', 'error'],
  ['RV404', 'connmark-never-restored', 'error'],
  ['RV405', 'mark-before-connmark', 'error'],
  ['RV406', 'sps-traffic-not-exempt', 'error'],
  ['RV407', 'reverse-path-filter-blocks-sps', 'error'],
  ['RV408', 'redirect-next-hop-not-sps', 'error'],
  ['RV409', 'next-hop-not-on-link', 'error'],
  ['RV410', 'redirect-fails-open', 'warning'],
  ['RV411', 'reply-redirect-missing', 'error'],
  ['RV412', 'unmasked-mark', 'warning'],
  ['RV413', 'icmp-redirects-enabled', 'warning'],
  ['RV414', 'connmark-on-single-interface', 'error'],
  ['RV415', 'interface-setting-overridden', 'note'],
  ['RV416', 'host-on-sps-segment-exempt', 'warning'],
  ['RV501', 'client-traffic-bypasses-sps', 'error'],
  ['RV502', 'redirect-loop', 'error'],
  ['RV503', 'dropped-by-rule', 'error'],
  ['RV504', 'no-route', 'error'],
  ['RV505', 'egress-mismatch', 'error'],
  ['RV506', 'wrong-next-hop', 'error'],
  ['RV507', 'client-address-hidden', 'warning'],
  ['RV508', 'ipv6-not-redirected', 'error'],
  ['RV509', 'fragment-escapes-redirect', 'warning'],
  ['RV510', 'invalid-state-escapes-redirect', 'error'],
  ['RV511', 'sps-does-not-answer', 'error'],
  ['RV512', 'server-leg-missing', 'warning'],
  ['RV513', 'stray-packet', 'note'],
  ['RV601', 'reply-traffic-bypasses-sps', 'error'],
  ['RV602', 'reverse-path-drop', 'error'],
  ['RV603', 'mark-changes-reverse-path', 'warning'],
  ['RV604', 'directions-use-different-sps', 'error'],
  ['RV605', 'icmp-error-bypasses-sps', 'warning'],
  ['RV701', 'join-port-unreachable', 'error'],
  ['RV702', 'join-traffic-redirected', 'error'],
  ['RV703', 'join-certificate-name-mismatch', 'error'],
  ['RV704', 'join-certificate-expired', 'error'],
  ['RV705', 'join-tls-rejected', 'error'],
  ['RV706', 'join-address-not-ipv4', 'error'],
  ['RV707', 'join-one-direction', 'error'],
  ['RV901', 'undetermined-verdict', 'warning'],
  ['RV902', 'no-monitored-traffic', 'warning'],
  ['RV903', 'unmonitored-service-seen', 'warning'],
];

const folder = join(import.meta.dirname, '../../src/findings');
const files = readdirSync(folder).filter((name) => /^rv\d/.test(name));
const kinds = FINDINGS.map((finding) => finding.kind);

describe('the registry of findings', () => {
  it('has every file of the folder, and no more', () => {
    expect(kinds.map(({ code, slug }) => `${code.toLowerCase()}-${slug}.ts`).sort()).toEqual(files.sort());
  });

  it('is in the order of codes, each once', () => {
    const codes = kinds.map((kind) => kind.code);
    expect(codes).toEqual([...new Set(codes)].sort());
  });

  it.each(kinds)('$code keeps the slug and severity that were promised', ({ code, slug, severity }) => {
    const promised = PROMISED.find(([known]) => known === code);
    expect([code, slug]).toEqual(promised?.slice(0, 2));
    // RV303 is an error on the path of monitored traffic only; its test shows both.
    if (code !== 'RV303') expect(severity).toBe(promised?.[2]);
  });

  it.each(kinds)('$code says what it means, why it matters and what to do', (kind) => {
    for (const text of [kind.saidWhen, kind.meaning, kind.whyItMatters, kind.example, kind.whatToDo])
      expect(text.trim()).not.toBe('');
    expect(kind.meaning).toMatch(/[.)]$/);
    expect(kind.whyItMatters).toMatch(/[.)]$/);
    for (const reference of kind.references) expect(reference.trim()).not.toBe('');
  });

  it('is what the catalog shows', () => {
    for (const kind of kinds) expect(CATALOG).toContain(kind);
  });

  it('asks every finding that can name causes, in an order that is stated', () => {
    const diagnosers = FINDINGS.filter((finding) => finding.diagnose !== undefined).map((finding) => finding.kind.code);
    expect(DIAGNOSIS_ORDER.map((finding) => finding.kind.code).sort()).toEqual(diagnosers);
  });

  it('has a test for every code', () => {
    const tests = readdirSync(import.meta.dirname)
      .filter((name) => name.endsWith('.test.ts') && name !== 'registry.test.ts')
      .map((name) => readFileSync(join(import.meta.dirname, name), 'utf8'))
      .join('\n');
    expect(kinds.map((kind) => kind.code).filter((code) => !tests.includes(code))).toEqual([]);
  });
});

describe('explain', () => {
  function explain(...words: string[]): string {
    written.length = 0;
    const program = new Command().exitOverride();
    addExplain(program);
    program.parse(['node', 'redirect-verify', 'explain', ...words]);
    return written.join('');
  }

  it.each(kinds)('prints everything about $code, by code and by name', (kind) => {
    const text = explain(kind.code);
    for (const part of [
      kind.code,
      kind.slug,
      kind.severity,
      kind.saidWhen,
      kind.meaning,
      kind.whyItMatters,
      kind.example,
      kind.whatToDo,
      ...kind.references,
    ])
      expect(text).toContain(part);
    expect(explain(kind.slug)).toBe(text);
    expect(explain(kind.code.toLowerCase())).toBe(text);
  });

  it('lists all without a code', () => {
    const lines = explain().trimEnd().split('\n');
    for (const kind of kinds) expect(lines.some((line) => line.startsWith(`${kind.code}  ${kind.slug}`))).toBe(true);
  });

  it('refuses a code that does not exist', () => {
    expect(() => explain('RV999')).toThrow("no finding is called 'RV999'");
  });
});
