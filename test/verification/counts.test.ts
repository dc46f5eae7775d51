import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ConnectionReport, DirectionReport, Report } from '../../src/report/report.ts';
import {
  CLIENT,
  CLIENT_TO_SERVER,
  CLIENT_TO_SPS,
  type Conversation,
  clientLeg,
  direct,
  lost,
  NEIGHBOUR_HOST,
  SERVER,
  SERVER_HOST,
  SERVER_TO_CLIENT,
  SERVER_TO_SPS,
  SPS_TO_CLIENT,
  SPS_TO_SERVER,
  serverLeg,
  session,
  Traffic,
} from '../findings/build-capture.ts';
import { Rule, type StateParts } from '../findings/router-state.ts';
import { report, SPOOFING } from '../findings/run-verify.ts';

const REPLIES: StateParts = { mangle: [Rule.replies, Rule.requests, Rule.mark] };

describe('a capture in which one packet went past SPS', () => {
  const STATES: readonly StateParts[] = [
    {},
    REPLIES,
    { redirectRoutes: [] },
    { mangle: [Rule.requests] },
    { settings: { 'eth1.rp_filter': undefined } },
    { settings: { 'all.rp_filter': 1 } },
    { neighbours: [] },
    { without: ['ip rule show'] },
  ];
  type Leak = (client: Conversation, server: Conversation) => void;

  it.each<{ name: string; leak: Leak }>([
    { name: 'the client’s SYN', leak: (client) => void client.request('S', 0, CLIENT_TO_SERVER) },
    { name: 'the client’s data', leak: (client) => void client.open().request('PA', 40, CLIENT_TO_SERVER).talk() },
    {
      name: 'an empty ACK of the client',
      leak: (client) => void client.open().talk().request('A', 0, CLIENT_TO_SERVER).talk().close(),
    },
    {
      name: 'a reset of the client in its midst',
      leak: (client) => void client.open().talk().request('R', 0, CLIENT_TO_SERVER),
    },
    {
      name: 'the server’s SYN-ACK',
      leak: (client, server) => {
        client.open();
        server.request('S').reply('SA', 0, SERVER_TO_CLIENT);
      },
    },
    {
      name: 'the server’s data',
      leak: (client, server) => {
        client.open();
        server.open().request('PA', 9).reply('PA', 40, SERVER_TO_CLIENT);
      },
    },
  ])('is not verified, whatever the state says: $name', async ({ leak }) => {
    for (const state of STATES) {
      for (const snat of ['client', 'client-same-port'] as const) {
        const traffic = new Traffic();
        leak(clientLeg(traffic), serverLeg(traffic, { snat }));
        session(traffic.wait(1), { clientPort: 45_000, snat });
        const made = await report({ capture: traffic, state, intent: SPOOFING });
        expect(made.verdict).not.toBe('verified');
      }
    }
  });
});

describe('counts', () => {
  const parts = ['viaSps', 'bypassed', 'dropped', 'looped', 'undetermined'] as const;

  function expectSums(made: Report): void {
    const all: DirectionReport[] = made.connections.flatMap((item: ConnectionReport) => [
      item.clientToServer,
      item.serverToClient,
    ]);
    for (const direction of all) {
      expect(parts.reduce((sum, part) => sum + direction[part], 0)).toBe(direction.packets);
      expect(direction.observed).toBeLessThanOrEqual(direction.packets);
      expect(direction.basis === 'synthesized').toBe(direction.packets === 0);
    }
    expect(all.reduce((sum, direction) => sum + direction.packets, 0)).toBe(made.summary.monitoredPackets);
    const { connections, verified, failed, inconclusive } = made.summary;
    expect(verified + failed + inconclusive).toBe(connections);
    expect(connections).toBe(made.connections.length);
    if (made.verdict === 'verified') expect(verified).toBe(connections);
    for (const item of made.connections.filter((one) => one.verdict === 'verified')) {
      for (const direction of [item.clientToServer, item.serverToClient]) {
        expect(direction.looped + direction.undetermined).toBe(0);
        // Only stragglers after the end may go their own way.
        if (direction.bypassed > 0) expect(item.findings).toContain('RV513');
      }
    }
  }

  const ways = [
    CLIENT_TO_SPS,
    CLIENT_TO_SERVER,
    SPS_TO_SERVER,
    SPS_TO_CLIENT,
    SERVER_TO_SPS,
    SERVER_TO_CLIENT,
    lost(CLIENT_TO_SPS),
    lost(SPS_TO_CLIENT),
    { from: NEIGHBOUR_HOST, to: SERVER_HOST },
  ];
  const step = fc.record({
    way: fc.constantFrom(...ways),
    toServer: fc.boolean(),
    flags: fc.constantFrom('S', 'SA', 'A', 'PA', 'FA', 'R', 'RA'),
    clientPort: fc.constantFrom(40_000, 40_001),
    client: fc.constantFrom(CLIENT, '172.16.0.1'),
    sequence: fc.nat(5000),
    payload: fc.constantFrom(0, 0, 30),
    ttl: fc.constantFrom(1, 2, 64, 128),
  });
  const state = fc.constantFrom<StateParts>(
    {},
    REPLIES,
    { mangle: [Rule.mark, Rule.requests] },
    { mangle: [Rule.requests, Rule.mark.replace('! -i eth1 ', '')] },
    { settings: { 'eth1.rp_filter': undefined } },
    { redirectRoutes: [] },
    { neighbours: [] },
  );

  it('add up for any mixture of packets, what is verified has nothing that is not, and the same input gives the same bytes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 14 }),
        state,
        fc.boolean(),
        async (steps, parts_, whatIf) => {
          const traffic = new Traffic();
          for (const { way, toServer, client, clientPort, ...rest } of steps) {
            const ends = toServer
              ? { source: client, sourcePort: clientPort, destination: SERVER, destinationPort: 3389 }
              : { source: SERVER, sourcePort: 3389, destination: client, destinationPort: clientPort };
            traffic.pass({ ...ends, ...rest }, way);
          }
          const made = await report({ capture: traffic, state: parts_, whatIf });
          expectSums(made);
          const again = await report({ capture: traffic, state: parts_, whatIf });
          expect(JSON.stringify(again)).toBe(JSON.stringify(made));
        },
      ),
      { numRuns: 120 },
    );
  });

  it('hold each monitored packet that entered once: neither copies nor other services', async () => {
    const traffic = direct(session(new Traffic()), { serverPort: 80, clientPort: 41_000 });
    const made = await report({ capture: traffic });
    expect(made.summary).toMatchObject({ packets: 54, monitoredPackets: 18 });
    expectSums(made);
  });
});
