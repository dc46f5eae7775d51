import { describe, expect, it } from 'vitest';
import { parseIpv4 } from '../../src/net/ip-address.ts';
import { layOut, onesSum, putUint16 } from '../wire/frame-bytes.ts';
import {
  CLIENT,
  CLIENT_HOST,
  CLIENT_TO_SPS,
  ethernet,
  ipv4,
  Mac,
  SERVER,
  SERVER_HOST,
  SPS_HOST,
  session,
  Traffic,
} from './build-capture.ts';
import { Rule, routerState, type StateParts } from './router-state.ts';
import { codesOf, expectAbsent, report, SPOOFING, the } from './run-verify.ts';

/** Marks packets by what they are: nothing tracks connections. */
const STATELESS: StateParts = {
  mangle: [Rule.requests, Rule.replies].map((rule) => rule.replace('-j CONNMARK', '-j MARK')),
};
/** The nft variant reads ports out of a later fragment's payload: nothing is certain of it. */
const legacy = (state: StateParts): string =>
  routerState(state).replace('### iptables-save', '### iptables-legacy-save');
const TRACKED: StateParts = { mangle: [Rule.replies, Rule.requests, Rule.mark] };

describe('RV509 fragment-escapes-redirect', () => {
  const fragmented = (): Traffic => {
    const traffic = session(new Traffic(), { snat: 'client' });
    const packet = {
      source: CLIENT,
      destination: SERVER,
      sourcePort: 40_000,
      destinationPort: 3389,
      identification: 7000,
    };
    // More fragments; then the one at byte 40.
    traffic.pass(
      { ...packet, flags: 'PA', sequence: 1, acknowledgement: 1, payload: 20, flagsAndOffset: 0x2000 },
      CLIENT_TO_SPS,
    );
    return traffic.pass(
      { ...packet, protocol: 6, payload: 20, flagsAndOffset: 5 },
      { from: CLIENT_HOST, to: SERVER_HOST },
    );
  };

  it('is said where the later fragment goes straight to the server', async () => {
    const made = await report({ capture: fragmented(), state: legacy(STATELESS), intent: SPOOFING });
    const found = the(made, 'RV509');
    expect(found).toMatchObject({ severity: 'warning', count: 1, connections: [1] });
    expect(found.message).toContain('leave by eth2 without SPS');
  });

  it('is not said where the router puts fragments together, nor without fragments', async () => {
    expectAbsent(await report({ capture: fragmented(), state: legacy(TRACKED), intent: SPOOFING }), 'RV509');
    const whole = await report({
      capture: session(new Traffic(), { snat: 'client' }),
      state: STATELESS,
      intent: SPOOFING,
    });
    expect(codesOf(whole)).toEqual([]);
  });
});

describe('RV605 icmp-error-bypasses-sps', () => {
  /** Fragmentation needed, from the server's segment, about what SPS sent to the server with the client's address. */
  const withError = (leaves: typeof SPS_HOST, port: number): Traffic => {
    const traffic = session(new Traffic(), { snat: 'client' });
    const quoted = ipv4({ source: CLIENT, destination: SERVER, sourcePort: port, destinationPort: 3389, flags: 'A' });
    const message = layOut([1, 3], [1, 4], [2, 0], [2, 0], [2, 1400], quoted.subarray(0, 28));
    putUint16(message, 2, ~onesSum(message) & 0xffff);
    const packet = (ttl: number): Uint8Array => {
      const header = layOut(
        [1, 0x45],
        [1, 0],
        [2, 20 + message.length],
        [2, 9000],
        [2, 0],
        [1, ttl],
        [1, 1],
        [2, 0],
        [4, parseIpv4('10.0.0.253')!],
        [4, parseIpv4(CLIENT)!],
      );
      putUint16(header, 10, ~onesSum(header) & 0xffff);
      return layOut(header, message);
    };
    traffic.frame('eth2', ethernet(Mac.server, Mac.router.eth2, 0x0800, packet(64)));
    return traffic.frame(leaves.at, ethernet(Mac.router[leaves.at], leaves.mac, 0x0800, packet(63)), 4);
  };
  /** The port that SPS uses toward the server in these captures. */
  const spsPort = async (): Promise<number> => {
    const made = await report({
      capture: session(new Traffic(), { snat: 'client' }),
      state: TRACKED,
      intent: SPOOFING,
    });
    const server = made.connections.find((item) => item.leg === 'server');
    return Number(server?.client.split(':')[1]);
  };

  it('is said where marks are for TCP alone: the client gets the error', async () => {
    const made = await report({ capture: withError(CLIENT_HOST, await spsPort()), state: STATELESS, intent: SPOOFING });
    const found = the(made, 'RV605');
    expect(found).toMatchObject({ severity: 'warning', count: 1, connections: [2] });
    expect(found.message).toContain('entered on eth2 leave by eth0');
    expect(made.verdict).toBe('verified');
  });

  it('is not said where the connection mark takes errors along, nor of errors about other connections', async () => {
    expectAbsent(
      await report({ capture: withError(SPS_HOST, await spsPort()), state: TRACKED, intent: SPOOFING }),
      'RV605',
    );
    expectAbsent(await report({ capture: withError(CLIENT_HOST, 1), state: STATELESS, intent: SPOOFING }), 'RV605');
  });
});
