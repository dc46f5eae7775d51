import { describe, expect, it } from 'vitest';
import type { Report } from '../../src/report/report.ts';
import {
  CLIENT,
  CLIENT_TO_SERVER,
  CLIENT_TO_SPS,
  Conversation,
  clientLeg,
  SERVER,
  SERVER_TO_CLIENT,
  SERVER_TO_SPS,
  SPS_TO_CLIENT,
  SPS_TO_SERVER,
  serverLeg,
  session,
  Traffic,
} from '../findings/build-capture.ts';
import { Rule, type StateParts } from '../findings/router-state.ts';
import { codesOf, INTENT, report, SPOOFING, the, unstated } from '../findings/run-verify.ts';

const REPLIES: StateParts = { mangle: [Rule.replies, Rule.requests, Rule.mark] };
const verdicts = (made: Report): string[] => made.connections.map((item) => item.verdict);
const legs = (made: Report): unknown[] => made.connections.map((item) => [item.leg, item.session]);

describe('the legs of sessions', () => {
  it.each<{ snat: 'own' | 'client' | 'client-same-port'; want: unknown[] }>([
    {
      snat: 'own',
      want: [
        ['client', 1],
        ['server', 1],
      ],
    },
    {
      snat: 'client',
      want: [
        ['client', 1],
        ['server', 1],
      ],
    },
    { snat: 'client-same-port', want: [['both', 1]] },
  ])('are paired where SPS uses $snat', async ({ snat, want }) => {
    const made = await report({ capture: session(new Traffic(), { snat }), state: REPLIES, intent: unstated('snat') });
    expect(legs(made)).toEqual(want);
  });

  it('of sessions one after the other have numbers of their own', async () => {
    const traffic = new Traffic();
    for (const clientPort of [40_000, 40_100, 40_200]) session(traffic, { clientPort }).wait(1);
    expect(legs(await report({ capture: traffic }))).toEqual([
      ['client', 1],
      ['server', 1],
      ['client', 2],
      ['server', 2],
      ['client', 3],
      ['server', 3],
    ]);
  });

  it('of sessions at once that cannot be told apart have no number, and are judged', async () => {
    const traffic = new Traffic();
    const first = clientLeg(traffic, { clientPort: 40_000 }).open();
    const second = clientLeg(traffic, { clientPort: 40_001 }).open();
    const third = serverLeg(traffic, { clientPort: 40_000 }).open();
    const fourth = serverLeg(traffic, { clientPort: 40_001 }).open();
    for (const leg of [first, second, third, fourth]) leg.talk().close();
    const made = await report({ capture: traffic });
    expect(made.connections[0]?.session).toBeUndefined();
    expect(made.connections[2]?.session).toBeUndefined();
    expect(verdicts(made)).toEqual(['verified', 'verified', 'verified', 'verified']);
    expect(codesOf(made)).toEqual([]);
  });

  it('of different clients are told apart where SPS uses their addresses', async () => {
    const traffic = new Traffic();
    const of = (client: string) => ({ client, snat: 'client' as const });
    clientLeg(traffic, of('192.168.0.10')).open().talk();
    clientLeg(traffic, of('192.168.0.11')).open().talk();
    serverLeg(traffic, of('192.168.0.11')).open().talk();
    serverLeg(traffic, of('192.168.0.10')).open().talk();
    const made = await report({ capture: traffic, state: REPLIES, intent: SPOOFING });
    const numbers = made.connections.map((item) => item.session);
    expect(numbers[0]).toBe(numbers[3]);
    expect(numbers[1]).toBe(numbers[2]);
    expect(numbers[0]).not.toBe(numbers[1]);
  });

  it('stay what they are when the client resets what he did not open', async () => {
    const traffic = new Traffic();
    clientLeg(traffic).open();
    serverLeg(traffic, { snat: 'client' }).request('S').reply('SA', 0, SERVER_TO_CLIENT);
    const reset = {
      source: CLIENT,
      sourcePort: 50_000,
      destination: SERVER,
      destinationPort: 3389,
      flags: 'R',
      ttl: 128,
    };
    traffic.pass({ ...reset, sequence: 1_000_001 }, CLIENT_TO_SPS);
    const made = await report({ capture: traffic, intent: SPOOFING });
    expect(legs(made)).toEqual([
      ['client', 1],
      ['server', 1],
    ]);
    expect(verdicts(made)).toEqual(['verified', 'failed']);
  });

  it('a five-tuple that is used again after its end is another connection', async () => {
    const traffic = session(new Traffic()).wait(5);
    const again = (given: ConstructorParameters<typeof Conversation>[1]) =>
      new Conversation(traffic, given).open().talk().close();
    again({ requests: CLIENT_TO_SPS, replies: SPS_TO_CLIENT, sequence: 777_777 });
    again({ requests: SPS_TO_SERVER, replies: SERVER_TO_SPS, client: '172.16.0.1', clientPort: 51_111, ttl: [64, 64] });
    const made = await report({ capture: traffic });
    expect(made.connections.map((item) => item.client)).toEqual([
      '192.168.0.10:40000',
      '172.16.0.1:50000',
      '192.168.0.10:40000',
      '172.16.0.1:51111',
    ]);
    expect(verdicts(made)).toEqual(Array(4).fill('verified'));
  });
});

