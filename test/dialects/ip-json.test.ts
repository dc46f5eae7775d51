import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseRouterState } from '../../src/dialects/index.ts';
import type { LinuxDevice } from '../../src/model/linux-device.ts';
import { codesOf, placesOf, showRoute, stateOf } from './state-text.ts';

/** One router of a kernel 6.18, printed by iproute2 6.1 in all of its forms. */
const recorded = (name: string): string => readFileSync(new URL(`ip-json/${name}.txt`, import.meta.url), 'utf8');

const withoutPlace = (_key: string, value: unknown): unknown => {
  if (value instanceof Map) return [...value];
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const { origin: _, where: __, ...rest } = value as Record<string, unknown>;
  return rest;
};

const modelOf = ({ problems, ...device }: LinuxDevice): unknown =>
  JSON.parse(JSON.stringify({ ...device, codes: problems.map(({ code, message }) => [code, message]) }, withoutPlace));

const parse = (text: string): LinuxDevice => parseRouterState([{ path: 'router.txt', text }]);
const withoutHeadings = (text: string): string => text.replaceAll(/^###.*\n/gm, '');

describe('ip -j makes the model that ip makes', () => {
  it.each([
    ['json', 'text'],
    ['pretty', 'text'],
    ['details-pretty', 'details'],
  ])('%s and %s', (form, text) => {
    const got = parse(recorded(form));
    expect(modelOf(got)).toEqual(modelOf(parse(recorded(text))));
    expect(got.routes.length).toBeGreaterThan(30);
    expect(got.policyRules.length).toBeGreaterThan(10);
    expect(got.neighbours).toHaveLength(2);
    expect(got.nextHopObjects?.size).toBe(5);
  });

  it.each(['json', 'pretty'])('%s is told by its content', (form) => {
    const got = parse(withoutHeadings(recorded(form)));
    const want = parse(withoutHeadings(recorded('text')));
    expect(modelOf(got)).toEqual(modelOf(want));
  });

  it('both forms in one collection are one state', () => {
    const both = parse(recorded('text') + recorded('json'));
    expect(both.routes).toHaveLength(parse(recorded('text')).routes.length);
  });
});

describe('places in JSON', () => {
  it('are those of the object', () => {
    const text =
      '### ip -j route show\n[{"dst":"default","gateway":"10.0.0.1","dev":"eth0","flags":[]},{"dst":"8.0.0.0/8","colour":"blue","dev":"eth0"}]\n';
    const device = stateOf(text);
    expect(device.routes.map((route) => route.origin?.column)).toEqual([2, 65]);
    expect(placesOf(device)).toContain('RV302 2:65');
    expect(device.routes.map(showRoute)[1]).toContain('"colour" is not understood');
  });

  it('on lines of their own', () => {
    const text =
      '### ip -j -p rule\n[ {\n        "priority": 9,\n        "src": "all",\n        "fwmark": "0x1",\n        "table": "103"\n    },{\n        "priority": 10,\n        "src": "all",\n        "dscp": 10,\n        "table": "main"\n    } ]\n';
    const device = stateOf(text);
    expect(device.policyRules.map((rule) => rule.origin?.line)).toEqual([2, 7]);
    expect(placesOf(device)).toContain('RV301 7:7');
  });

  it.each([
    '[{"dst":"default","gateway":"10.0.0.1","dev":"eth0"',
    '[{"dst":"default" "dev":"eth0"}]',
    '[{"dst":"default",,}]',
    '[1,2]',
    `${'['.repeat(10_000)}`,
    '[{"colour":"blue"}]',
  ])('broken JSON is no route: %#', (json) => {
    const device = stateOf(`### ip -j route show\n${json}\n`);
    expect(codesOf(device)).toContain('RV302');
    expect(
      device.runWideUnknowns.length + device.routes.filter(({ unmodelled }) => unmodelled.length > 0).length,
    ).toBeGreaterThan(0);
  });

  it('an empty list is known, and empty', () => {
    const device = stateOf('### ip -j route show table all\n[ ]\n');
    expect(device.routes).toEqual([]);
    expect(device.known.routeTables4).toBe('all');
  });
});
