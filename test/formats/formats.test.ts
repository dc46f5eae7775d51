import { describe, expect, it } from 'vitest';
import { FORMATS } from '../../src/formats/index.ts';
import type { Format } from '../../src/formats/format.ts';
import type { Report } from '../../src/report/report.ts';
import { connection, finding, madeReport } from '../report/made-report.ts';

const PLAIN = { color: false, verbose: false, quiet: false };
const format = (name: string): Format => FORMATS.find((item) => item.name === name)!;
const lines = (text: string): string[] => text.trimEnd().split('\n');
const ESCAPE = '\u001b';

const FAILED = madeReport('failed', {
  connections: [connection(1, { verdict: 'failed', findings: ['RV602'], session: 1 }), connection(2)],
  findings: [
    finding(1, {
      causes: [2],
      connections: [1],
      count: 3,
      where: { kind: 'frame', path: 'capture.pcapng', frame: 12, interface: 'eth1' },
      fix: ['sysctl -w net.ipv4.conf.eth1.rp_filter=2'],
    }),
    finding(2, {
      code: 'RV407',
      slug: 'reverse-path-filter-blocks-sps',
      where: { kind: 'config', path: 'router.txt', line: 7, column: 3, text: 'net.ipv4.conf.eth1.rp_filter = 1' },
      fix: ['sysctl -w net.ipv4.conf.eth1.rp_filter=2'],
      notes: [
        { message: 'the route back', where: { kind: 'config', path: 'router.txt', line: 9, column: 1, text: 'x' } },
      ],
    }),
    finding(3, { code: 'RV103', slug: 'one-direction-captured', severity: 'note', message: 'a mere note' }),
  ],
});

describe('the registry of formats', () => {
  it('has those of this version, each with a name of its own', () => {
    const names = FORMATS.map((item) => item.name);
    expect(names).toEqual([...new Set(names)]);
    for (const name of ['text', 'json', 'ndjson', 'junit', 'sarif', 'markdown', 'html']) expect(names).toContain(name);
  });

  it.each(FORMATS)('$name ends with a line end', (item) => {
    for (const verdict of ['verified', 'failed', 'inconclusive'] as const)
      expect(item.render(madeReport(verdict), PLAIN).endsWith('\n')).toBe(true);
  });
});

describe('json', () => {
  it('is the report itself', () => {
    expect(JSON.parse(format('json').render(FAILED, PLAIN))).toEqual(FAILED);
  });

  it('is written as by JSON.stringify', () => {
    const nothing = madeReport('inconclusive', { connections: [], findings: [] });
    const odd = { ...FAILED, connectionsOmitted: undefined, earlier: [nothing] } as unknown as Report;
    for (const report of [FAILED, nothing, odd])
      expect(format('json').render(report, PLAIN)).toBe(`${JSON.stringify(report, undefined, 2)}\n`);
  });
});

describe('formats that are written in pieces', () => {
  const many = madeReport('failed', { connections: Array.from({ length: 1000 }, (_, index) => connection(index + 1)) });

  it.each(['json', 'ndjson'])('%s is the same as at once, and no piece holds all of it', (name) => {
    const pieces = [...format(name).pieces!(many)];
    expect(pieces.join('')).toBe(format(name).render(many, PLAIN));
    expect(pieces.length).toBeGreaterThan(3);
    expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThan(100_000);
  });
});

describe('ndjson', () => {
  it('begins with a header and ends with a summary; connections and findings stand between', () => {
    const parsed = lines(format('ndjson').render(FAILED, PLAIN)).map((line) => JSON.parse(line) as { type: string });
    expect(parsed.map((line) => line.type)).toEqual([
      'header',
      'connection',
      'connection',
      'finding',
      'finding',
      'finding',
      'summary',
    ]);
    expect(parsed[0]).toMatchObject({ schema: 'redirect-verify/report/1', mode: 'observed' });
    expect(parsed[1]).toEqual({ type: 'connection', ...FAILED.connections[0] });
    expect(parsed[3]).toEqual({ type: 'finding', ...FAILED.findings[0] });
    expect(parsed.at(-1)).toEqual({ type: 'summary', verdict: 'failed', ...FAILED.summary });
  });

  it('says how many connections are not listed', () => {
    const some = madeReport('verified', { connections: [], connectionsOmitted: 7 });
    expect(format('ndjson').render(some, PLAIN)).toContain('"connectionsOmitted":7');
  });

  it('has one value a line, whatever is in the names', () => {
    const odd = madeReport('failed', { findings: [finding(1, { message: 'a\nb\u2028c' })] });
    expect(lines(format('ndjson').render(odd, PLAIN))).toHaveLength(4);
  });
});

