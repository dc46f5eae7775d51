import { describe, expect, it } from 'vitest';
import { CLIENT, CLIENT_TO_SPS, clientLeg, lost, Mac, serverLeg, Traffic } from '../findings/build-capture.ts';
import { codesOf, report } from '../findings/run-verify.ts';

/** Two sessions; of the first packet of each client leg the copy is there, or is not. */
function sessions(firstCopies: readonly boolean[]): Traffic {
  const traffic = new Traffic();
  firstCopies.forEach((isThere, index) => {
    const client = clientLeg(traffic, { clientPort: 40_000 + index });
    client
      .request('S', 0, isThere ? CLIENT_TO_SPS : lost(CLIENT_TO_SPS))
      .reply('SA')
      .request('A');
    serverLeg(traffic, { clientPort: 50_000 + index })
      .open()
      .talk()
      .close();
    client.talk().close();
    traffic.wait(1);
  });
  // A packet just before the end of the capture may leave after it.
  return traffic.arp(1, 'eth0', { address: CLIENT, mac: Mac.client }, '192.168.0.254');
}

describe('copies that are missing where they would have been captured', () => {
  it('are no reason for doubt while they are all there', async () => {
    const made = await report({ capture: sessions([true, true]) });
    expect({ verdict: made.verdict, codes: codesOf(made) }).toEqual({ verdict: 'verified', codes: [] });
  });

  it('leave the first packets open where not one of them was seen leaving: they may have gone astray', async () => {
    const made = await report({ capture: sessions([false, false]) });
    expect(made.verdict).toBe('inconclusive');
    const [open] = made.findings;
    expect(open).toMatchObject({ code: 'RV901', count: 2 });
    expect(open?.message).toContain('leave by eth1');
  });

  it('are taken as lost where others of the same way were seen', async () => {
    const made = await report({ capture: sessions([true, false]) });
    expect(made.verdict).toBe('verified');
  });
});
