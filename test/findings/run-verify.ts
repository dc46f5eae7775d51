import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { IpProtocol } from '../../src/net/ip-protocol.ts';
import { parseIpAddress } from '../../src/net/ip-address.ts';
import { parsePrefix } from '../../src/net/prefix.ts';
import type { FindingReport, Report } from '../../src/report/report.ts';
import type { StatedIntent } from '../../src/verification/intent.ts';
import type { Router } from '../../src/verification/router.ts';
import { type VerifyOptions, verify } from '../../src/verify.ts';
import { direct, Traffic } from './build-capture.ts';
import { routerOf, type StateParts, routerState } from './router-state.ts';

/** What the seed wants, stated: so no mistake in a rule can hide. */
export const INTENT: StatedIntent = {
  sps: [parseIpAddress('172.16.0.1')!],
  spsInterfaces: ['eth1'],
  snat: 'own',
  services: [{ protocol: IpProtocol.tcp, ports: { first: 3389, last: 3389 } }],
  clients: [parsePrefix('192.168.0.0/24')!],
  servers: [parsePrefix('10.0.0.0/24')!],
};

export const SPOOFING: StatedIntent = { ...INTENT, snat: 'client' };

/** The intent with some parts left to be inferred. */
export function unstated(...parts: readonly (keyof StatedIntent)[]): StatedIntent {
  return Object.fromEntries(Object.entries(INTENT).filter(([part]) => !parts.includes(part as keyof StatedIntent)));
}

export interface Run extends Partial<VerifyOptions> {
  /** Traffic, or the bytes of one capture, or several by file name (`eth0=…` names the interface). */
  readonly capture: Traffic | Uint8Array | Readonly<Record<string, Uint8Array>>;
  /** A state's text, its parts, or a router. */
  readonly state?: string | StateParts | Router;
  readonly intent?: StatedIntent;
}

/** Runs the whole verification on files. Paths in the report are file names. */
export async function report(run: Run): Promise<Report> {
  const { capture, state = {}, intent = INTENT, ...options } = run;
  const folder = mkdtempSync(join(tmpdir(), 'findings-'));
  try {
    const files: Readonly<Record<string, Uint8Array>> =
      capture instanceof Traffic
        ? { 'capture.pcapng': capture.pcapng() }
        : capture instanceof Uint8Array
          ? { 'capture.pcapng': capture }
          : capture;
    const inputs = Object.entries(files).map(([given, bytes]) => {
      const [name, path] = given.includes('=') ? [given.split('=')[0], given.split('=')[1]!] : [undefined, given];
      writeFileSync(join(folder, path), bytes);
      return { path: join(folder, path), ...(name !== undefined && { interface: name }) };
    });
    const made = await verify(inputs, toRouter(state), intent, { whatIf: false, sources: [], ...options });
    return JSON.parse(JSON.stringify(made).replaceAll(`${folder}/`, '')) as Report;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function toRouter(state: string | StateParts | Router): Router {
  if (typeof state === 'string') return routerOf(state);
  return 'forwarder' in state ? state : routerOf(routerState(state));
}

/** Codes of a report with their severities, in its order. */
export function codesOf(made: Report): string[] {
  return made.findings.map((finding) => `${finding.code} ${finding.severity}`);
}

/** The only finding with a code. */
export function the(made: Report, code: string): FindingReport {
  const found = made.findings.filter((finding) => finding.code === code);
  expect(
    found.map((finding) => finding.code),
    `${code} once among ${codesOf(made).join(', ')}`,
  ).toEqual([code]);
  return found[0]!;
}

/** Codes of the findings that explain one. */
export function causesOf(made: Report, finding: FindingReport): string[] {
  return finding.causes.map((id) => made.findings.find((item) => item.id === id)?.code ?? `no finding ${id}`);
}

/** Asserts that a code is not in the report. */
export function expectAbsent(made: Report, code: string): void {
  expect(made.findings.filter((finding) => finding.code === code)).toEqual([]);
}

/** Asserts that a fix, applied to the router, lets plain traffic through SPS. */
export async function expectMended(state: StateParts, fix: readonly string[], intent = INTENT): Promise<void> {
  const mended = routerOf(routerState(state)).altered(fix);
  expect(mended).toBeDefined();
  const after = await report({ capture: direct(new Traffic()), state: mended!, intent, whatIf: true });
  expect({ verdict: after.verdict, codes: codesOf(after) }).toEqual({ verdict: 'verified', codes: [] });
}
