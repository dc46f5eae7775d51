/** SPS in the large: nodes, interfaces, targets, addresses, neighbours; on the kernel's recordings. */
import { describe, expect, it } from 'vitest';
import { parseIpAddress } from '../../src/net/ip-address.ts';
import { parsePrefix } from '../../src/net/prefix.ts';
import { direct, session, Traffic } from './build-capture.ts';
import { CONNECTED, POLICY_RULES, Rule, type StateParts } from './router-state.ts';
import { causesOf, codesOf, expectAbsent, INTENT, report, SPOOFING, the } from './run-verify.ts';
import { judged } from './stored-run.ts';

describe('what is right is not complained of', () => {
  it.each([
    'takeover',
    'own-traffic',
    'two-nodes-multipath',
    'two-interfaces',
    'fixed-target',
    'fixed-source',
    'destination-nat',
    'remote-client',
    'tunnelled-client',
    'spoofing-same-port-zones',
  ])('%s', async (name) => {
    const made = await judged(name);
    expect({ verdict: made.verdict, codes: codesOf(made) }).toEqual({ verdict: 'verified', codes: [] });
  });
});

const BOTH_NODES = [parseIpAddress('172.16.0.1')!, parseIpAddress('172.16.0.2')!];
const NEIGHBOURS = [
  '192.168.0.10 dev eth0 lladdr 02:00:c0:a8:00:0a REACHABLE',
  '10.0.0.10 dev eth2 lladdr 02:00:0a:00:00:0a REACHABLE',
  '172.16.0.1 dev eth1 lladdr 02:00:ac:10:00:01 REACHABLE',
];
/** Requests to the one address, answers to the other. */
const APART: StateParts = {
  mangle: [
    Rule.requests,
    Rule.replies.replace('0x1/', '0x2/'),
    Rule.mark,
    Rule.mark.replace('--mark 0x1', '--mark 0x2').replace('0x1/', '0x2/'),
  ],
  policyRules: [...POLICY_RULES.slice(0, 1), '32764:\tfrom all fwmark 0x2 lookup 104', ...POLICY_RULES.slice(1)],
  mainRoutes: [...CONNECTED, 'default via 172.16.0.2 dev eth1 table 104'],
};

describe('RV604 directions-use-different-sps', () => {
  const whatIf = (neighbours: readonly string[], state = APART) =>
    report({
      capture: direct(new Traffic()),
      state: { ...state, neighbours },
      intent: { ...SPOOFING, sps: BOTH_NODES },
      whatIf: true,
    });

  it('is told by the MAC address of the node that asked, where the answers go to another', async () => {
    const made = await judged('two-nodes-apart');
    expect(made.verdict).toBe('failed');
    const found = the(made, 'RV604');
    expect(found).toMatchObject({ severity: 'error', count: 4 });
    expect(found.message).toContain('172.16.0.1 asked the server, and the answers go to 172.16.0.2');
    expect(made.connections.find((item) => item.leg === 'server')?.findings).toEqual(['RV604']);
  });

  it('is told of a session that is made up', async () => {
    const made = await whatIf([...NEIGHBOURS, '172.16.0.2 dev eth1 lladdr 02:00:ac:10:00:02 REACHABLE']);
    expect(made.verdict).toBe('failed');
    expect(the(made, 'RV604')).toMatchObject({ severity: 'error', connections: [1] });
  });

  it('is not told of two addresses of one node', async () => {
    const made = await whatIf([...NEIGHBOURS, '172.16.0.2 dev eth1 lladdr 02:00:ac:10:00:01 REACHABLE']);
    expect({ verdict: made.verdict, codes: codesOf(made) }).toEqual({ verdict: 'verified', codes: [] });
  });

  it('leaves open what is not known: whether two addresses are one node', async () => {
    const made = await whatIf(NEIGHBOURS);
    expect(made.verdict).toBe('inconclusive');
    expect(the(made, 'RV604').severity).toBe('warning');
  });

  it('is not told where both directions use the same node', async () => {
    const one: StateParts = { mangle: [Rule.requests, Rule.replies, Rule.mark] };
    const made = await whatIf([...NEIGHBOURS, '172.16.0.2 dev eth1 lladdr 02:00:ac:10:00:02 REACHABLE'], one);
    expect(codesOf(made)).toEqual([]);
  });
});

describe('RV416 host-on-sps-segment-exempt', () => {
  it('explains what a client beside SPS sends past it, and its fix redirects that', async () => {
    const made = await judged('client-beside-sps');
    const found = the(made, 'RV416');
    expect(found.severity).toBe('warning');
    expect(causesOf(made, the(made, 'RV501'))).toEqual(['RV416']);
    expect(causesOf(made, the(made, 'RV601'))).toEqual(['RV416']);
    const mended = await judged('client-beside-sps', { commands: found.fix });
    expect(mended.findings.filter((item) => item.code === 'RV501' || item.code === 'RV416')).toEqual([]);
  });

  it('warns where stated clients sit there, though none is in the capture', async () => {
    const clients = [...(INTENT.clients ?? []), parsePrefix('172.16.0.128/25')!];
    const made = await report({ capture: session(new Traffic()), intent: { ...INTENT, clients } });
    expect(the(made, 'RV416').message).toContain('172.16.0.129 (nobody there is in the capture)');
    expect(made.verdict).toBe('verified');
  });

  it.each(['10.9.0.0/24', '0.0.0.0/0'])('does not warn of clients of %s', async (text) => {
    const made = await report({
      capture: session(new Traffic()),
      intent: { ...INTENT, clients: [...(INTENT.clients ?? []), parsePrefix(text)!] },
    });
    expectAbsent(made, 'RV416');
  });
});

describe('RV510 invalid-state-escapes-redirect', () => {
  it('says what makes both connections of a five-tuple valid', async () => {
    const found = the(await judged('spoofing-same-port-invalid'), 'RV510');
    expect(found.fix).toEqual(['sysctl -w net.netfilter.nf_conntrack_tcp_be_liberal=1']);
    const mended = await judged('spoofing-same-port-invalid', { commands: found.fix });
    expectAbsent(mended, 'RV510');
  });
});

describe('RV512 server-leg-missing', () => {
  it('is said where SPS opened nothing at all, and not where it has a target of its own', async () => {
    expectAbsent(await judged('fixed-target'), 'RV512');
    const alone = new Traffic();
    session(alone);
    const made = await report({
      capture: alone,
      intent: { ...INTENT, servers: [parsePrefix('10.0.0.0/24')!] },
    });
    expectAbsent(made, 'RV512');
  });
});

describe('RV507 client-address-hidden', () => {
  it('is told of what defeats spoofing toward servers, with a fix that leaves the rest translated', async () => {
    const made = await judged('masquerade-toward-servers');
    expect(made.verdict).toBe('verified');
    const found = the(made, 'RV507');
    expect(found.message).toContain('packets that SPS sends with the client’s address');
    expect(found.fix).toEqual(['iptables -t nat -I POSTROUTING -o eth2 -p tcp -d 10.0.0.0/24 --dport 3389 -j ACCEPT']);
    expectAbsent(await judged('masquerade-toward-servers', { commands: found.fix }), 'RV507');
  });
});