describe('a five-tuple of plain traffic that is used again', () => {
  it.each<{ name: string; end: (conversation: Conversation) => void }>([
    { name: 'both sides closed', end: (conversation) => void conversation.close() },
    { name: 'the server reset', end: (conversation) => void conversation.reply('RA') },
    { name: 'the client reset', end: (conversation) => void conversation.request('R') },
  ])('after $name is another connection', async ({ end }) => {
    const traffic = new Traffic();
    for (const sequence of [1000, 700_000]) {
      const ways = { requests: CLIENT_TO_SERVER, replies: SERVER_TO_CLIENT };
      const conversation = new Conversation(traffic, { ...ways, sequence }).open().talk();
      end(conversation);
      traffic.wait(20);
    }
    for (const whatIf of [true, false]) {
      const made = await report({ capture: traffic, whatIf });
      expect(made.summary.connections).toBe(2);
      expect(verdicts(made)).toEqual(whatIf ? ['verified', 'verified'] : ['failed', 'failed']);
    }
  });
});

describe('services without connections', () => {
  const intent = { ...INTENT, services: [{ protocol: 17, ports: { first: 3389, last: 3389 } }] };
  const state: StateParts = { mangle: [Rule.requests.replaceAll('tcp', 'udp'), Rule.mark] };
  const datagram = {
    sourcePort: 40_000,
    destinationPort: 3389,
    source: CLIENT,
    destination: SERVER,
    payload: 20,
    ttl: 128,
  };

  it('are verified by the packets of both legs', async () => {
    const traffic = new Traffic()
      .pass(datagram, CLIENT_TO_SPS)
      .pass({ ...datagram, source: '172.16.0.1', sourcePort: 50_000, ttl: 64 }, SPS_TO_SERVER)
      .pass(
        { ...datagram, source: SERVER, sourcePort: 3389, destination: '172.16.0.1', destinationPort: 50_000 },
        SERVER_TO_SPS,
      )
      .pass(
        { ...datagram, source: SERVER, sourcePort: 3389, destination: CLIENT, destinationPort: 40_000 },
        SPS_TO_CLIENT,
      );
    const made = await report({ capture: traffic, intent, state });
    expect(codesOf(made)).toEqual([]);
    expect(legs(made)).toEqual([
      ['client', 1],
      ['server', 1],
    ]);
    expect(made.connections[0]).toMatchObject({ protocol: 'udp', verdict: 'verified' });
  });

  it('fail where they go straight on', async () => {
    const made = await report({ capture: new Traffic().pass(datagram, CLIENT_TO_SERVER), intent });
    expect(the(made, 'RV501').fix[0]).toContain('-p udp');
    expect(made.verdict).toBe('failed');
  });
});
