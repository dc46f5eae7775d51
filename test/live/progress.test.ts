import { describe, expect, it } from 'vitest';
import { metricsAddress, metricsText } from '../../src/commands/live-metrics.ts';
import { duration } from '../../src/commands/live.ts';
import { filterOf } from '../../src/commands/live-filter.ts';
import { tableLines, type TableState } from '../../src/commands/live-table.ts';
import { lostIn, openFailure } from '../../src/capture/live-tcpdump.ts';
import { GivenUpTally } from '../../src/report/given-up.ts';
import { isOfService, LiveProgress } from '../../src/report/live-progress.ts';
import type { ConnectionReport, DirectionReport, FindingReport, Report, Verdict } from '../../src/report/report.ts';
import { parseIpAddress } from '../../src/net/ip-address.ts';

function direction(parts: Partial<DirectionReport> = {}): DirectionReport {
  const counts = { viaSps: 3, bypassed: 0, dropped: 0, looped: 0, undetermined: 0, ...parts };
  return { packets: 3, observed: 3, probes: 0, basis: 'captured', ...counts };
}

function connection(id: number, verdict: Verdict, parts: Partial<ConnectionReport> = {}): ConnectionReport {
  return {
    id,
    protocol: 'tcp',
    client: `192.168.0.10:${40000 + id}`,
    server: '10.0.0.10:3389',
    leg: 'client',
    verdict,
    clientToServer: direction(),
    serverToClient: direction(),
    findings: [],
    ...parts,
  };
}

function finding(parts: Partial<FindingReport> = {}): FindingReport {
  return {
    id: 1,
    code: 'RV501',
    slug: 'client-traffic-bypasses-sps',
    severity: 'error',
    message: 'a packet went past SPS',
    count: 1,
    causes: [],
    connections: [],
    notes: [],
    fix: [],
    ...parts,
  };
}

function report(connections: readonly ConnectionReport[], findings: readonly FindingReport[] = []): Report {
  const count = (verdict: Verdict): number => connections.filter((item) => item.verdict === verdict).length;
  return {
    schema: 'redirect-verify/report/1',
    verdict: count('failed') > 0 ? 'failed' : count('inconclusive') > 0 ? 'inconclusive' : 'verified',
    mode: 'observed',
    captures: [],
    router: { dialects: [], sources: [] },
    intent: { sps: [], spsInterfaces: [], snat: 'own', services: ['tcp/3389'], clients: [], servers: [], inferred: [] },
    summary: {
      packets: 10,
      monitoredPackets: 6,
      connections: connections.length,
      verified: count('verified'),
      failed: count('failed'),
      inconclusive: count('inconclusive'),
      findings: { error: 0, warning: 0, note: 0 },
    },
    connections,
    findings,
  };
}

const BYPASSED = { clientToServer: direction({ viaSps: 2, bypassed: 1 }) };

describe('a verdict is told when it has held', () => {
  it.each([
    { name: 'verified, after a second', item: connection(1, 'verified'), at: 1000, want: ['connection', 'verdict'] },
    { name: 'verified, not before', item: connection(1, 'verified'), at: 900, want: ['connection'] },
    {
      name: 'seen going past SPS, after a second',
      item: connection(1, 'failed', BYPASSED),
      at: 1000,
      want: ['connection', 'verdict'],
    },
    {
      name: 'failed because of silence, not after a second',
      item: connection(1, 'failed'),
      at: 4900,
      want: ['connection'],
    },
    {
      name: 'failed because of silence, after five',
      item: connection(1, 'failed'),
      at: 5000,
      want: ['connection', 'verdict'],
    },
  ])('$name', ({ item, at, want }) => {
    const progress = new LiveProgress();
    const events = [...progress.update(report([item]), 0), ...progress.update(report([item]), at)];
    expect(events.map((event) => event.event)).toEqual(want);
  });

  it('is told once, and again when it changes and holds', () => {
    const progress = new LiveProgress();
    const told = [
      [0, 'verified'],
      [1500, 'verified'],
      [3000, 'verified'],
      [3500, 'failed'],
      [4000, 'verified'],
      [9000, 'failed'],
      [14_500, 'failed'],
    ] as const;
    const events = told.flatMap(([at, verdict]) => progress.update(report([connection(1, verdict)]), at));
    expect(events.filter((event) => event.event === 'verdict')).toMatchObject([
      { connection: { verdict: 'verified' } },
      { connection: { verdict: 'failed' }, was: 'verified' },
    ]);
  });

  it('a finding is as sure as the connections that it concerns', () => {
    const progress = new LiveProgress();
    const state = report([connection(1, 'failed', BYPASSED)], [finding({ connections: [1] })]);
    const names = [0, 500, 1000, 2000].map((at) => progress.update(state, at).map((event) => event.event));
    expect(names).toEqual([['connection'], [], ['verdict', 'finding'], []]);
  });
});

