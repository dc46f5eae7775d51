/** The HTML report in a real browser: sorting, filtering, opening, by mouse and by keyboard; no error, no request, nothing inaccessible. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Evidence } from '../../src/report/evidence.ts';
import type { Report } from '../../src/report/report.ts';
import { verifyWithEvidence } from '../../src/verify.ts';
import { makeScratch } from '../cli/scratch.ts';
import { connection, madeReport } from '../report/made-report.ts';
import { inputsOf, intentOf, routerOf, storedScenario } from '../scenarios/stored-scenario.ts';
import { EVIL, EVIL_REPORT, render } from './rendered.ts';

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((path) => existsSync(path));
const required = process.env.REDIRECT_VERIFY_LAB === '1';
if (CHROMIUM === undefined && !required) console.warn('tests of the HTML report in a browser are skipped: no chromium');
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const OPENS_WITHIN_MILLISECONDS = 2000;

const scratch = makeScratch();

/** The page of a stored scenario, as the command line writes it. */
async function pageOf(name: string): Promise<{ html: string; report: Report; evidence: Evidence }> {
  const scenario = storedScenario(name);
  const { router, sources } = routerOf(scenario);
  const made = await verifyWithEvidence(inputsOf(scenario, 'merged'), router, intentOf(scenario), {
    whatIf: false,
    sources,
  });
  return { ...made, html: render('html', made.report, { evidence: made.evidence }) };
}

