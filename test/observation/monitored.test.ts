import { describe, expect, it } from 'vitest';
import type { Intent } from '../../src/model/intent.ts';
import { parseIpAddress } from '../../src/net/ip-address.ts';
import { parsePrefix } from '../../src/net/prefix.ts';
import { MonitoredServices, ServerEnd } from '../../src/observation/monitored.ts';
import { type RowParts, rows } from './rows.ts';

const INTENT: Intent = {
  sps: [parseIpAddress('172.16.0.1')!],
  spsInterfaces: ['eth1'],
  snat: 'own',
  services: [
    { protocol: 6, ports: { first: 3389, last: 3389 } },
    { protocol: 17, ports: { first: 5000, last: 5002 } },
  ],
  clients: [parsePrefix('192.168.0.0/24')!],
  servers: [parsePrefix('10.0.0.0/24')!],
  inferred: [],
};
const ANYWHERE: Intent = { ...INTENT, clients: [], servers: [] };
const ENDS = ['none', 'destination', 'source', 'both'];
const REPLY = { source: '10.0.0.10', sourcePort: 3389, destination: '192.168.0.10', destinationPort: 40_000 };

describe('the server’s end of a packet', () => {
  it.each<{ name: string; row: RowParts; intent?: Intent; spsSide?: boolean; want: string }>([
    { name: 'is the destination of a request', row: {}, want: 'destination' },
    { name: 'is the source of an answer', row: REPLY, want: 'source' },
    { name: 'is none for another port', row: { destinationPort: 3390 }, want: 'none' },
    { name: 'is none for another protocol', row: { protocol: 17 }, want: 'none' },
    { name: 'is told by the first port of a range', row: { protocol: 17, destinationPort: 5000 }, want: 'destination' },
    { name: 'is told by the last port of a range', row: { protocol: 17, destinationPort: 5002 }, want: 'destination' },
    { name: 'is none behind a range', row: { protocol: 17, destinationPort: 5003 }, want: 'none' },
    { name: 'is none for other servers', row: { destination: '10.0.1.10' }, want: 'none' },
    { name: 'is none for other clients', row: { source: '192.168.1.10' }, want: 'none' },
    {
      name: 'is there for any client on the side of SPS, which may use any',
      row: { source: '192.168.1.10' },
      spsSide: true,
      want: 'destination',
    },
    { name: 'is there for SPS’s own address', row: { source: '172.16.0.1' }, want: 'destination' },
    { name: 'is there for answers to SPS', row: { ...REPLY, destination: '172.16.0.1' }, want: 'source' },
    {
      name: 'is both where both ports are monitored and both could be servers',
      row: { sourcePort: 3389 },
      intent: ANYWHERE,
      want: 'both',
    },
    {
      name: 'is one where both ports are monitored and one is a server',
      row: { sourcePort: 3389 },
      want: 'destination',
    },
    {
      name: 'is none for SPS’s own address as destination where no servers are named',
      row: { destination: '172.16.0.1' },
      intent: ANYWHERE,
      want: 'none',
    },
    {
      name: 'is none for the router’s own address where no servers are named',
      row: { destination: '192.168.0.254' },
      intent: ANYWHERE,
      want: 'none',
    },
    { name: 'is none for a later fragment, which has no ports', row: { fragmentOffset: 1480 }, want: 'none' },
    {
      name: 'is there for IPv6 where no networks are named',
      row: { source: '2001:db8::1', destination: '2001:db8:1::1' },
      intent: ANYWHERE,
      want: 'destination',
    },
    {
      name: 'is none for IPv6 where the networks are IPv4',
      row: { source: '2001:db8::1', destination: '2001:db8:1::1' },
      want: 'none',
    },
  ])('$name', ({ row, intent = INTENT, spsSide = false, want }) => {
    const router = parseIpAddress('192.168.0.254')!.words[0];
    const services = new MonitoredServices(intent, (family, words, offset) => family === 4 && words[offset] === router);
    expect(ENDS[services.serverEnd(rows(row), 0, spsSide)]).toBe(want);
    expect(ServerEnd.none).toBe(0);
  });
});
