import { describe, expect, it } from 'vitest';
import {
  CLIENT_TO_SPS,
  clientLeg,
  lost,
  SPS_TO_CLIENT,
  SPS_TO_SERVER,
  serverLeg,
  session,
  Traffic,
} from './build-capture.ts';
import { CONNECTED, lineOf, Rule, routerState, type StateParts } from './router-state.ts';
import { causesOf, expectAbsent, report, SPOOFING, the, expectMended } from './run-verify.ts';

const REPLIES: StateParts = { mangle: [Rule.replies, Rule.requests, Rule.mark] };
const whole = (): Traffic => session(new Traffic());

function request(way = lost(CLIENT_TO_SPS)): Traffic {
  const traffic = new Traffic();
  clientLeg(traffic).request('S', 0, way);
  return traffic;
}

describe('RV503 dropped-by-rule', () => {
  const filter = (...rules: string[]): StateParts => ({
    tables: { filter: [':INPUT ACCEPT [0:0]', ':FORWARD DROP [0:0]', ':OUTPUT ACCEPT [0:0]', ...rules] },
  });
  const DIRECT_ONLY = filter('-A FORWARD -i eth0 -o eth2 -j ACCEPT', '-A FORWARD -i eth2 -o eth0 -j ACCEPT');

  it('is said where a policy drops the detour, with all that has to be permitted', async () => {
    const text = routerState(DIRECT_ONLY);
    const made = await report({ capture: request(), state: text });
    const found = made.findings.filter((finding) => finding.code === 'RV503');
    expect(found[0]).toMatchObject({
      severity: 'error',
      count: 1,
      connections: [1],
      where: { kind: 'frame', frame: 1, interface: 'eth0' },
    });
    expect(found[0]?.notes.some((note) => note.message.includes('filter FORWARD policy DROP'))).toBe(true);
    expect(made.connections[0]?.clientToServer).toMatchObject({ packets: 1, dropped: 1 });
    await expectMended(DIRECT_ONLY, [...new Set(found.flatMap((finding) => finding.fix))]);
  });

  it.each(['-A FORWARD -o eth1 -j REJECT --reject-with icmp-port-unreachable', '-A FORWARD -o eth1 -j DROP'])(
    'is said of a rule that drops: %s',
    async (rule) => {
      const state: StateParts = {
        tables: { filter: [':INPUT ACCEPT [0:0]', ':FORWARD ACCEPT [0:0]', ':OUTPUT ACCEPT [0:0]', rule] },
      };
      const text = routerState(state);
      const made = await report({ capture: request(), state: text });
      const found = made.findings.filter((finding) => finding.code === 'RV503');
      expect(found[0]).toMatchObject({ count: 1, where: { kind: 'frame', frame: 1 } });
      expect(found[0]?.message).toContain(rule.includes('REJECT') ? 'rejected' : 'dropped');
      expect(
        found[0]?.notes.some((note) => note.where?.kind === 'config' && note.where.line === lineOf(text, rule)),
      ).toBe(true);
      await expectMended(state, [...new Set(found.flatMap((finding) => finding.fix))]);
    },
  );

  it('is not said where the four flows of the detour are permitted', async () => {
    const state = filter(
      '-A FORWARD -i eth0 -o eth1 -j ACCEPT',
      '-A FORWARD -i eth1 -j ACCEPT',
      '-A FORWARD -i eth2 -o eth1 -m conntrack --ctstate ESTABLISHED -j ACCEPT',
    );
    const made = await report({ capture: whole(), state });
    expectAbsent(made, 'RV503');
    expect(made.verdict).toBe('verified');
  });
});

