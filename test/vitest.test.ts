/** The matchers for people who test in vitest, and the function they test with. */
import { describe, expect, it } from 'vitest';
import { InputError, verify } from '../src/index.ts';
import '../src/vitest.ts';
import { finding, madeReport } from './report/made-report.ts';

const stored = (name: string) => ({ captures: `captures/${name}/capture.pcapng`, router: `captures/${name}/router` });

/** What a matcher says where it fails. */
function complaint(action: () => void): string {
  try {
    action();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('it passed');
}

describe('verify', () => {
  it('takes one value or several, and the site file beside the capture', async () => {
    const one = await verify(stored('seed-own-address'));
    const many = await verify({
      captures: ['captures/seed-own-address/capture.pcapng'],
      router: ['captures/seed-own-address/router/router.txt'],
      sps: ['172.16.0.1'],
    });
    expect(one).toTraverseSps();
    expect(many.connections).toEqual(one.connections);
    expect(one.intent.inferred).toEqual([]);
    expect((await verify({ ...stored('seed-own-address'), site: false })).intent.inferred).toContain('sps');
  });

  it('says in one line what it cannot read', async () => {
    await expect(verify({ captures: 'none.pcap' })).rejects.toThrow(InputError);
    await expect(verify({ ...stored('seed-own-address'), sps: 'no address' })).rejects.toThrow(
      "--sps: 'no address' is not an IP address",
    );
  });
});

describe('toTraverseSps', () => {
  it('tells what was found, where, and what mends it', async () => {
    const report = await verify(stored('rp-filter-strict-all'));
    expect(report).not.toTraverseSps();
    const text = complaint(() => expect(report).toTraverseSps());
    expect(text).toContain(
      'expected every monitored connection to traverse SPS both ways, but the report is failed: 4 connections, 0 verified, 4 failed',
    );
    expect(text).toMatch(
      /error RV407 reverse-path-filter-blocks-sps: .+ \(captures\/rp-filter-strict-all\/router\/router\.txt:\d+ net\.ipv4\.conf\.all\.rp_filter = 1\)/,
    );
    expect(text).toContain('    fix: sysctl -w net.ipv4.conf.eth1.rp_filter=2');
  });

  it('what is inconclusive meets neither it nor its opposite', () => {
    const report = madeReport('inconclusive');
    expect(complaint(() => expect(report).toTraverseSps())).toContain('expected it to be known');
    expect(complaint(() => expect(report).not.toTraverseSps())).toContain('expected it to be known');
  });

  it('its opposite fails where all is verified', () => {
    expect(complaint(() => expect(madeReport('verified')).not.toTraverseSps())).toContain('verified: 1 connections');
  });
});

describe('toHaveFinding', () => {
  const report = madeReport('failed', { findings: [finding(1, { message: 'a SYN-ACK is dropped' })] });

  it('takes a code or a name', () => {
    expect(report).toHaveFinding('RV602');
    expect(report).toHaveFinding('reverse-path-drop');
    expect(report).not.toHaveFinding('RV501');
    expect(complaint(() => expect(report).not.toHaveFinding('RV602'))).toContain(
      'expected no RV602 reverse-path-drop, but found\n  error RV602 reverse-path-drop: a SYN-ACK is dropped',
    );
    expect(complaint(() => expect(report).toHaveFinding('RV501'))).toMatch(
      /expected RV501 client-traffic-bypasses-sps .+ but the report is failed.*\n.*RV602/,
    );
  });

  it('a mistyped code is no pass', () => {
    expect(complaint(() => expect(report).not.toHaveFinding('RV999'))).toBe(
      "toHaveFinding: no finding is called 'RV999'",
    );
  });

  it('a promise or something else is said to be none', () => {
    expect(complaint(() => expect(Promise.resolve(report)).toHaveFinding('RV602'))).toContain('await it');
    expect(complaint(() => expect({}).toTraverseSps())).toContain('takes a report');
  });
});
