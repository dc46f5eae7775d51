/** Reports for tests of formats: those stored with the scenarios, and one with everything that can be wrong with a name. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CATALOG } from '../../src/catalog.ts';
import type { RenderOptions } from '../../src/formats/format.ts';
import { FORMATS } from '../../src/formats/index.ts';
import type { Report } from '../../src/report/report.ts';
import { connection, finding, madeReport } from '../report/made-report.ts';

const CAPTURES = join(import.meta.dirname, '..', '..', 'captures');

/** Name and report of every stored scenario. */
export const STORED_REPORTS: readonly { readonly name: string; readonly report: Report }[] = readdirSync(CAPTURES)
  .filter((name) => existsSync(join(CAPTURES, name, 'report.json')))
  .sort()
  .map((name) => ({ name, report: JSON.parse(readFileSync(join(CAPTURES, name, 'report.json'), 'utf8')) as Report }));

/** Markup of every kind, control characters, what XML cannot hold, a lone surrogate. */
export const EVIL = `a|b <i>&amp;"' ]]> \`\`x\` [l](http://x) ![](y) \u0000\u001b[31m\r\n# VERIFIED \u2028 \ud800 \ufffe`;

/** A failed run of which every name and message is {@link EVIL}. */
export const EVIL_REPORT: Report = madeReport('failed', {
  captures: [{ path: EVIL, format: 'pcap', packets: 1, bytes: 1, interfaces: [EVIL], truncated: true }],
  router: { dialects: [EVIL], sources: [{ path: EVIL, sha256: EVIL }], hostname: EVIL, notices: [EVIL] },
  connections: [
    connection(1, { verdict: 'failed', client: EVIL, findings: ['RV602'] }),
    connection(2, { verdict: 'inconclusive' }),
  ],
  findings: [
    finding(1, {
      message: EVIL,
      connections: [1],
      fix: [EVIL, 'sysctl -w x=1'],
      where: { kind: 'config', path: EVIL, line: 1, column: 1, text: EVIL },
      notes: [{ message: EVIL, where: { kind: 'frame', path: EVIL, frame: 1, interface: EVIL } }],
    }),
    finding(2, { code: 'RV401', slug: 'mark-without-policy-rule', message: EVIL }),
  ],
});

/** A report in a format, as the command line renders it. */
export function render(name: string, report: Report, options: Partial<RenderOptions> = {}): string {
  const format = FORMATS.find((item) => item.name === name);
  if (format === undefined) throw new Error(`no format ${name}`);
  return format.render(report, {
    color: false,
    verbose: false,
    quiet: false,
    version: '1.2.3',
    kinds: CATALOG,
    ...options,
  });
}
