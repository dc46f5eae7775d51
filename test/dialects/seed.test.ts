import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseRouterState } from '../../src/dialects/index.ts';
import type { LinuxDevice } from '../../src/model/linux-device.ts';
import { codesOf, policyOf, routesOf, rulesOf, showRule, stateOf } from './state-text.ts';

/** A dump of a kernel on which the procedure's commands were run, by the collection script. */
const dump = readFileSync(new URL('fixtures/seed-kernel-dump.txt', import.meta.url), 'utf8');

/** The vendor's procedure with its example values, as it is copied from the page. */
const procedure = readFileSync(new URL('fixtures/seed-procedure.txt', import.meta.url), 'utf8');

const addressLines = dump.slice(
  dump.indexOf('### ip addr show\n') + '### ip addr show\n'.length,
  dump.indexOf('### ip -d link'),
);

const decides = (device: LinuxDevice) => ({
  rules: rulesOf(device, 'mangle', 'PREROUTING').map(showRule),
  policy: policyOf(device),
  scb: routesOf(device, 103),
  main: routesOf(device, 254).sort(),
  local: routesOf(device, 255).sort(),
  addresses: device.interfaces.map((link) => [link.name, link.addresses]),
  filters: ['all', 'eth1'].map((name) => device.sysctls.get(`net/ipv4/conf/${name}/rp_filter`)?.value),
  marks: ['all', 'eth0', 'eth1', 'eth2'].map(
    (name) => device.sysctls.get(`net/ipv4/conf/${name}/src_valid_mark`)?.value,
  ),
});

describe("the vendor's procedure", () => {
  const ofKernel = stateOf(dump);

  it('is read from a kernel without any problem', () => {
    expect(ofKernel.problems).toEqual([]);
    expect(ofKernel.runWideUnknowns).toEqual([]);
    expect(ofKernel.known).toMatchObject({ netfilter4: true, policyRules4: true, routeTables4: 'all', sysctls: true });
    expect(ofKernel.collectedAt).toMatch(/^2026-11-21T\d\d:\d\d:\d\d\.0{9}Z$/);
    expect(ofKernel.hostname).toBe('router');
  });

  it('pasted with the lines of ip addr, is the same as the dump of a kernel so configured', () => {
    expect(decides(stateOf(`${procedure}\n${addressLines}`))).toEqual(decides(ofKernel));
  });

  it('the same in two files, in either order', () => {
    const files = [
      { path: 'procedure.txt', text: procedure },
      { path: 'addresses.txt', text: addressLines },
    ];
    expect(decides(parseRouterState(files))).toEqual(decides(ofKernel));
    expect(decides(parseRouterState([...files].reverse()))).toEqual(decides(ofKernel));
  });

  it('leaves a notice about its last line and RV304, and nothing else', () => {
    const device = stateOf(`${procedure}\n${addressLines}`);
    expect(codesOf(device)).toEqual(['RV304']);
    expect(device.runWideUnknowns).toEqual([]);
    expect(device.notices).toHaveLength(1);
    expect(device.notices[0]).toMatch(/^router\.txt:\d+:53: the second command/);
    expect(device.known.routeTables4).toEqual(new Set([255, 103]));
  });

  it('every statement has its place', () => {
    const device = stateOf(procedure);
    const lines = procedure.split('\n');
    for (const rule of rulesOf(device, 'mangle', 'PREROUTING')) {
      const { line, column, text } = rule.origin;
      expect(lines[line - 1]!.slice(column - 1)).toBe(text);
      expect(text).toMatch(/^iptables -t mangle/);
    }
    expect(device.policyRules.find((rule) => rule.fwmark !== undefined)?.origin?.text).toBe(
      '/sbin/ip rule add from all fwmark 1 table scb',
    );
  });
});
