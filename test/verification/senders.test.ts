import { describe, expect, it } from 'vitest';
import { parsePrefix } from '../../src/net/prefix.ts';
import type { Report } from '../../src/report/report.ts';
import {
  CLIENT_TO_SPS,
  Conversation,
  type Host,
  Mac,
  NEIGHBOUR_HOST,
  SERVER_HOST,
  SERVER_TO_SPS,
  SPS_HOST,
  session,
  Traffic,
} from '../findings/build-capture.ts';
import { Rule, type StateParts } from '../findings/router-state.ts';
import { codesOf, INTENT, report, the, unstated } from '../findings/run-verify.ts';

const REPLIES: StateParts = { mangle: [Rule.replies, Rule.requests, Rule.mark] };
const verdicts = (made: Report): string[] => made.connections.map((item) => item.verdict);

describe('who sent a frame', () => {
  const from = (host: Host): Traffic => {
    const traffic = session(new Traffic());
    new Conversation(traffic, {
      client: '192.168.0.10',
      clientPort: 44_000,
      requests: { from: host, to: SERVER_HOST },
      replies: SERVER_TO_SPS,
      ttl: [64, 64],
    }).request('S');
    return traffic;
  };

  it('is SPS by its MAC address, whatever source address it uses', async () => {
    const made = await report({ capture: from(SPS_HOST), intent: unstated('snat'), state: REPLIES });
    expect(made.connections[2]).toMatchObject({ leg: 'server', clientToServer: { viaSps: 1, bypassed: 0 } });
  });

  it('is not SPS with another MAC address on its segment, whatever source address it uses', async () => {
    const made = await report({ capture: from(NEIGHBOUR_HOST), state: REPLIES });
    expect(made.connections[2]).toMatchObject({
      leg: 'client',
      verdict: 'failed',
      clientToServer: { viaSps: 0, bypassed: 1 },
    });
    expect(the(made, 'RV501').connections).toEqual([3]);
  });

  it('is not known where the MAC address of SPS is not, and clients may sit on its segment', async () => {
    const traffic = new Traffic();
    // No copies: nothing shows which host the redirected frames go to.
    for (const mac of [Mac.sps, Mac.neighbour])
      new Conversation(traffic, {
        requests: { from: { at: 'eth1', mac } },
        replies: SERVER_TO_SPS,
        clientPort: (mac % 1000) + 2000,
      }).request('S');
    const clients = [parsePrefix('0.0.0.0/0')!];
    const made = await report({ capture: traffic, intent: { ...INTENT, clients }, state: { neighbours: [] } });
    expect(made.connections.map((item) => item.clientToServer.undetermined)).toEqual([1, 1]);
    expect(made.verdict).toBe('inconclusive');
    expect(made.findings.some((item) => item.code === 'RV901' && item.message.includes('MAC address of SPS'))).toBe(
      true,
    );
  });

  it('is told by ARP where the neighbour table is empty', async () => {
    const traffic = new Traffic().arp(2, 'eth1', { address: '172.16.0.1', mac: Mac.sps }, '172.16.0.254');
    for (const mac of [Mac.sps, Mac.neighbour])
      new Conversation(traffic, {
        requests: { from: { at: 'eth1', mac } },
        replies: SERVER_TO_SPS,
        clientPort: (mac % 1000) + 2000,
      }).request('S');
    const made = await report({ capture: traffic, intent: { ...INTENT, clients: [] }, state: { neighbours: [] } });
    expect(made.connections.map(({ clientToServer: { viaSps, bypassed } }) => [viaSps, bypassed])).toEqual([
      [1, 0],
      [0, 1],
    ]);
  });
});

describe('SPS with two nodes', () => {
  /** A second session, through the node that took over. */
  function takenOver(announced: boolean): Traffic {
    const traffic = session(new Traffic()).wait(5);
    const node: Host = { at: 'eth1', mac: 0x02_00_ac_10_00_02 };
    if (announced) traffic.arp(2, 'eth1', { address: '172.16.0.1', mac: node.mac }, '172.16.0.254');
    const toNode = { from: CLIENT_TO_SPS.from, to: node };
    new Conversation(traffic, { clientPort: 41_000, requests: toNode, replies: { from: node, to: CLIENT_TO_SPS.from } })
      .open()
      .talk();
    new Conversation(traffic, {
      client: '172.16.0.1',
      clientPort: 51_000,
      requests: { from: node, to: SERVER_HOST },
      replies: { from: SERVER_HOST, to: node },
      ttl: [64, 64],
    })
      .open()
      .talk();
    return traffic;
  }

  it('keeps its address and changes its MAC address, as ARP says', async () => {
    const made = await report({ capture: takenOver(true) });
    expect(codesOf(made)).toEqual([]);
    expect(verdicts(made)).toEqual(Array(4).fill('verified'));
  });

  it('keeps its address and changes its MAC address, as redirected frames show, which go to nobody else', async () => {
    const made = await report({ capture: takenOver(false) });
    expect(
      made.findings.filter((item) => item.severity === 'error').map((item) => `${item.code} ${item.message}`),
    ).toEqual([]);
    expect(made.summary.failed).toBe(0);
  });
});
