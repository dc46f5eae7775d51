import { describe, expect, it } from 'vitest';
import { connection, finding, madeReport } from '../report/made-report.ts';
import { EVIL_REPORT, render, STORED_REPORTS } from './rendered.ts';

const lines = (text: string): string[] => text.trimEnd().split('\n');

describe('markdown', () => {
  it.each(STORED_REPORTS)('says the verdict, every error and its fix: $name', ({ report }) => {
    const text = render('markdown', report);
    expect(lines(text)[0]).toMatch(new RegExp(`^# ${report.verdict.toUpperCase()}: \\d+ connections?`));
    for (const item of report.findings.filter((entry) => entry.severity === 'error')) {
      expect(text).toContain(`### ${item.id}. ${item.code} ${item.slug} (error`);
      for (const command of item.fix) expect(text).toContain(`\n${command}\n`);
    }
  });

  it('has rows of equally many cells', () => {
    for (const report of [EVIL_REPORT, ...STORED_REPORTS.map((item) => item.report)]) {
      const rows = lines(render('markdown', report)).filter((line) => line.startsWith('| '));
      const widths = new Set(rows.map((row) => row.replaceAll('\\|', '').split('|').length));
      expect([...widths].filter((width) => ![4, 10].includes(width))).toEqual([]);
    }
  });

  it('lets no name make markup, a line or a heading of its own', () => {
    const text = render('markdown', EVIL_REPORT, { verbose: true });
    expect(lines(text).filter((line) => line.startsWith('# '))).toHaveLength(1);
    const outsideCode = lines(text)
      .join('\n')
      .replace(/^```+sh\n[\s\S]*?\n```+$/gm, '')
      .replace(/(?<![\\`])(`+)(?!`)[\s\S]*?(?<!`)\1(?!`)/g, '');
    expect(outsideCode).not.toMatch(/<i>/);
    expect(outsideCode).not.toMatch(/(^|[^\\])\[l\]\(/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not get through
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  });

  it('fences a fix with more backticks than it holds', () => {
    const text = render('markdown', madeReport('failed', { findings: [finding(1, { fix: ['echo ```'] })] }));
    expect(text).toContain('````sh\necho ```\n````');
  });

  it('keeps notes and long tables for --verbose and says so', () => {
    const many = madeReport('failed', {
      connections: [
        ...Array.from({ length: 60 }, (_, index) => connection(index + 1)),
        connection(61, { verdict: 'failed' }),
      ],
      findings: [finding(1), finding(2, { severity: 'note', message: 'a mere note' })],
    });
    const text = render('markdown', many);
    expect(text).not.toContain('a mere note');
    expect(text).toContain('1 note is not shown');
    expect(text).toContain('and 11 more');
    expect(text.indexOf('40061')).toBeLessThan(text.indexOf('40001'));
    const verbose = render('markdown', many, { verbose: true });
    expect(verbose).toContain('a mere note');
    expect(verbose).not.toContain('more (`--verbose`');
    expect(lines(render('markdown', many, { quiet: true }))).toHaveLength(1);
  });
});
