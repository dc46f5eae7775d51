/** `check`: a router's configuration alone gets the verdict that its traffic got. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type IntentOptions, statedIntent } from '../../src/commands/stated-intent.ts';
import { parseRouterState } from '../../src/dialects/index.ts';
import type { Report } from '../../src/report/report.ts';
import { linuxRouter } from '../../src/verification/linux-router.ts';
import { check } from '../../src/verify.ts';
import { compiledCli, runCli } from '../cli/compiled-cli.ts';
import { makeScratch, STORED } from '../cli/scratch.ts';
import { intentOf, routerOf, storedScenarios } from '../scenarios/stored-scenario.ts';

/** What only traffic shows: whether SPS answers. */
const OF_TRAFFIC = new Set(['RV505', 'RV510', 'RV511', 'RV512', 'RV513']);
const SPS_IS_DOWN = new Set(['sps-down-silent', 'sps-reset', 'sps-unreachable']);
/** Scenarios whose verdict the configuration alone cannot give, and what it gives. */
const OF_THE_CONFIGURATION: Readonly<Record<string, string>> = {
  // The sequence numbers of the sessions decide; that they may fall so is said, and is no verdict.
  'spoofing-same-port-invalid': 'verified',
  // Which address SPS uses toward servers is in the traffic only.
  'fixed-source': 'inconclusive',
};

describe('the configurations of the stored scenarios', () => {
  it.each(storedScenarios())('$name', async (scenario) => {
    const { router, sources } = routerOf(scenario);
    const report = await check(router, intentOf(scenario), { sources });
    const { expect: want, name } = scenario;
    const codes = report.findings.map((finding) => finding.code);
    const said = report.findings.map((finding) => `${finding.code} ${finding.message}`);
    expect({ verdict: report.verdict, said }).toMatchObject({
      verdict: OF_THE_CONFIGURATION[name] ?? (SPS_IS_DOWN.has(name) ? 'verified' : want.verdict),
    });
    const ofConfiguration = want.findings.filter((code) => /^RV[34]/.test(code) && !OF_TRAFFIC.has(code));
    expect(ofConfiguration.filter((code) => !codes.includes(code))).toEqual([]);
    const isOpen = OF_THE_CONFIGURATION[name] === 'inconclusive';
    const mayBeSaid = (code: string): boolean => OF_TRAFFIC.has(code) || (isOpen && code === 'RV901');
    const wrong = said.filter((line) => want.absent.includes(line.slice(0, 5)) && !mayBeSaid(line.slice(0, 5)));
    expect(wrong).toEqual([]);
    expect(codes.filter((code) => /^RV[12]|^RV90[23]/.test(code))).toEqual([]);
    expectSynthesized(report);
  });
});