describe('the file', () => {
  it('names nothing that is elsewhere', async () => {
    const { html } = await pageOf('rp-filter-strict-all');
    expect(html.replaceAll('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|\bsrc=|@import|url\((?!#)/);
  });

  it('holds no name as markup', () => {
    const html = render('html', EVIL_REPORT);
    expect(html).not.toContain('<i>');
    expect(html).not.toContain(EVIL);
    // A script element ends at the first thing that looks like its end.
    expect(html.split('</script>')).toHaveLength(3);
    const json = /<script type="application\/json" id="data">(.*?)<\/script>/s.exec(html)?.[1] ?? '';
    expect((JSON.parse(json) as { connections: unknown[] }).connections).toHaveLength(2);
  });

  it('says for each of the four flows how its packets went', async () => {
    const legs = async (name: string) =>
      Object.fromEntries(
        (await pageOf(name)).evidence.legs.map(({ role, viaSps, bypassed, dropped, looped }) => [
          role,
          [viaSps > 0, bypassed, dropped, looped],
        ]),
      );
    expect(await legs('reply-rule-forgotten')).toMatchObject({
      'client-request': [true, 0, 0, 0],
      'server-reply': [true, 4, 0, 0],
    });
    expect(await legs('rp-filter-strict-all')).toMatchObject({
      'sps-reply': [false, 0, 16, 0],
      'server-reply': [false, 0, 0, 0],
    });
    expect(await legs('seed-own-address')).toMatchObject({
      'sps-request': [true, 0, 0, 0],
      'server-reply': [true, 0, 0, 0],
    });
  });

  it('shows the packets of failed connections, at most fifty of each', async () => {
    const { evidence, report } = await pageOf('no-sps-exemption');
    const failed = report.connections.filter((item) => item.verdict === 'failed').map((item) => item.id);
    expect(evidence.sequences.map((item) => item.connection)).toEqual(failed);
    for (const { packets, omitted } of evidence.sequences) {
      expect(packets.length).toBeLessThanOrEqual(50);
      expect(omitted > 0).toBe(packets.length === 50 && omitted > 0);
      expect(packets[0]).toMatchObject({ from: 'client', to: 'sps', flags: 'S', seconds: 0 });
    }
    expect(
      evidence.sequences.some((item) => item.packets.some((packet) => packet.from === 'sps' && packet.to === 'sps')),
    ).toBe(true);
    expect((await pageOf('seed-own-address')).evidence.sequences).toEqual([]);
  });
});

describe.skipIf(CHROMIUM === undefined && !required)('in Chromium', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
  });
  afterAll(async () => {
    await browser.close();
    scratch.remove();
  });

  /** Opens a page; what it says on the console and asks of anywhere is collected. */
  async function open(
    html: string,
    options: { width?: number; dark?: boolean } = {},
  ): Promise<{ page: Page; complaints: string[] }> {
    const path = join(scratch.path, 'report.html');
    writeFileSync(path, html);
    const page = await browser.newPage({
      viewport: { width: options.width ?? 1200, height: 900 },
      colorScheme: options.dark === true ? 'dark' : 'light',
    });
    const complaints: string[] = [];
    const url = pathToFileURL(path).href;
    page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('request', (request) => {
      if (request.url().split('#')[0] !== url) complaints.push(`request: ${request.url()}`);
    });
    await page.goto(url);
    return { page, complaints };
  }

  const column = (page: Page, number: number) =>
    page.locator(`#connections-table tbody tr td:nth-child(${number})`).allTextContents();

  it('sorts and filters the connections', async () => {
    const { html } = await pageOf('reply-rule-forgotten');
    const { page, complaints } = await open(html);
    expect(await column(page, 2)).toEqual([...Array(4).fill('failed'), ...Array(4).fill('verified')]);
    await page.locator('th button').first().click();
    expect(await column(page, 1)).toEqual(['1', '2', '3', '4', '5', '6', '7', '8']);
    await page.locator('th button').first().click();
    expect(await column(page, 1)).toEqual(['8', '7', '6', '5', '4', '3', '2', '1']);
    expect(await page.locator('th').first().getAttribute('aria-sort')).toBe('descending');
    await page.getByLabel('Filter by').fill('rv601 192.168.0.10');
    expect(await column(page, 1)).toEqual(['8', '6', '4', '2']);
    await page.getByLabel('Verdict').selectOption('verified');
    expect(await page.getByRole('status').textContent()).toBe('no connection');
    await page.getByLabel('Filter by').fill('');
    expect(await column(page, 2)).toEqual(Array(4).fill('verified'));
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('opens findings and their causes, and draws the packets of a connection', async () => {
    const { html } = await pageOf('rp-filter-strict-all');
    const { page, complaints } = await open(html);
    expect(await page.locator('#finding-1').getAttribute('open')).not.toBeNull();
    await page.locator('#finding-2 > summary').click();
    const ladder = await page.locator('#finding-2 .ladder li').allTextContents();
    expect(ladder.at(-1)).toContain('dropped-by-reverse-path');
    expect(ladder.some((line) => /router\.txt:\d+ {2}net\.ipv4\.conf\.all\.rp_filter = 1/.test(line))).toBe(true);
    await page.locator('#finding-2').getByRole('link', { name: '1. RV407' }).click();
    expect(new URL(page.url()).hash).toBe('#finding-1');
    await page.locator('#connections-table').getByRole('link', { name: '1', exact: true }).click();
    await page.locator('#sequence-1 svg').waitFor();
    expect(await page.locator('#sequence-1 ol li').first().textContent()).toMatch(
      /client sends \[S\] TTL \d+, forwarded by eth1 to 172\.16\.0\.1/,
    );
    expect(await page.locator('#sequence-1 .cross').count()).toBeGreaterThan(0);
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('is used by keyboard alone', async () => {
    const { html } = await pageOf('reply-rule-forgotten');
    const { page, complaints } = await open(html);
    const focused = () =>
      page.evaluate('document.activeElement.textContent || document.activeElement.id') as Promise<string>;
    const tabTo = async (wanted: RegExp) => {
      for (let presses = 0; presses < 60; presses++) {
        await page.keyboard.press('Tab');
        if (wanted.test(await focused())) return;
      }
      throw new Error(`${wanted} is not reached by Tab`);
    };
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('Skip to the findings');
    await page.keyboard.press('Enter');
    await tabTo(/RV601/);
    await page.keyboard.press('Tab');
    await tabTo(/2\. RV601 reply/);
    await page.keyboard.press('Enter');
    expect(await page.locator('#finding-2').getAttribute('open')).not.toBeNull();
    await tabTo(/^filter$/);
    await page.keyboard.type('41248');
    expect(await page.getByRole('status').textContent()).toMatch(/^1 to 1 of 1 /);
    await tabTo(/^id\W*$/);
    await page.keyboard.press('Enter');
    expect(await page.locator('th').first().getAttribute('aria-sort')).toBe('ascending');
    expect(complaints).toEqual([]);
    await page.close();
  });

  it.each([
    { name: 'light', dark: false, width: 1200 },
    { name: 'dark', dark: true, width: 1200 },
    { name: 'on a phone', dark: false, width: 375 },
  ])('axe finds nothing serious: $name', async ({ dark, width }) => {
    for (const scenario of ['rp-filter-strict-all', 'seed-own-address']) {
      const { page, complaints } = await open((await pageOf(scenario)).html, { dark, width });
      for (const summary of await page.locator('summary').all()) await summary.click();
      // The page's own policy lets no other script in: axe is evaluated from outside.
      await page.evaluate(AXE);
      const { violations } = (await page.evaluate('axe.run()')) as {
        violations: { id: string; impact: string; nodes: { html: string }[] }[];
      };
      const serious = violations.filter((item) => ['serious', 'critical'].includes(item.impact));
      expect(serious.map((item) => `${item.id}: ${item.nodes[0]?.html}`)).toEqual([]);
      const overflow = (await page.evaluate('document.documentElement.scrollWidth - innerWidth')) as number;
      expect(overflow, 'no scrolling sideways').toBeLessThanOrEqual(0);
      expect(complaints).toEqual([]);
      await page.close();
    }
  });

  it('no name becomes markup or script', async () => {
    const { page, complaints } = await open(render('html', EVIL_REPORT));
    expect(await page.locator('i').count()).toBe(0);
    expect((await column(page, 5))[0]).toContain('<i>');
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('runs no script but its own', async () => {
    const { page, complaints } = await open(
      render('html', madeReport('verified')).replace('</body>', '<script>document.title = "mine"</script></body>'),
    );
    expect(await page.title()).not.toBe('mine');
    expect(complaints.join()).toContain('Content Security Policy');
    await page.close();
  });

  it('ten thousand connections open in under two seconds', async () => {
    const report = madeReport('verified', {
      connections: Array.from({ length: 10_000 }, (_, index) => connection(index + 1)),
    });
    const html = render('html', report);
    const times: number[] = [];
    for (let round = 0; round < 3; round++) {
      const started = performance.now();
      const { page } = await open(html);
      await page.locator('#connections-table tbody tr').nth(99).waitFor();
      times.push(performance.now() - started);
      if (round === 2) {
        await page.getByRole('button', { name: 'Next' }).click();
        expect((await column(page, 1))[0]).toBe('101');
        expect(await page.getByRole('status').textContent()).toBe('101 to 200 of 10000');
      }
      await page.close();
    }
    console.log(`10,000 connections: ${html.length} bytes, opened in ${times.map(Math.round).join(', ')} ms`);
    expect(Math.min(...times)).toBeLessThan(OPENS_WITHIN_MILLISECONDS);
  });
});

it('the browser that the tests need is one of the packages that .ci/run installs', () => {
  expect(readFileSync('.ci/run', 'utf8')).toMatch(/packages=".*\bchromium\b.*"/);
});
