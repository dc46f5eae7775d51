import { describe, expect, it } from 'vitest';
import { type Count, type Counts, POINTS, type Point } from './counters.ts';
import type { Evidence } from './lab.ts';
import { deriveTruth } from './truth.ts';

const ROUTER = {
  reversePathDrops: 0,
  noRoute: 0,
  ttlExpired: 0,
  filterDrops: 0,
  icmpUnreachableSent: 0,
  icmpRedirectsSent: 0,
};

/** Ten packets each way on both legs, with nothing amiss. */
const CONSERVED: readonly Point[] = [
  'clientSent',
  'spsReceivedFromClient',
  'spsSentToClient',
  'clientReceivedFromSps',
  'spsSentToServer',
  'serverReceivedFromSps',
  'serverSent',
  'spsReceivedFromServer',
];

const one = (packets: number, payload = packets * 100): Count => ({ packets, payload });

function counts(changes: Partial<Record<Point, Count>> = {}): Counts {
  const plain = POINTS.map((point) => [point, one(CONSERVED.includes(point) ? 10 : 0)]);
  return { ...(Object.fromEntries(plain) as Counts), ...changes };
}

function evidence(changes: Partial<Evidence> = {}): Evidence {
  return {
    offloads: false,
    sessions: [{ session: 1, local: '192.168.0.10:40000', ok: true, received: 100 }],
    sps: [{ event: 'accepted', client: '192.168.0.10:40000' }],
    server: [{ event: 'accepted', peer: '172.16.0.1:20000' }],
    counts: counts(),
    router: ROUTER,
    ...changes,
  };
}

describe('deriveTruth', () => {
  it('verifies where everything arrived and nothing went astray', () => {
    expect(deriveTruth(evidence())).toMatchObject({ verdict: 'verified', serverPeers: ['172.16.0.1'] });
  });

  it('verifies where NAT hides the client from SPS, and says so', () => {
    const hidden = counts({ spsReceivedFromClient: one(0), spsReceivedFromHiddenClient: one(10) });
    const truth = deriveTruth(evidence({ counts: hidden }));
    expect(truth.verdict).toBe('verified');
    expect(truth.reason).toContain('hidden');
  });

  it('allows merged packets with offloads on, as long as all bytes arrived', () => {
    const merged = counts({ clientReceivedFromSps: one(4, 1000) });
    expect(deriveTruth(evidence({ counts: merged, offloads: true })).verdict).toBe('verified');
    expect(deriveTruth(evidence({ counts: merged })).verdict).toBe('failed');
    const cut = counts({ clientReceivedFromSps: one(4, 900) });
    expect(deriveTruth(evidence({ counts: cut, offloads: true })).verdict).toBe('failed');
  });

  const failures: { name: string; changes: Partial<Evidence>; reason: string }[] = [
    { name: 'no session was attempted', changes: { sessions: [], sps: [] }, reason: 'no session was attempted' },
    {
      name: 'a session failed',
      changes: { sessions: [{ session: 1, local: '', ok: false, received: 0 }] },
      reason: '1 of 1 sessions failed',
    },
    { name: 'SPS accepted none', changes: { sps: [] }, reason: 'SPS accepted 0 of 1 sessions' },
    {
      name: 'the reverse path filter dropped one',
      changes: { router: { ...ROUTER, reversePathDrops: 1 } },
      reason: '1 dropped by the reverse path filter',
    },
    {
      name: 'a rule dropped one',
      changes: { router: { ...ROUTER, filterDrops: 1 } },
      reason: '1 dropped by a rule',
    },
    ...CONSERVED.map((point) => ({
      name: `one is missing from ${point}`,
      changes: { counts: counts({ [point]: one(9) }) },
      reason: 'packets arrived',
    })),
    ...POINTS.filter((point) => /Directly|Otherwise|Again/.test(point)).map((point) => ({
      name: `one is counted by ${point}`,
      changes: { counts: counts({ [point]: one(1) }) },
      reason: '1 packets',
    })),
  ];
  it.each(failures)('fails where $name', ({ changes, reason }) => {
    const truth = deriveTruth(evidence(changes));
    expect(truth.verdict).toBe('failed');
    expect(truth.reason).toContain(reason);
  });
});