describe('what only sequence numbers decide where SPS keeps the client’s port', () => {
  /**
   * Those where SPS uses the client's address, and a connection mark redirects. With the client's port one entry serves both directions, so
   * that a redirect of the servers' answers is not needed, and not amiss where it leads to another node.
   */
  const MAY_BE_INVALID = [
    'ipv6-reply-rule-forgotten',
    'ipv6-spoofing',
    'masquerade-toward-servers',
    'offloads-on',
    'own-traffic',
    'remote-client',
    'reply-rule-forgotten',
    'rp-filter-loose',
    'seed-spoofing',
    'spoofing-same-port',
    'spoofing-same-port-invalid',
    'takeover',
    'tunnelled-client',
    'two-nodes-apart',
    'what-if-correct',
  ];

  it('is possible there, and no finding', async () => {
    const possible: string[] = [];
    for (const scenario of storedScenarios()) {
      const { router, sources } = routerOf(scenario);
      const report = await check(router, intentOf(scenario), { sources });
      if (report.check?.possible === undefined) continue;
      possible.push(scenario.name);
      const [item, ...others] = report.check.possible;
      expect(others).toEqual([]);
      expect(item).toMatchObject({ code: 'RV510', fix: ['sysctl -w net.netfilter.nf_conntrack_tcp_be_liberal=1'] });
      expect(report.findings.map(({ code }) => code)).not.toContain('RV510');
      const mended = await check(router.altered(item!.fix)!, intentOf(scenario), { sources });
      expect(mended.check?.possible).toBeUndefined();
    }
    expect(possible).toEqual(MAY_BE_INVALID);
  });

  it('stands in the text', () => {
    const { stdout, status } = runCli([
      'check',
      '--router',
      'captures/spoofing-same-port/router',
      '--site',
      'captures/spoofing-same-port/redirect-verify.yaml',
    ]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^possible +RV510 where SPS keeps the client's port/m);
    expect(stdout).toMatch(/it cannot with: sysctl -w net\.netfilter\.nf_conntrack_tcp_be_liberal=1/);
  });
});

/** Nothing in it pretends to have been captured. */
function expectSynthesized(report: Report): void {
  expect(report).toMatchObject({ mode: 'check', captures: [], summary: { packets: 0, monitoredPackets: 0 } });
  expect(report.check?.sessions).toBe(report.connections.length);
  for (const { clientToServer, serverToClient } of report.connections)
    for (const way of [clientToServer, serverToClient])
      expect(way).toMatchObject({ packets: 0, observed: 0, basis: 'synthesized' });
  for (const finding of report.findings) expect(finding.where?.kind).not.toBe('frame');
  for (const finding of report.findings) for (const id of finding.causes) expect(report.findings[id - 1]?.id).toBe(id);
}

const STATE = `### ip addr show
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000
    inet 127.0.0.1/8 scope host lo
2: eth0@if2: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default qlen 1000
    link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff
    inet 192.168.0.254/24 scope global eth0
3: eth1@if3: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default qlen 1000
    link/ether 02:00:00:00:00:02 brd ff:ff:ff:ff:ff:ff
    inet 172.16.0.254/24 scope global eth1
4: eth2@if4: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default qlen 1000
    link/ether 02:00:00:00:00:03 brd ff:ff:ff:ff:ff:ff
    inet 10.0.0.254/24 scope global eth2
`;

/** The procedure's rules over these ports and networks, on a router with three legs. */
function routerWith(selection: string) {
  const commands = `${STATE}### commands
iptables -t mangle -A PREROUTING -i eth0 ${selection} -j CONNMARK --set-mark 1
iptables -t mangle -A PREROUTING ! -i eth1 -m connmark --mark 1 -j MARK --set-mark 1
ip route add default via 172.16.0.1 dev eth1 table 103
ip rule add fwmark 1 table 103
sysctl -w net.ipv4.conf.all.rp_filter=0
sysctl -w net.ipv4.conf.eth0.rp_filter=0
sysctl -w net.ipv4.conf.eth1.rp_filter=0
sysctl -w net.ipv4.conf.eth2.rp_filter=0
`;
  return linuxRouter(parseRouterState([{ path: 'router.txt', text: commands }]));
}

const intent = (options: IntentOptions) =>
  statedIntent({ sps: ['172.16.0.1'], snat: 'own', service: ['tcp/3389'], ...options }, {}, '');
const checked = (selection: string, options: IntentOptions = {}) =>
  check(routerWith(selection), intent(options), { sources: [] });
const failedEnds = (report: Report): string[] =>
  report.connections
    .filter((item) => item.verdict === 'failed')
    .map((item) => `${item.client.split(':')[0]} ${item.server}`);

describe('edges', () => {
  it.each([
    { name: 'whole networks', selection: '-p tcp --dport 3389', failed: [] },
    {
      name: 'the last client is left out',
      selection: '-s 192.168.0.0/25 -p tcp --dport 3389',
      failed: ['192.168.0.253 10.0.0.1:3389', '192.168.0.253 10.0.0.253:3389'],
    },
    {
      name: 'the first server is left out',
      selection: '-d 10.0.0.128/25 -p tcp --dport 3389',
      failed: ['192.168.0.1 10.0.0.1:3389', '192.168.0.253 10.0.0.1:3389'],
    },
  ])('of networks: $name', async ({ selection, failed }) => {
    const report = await checked(selection, { clients: ['192.168.0.0/24'], servers: ['10.0.0.0/24'] });
    expect(failedEnds(report)).toEqual(failed);
    expect(report.verdict).toBe(failed.length > 0 ? 'failed' : 'verified');
  });

  it.each([
    { name: 'all', selection: '-p tcp --dport 5900:5909', failed: 0, also: [] },
    { name: 'the last port is left out', selection: '-p tcp --dport 5900:5908', failed: 4, also: [] },
    { name: 'one port too many', selection: '-p tcp --dport 5900:5910', failed: 0, also: ['tcp/5910'] },
    { name: 'everything', selection: '-p tcp', failed: 0, also: ['tcp/5899', 'tcp/5910'] },
  ])('of ports: $name', async ({ selection, failed, also }) => {
    const report = await checked(selection, {
      service: ['tcp/5900-5909'],
      clients: ['192.168.0.0/24'],
      servers: ['10.0.0.0/24'],
    });
    expect(failedEnds(report)).toHaveLength(failed);
    expect(failedEnds(report).every((item) => item.endsWith(':5909'))).toBe(true);
    expect(report.check?.alsoRedirected).toEqual(also);
  });

  it('a port beside one service that another service has is no port outside', async () => {
    const report = await checked('-p tcp -m multiport --dports 3389,3390', { service: ['tcp/3389', 'tcp/3390'] });
    expect(report.check?.alsoRedirected).toEqual([]);
    expect(report.verdict).toBe('verified');
  });

  it('where no network is stated, the connected ones stand for any', async () => {
    const report = await checked('-p tcp --dport 3389');
    expect(report.check).toMatchObject({
      clients: ['192.168.0.1 on eth0', '192.168.0.253 on eth0'],
      servers: ['10.0.0.1 on eth2', '10.0.0.253 on eth2'],
    });
  });

  it.each([
    { prefix: '192.168.0.10/32', want: ['192.168.0.10 on eth0'] },
    { prefix: '192.168.0.10/31', want: ['192.168.0.10 on eth0', '192.168.0.11 on eth0'] },
    { prefix: '192.168.0.8/30', want: ['192.168.0.9 on eth0', '192.168.0.10 on eth0'] },
  ])('$prefix begins and ends at $want', async ({ prefix, want }) => {
    expect((await checked('-p tcp --dport 3389', { clients: [prefix] })).check?.clients).toEqual(want);
  });

  it('judges SPS’s own packets and the answers: spoofing without a redirect of the replies fails', async () => {
    const report = await checked('-p tcp --dport 3389', {
      snat: 'client',
      clients: ['192.168.0.0/24'],
      servers: ['10.0.0.0/24'],
    });
    expect(report.findings.map((finding) => finding.code)).toContain('RV411');
  });

  it('UDP', async () => {
    const udp = { service: ['udp/3389'], clients: ['192.168.0.0/24'], servers: ['10.0.0.0/24'] };
    expect((await checked('-p tcp --dport 3389', udp)).verdict).toBe('failed');
    expect((await checked('-p udp --dport 3389', udp)).verdict).toBe('verified');
  });
});

describe('check on the command line', () => {
  const scratch = makeScratch();
  beforeAll(() => {
    compiledCli();
  });
  afterAll(() => scratch.remove());

  it.each([
    { name: 'seed-own-address', status: 0, first: 'VERIFIED  4 made-up sessions: 4 verified' },
    { name: 'empty-table', status: 1, first: 'FAILED  4 made-up sessions: 4 failed' },
    { name: 'unmodelled-match', status: 3, first: 'INCONCLUSIVE  4 made-up sessions: 4 inconclusive' },
  ])('$name ends with $status', ({ name, status, first }) => {
    const got = runCli([
      'check',
      '--router',
      `captures/${name}/router`,
      '--site',
      `captures/${name}/redirect-verify.yaml`,
    ]);
    expect({ status: got.status, first: got.stdout.split('\n')[0], stderr: got.stderr }).toEqual({
      status,
      first,
      stderr: '',
    });
  });

  it.each(['json', 'ndjson', 'junit', 'sarif', 'markdown'])('writes %s', (format) => {
    const got = runCli(['check', '--router', STORED.goodRouter, '--site', STORED.site, '--format', format]);
    expect({ status: got.status, stderr: got.stderr }).toEqual({ status: 0, stderr: '' });
    expect(got.stdout.length).toBeGreaterThan(300);
  });

  it.each([
    { name: 'no router', args: ['check'], says: /no router state/ },
    {
      name: 'a router that redirects nothing',
      args: ['check', '--router', 'captures/plain-before-redirect/router'],
      says: /--sps/,
    },
    { name: 'a capture', args: ['check', STORED.good, '--router', STORED.goodRouter], says: /too many arguments/ },
    {
      name: 'servers that nothing leads to',
      args: ['check', '--router', STORED.goodRouter, '--servers', '203.0.113.0/24'],
      says: /no network of servers is known/,
    },
  ])('refuses $name with one line', ({ args, says }) => {
    const { status, stdout, stderr } = runCli(args, {
      cwd: args.length === 1 ? scratch.folder('empty') : process.cwd(),
    });
    expect({ status, stdout, lines: stderr.trimEnd().split('\n').length }).toEqual({ status: 2, stdout: '', lines: 1 });
    expect(stderr).toMatch(says);
  });
});