describe('--until-verified', () => {
  const settled = (state: Report, count: number): string | undefined => {
    const progress = new LiveProgress();
    progress.update(state, 0);
    progress.update(state, 10_000);
    return progress.outcome(state, count, 10_000);
  };
  const oneWay = { serverToClient: direction({ viaSps: 0 }) };
  it.each([
    { name: 'enough', state: report([connection(1, 'verified'), connection(2, 'verified')]), want: 'verified' },
    { name: 'too few', state: report([connection(1, 'verified')]), want: undefined },
    {
      name: 'one direction was synthesized',
      state: report([connection(1, 'verified'), connection(2, 'verified', oneWay)]),
      want: undefined,
    },
    {
      name: 'server legs are no connections of clients',
      state: report([connection(1, 'verified'), connection(2, 'verified', { leg: 'server' })]),
      want: undefined,
    },
    {
      name: 'inconclusive',
      state: report([connection(1, 'verified'), connection(2, 'inconclusive')]),
      want: undefined,
    },
    {
      name: 'one failed',
      state: report([connection(1, 'verified'), connection(2, 'verified'), connection(3, 'failed', BYPASSED)]),
      want: 'failed',
    },
    { name: 'an error of the intent itself', state: report([connection(1, 'verified')], [finding()]), want: 'failed' },
    {
      name: 'another service has none',
      state: {
        ...report([connection(1, 'verified'), connection(2, 'verified')]),
        intent: { ...report([]).intent, services: ['tcp/3389', 'tcp/22'] },
      },
      want: undefined,
    },
    { name: 'nothing at all', state: report([]), want: undefined },
  ])('$name', ({ state, want }) => expect(settled(state, 2)).toBe(want));

  it('waits until the verdicts have held', () => {
    const progress = new LiveProgress();
    const state = report([connection(1, 'verified'), connection(2, 'verified')]);
    progress.update(state, 0);
    expect(progress.outcome(state, 2, 0)).toBe(undefined);
  });

  it.each([
    ['tcp/3389', true],
    ['tcp/3380-3390', true],
    ['tcp/3390-3400', false],
    ['udp/3389', false],
  ])('a connection to tcp/3389 is of %s: %s', (service, want) => {
    expect(isOfService(connection(1, 'verified'), service)).toBe(want);
  });
});

describe('connections that were given up', () => {
  it('count in the summary, the verdict and the findings', () => {
    const tally = new GivenUpTally();
    tally.add(
      report([connection(1, 'failed'), connection(2, 'verified')], [finding({ connections: [1] })]),
      new Set([1]),
    );
    const got = tally.applyTo(report([connection(2, 'verified')]));
    expect(got).toMatchObject({
      verdict: 'failed',
      summary: { connections: 2, verified: 1, failed: 1, monitoredPackets: 12, findings: { error: 1 } },
      connectionsOmitted: 1,
      givenUp: { connections: 1, verified: 0, failed: 1, inconclusive: 0 },
      findings: [{ id: 1, code: 'RV501', connections: [] }],
    });
  });

  it('fail by what was seen, not by what might still have come', () => {
    const given = report([connection(1, 'failed'), connection(2, 'failed', BYPASSED)], [finding({ connections: [1] })]);
    const tally = new GivenUpTally();
    tally.add(given, new Set([1, 2]), new Set([1, 2]));
    expect(tally.counts).toEqual({ connections: 2, verified: 0, failed: 1, inconclusive: 1 });
    expect(tally.applyTo(report([])).findings).toEqual([]);
  });

  it('leave a report alone where there are none', () => {
    const given = report([connection(1, 'verified')]);
    expect(new GivenUpTally().applyTo(given)).toBe(given);
  });
});

describe('the table', () => {
  const state: TableState = {
    report: report([
      connection(1, 'verified'),
      connection(2, 'failed', {
        client: '192.168.100.200:54321',
        server: '10.200.200.200:63389',
        findings: ['RV602', 'RV511'],
      }),
      ...Array.from({ length: 40 }, (_, index) => connection(index + 3, 'verified')),
    ]),
    sources: [{ path: 'live:any', packets: 1000, lost: 3 }],
    frames: 1000,
    seconds: 3725,
    lagMilliseconds: 120,
    last: 'error RV602 reverse-path-drop: a very long message that does not fit into any line of eighty columns at all',
    givenUp: 0,
  };

  it.each([
    [80, 24],
    [200, 50],
    [40, 10],
  ])('fits into %i columns and %i rows', (columns, rows) => {
    const lines = tableLines(state, columns, rows, false);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
    expect(lines.length).toBeLessThanOrEqual(rows);
  });

  it('shows what failed first, and how many there are', () => {
    const lines = tableLines(state, 80, 24, false);
    expect(lines[0]).toMatch(/^redirect-verify live +01:02:05 {2}q or Ctrl-C: report$/);
    expect(lines[1]).toBe('FAILED  42 connections: 41 verified, 1 failed, 0 inconclusive');
    expect(lines[2]).toContain('3 lost');
    expect(lines[6]).toMatch(/^2 +failed +192\.168\.100\.200:54321 > 10\.200\.200\.200:63389 +3\/3 +3\/3 +RV602$/);
    expect(lines.at(-1)).toMatch(/^and \d+ more$/);
  });

  it('lets no control characters through', () => {
    const bad = { ...state, last: '\u001b[2J', sources: [{ path: 'live:\u0007', packets: 0, lost: undefined }] };
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not get through
    expect(tableLines(bad, 80, 24, false).join('')).not.toMatch(/[\u0000-\u001f]/);
  });
});

