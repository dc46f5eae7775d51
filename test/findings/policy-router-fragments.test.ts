/** Fragments at a Cisco IOS router: each is decided by itself, and an entry with ports takes the later ones by their hosts. */
import { describe, expect, it } from 'vitest';
import { parseDevice } from '../../src/dialects/index.ts';
import type { Report } from '../../src/report/report.ts';
import { routerOfDevice } from '../../src/verification/router-of-device.ts';
import { runningConfiguration, showArp } from '../lab/policy-router-configurations.ts';
import {
  CLIENT,
  CLIENT_HOST,
  CLIENT_TO_SPS,
  SERVER,
  SERVER_HOST,
  session,
  Traffic,
  type Way,
} from './build-capture.ts';

import { codesOf, report, SPOOFING, the } from './run-verify.ts';

/** A session, and in it a packet of the client in two fragments, the later one on a way of its own. */
function fragmented(later: Way): Traffic {
  const traffic = session(new Traffic(), { snat: 'client' });
  const packet = {
    source: CLIENT,
    destination: SERVER,
    sourcePort: 40_000,
    destinationPort: 3389,
    identification: 7000,
  };
  traffic.pass(
    { ...packet, flags: 'PA', sequence: 1, acknowledgement: 1, payload: 20, flagsAndOffset: 0x2000 },
    CLIENT_TO_SPS,
  );
  return traffic.pass({ ...packet, protocol: 6, payload: 20, flagsAndOffset: 5 }, later);
}

async function judge(entries: readonly string[], later: Way): Promise<Report> {
  const config = runningConfiguration({ requests: entries }).replaceAll('eq 22', 'eq 3389');
  const device = parseDevice([
    { path: 'router.txt', text: config },
    { path: 'arp.txt', text: showArp() },
  ]);
  const intent = { ...SPOOFING, spsInterfaces: ['FastEthernet0/1'] };
  return report({ capture: fragmented(later), state: routerOfDevice(device), intent });
}

describe('later fragments', () => {
  it('go where the first went, by an entry with a port that permits: nothing is left open', async () => {
    const made = await judge(['permit tcp 192.168.0.0 0.0.0.255 10.0.0.0 0.0.0.255 eq 3389'], CLIENT_TO_SPS);
    expect({ verdict: made.verdict, codes: codesOf(made) }).toEqual({ verdict: 'verified', codes: [] });
  });

  it('that an entry exempts take another way than the first (RV509)', async () => {
    const made = await judge(
      ['deny ip any any fragments', 'permit tcp 192.168.0.0 0.0.0.255 10.0.0.0 0.0.0.255 eq 3389'],
      { from: CLIENT_HOST, to: SERVER_HOST },
    );
    expect(the(made, 'RV509')).toMatchObject({ severity: 'warning', count: 1 });
    expect(the(made, 'RV509').message).toContain('leave by FastEthernet1/0 without SPS');
  });
});
