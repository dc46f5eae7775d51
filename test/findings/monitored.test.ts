import { describe, expect, it } from 'vitest';
import { CLIENT_TO_SPS, clientLeg, direct, lost, Mac, session, Traffic } from './build-capture.ts';
import { codesOf, expectAbsent, report, the, unstated } from './run-verify.ts';

const whole = (): Traffic => session(new Traffic());

function request(way = lost(CLIENT_TO_SPS)): Traffic {
  const traffic = new Traffic();
  clientLeg(traffic).request('S', 0, way);
  return traffic;
}

describe('RV902 no-monitored-traffic', () => {
  it('is said where nothing is monitored, and the run is inconclusive', async () => {
    const made = await report({ capture: direct(new Traffic(), { serverPort: 80 }) });
    expect(codesOf(made)).toEqual(['RV902 warning']);
    expect(the(made, 'RV902').message).toContain('none of 18 IP frames belongs to a monitored service (tcp/3389)');
    expect(made.verdict).toBe('inconclusive');
    expect(made.summary).toMatchObject({ connections: 0, monitoredPackets: 0, packets: 18 });
  });

  it('says that there is no IP at all', async () => {
    const traffic = new Traffic().arp(1, 'eth1', { address: '172.16.0.1', mac: Mac.sps }, '172.16.0.254');
    expect(the(await report({ capture: traffic }), 'RV902').message).toContain('no IP packet');
  });

  it('is not said where one packet is monitored', async () => {
    expectAbsent(await report({ capture: request() }), 'RV902');
  });
});

describe('RV903 unmonitored-service-seen', () => {
  const both = (): Traffic => direct(whole(), { serverPort: 22, clientPort: 41_000 });

  it('is said of a usual service that inferred rules leave out', async () => {
    const made = await report({ capture: both(), intent: unstated('services') });
    expect(the(made, 'RV903')).toMatchObject({ severity: 'warning', count: 1, where: { kind: 'frame', frame: 37 } });
    expect(the(made, 'RV903').message).toContain('tcp/22');
    expect(made.intent.inferred).toContain('services');
  });

  it('is not said where the services were stated, nor of a port that is not usually monitored', async () => {
    expectAbsent(await report({ capture: both() }), 'RV903');
    const other = direct(whole(), { serverPort: 8443, clientPort: 41_000 });
    expectAbsent(await report({ capture: other, intent: unstated('services') }), 'RV903');
  });
});