describe('metrics', () => {
  it('are Prometheus text', () => {
    const text = metricsText({
      report: report([connection(1, 'verified'), connection(2, 'failed')], [finding()]),
      frames: 12,
      lagSeconds: 0.25,
      sources: [
        { path: 'live:"x"', packets: 12, lost: 4 },
        { path: '-', packets: 1, lost: undefined },
      ],
      givenUp: 7,
    });
    for (const line of [
      'redirect_verify_connections{service="tcp/3389",verdict="failed"} 1',
      'redirect_verify_connections_given_up 7',
      'redirect_verify_findings{code="RV501",severity="error"} 1',
      'redirect_verify_dropped_packets_total{source="live:\\"x\\""} 4',
      'redirect_verify_lag_seconds 0.25',
      'redirect_verify_verdict{verdict="failed"} 1',
    ])
      expect(text.split('\n')).toContain(line);
    expect(text).not.toContain('dropped_packets_total{source="-"}');
    for (const line of text.trimEnd().split('\n'))
      expect(line).toMatch(/^(# (HELP|TYPE) redirect_verify_\w+ .+|redirect_verify_\w+(\{[^{}]+\})? [\d.]+)$/);
  });

  it.each([
    ['9464', { host: '127.0.0.1', port: 9464 }],
    [':9464', { host: '127.0.0.1', port: 9464 }],
    ['0.0.0.0:80', { host: '0.0.0.0', port: 80 }],
    ['[::1]:80', { host: '::1', port: 80 }],
  ])('at %s', (text, want) => expect(metricsAddress(text)).toEqual(want));

  it.each(['', 'localhost', '127.0.0.1:99999', 'a b:1', '::1:80'])("not at '%s'", (text) => {
    expect(() => metricsAddress(text)).toThrow(/expected an address/);
  });
});

describe('what is said to tcpdump, and what it says', () => {
  const intent = {
    sps: [parseIpAddress('172.16.0.1')!, parseIpAddress('2001:db8::1')!],
    spsInterfaces: [],
    snat: 'own' as const,
    services: [
      { protocol: 6, ports: { first: 3389, last: 3389 } },
      { protocol: 17, ports: { first: 1, last: 9 } },
    ],
    clients: [],
    servers: [],
    inferred: [],
  };

  it('lets the services, SPS, ARP, ICMP and fragments through', () => {
    expect(filterOf(intent)).toBe(
      'arp or icmp or icmp6 or ip[6:2] & 0x1fff != 0 or ip6[6] = 44 or host 172.16.0.1 or host 2001:db8::1 or tcp port 3389 or udp portrange 1-9',
    );
  });

  it('lets usually monitored services through, too, where services are inferred', () => {
    expect(filterOf({ ...intent, inferred: ['services'] })).toMatch(/ or tcp port 22 or .*tcp port 2598$/);
  });

  it.each([
    ['tcpdump: eth0: No such device exists\n', /no such interface/],
    [
      "tcpdump: eth0: You don't have permission to perform this capture on that device\n(socket: Operation not permitted)",
      /CAP_NET_RAW.*sudo.*setcap/,
    ],
    ['tcpdump: eth0: That device is not up\n', /is down/],
    ["tcpdump: can't parse filter expression: syntax error\n", /--filter 'x'/],
    ['tcpdump: something else\n', /tcpdump cannot capture \(something else\)/],
    ['', /it says nothing/],
  ])('%s', (words, want) => {
    expect(openFailure('eth0', 'x', words)).toMatch(want);
    expect(openFailure('eth0', 'x', words)).not.toContain('\n');
  });

  it.each([
    ['tcpdump: listening on any\n', undefined],
    ['10 packets captured, 12 packets received by filter, 3 packets dropped by kernel\n', 3],
    [
      '1 packets dropped by kernel\n1 packet captured\n7 packets dropped by kernel\n2 packets dropped by interface\n',
      9,
    ],
  ])('counts in %j', (words, want) => expect(lostIn(words)).toBe(want));

  it.each([
    ['90', 90],
    ['90s', 90],
    ['15m', 900],
    ['2h', 7200],
  ])('a duration of %s', (text, want) => {
    expect(duration(text)).toBe(want);
  });

  it.each(['', '0', '1.5', '-1', '1d', '9999999h'])("no duration is '%s'", (text) => {
    expect(() => duration(text)).toThrow(/expected a time/);
  });
});
