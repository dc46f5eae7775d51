import { describe, expect, it } from 'vitest';
import { Status } from '../../src/wire/packet-batch.ts';
import { Lab, ruleset, type PacketParts, type RouterParts } from './builders.ts';

const C = '192.168.0.10:40000';
const S = '10.0.0.10:80';
const BAD = Status.options | Status.badOptions;
const ROUTED = Status.options | Status.sourceRoute;

function lab(parts: Partial<RouterParts> = {}): Lab {
  return new Lab({
    links: ['eth0 192.168.0.254/24', 'eth2 10.0.0.254/24'],
    tables: { mangle: ['-A PREROUTING -m conntrack --ctstate NEW -j CONNMARK --set-xmark 0x7/0xffffffff'] },
    ...parts,
  });
}

const syn: PacketParts = { from: C, to: S, flags: 'S', sequence: 1000 };
const synAck: PacketParts = { from: S, to: C, flags: 'SA', sequence: 5000, acknowledgement: 1001 };
const ack: PacketParts = { from: C, to: S, flags: 'A', sequence: 1001, acknowledgement: 5001 };

// As the kernel of test/kernel has it: routed first, then looked at. Ref: ip_input.c: ip_rcv_finish_core(), ip_rcv_options()
describe('IP options that the kernel refuses', () => {
  it('end the packet behind PREROUTING, whose rules it met', () => {
    const router = lab({ tables: { mangle: ['-A PREROUTING -j MARK --set-xmark 0x5/0xffffffff'] } });
    expect(router.send('eth0', { ...syn, status: BAD })).toBe('martian');
    expect(router.mark).toBe(5);
  });

  it('leave no entry of a first packet', () => {
    const router = lab();
    expect(router.send('eth0', { ...syn, status: BAD })).toBe('martian');
    router.send('eth2', synAck);
    expect(router.state).toBe('invalid');
    router.send('eth0', syn);
    expect(router.state).toBe('new');
  });

  it('leave an entry as the packet made it', () => {
    const router = lab();
    router.send('eth0', syn);
    router.send('eth2', { ...synAck, status: BAD });
    expect(router.state).toBe('established');
    router.send('eth0', ack);
    expect(router.state).toBe('established');
    router.send('eth0', { ...ack, flags: 'RA', status: BAD });
    router.send('eth0', syn);
    expect(router.state).toBe('new');
  });

  it('are looked at before what routing found is said, and not where it drops by itself', () => {
    const unreachable = lab({ routes: ['unreachable 10.9.0.0/16'] });
    expect(unreachable.send('eth0', { ...syn, to: '10.9.1.1:80', status: BAD })).toBe('martian');
    expect(unreachable.send('eth0', { ...syn, to: '10.9.1.1:80' })).toBe('unreachable');
    const strict = lab({ sysctls: { 'eth0.rp_filter': 1 } });
    expect(strict.send('eth0', { ...syn, from: '10.0.0.20:5', status: BAD })).toBe('dropped-by-reverse-path');
  });

  it('are not said to end a packet of which it is not known whether the source check drops it before', () => {
    const unknown = lab({ known: { routeTables4: new Set([255]) }, sysctls: { 'eth0.rp_filter': 1 } });
    expect(unknown.send('eth0', { ...syn, to: '10.9.1.1:80', status: BAD })).toMatch(/^undetermined: .*table 254/);
  });

  it('are the source routes where the router does not follow them', () => {
    const off = lab({ sysctls: { 'all.accept_source_route': 0, 'eth0.accept_source_route': 1 } });
    expect(off.send('eth0', { ...syn, status: ROUTED })).toBe('martian');
    const on = lab({ sysctls: { 'all.accept_source_route': 1, 'eth0.accept_source_route': 1 } });
    expect(on.send('eth0', { ...syn, status: ROUTED })).toMatch(/^undetermined: .* source route/);
    on.send('eth2', synAck);
    expect(on.result()).toMatch(/^undetermined|^eth0/);
    const unknown = lab({ sysctls: { 'eth0.accept_source_route': 1 } });
    expect(unknown.send('eth0', { ...syn, status: ROUTED })).toMatch(/^undetermined: .*accept_source_route/);
  });

  it('are not known of security labels', () => {
    expect(lab().send('eth0', { ...syn, status: BAD | Status.sourceRoute })).toMatch(/^undetermined: .*CIPSO/);
  });
});

describe('a transport header that is short or lies', () => {
  it('is INVALID, whatever entry there is, and leaves that alone', () => {
    const router = lab();
    router.send('eth0', syn);
    router.send('eth2', { ...synAck, status: Status.malformed });
    expect(router.state).toBe('invalid');
    router.send('eth0', ack);
    expect(router.state).toBe('invalid');
    router.send('eth2', synAck);
    expect(router.state).toBe('established');
  });
});

describe('rules that look at a transport header cut short', () => {
  const MARKED = {
    mangle: ['-A PREROUTING -p tcp -m tcp --dport 80 -j MARK --set-xmark 0x1/0xffffffff'],
  };
  const short: PacketParts = { ...syn, short: 12 };

  it('drop the packet in legacy iptables', () => {
    expect(
      new Lab({ links: ['eth0 192.168.0.254/24', 'eth2 10.0.0.254/24'], rulesets: [ruleset(MARKED, 'legacy')] }).send(
        'eth0',
        short,
      ),
    ).toBe('dropped-by-rule');
  });

  it('do so or not in the nft variant, and what is not known of it says nothing of the connection', () => {
    const router = new Lab({
      links: ['eth0 192.168.0.254/24', 'eth2 10.0.0.254/24'],
      rulesets: [ruleset(MARKED, 'nft')],
    });
    expect(router.send('eth0', short)).toMatch(/^undetermined: .* transport header cut short/);
  });
});
