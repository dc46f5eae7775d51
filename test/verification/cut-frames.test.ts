import { describe, expect, it } from 'vitest';
import { CLIENT, ethernet, ipv4, Mac, SERVER, session, Traffic } from '../findings/build-capture.ts';
import { codesOf, report } from '../findings/run-verify.ts';

/** Ethernet and IPv4 headers, and two bytes of the transport header. */
const CUT_BEFORE_PORTS = 36;

function withCutFrame(source: string): Traffic {
  const traffic = session(new Traffic());
  const segment = ipv4({
    source,
    destination: SERVER,
    sourcePort: 40_001,
    destinationPort: 3389,
    flags: 'S',
    ttl: 128,
  });
  return traffic.frame('eth0', ethernet(Mac.client, Mac.router.eth0, 0x0800, segment), 0, CUT_BEFORE_PORTS);
}

describe('frames that are cut before their ports', () => {
  it('leave the run open where their hosts are monitored: they may be of a monitored service', async () => {
    const made = await report({ capture: withCutFrame(CLIENT) });
    expect(codesOf(made).join(' ')).toContain('RV105');
    expect(made.findings.some((item) => item.code === 'RV901' && item.message.includes('cut before their ports'))).toBe(
      true,
    );
    expect(made.verdict).toBe('inconclusive');
  });

  it('spoil nothing where their hosts are not', async () => {
    const made = await report({ capture: withCutFrame('192.168.7.7') });
    expect(made.verdict).toBe('verified');
  });
});
