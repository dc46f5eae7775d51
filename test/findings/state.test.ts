import { describe, expect, it } from 'vitest';
import { clientLeg, direct, session, Traffic } from './build-capture.ts';
import { lineOf, POLICY_RULES, Rule, routerState } from './router-state.ts';
import { causesOf, codesOf, expectAbsent, report, the } from './run-verify.ts';

const whole = (): Traffic => session(new Traffic());
const NFT =
  '### nft list ruleset\ntable inet extra {\n\tchain c {\n\t\ttype filter hook forward priority filter; policy accept;\n\t}\n}';

describe('RV301 unmodelled-statement', () => {
  it('makes the run inconclusive where it could change the path: a mark of the redirect for what SPS sends', async () => {
    const line = '-A PREROUTING -i eth1 -m recent --name seen --rcheck -j MARK --set-xmark 0x1/0xffffffff';
    const text = routerState({ mangle: [Rule.requests, Rule.mark, line] });
    const made = await report({ capture: whole(), state: text });
    expect(the(made, 'RV301')).toMatchObject({
      severity: 'warning',
      where: { kind: 'config', line: lineOf(text, line) },
    });
    const unknown = made.findings.filter((finding) => finding.code === 'RV901');
    expect(unknown.length).toBeGreaterThan(0);
    for (const finding of unknown) expect(finding.message).toContain('recent');
    expect(made.verdict).toBe('inconclusive');
    expect(made.summary.verified).toBe(0);
  });

  it.each<{ name: string; rule: string }>([
    {
      name: 'its mark is overwritten before routing',
      rule: '-A PREROUTING -i eth0 -m recent --name seen --rcheck -j MARK --set-xmark 0x5/0xffffffff',
    },
    {
      name: 'it cannot match for another reason',
      rule: '-A PREROUTING -d 10.7.0.0/16 -m recent --name seen --rcheck -j MARK --set-xmark 0x1/0xffffffff',
    },
    { name: 'its target does not touch the path', rule: '-A PREROUTING -m recent --name seen --rcheck -j LOG' },
  ])('spoils nothing where $name', async ({ rule }) => {
    const made = await report({ capture: whole(), state: { mangle: [rule, Rule.requests, Rule.mark] } });
    the(made, 'RV301');
    expect(made.verdict).toBe('verified');
  });

  it('is said of native nftables, and nothing is verified', async () => {
    const text = routerState({ more: NFT });
    const made = await report({ capture: whole(), state: text });
    const found = the(made, 'RV301');
    expect(found.message).toContain('inet extra');
    expect(found.where).toMatchObject({ kind: 'config', line: lineOf(text, 'table inet extra') });
    expect(made.verdict).toBe('inconclusive');
    expect(made.summary.verified).toBe(0);
  });

  it('is not said of an empty nft ruleset', async () => {
    const made = await report({ capture: whole(), state: { more: '### nft list ruleset' } });
    expect(codesOf(made)).toEqual([]);
    expect(made.verdict).toBe('verified');
  });
});

describe('RV302 unparsed-statement', () => {
  it('makes the run inconclusive where it may match monitored traffic', async () => {
    const line = '-A PREROUTING -i eth1 --frobnicate -j MARK --set-xmark 0x1/0xffffffff';
    const text = routerState({ mangle: [Rule.requests, Rule.mark, line] });
    const made = await report({ capture: whole(), state: text });
    expect(the(made, 'RV302')).toMatchObject({ severity: 'warning', where: { line: lineOf(text, '--frobnicate') } });
    expect(made.verdict).toBe('inconclusive');
  });

  it('is not said of comments, counters and blank lines', async () => {
    const made = await report({
      capture: whole(),
      state: { mangle: ['', '# a comment', `[12:3456] ${Rule.requests}`, Rule.mark] },
    });
    expect(codesOf(made)).toEqual([]);
  });
});

describe('RV303 undefined-reference', () => {
  it('is an error where monitored traffic meets it', async () => {
    const rules = POLICY_RULES.map((rule) => rule.replace('scb', 'scp'));
    const text = routerState({ policyRules: rules });
    const made = await report({ capture: direct(new Traffic()), state: text });
    const found = the(made, 'RV303');
    expect(found).toMatchObject({ severity: 'error', connections: [1], where: { line: lineOf(text, 'lookup scp') } });
    expect(found.message).toContain('scp');
    expect(made.verdict).toBe('failed');
  });

  it('concerns only the connections whose packets meet it', async () => {
    const mangle = ['-A PREROUTING -i eth0 -j nowhere', Rule.requests, Rule.mark];
    const made = await report({ capture: whole(), state: { mangle } });
    // What SPS and servers send enters elsewhere.
    expect(the(made, 'RV303')).toMatchObject({ severity: 'error', connections: [1] });
    expect(made.connections.map((item) => item.verdict)).toEqual(['failed', 'verified']);
  });

  it('is a warning where it does not: a chain behind a source that nobody has', async () => {
    const mangle = ['-A PREROUTING -s 172.31.0.0/16 -j nowhere', Rule.requests, Rule.mark];
    const made = await report({ capture: whole(), state: { mangle } });
    expect(the(made, 'RV303')).toMatchObject({ severity: 'warning', connections: [] });
    expect(made.verdict).toBe('verified');
  });

  it('is a warning where it does not: a policy rule for a source that nobody has', async () => {
    const rules = [POLICY_RULES[0]!, '100:\tfrom 172.31.0.0/16 lookup nowhere', ...POLICY_RULES.slice(1)];
    const made = await report({ capture: whole(), state: { policyRules: rules } });
    expect(the(made, 'RV303')).toMatchObject({ severity: 'warning', connections: [] });
    expect(made.verdict).toBe('verified');
  });

  it('is not said of a table that has a name', async () => {
    expectAbsent(await report({ capture: whole() }), 'RV303');
  });
});

