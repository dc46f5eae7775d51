/** Findings of a join (RV701 to RV707), from made-up captures and router states; stored recordings are in test/join. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseDevice } from '../../src/dialects/index.ts';
import type { JoinIntent } from '../../src/model/join-intent.ts';
import { parseIpAddress } from '../../src/net/ip-address.ts';
import type { Report } from '../../src/report/report.ts';
import { routerOfDevice } from '../../src/verification/router-of-device.ts';
import { verifyJoin } from '../../src/verify.ts';
import { SERVER_HOST, SPS, SPS_HOST, Traffic, type Packet } from './build-capture.ts';
import { Rule, routerOf, routerState, type StateParts } from './router-state.ts';
import { codesOf, expectAbsent, INTENT, report, the } from './run-verify.ts';

const SPP = '10.0.0.20';
const JOIN: JoinIntent = { spp: parseIpAddress(SPP)!, sps: [parseIpAddress(SPS)!] };
const TOO_WIDE = '-A PREROUTING -d 10.0.0.0/24 -p tcp -m tcp --dport 443 -j MARK --set-xmark 0x1/0xffffffff';
const filter = (...rules: string[]): StateParts => ({
  tables: { filter: [':INPUT ACCEPT [0:0]', ':FORWARD ACCEPT [0:0]', ':OUTPUT ACCEPT [0:0]', ...rules] },
});

async function joined(state: StateParts | undefined, traffic?: Traffic, intent = JOIN): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), 'join-'));
  try {
    const path = join(folder, 'capture.pcapng');
    if (traffic !== undefined) writeFileSync(path, traffic.pcapng());
    const router = state === undefined ? undefined : routerOf(routerState(state));
    return await verifyJoin(intent, router, traffic === undefined ? [] : [{ path }], { sources: [] });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const said = (made: Report) => ({ verdict: made.verdict, codes: codesOf(made) });
const verdicts = (made: Report) => made.join!.flows.map((flow) => flow.verdict);

describe('from the configuration alone', () => {
  const cases: readonly { name: string; state: StateParts; codes: readonly string[]; flows: readonly string[] }[] = [
    { name: "the seed's own set-up", state: {}, codes: [], flows: ['verified', 'verified', 'verified'] },
    {
      name: 'https monitored as the seed does it: from the interface of clients, with SPS exempt',
      state: { mangle: [Rule.requests.replace('3389', '443'), Rule.mark] },
      codes: [],
      flows: ['verified', 'verified', 'verified'],
    },
    {
      name: 'https monitored from everywhere',
      state: { mangle: [TOO_WIDE] },
      codes: ['RV702 error'],
      flows: ['failed', 'verified', 'verified'],
    },
    {
      name: 'every port monitored from everywhere, answers of the servers too',
      state: {
        mangle: [
          '-A PREROUTING -d 10.0.0.0/24 -p tcp -j MARK --set-xmark 0x1/0xffffffff',
          '-A PREROUTING -s 10.0.0.0/24 -p tcp -j MARK --set-xmark 0x1/0xffffffff',
        ],
      },
      // What SPP sends to SPS is for SPS, whatever marks it has: the answers of SPS are what the redirect catches.
      codes: ['RV702 error', 'RV702 error', 'RV702 error'],
      flows: ['failed', 'failed', 'failed'],
    },
    {
      name: 'a filter that drops what SPP opens',
      state: filter('-A FORWARD -i eth2 -p tcp -m tcp --dport 8649 -j DROP'),
      codes: ['RV701 error', 'RV707 error'],
      flows: ['verified', 'verified', 'failed'],
    },
    {
      name: 'a filter that drops the answers of SPP',
      state: filter('-A FORWARD -s 10.0.0.20/32 -p tcp -m tcp --sport 443 -j DROP'),
      codes: ['RV701 error'],
      flows: ['failed', 'verified', 'verified'],
    },
    {
      name: 'a filter that drops both directions of tcp 8649',
      state: filter('-A FORWARD -p tcp -m tcp --dport 8649 -j DROP'),
      codes: ['RV701 error', 'RV701 error'],
      flows: ['verified', 'failed', 'failed'],
    },
    {
      name: 'a rule that is not modelled',
      state: filter('-A FORWARD -p tcp -m tcp --dport 443 -m time --timestart 08:00:00 -j DROP'),
      codes: ['RV901 warning'],
      flows: ['inconclusive', 'verified', 'verified'],
    },
  ];

  it.each(cases)('$name', async ({ state, codes, flows }) => {
    const made = await joined(state);
    expect({ codes: codesOf(made), flows: verdicts(made) }).toEqual({ codes, flows });
    const worst = flows.includes('failed') ? 'failed' : flows.includes('inconclusive') ? 'inconclusive' : 'verified';
    expect(made.verdict).toBe(worst);
    for (const finding of made.findings.filter((item) => item.fix.length > 0)) {
      const mended = routerOf(routerState(state)).altered(finding.fix)!;
      const after = await verifyJoin(JOIN, mended, [], { sources: [] });
      const failing = (of: Report): number => of.summary.failed;
      expect(failing(after)).toBe(failing(made) - 1);
    }
  });

  it.each([
    { first: 10, fix: ['ip access-list extended in', '9 deny tcp host 172.16.0.1 host 10.0.0.20 eq 443'] },
    {
      first: 1,
      fix: [
        'ip access-list extended scb-exempt',
        'permit tcp host 172.16.0.1 host 10.0.0.20 eq 443',
        'route-map scb deny 9',
        'match ip address scb-exempt',
      ],
    },
  ])('on a Cisco router, whose list begins at $first', async ({ first, fix }) => {
    const text = `hostname r1
interface FastEthernet0/1
 ip address 172.16.0.254 255.255.255.0
 ip policy route-map scb
interface FastEthernet1/0
 ip address 10.0.0.254 255.255.255.0
ip access-list extended in
 ${first} permit tcp any 10.0.0.0 0.0.0.255 eq 443
route-map scb permit 10
 match ip address in
 set ip next-hop 172.16.0.1
`;
    const router = routerOfDevice(parseDevice([{ path: 'running-config.txt', text }]));
    const made = await verifyJoin(JOIN, router, [], { sources: [] });
    expect(the(made, 'RV702').fix).toEqual(fix);
    const after = await verifyJoin(JOIN, router.altered(fix), [], { sources: [] });
    expect(said(after)).toEqual({ verdict: 'verified', codes: [] });
  });

  it('SPP beside SPS does not need the router', async () => {
    const made = await joined({ mangle: [TOO_WIDE] }, undefined, { ...JOIN, spp: parseIpAddress('172.16.0.9')! });
    expect(said(made)).toEqual({ verdict: 'verified', codes: [] });
    expect(made.join!.flows.map((flow) => flow.expected)).toEqual(['beside', 'beside', 'beside']);
  });

  it('SPP behind no route of the router is not known to be reachable, and not to send', async () => {
    const made = await joined({}, undefined, { ...JOIN, spp: parseIpAddress('203.0.113.1')! });
    expect(made.join!.flows.map((flow) => flow.expected)).toEqual(['blocked', 'blocked', 'unknown']);
    expect(made.verdict).toBe('failed');
  });

  it('each node of a cluster needs its own connections, and may be caught on its own', async () => {
    const sps = [SPS, '172.16.0.2'].map((address) => parseIpAddress(address)!);
    const mangle = ['-A PREROUTING -s 10.0.0.0/24 -p tcp -m tcp --sport 443 -j MARK --set-xmark 0x1/0xffffffff'];
    const made = await joined({ mangle }, undefined, { ...JOIN, sps });
    // To the node that the redirect leads to nothing changes; the other's answers go there, too.
    expect(verdicts(made)).toEqual(['verified', 'verified', 'verified', 'failed', 'verified', 'verified']);
    expect(the(made, 'RV702').message).toContain('172.16.0.2');
  });

  it('RV706: says which addresses are not IPv4, also what is entered', async () => {
    const spp = parseIpAddress('2001:db8::20')!;
    const made = await joined({}, undefined, { spp, sps: JOIN.sps, entered: '[2001:db8::20]' });
    expect(said(made)).toEqual({ verdict: 'failed', codes: ['RV706 error'] });
    expect(the(made, 'RV706').message).toContain('2001:db8::20');
    const entered = await joined({}, undefined, { ...JOIN, entered: '2001:db8::20' });
    expect(codesOf(entered)).toEqual(['RV706 error']);
    expect(codesOf(await joined({}, undefined, { ...JOIN, entered: 'spp.example' }))).toEqual([]);
  });
});

describe('verify', () => {
  const intent = { ...INTENT, join: JOIN };
  const mangle = [Rule.requests, TOO_WIDE, Rule.mark];

  it('warns of RV702 where the redirect would catch the join, and only then', async () => {
    const made = await report({ capture: new Traffic(), state: { mangle }, intent });
    const finding = the(made, 'RV702');
    expect(finding).toMatchObject({ severity: 'warning', connections: [] });
    expect(finding.message).toContain('tcp 443');
    expect(finding.fix).toHaveLength(1);
    expectAbsent(await report({ capture: new Traffic(), state: { mangle }, intent: INTENT }), 'RV702');
    expectAbsent(await report({ capture: new Traffic(), state: {}, intent }), 'RV702');
  });

  it('also where the redirect itself is right, and SPS joins by an address among the clients', async () => {
    const https = { protocol: 6, ports: { first: 443, last: 443 } };
    const managed = { ...JOIN, sps: [parseIpAddress('192.168.0.5')!] };
    const state = { mangle: [Rule.requests.replace('3389', '443'), Rule.mark] };
    const made = await report({
      capture: new Traffic(),
      state,
      intent: { ...INTENT, services: [https], join: managed },
    });
    expect(codesOf(made)).toEqual(['RV702 warning', 'RV902 warning']);
    const { fix } = the(made, 'RV702');
    const after = await verifyJoin(managed, routerOf(routerState(state)).altered(fix), [], { sources: [] });
    expect(said(after)).toEqual({ verdict: 'verified', codes: [] });
    // Clients stay redirected: the fix is of this one connection.
    expect(fix.join()).toContain('192.168.0.5/32');
  });

  it('takes the SPS that is redirected to where the section names none', async () => {
    const made = await report({
      capture: new Traffic(),
      state: { mangle },
      intent: { ...INTENT, join: { ...JOIN, sps: [] } },
    });
    expect(the(made, 'RV702').message).toContain(`SPS ${SPS}`);
  });
});

it('says what is not known where nothing was tried and no router is given', async () => {
  const made = await joined(undefined, new Traffic());
  expect(said(made)).toEqual({ verdict: 'inconclusive', codes: ['RV901 warning', 'RV901 warning', 'RV901 warning'] });
  expect(made.findings[0]!.message).toContain("it was not tried in a capture, and no router's state was given");
});

describe('from captures', () => {
  const FROM_SPS = { from: SPS_HOST, to: SERVER_HOST };
  const FROM_SPP = { from: SERVER_HOST, to: SPS_HOST };
  const packet = (port: number, toSpp: boolean, parts: Partial<Packet>): Packet =>
    toSpp
      ? { source: SPS, sourcePort: 20000, destination: SPP, destinationPort: port, ...parts }
      : { source: SPP, sourcePort: port, destination: SPS, destinationPort: 20000, ...parts };
  const LATER_SECONDS = 5;

  const cases: readonly {
    name: string;
    packets: readonly (readonly [number, boolean, Partial<Packet>])[];
    observed: string;
    codes: readonly string[];
  }[] = [
    {
      name: 'answered',
      packets: [
        [8649, true, { flags: 'S', sequence: 100 }],
        [8649, false, { flags: 'SA', sequence: 500, acknowledgement: 101 }],
        [8649, true, { flags: 'A', sequence: 101, acknowledgement: 501 }],
      ],
      observed: 'answered',
      codes: [],
    },
    {
      name: 'refused',
      packets: [
        [8649, true, { flags: 'S', sequence: 100 }],
        [8649, false, { flags: 'RA', sequence: 0, acknowledgement: 101 }],
      ],
      observed: 'refused',
      codes: ['RV701 error'],
    },
    {
      name: 'reset before anything was said',
      packets: [
        [8649, true, { flags: 'S', sequence: 100 }],
        [8649, false, { flags: 'SA', sequence: 500, acknowledgement: 101 }],
        [8649, true, { flags: 'A', sequence: 101, acknowledgement: 501 }],
        [8649, false, { flags: 'R', sequence: 501 }],
      ],
      observed: 'reset',
      codes: ['RV701 error'],
    },
    {
      name: 'just tried as the capture ends',
      packets: [[8649, true, { flags: 'S', sequence: 100 }]],
      observed: 'open',
      codes: [],
    },
    {
      name: 'one direction of a conversation',
      packets: [
        [8649, true, { flags: 'S', sequence: 100 }],
        [8649, true, { flags: 'A', sequence: 101, acknowledgement: 501 }],
        [8649, true, { flags: 'PA', sequence: 101, acknowledgement: 501, payload: 20 }],
      ],
      observed: 'one-sided',
      codes: ['RV707 warning'],
    },
    {
      name: 'a refused attempt, and then one that is answered',
      packets: [
        [8649, true, { flags: 'S', sequence: 100 }],
        [8649, false, { flags: 'RA', acknowledgement: 101 }],
        [8649, true, { flags: 'S', sequence: 9100 }],
        [8649, false, { flags: 'SA', sequence: 500, acknowledgement: 9101 }],
      ],
      observed: 'answered',
      codes: [],
    },
  ];

  it.each(cases)('$name', async ({ packets, observed, codes }) => {
    const traffic = new Traffic();
    for (const [port, toSpp, parts] of packets) traffic.pass(packet(port, toSpp, parts), toSpp ? FROM_SPS : FROM_SPP);
    const made = await joined(undefined, traffic);
    expect(made.join!.flows[1]!.observed).toBe(observed);
    const open = codesOf(made).filter((code) => code !== 'RV901 warning');
    expect(open).toEqual(codes);
    // Of the other connections nothing is known without a router.
    expect(made.verdict).toBe(codes.some((code) => code.endsWith('error')) ? 'failed' : 'inconclusive');
  });

  it('silence is told from a slow answer by the time that follows', async () => {
    const traffic = new Traffic();
    traffic.pass(packet(8649, true, { flags: 'S', sequence: 100 }), FROM_SPS);
    traffic.wait(LATER_SECONDS);
    traffic.pass(packet(22, true, { flags: 'S', sequence: 100 }), FROM_SPS);
    const made = await joined({}, traffic);
    expect(made.join!.flows[1]).toMatchObject({ observed: 'silent', verdict: 'failed', expected: 'forwarded' });
    expect(the(made, 'RV701').notes.map((note) => note.message)).toEqual([
      'this router forwards it by its configuration: it is lost, or refused, further on',
      'the capture shows it leaving a router on the way',
    ]);
    expect(codesOf(made)).toEqual(['RV701 error', 'RV707 error']);
  });
});

// RV703, RV704 and RV705 need certificates: test/join/stored-joins.test.ts has recordings of them, test/join/certificate.test.ts the names.
