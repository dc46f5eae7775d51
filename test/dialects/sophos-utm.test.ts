/** How exports of a Sophos UTM are read. They are constructed from the documented classes of its REST API. */
import { describe, expect, it } from 'vitest';
import { parseDevice } from '../../src/dialects/index.ts';
import type { PolicyRouteDevice } from '../../src/model/policy-route.ts';
import { utmExport } from '../lab/sophos-export.ts';

function read(files: Readonly<Record<string, string>>): PolicyRouteDevice {
  const device = parseDevice(Object.entries(files).map(([path, text]) => ({ path, text })));
  if (device.kind !== 'policy-route') throw new Error('this was read as a Linux router');
  return device;
}

const EXPORT = JSON.parse(utmExport()) as { objects: Record<string, unknown>[]; nodes: Record<string, unknown> };

/** What decides, without places. */
function decides({ ports, lists, maps, routes, problems }: PolicyRouteDevice): string {
  const plain = (value: unknown): unknown =>
    JSON.parse(
      JSON.stringify(value, (key, inner: unknown) =>
        key === 'origin' ? undefined : inner instanceof Map ? [...inner] : inner,
      ),
    );
  return JSON.stringify(plain({ ports, lists, maps, routes, problems }));
}

const WHOLE = decides(read({ 'export.json': utmExport() }));

describe('the forms of an export', () => {
  it.each([
    ['confd: metadata outside, switches as numbers', { 'export.json': utmExport({ confd: true }) }],
    [
      'an array, and nodes in a file of their own',
      { 'objects.json': JSON.stringify(EXPORT.objects), 'nodes.json': JSON.stringify(EXPORT.nodes) },
    ],
    [
      'a map by class',
      {
        'objects.json': JSON.stringify(
          Object.fromEntries(
            [...new Set(EXPORT.objects.map((object) => String(object._type)))].map((type) => [
              type,
              EXPORT.objects.filter((object) => object._type === type),
            ]),
          ),
        ),
        'nodes.json': JSON.stringify(EXPORT.nodes),
      },
    ],
    ['on one line', { 'export.json': JSON.stringify(EXPORT) }],
    [
      'one answer after the other, each under its path',
      {
        'utm.txt': [
          ...EXPORT.objects.map(
            (object) => `### /api/objects/${String(object._type)}/\n${JSON.stringify([object], null, 2)}`,
          ),
          ...Object.entries(EXPORT.nodes).map(([name, value]) => `### /api/nodes/${name}\n${JSON.stringify(value)}`),
        ].join('\n'),
      },
    ],
    [
      'a folder of files, one for each object and node',
      Object.fromEntries([
        ...EXPORT.objects.map((object, index) => [`${String(index).padStart(2, '0')}.json`, JSON.stringify(object)]),
        ...Object.entries(EXPORT.nodes)
          .filter(([, value]) => Array.isArray(value) && value.length > 0)
          .map(([name, value]) => [`${name}.json`, JSON.stringify(value)]),
        ['nodes.json', JSON.stringify(EXPORT.nodes)],
      ]) as Record<string, string>,
    ],
  ])('%s', (_, files) => {
    expect(decides(read(files))).toBe(WHOLE);
  });
});

describe('policy routes', () => {
  const titles = (device: PolicyRouteDevice, port: string): string[] =>
    device.maps.get(port)!.entries.map((entry) => entry.title);

  it('stand in the order of the node, on the interface that they name, by its device', () => {
    const device = read({ 'export.json': utmExport({ catchAllFirst: true }) });
    expect(titles(device, 'eth0')).toEqual(['policy route 1 All from Internal', 'policy route 2 SSH to servers']);
    expect(titles(device, 'eth1')).toEqual([]);
    expect(titles(device, 'eth2')).toEqual(['policy route 3 SSH answers']);
  });

  it('that are off do nothing', () => {
    expect(titles(read({ 'export.json': utmExport({ requestRouteOff: true }) }), 'eth0')).toEqual([]);
  });

  it('that the node does not list are taken as off, and it is said', () => {
    const nodes = { ...EXPORT.nodes, 'routes.policy': ['REF_RouPolReplies'] };
    const device = read({ 'export.json': JSON.stringify({ ...EXPORT, nodes }) });
    expect(titles(device, 'eth0')).toEqual([]);
    expect(device.notices.join()).toMatch(/SSH to servers is in no list of active ones/);
  });
});

function without(node: string): PolicyRouteDevice {
  const nodes = Object.fromEntries(Object.entries(EXPORT.nodes).filter(([name]) => name !== node));
  return read({ 'export.json': JSON.stringify({ ...EXPORT, nodes }) });
}

describe('what is missing or not modelled', () => {
  it('spoof protection that is not in the export', () => {
    expect(
      without('packetfilter.advanced.spoof_protection').problems.map(({ code, message }) => `${code} ${message}`),
    ).toEqual(['RV304 spoof protection is not in the export (/api/nodes/packetfilter.advanced.spoof_protection)']);
  });

  it('an object that is named and not there', () => {
    const objects = EXPORT.objects.filter((object) => object._ref !== 'REF_SerTcpSsh');
    const device = read({ 'export.json': JSON.stringify({ ...EXPORT, objects }) });
    expect(device.problems.map((problem) => problem.message)).toContain(
      'REF_SerTcpSsh, which SSH to servers names, is not defined',
    );
  });

  it('a definition without an address at present', () => {
    const objects = EXPORT.objects.map((object) =>
      object._ref === 'REF_NetIntServers' ? { ...object, resolved: false } : object,
    );
    const device = read({ 'export.json': JSON.stringify({ ...EXPORT, objects }) });
    const [entry] = device.lists.get('policy route REF_RouPolRequests')!.entries;
    expect(entry?.destination).toEqual([
      { kind: 'unknown', reason: 'network definition Servers (Network) has no address at present' },
    ]);
  });

  it('text that is no JSON', () => {
    const device = read({ 'export.json': utmExport(), 'broken.json': '{"_ref": "REF_X", "_type": "network/host", ' });
    expect(device.problems.map((problem) => problem.code)).toContain('RV302');
  });

  it('a Linux dump beside it is of another router', () => {
    expect(() =>
      read({ 'export.json': utmExport(), 'rules.txt': '*mangle\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n' }),
    ).toThrow(/is no text of sophos-utm/);
  });
});