describe('text', () => {
  const render = (made: Report, options = PLAIN): string => format('text').render(made, options);

  it.each([
    ['verified', 'VERIFIED  1 connection: 1 verified'],
    ['failed', 'FAILED  1 connection: 1 failed'],
    ['inconclusive', 'INCONCLUSIVE  1 connection: 1 inconclusive'],
  ] as const)('says %s in its first line', (verdict, want) => {
    expect(lines(render(madeReport(verdict)))[0]).toBe(want);
    expect(render(madeReport(verdict), { ...PLAIN, quiet: true })).toBe(`${want}\n`);
  });

  it('shows each finding with its place, its cause and its fix, the fix once', () => {
    const text = render(FAILED);
    expect(text).toContain('#1 error RV602 reverse-path-drop ×3');
    expect(text).toContain('at capture.pcapng frame 12 on eth1');
    expect(text).toContain('because of #2 RV407');
    expect(text).toContain('at router.txt:7:3');
    expect(text).toContain('net.ipv4.conf.eth1.rp_filter = 1');
    expect(text).toContain('- the route back  router.txt:9');
    expect(text.split('sysctl -w net.ipv4.conf.eth1.rp_filter=2')).toHaveLength(2);
  });

  it('keeps notes for --verbose where something failed, and shows them where all is well', () => {
    expect(render(FAILED)).not.toContain('a mere note');
    expect(render(FAILED, { ...PLAIN, verbose: true })).toContain('a mere note');
    const well = madeReport('verified', { findings: [finding(1, { severity: 'note', message: 'a mere note' })] });
    expect(render(well)).toContain('a mere note');
  });

  it('lists failed connections first, and says how many are left out', () => {
    const many = madeReport('failed', {
      connections: [
        ...Array.from({ length: 30 }, (_, index) => connection(index + 1)),
        connection(31, { verdict: 'failed' }),
      ],
    });
    const text = render(many);
    expect(text.indexOf('192.168.0.10:40031')).toBeLessThan(text.indexOf('192.168.0.10:40001'));
    expect(text).toContain('and 11 more (--verbose, or --format json)');
    expect(render(many, { ...PLAIN, verbose: true })).not.toContain('more (--verbose');
  });

  it('says what was inferred and that this cannot show a mistake in it', () => {
    const inferred = madeReport('verified');
    const text = render({ ...inferred, intent: { ...inferred.intent, inferred: ['sps', 'services'] } });
    expect(text).toContain('172.16.0.1 (inferred)');
    expect(text).toContain('tcp/3389 (inferred)');
    expect(text).toContain('cannot show a mistake');
    expect(render(inferred)).not.toContain('(inferred)');
  });

  it('is coloured only where asked', () => {
    expect(render(FAILED)).not.toContain(ESCAPE);
    expect(render(FAILED, { ...PLAIN, color: true })).toContain(ESCAPE);
  });

  it('sends no control character of a name to the terminal', () => {
    const evil = `eth0${ESCAPE}[31m\nVERIFIED\r\u0007\u009b2J`;
    const made = madeReport('failed', {
      captures: [{ path: evil, format: 'pcap', packets: 1, bytes: 1, interfaces: [evil], truncated: true }],
      router: { dialects: [evil], sources: [{ path: evil, sha256: evil }], hostname: evil, notices: [evil] },
      connections: [connection(1, { verdict: 'failed', client: evil })],
      findings: [
        finding(1, {
          message: evil,
          fix: [evil],
          where: { kind: 'config', path: evil, line: 1, column: 1, text: evil },
          notes: [{ message: evil, where: { kind: 'frame', path: evil, frame: 1, interface: evil } }],
        }),
      ],
    });
    const text = render(made, { ...PLAIN, verbose: true });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not get through
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
    expect(lines(text).filter((line) => /^VERIFIED/.test(line))).toEqual([]);
    expect(lines(text)[0]).toMatch(/^FAILED/);
    expect(text).toContain('\\x1b[31m\\x0aVERIFIED');
  });

  it('names IPv6 endpoints in brackets', () => {
    const six = madeReport('verified', { connections: [connection(1, { client: '[2001:db8::a]:40000' })] });
    expect(render(six)).toContain('tcp [2001:db8::a]:40000 > 10.0.0.10:3389');
  });

  it('does not count connections as hidden that the report omits without saying so', () => {
    const some = madeReport('verified', { connections: [], connectionsOmitted: 7 });
    const text = render({ ...some, summary: { ...some.summary, connections: 7, verified: 7 } });
    expect(lines(text)[0]).toBe('VERIFIED  7 connections: 7 verified');
  });
});