describe('RV504 no-route', () => {
  it.each<{ name: string; state: StateParts; traffic: () => Traffic; frame: number; interface: string; word: string }>([
    {
      name: 'forwarding is off',
      state: { settings: { 'eth0.forwarding': 0 } },
      traffic: request,
      frame: 1,
      interface: 'eth0',
      word: 'not-forwarding',
    },
    {
      name: 'the redirect’s route is a blackhole',
      state: { redirectRoutes: ['blackhole default'] },
      traffic: request,
      frame: 1,
      interface: 'eth0',
      word: 'blackhole',
    },
    {
      name: 'the redirect’s route is unreachable',
      state: { redirectRoutes: ['unreachable default'] },
      traffic: request,
      frame: 1,
      interface: 'eth0',
      word: 'unreachable',
    },
    {
      name: 'a policy rule prohibits',
      state: {
        policyRules: ['0:\tfrom all lookup local', '10:\tfrom all fwmark 0x1 prohibit', '32766:\tfrom all lookup main'],
      },
      traffic: request,
      frame: 1,
      interface: 'eth0',
      word: 'prohibited',
    },
    {
      name: 'there is no route back to the clients',
      state: { mainRoutes: CONNECTED.filter((route) => !route.includes('eth0')) },
      traffic: () => {
        const traffic = new Traffic();
        clientLeg(traffic).request('S').reply('SA', 0, lost(SPS_TO_CLIENT));
        return traffic;
      },
      frame: 3,
      interface: 'eth1',
      word: 'no-route',
    },
  ])('is said where $name', async ({ state, traffic, frame, interface: name, word }) => {
    const made = await report({ capture: traffic(), state });
    const found = made.findings.find((finding) => finding.code === 'RV504' && !finding.message.includes('synthesized'));
    expect(found).toMatchObject({
      severity: 'error',
      count: 1,
      connections: [1],
      where: { kind: 'frame', frame, interface: name },
    });
    expect(found?.message).toContain(word);
    expect(made.verdict).toBe('failed');
  });

  it('is not said where forwarding is off on an interface that nothing enters by', async () => {
    const made = await report({
      capture: whole(),
      state: { settings: { 'lo.forwarding': 0, 'all.forwarding': 0, 'default.forwarding': 0 } },
    });
    expectAbsent(made, 'RV504');
    expect(made.verdict).toBe('verified');
  });
});

describe('RV602 reverse-path-drop', () => {
  it('is said of what SPS sends with the client’s address', async () => {
    const traffic = new Traffic();
    // Strict on eth1 also drops the answer to the client, so only the server leg is looked at.
    serverLeg(traffic, { snat: 'client' }).request('S', 0, lost(SPS_TO_SERVER));
    const made = await report({
      capture: traffic,
      intent: SPOOFING,
      state: { ...REPLIES, settings: { 'eth1.rp_filter': 1 } },
    });
    const found = made.findings.find((finding) => finding.code === 'RV602' && finding.where?.kind === 'frame');
    expect(found).toMatchObject({ severity: 'error', count: 1, where: { kind: 'frame', frame: 1, interface: 'eth1' } });
    expect(causesOf(made, found!)).toContain('RV407');
    expect(made.verdict).toBe('failed');
  });

  it('is not said of what SPS sends with its own address', async () => {
    const traffic = new Traffic();
    serverLeg(traffic).open();
    const made = await report({ capture: traffic, state: { settings: { 'eth1.rp_filter': 1 } } });
    expect(made.findings.filter((finding) => finding.code === 'RV602')).toEqual([]);
    expect(made.connections[0]?.verdict).toBe('verified');
  });
});

describe('RV603 mark-changes-reverse-path', () => {
  it('explains drops on a strict interface, and its fix mends them', async () => {
    const state: StateParts = { settings: { 'eth0.rp_filter': 1, 'eth0.src_valid_mark': 1 } };
    const made = await report({ capture: request(), state });
    expect(causesOf(made, the(made, 'RV602'))).toEqual(['RV603']);
    expect(the(made, 'RV603')).toMatchObject({
      severity: 'warning',
      connections: [1],
      fix: ['sysctl -w net.ipv4.conf.eth0.src_valid_mark=0'],
    });
    expect(made.verdict).toBe('failed');
    await expectMended(state, the(made, 'RV603').fix);
  });

  it.each<{ name: string; settings: Readonly<Record<string, number>> }>([
    { name: 'the mark is not used', settings: { 'eth0.rp_filter': 1 } },
    { name: 'another interface uses it', settings: { 'eth0.rp_filter': 1, 'eth1.src_valid_mark': 1 } },
  ])('is not said where $name', async ({ settings }) => {
    const made = await report({ capture: whole(), state: { settings } });
    expectAbsent(made, 'RV603');
    expect(made.verdict).toBe('verified');
  });

  it('does not fail a run where the filter is loose', async () => {
    const made = await report({
      capture: whole(),
      state: { settings: { 'eth0.rp_filter': 2, 'eth0.src_valid_mark': 1 } },
    });
    expect(made.findings.filter((finding) => finding.severity !== 'note')).toEqual([]);
    expect(made.verdict).toBe('verified');
  });
});