describe('RV304 incomplete-router-state', () => {
  it('is said of missing settings, and where their values matter the verdict names them', async () => {
    const made = await report({ capture: whole(), state: { without: ['sysctl -a'] } });
    expect(made.findings.some((finding) => finding.code === 'RV304')).toBe(true);
    const unknown = made.findings.filter((finding) => finding.code === 'RV901');
    expect(unknown.some((finding) => finding.message.includes('rp_filter'))).toBe(true);
    expect(made.verdict).toBe('inconclusive');
  });

  it('spoils nothing where every value gives the same: eth1 is loose whatever `all` is', async () => {
    const settings = { 'all.rp_filter': undefined, 'eth1.rp_filter': 2 };
    const made = await report({ capture: whole(), state: { settings } });
    expectAbsent(made, 'RV901');
    expect(made.verdict).toBe('verified');
  });

  it('is not said of a whole state', async () => {
    expectAbsent(await report({ capture: whole() }), 'RV304');
  });
});

describe('a state that lacks a part', () => {
  it.each(['iptables-save', 'ip rule show', 'ip route show table all', 'ip addr show', 'sysctl -a'])(
    'is never enough to verify by: %s',
    async (heading) => {
      const state = { without: [heading] };
      for (const whatIf of [false, true]) {
        const made = await report({ capture: whatIf ? direct(new Traffic()) : whole(), state, whatIf });
        expect(made.verdict).toBe('inconclusive');
        expect(made.findings.some((finding) => finding.code === 'RV304')).toBe(true);
        expect(made.summary.failed).toBe(0);
      }
    },
  );

  it.each(['ip neigh show', 'rt_tables'])('is enough where the rest says it: %s', async (heading) => {
    const made = await report({ capture: whole(), state: { without: [heading] } });
    expect({ verdict: made.verdict, codes: codesOf(made) }).toEqual({ verdict: 'verified', codes: [] });
  });
});

describe('a rule that is not modelled', () => {
  it.each<{ name: string; table: string; rule: string; verdicts: readonly string[] }>([
    {
      name: 'may drop redirected packets',
      table: 'filter',
      rule: '-A FORWARD -i eth0 -o eth1 -j NFQUEUE --queue-num 1',
      verdicts: ['inconclusive', 'verified'],
    },
    {
      name: 'may drop what SPS sends',
      table: 'filter',
      rule: '-A FORWARD -i eth1 -m limit --limit 5/sec -j DROP',
      verdicts: ['inconclusive', 'inconclusive'],
    },
    {
      name: 'may translate redirected packets',
      table: 'nat',
      rule: '-A POSTROUTING -o eth1 -j FULLCONENAT',
      verdicts: ['inconclusive', 'verified'],
    },
    {
      name: 'meets none of them',
      table: 'filter',
      rule: '-A FORWARD -i eth0 -o eth2 -j NFQUEUE --queue-num 1',
      verdicts: ['verified', 'verified'],
    },
    {
      name: 'accepts what is accepted anyway',
      table: 'filter',
      rule: '-A FORWARD -m limit --limit 5/sec -j ACCEPT',
      verdicts: ['verified', 'verified'],
    },
  ])('leaves open what it could change, and no more: it $name', async ({ table, rule, verdicts }) => {
    const chains = table === 'nat' ? [':POSTROUTING ACCEPT [0:0]'] : [':FORWARD ACCEPT [0:0]'];
    const made = await report({ capture: whole(), state: { tables: { [table]: [...chains, rule] } } });
    the(made, 'RV301');
    expect(made.connections.map((item) => item.verdict)).toEqual(verdicts);
  });
});

describe('RV901 undetermined-verdict', () => {
  it.each<{ key: string; leg: string }>([
    { key: 'eth1.rp_filter', leg: 'client' },
    { key: 'all.rp_filter', leg: 'client' },
  ])('names net.ipv4.conf.$key where it is missing', async ({ key }) => {
    const made = await report({ capture: whole(), state: { settings: { [key]: undefined } } });
    const found = the(made, 'RV901');
    expect(found).toMatchObject({ severity: 'warning', count: 3, connections: [1] });
    expect(found.message).toContain(`net.ipv4.conf.${key}`);
    expect(found.where).toMatchObject({ kind: 'frame', interface: 'eth1' });
    expect(made.verdict).toBe('inconclusive');
    // SPS's own address is on its segment: what it sends to servers passes any filter.
    expect(made.connections.map((item) => item.verdict)).toEqual(['inconclusive', 'verified']);
    expect(made.connections[0]?.serverToClient).toMatchObject({ packets: 3, undetermined: 3, viaSps: 0 });
  });

  it('is not said of a missing value that cannot matter: the way back of clients and servers is their own interface', async () => {
    const settings = { 'eth0.rp_filter': undefined, 'eth2.rp_filter': undefined };
    const made = await report({ capture: whole(), state: { settings } });
    expectAbsent(made, 'RV901');
    expect(made.verdict).toBe('verified');
  });

  it('is said under --require observed where packets were synthesized, and not where all were seen', async () => {
    const traffic = new Traffic();
    clientLeg(traffic).open();
    const made = await report({ capture: traffic, requireObserved: true });
    expect(the(made, 'RV901').message).toContain('--require observed');
    expect(made.verdict).toBe('inconclusive');
    const observed = await report({ capture: whole(), requireObserved: true });
    expect(codesOf(observed)).toEqual([]);
    expect(observed.verdict).toBe('verified');
    expect(causesOf(made, the(made, 'RV901'))).toEqual([]);
  });
});
