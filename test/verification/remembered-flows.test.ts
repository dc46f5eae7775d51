/** What a router decides about packets of a known flow is taken over; about a packet that ends before that, it is not. */
import { describe, expect, it } from 'vitest';
import { CLIENT, CLIENT_HOST, clientLeg, SERVER, serverLeg, Traffic } from '../findings/build-capture.ts';
import { Rule, routerState } from '../findings/router-state.ts';
import { report } from '../findings/run-verify.ts';

const TRACKED = routerState({ mangle: [Rule.replies, Rule.requests, Rule.mark] });
const RAW_DROP = TRACKED.replace(
  '*mangle',
  '*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp -m length --length 500:600 -j DROP\nCOMMIT\n*mangle',
);

/** A session of many rounds, the client's leg last, and behind its last packet one of a client that goes nowhere. */
function stopped(sourcePort: number): Traffic {
  const traffic = new Traffic();
  const client = clientLeg(traffic).open();
  serverLeg(traffic).open().talk(6);
  client.talk(6);
  const parts = { source: CLIENT, destination: SERVER, sourcePort, destinationPort: 3389 };
  return traffic.enter(
    { ...parts, flags: 'PA', sequence: 100_000, acknowledgement: 1, payload: 500, identification: 9000 },
    CLIENT_HOST,
  );
}

describe('a packet that a rule of raw drops behind remembered ones', () => {
  it('is dropped, though it is of the same connection', async () => {
    const made = await report({ capture: stopped(40_000), state: RAW_DROP });
    const own = made.connections.find((item) => item.client === `${CLIENT}:40000`);
    expect(own?.clientToServer).toMatchObject({ packets: 15, viaSps: 14, dropped: 1 });
    expect([made.verdict, own?.verdict, made.findings.map(({ code }) => code)]).toEqual([
      'failed',
      'failed',
      ['RV503'],
    ]);
  });

  it('is of its own connection, not of the one before it', async () => {
    const made = await report({ capture: stopped(41_000), state: RAW_DROP });
    const ways = (port: number) => made.connections.find((item) => item.client === `${CLIENT}:${port}`)?.clientToServer;
    expect(ways(40_000)).toMatchObject({ packets: 14, viaSps: 14 });
    expect(ways(41_000)).toMatchObject({ packets: 1, viaSps: 0 });
  });
});
