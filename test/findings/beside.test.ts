/** SPS on the segment of the clients or of the servers: the kernel's recordings of it, and what mends them. */
import { describe, expect, it } from 'vitest';
import { causesOf, codesOf, expectAbsent, the } from './run-verify.ts';
import { judged } from './stored-run.ts';

describe('RV414 connmark-on-single-interface', () => {
  it.each([
    ['beside-clients-recipe', 'RV501', 'eth0'],
    ['beside-clients-connmark-by-mac', 'RV510', 'eth0'],
    ['beside-servers-spoofing', 'RV601', 'eth2'],
  ])('%s: explains %s, and its fix mends the session', async (name, code, position) => {
    const made = await judged(name);
    const found = the(made, 'RV414');
    expect(found).toMatchObject({ severity: 'error', message: expect.stringContaining(`SPS is on ${position}`) });
    expect(found.where).toMatchObject({ kind: 'config', text: expect.stringContaining('-j CONNMARK') });
    for (const finding of made.findings.filter((item) => item.code === code))
      expect(finding.connections.length === 0 || causesOf(made, finding).includes('RV414') || code === 'RV510').toBe(
        true,
      );
    const [rule, ...settings] = found.fix;
    expect(rule).toMatch(
      /^iptables -t mangle -A PREROUTING -i eth\d -m mac ! --mac-source [0-9a-f:]+ -p tcp .* -j MARK --set-mark 0x1$/,
    );
    // Only where redirects are on: they would teach hosts to leave the router aside.
    expect(settings).toEqual(
      name === 'beside-clients-connmark-by-mac'
        ? []
        : [`sysctl -w net.ipv4.conf.all.send_redirects=0`, `sysctl -w net.ipv4.conf.${position}.send_redirects=0`],
    );
    const mended = await judged(name, { commands: found.fix, plainCaptureOf: 'plain-before-redirect' });
    expect({ verdict: mended.verdict, codes: codesOf(mended) }).toEqual({ verdict: 'verified', codes: [] });
  });

  it.each([
    'beside-clients-stateless',
    'beside-clients-spoofing',
    'beside-servers-own-address',
    'beside-servers-spoofing-stateless',
  ])('is not said of a set-up that works, nor is anything else: %s', async (name) => {
    const made = await judged(name);
    expect({ verdict: made.verdict, codes: codesOf(made) }).toEqual({ verdict: 'verified', codes: [] });
  });

  it('is not said where the mark is for another port: no connection mark is to blame', async () => {
    const made = await judged('beside-clients-stateless', {
      commands: [
        'iptables -t mangle -F PREROUTING',
        'iptables -t mangle -A PREROUTING -i eth0 -p tcp -d 10.0.0.0/24 --dport 3390 -j MARK --set-mark 1',
      ],
    });
    expect(made.verdict).toBe('failed');
    expectAbsent(made, 'RV414');
  });
});

describe('RV413 icmp-redirects-enabled', () => {
  it('names the ICMP redirects that were captured beside those that are predicted', async () => {
    const found = the(await judged('beside-clients-icmp-redirects'), 'RV413');
    expect(found).toMatchObject({
      severity: 'warning',
      notes: [{ message: 'an ICMP redirect of the router is in the capture' }],
    });
    expect(found.fix).toEqual([
      'sysctl -w net.ipv4.conf.all.send_redirects=0',
      'sysctl -w net.ipv4.conf.eth0.send_redirects=0',
    ]);
  });

  it('switches off only what is on', async () => {
    const found = the(
      await judged('beside-clients-icmp-redirects', { commands: ['sysctl -w net.ipv4.conf.all.send_redirects=0'] }),
      'RV413',
    );
    expect(found.fix).toEqual(['sysctl -w net.ipv4.conf.eth0.send_redirects=0']);
    const off = await judged('beside-clients-icmp-redirects', {
      commands: found.fix.concat('sysctl -w net.ipv4.conf.all.send_redirects=0'),
    });
    expectAbsent(off, 'RV413');
  });
});
