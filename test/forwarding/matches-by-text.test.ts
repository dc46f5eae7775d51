/** Matches that are read from a router's text, about packets of which something is odd or not known. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseDevice } from '../../src/dialects/index.ts';
import { LinkDestination, Status } from '../../src/wire/packet-batch.ts';
import { Lab, type PacketParts } from './builders.ts';

const STATE = readFileSync(join('captures', 'seed-own-address', 'router', 'router.txt'), 'utf8');

/** The seed's router with these rules alone in mangle PREROUTING, in front of one that shows whether the packet got there. */
function lab(rules: readonly string[], change: (text: string) => string = (text) => text): Lab {
  const lines = rules.map((rule) => `-A PREROUTING ${rule}\n`).join('');
  const text = change(
    STATE.replace(/### nft list ruleset\n[\s\S]*?(?=### ip rule show)/, '')
      .replaceAll(/^-A .*\n/gm, '')
      .replace('COMMIT\n', `${lines}COMMIT\n`),
  );
  const device = parseDevice([{ path: 'router.txt', text }]);
  if (device.kind !== 'linux') throw new Error('the seed is a Linux router');
  expect(device.problems.filter(({ code }) => code === 'RV302' || code === 'RV303')).toEqual([]);
  return new Lab(device);
}

const SYN: PacketParts = { from: '192.168.0.10:40000', to: '10.0.0.10:3389', flags: 'S', mac: 0x020000000001 };

/** `yes`, `no`, or `?` where it is not known whether the match holds. */
function holds(match: string, packet: Partial<PacketParts> = {}, change?: (text: string) => string): string {
  const router = lab([`${match} -j DROP`], change);
  const result = router.send('eth0', { ...SYN, ...packet });
  return result === 'dropped-by-rule' ? 'yes' : result.startsWith('undetermined') ? '?' : 'no';
}

describe('the MAC address of the sender', () => {
  const match = '-m mac --mac-source 02:00:00:00:00:01';
  it('decides where it is known', () => {
    expect(holds(match)).toBe('yes');
    expect(holds(match, { mac: 0x020000000002 })).toBe('no');
    expect(holds(`-m mac ! --mac-source 02:00:00:00:00:01`)).toBe('no');
    expect(holds(match, { mac: 0 })).toBe('no');
  });
  it('is unknown where the capture has no MAC addresses', () => {
    expect(holds(match, { mac: -1 })).toBe('?');
    expect(holds(`-m mac ! --mac-source 02:00:00:00:00:01`, { mac: -1 })).toBe('?');
  });
});

describe('the type of a packet on the link', () => {
  const types = ['unicast', 'broadcast', 'multicast'] as const;
  const sent = {
    unicast: { linkDestination: LinkDestination.host },
    broadcast: { linkDestination: LinkDestination.broadcast },
    multicast: { linkDestination: LinkDestination.multicast },
  };
  it.each(types)('%s', (type) => {
    for (const asked of types) {
      expect(holds(`-m pkttype --pkt-type ${asked}`, sent[type])).toBe(asked === type ? 'yes' : 'no');
      expect(holds(`-m pkttype ! --pkt-type ${asked}`, { ...sent[type], to: '192.168.0.254:22' })).toBe(
        asked === type ? 'no' : 'yes',
      );
    }
  });
  it('is unicast where it is not told, and the frame has a MAC address of somebody', () => {
    const unknown = { linkDestination: LinkDestination.unknown };
    for (const destinationMac of [0, 0x020000000009]) {
      expect(holds('-m pkttype --pkt-type unicast', { ...unknown, destinationMac })).toBe('yes');
      expect(holds('-m pkttype --pkt-type broadcast', { ...unknown, destinationMac })).toBe('no');
    }
    expect(holds('-m pkttype --pkt-type unicast', unknown)).toBe('?');
    expect(holds('-m pkttype --pkt-type multicast', unknown)).toBe('?');
    expect(
      holds('-m pkttype --pkt-type unicast', { linkDestination: LinkDestination.broadcast, destinationMac: 5 }),
    ).toBe('no');
  });
});

describe('what the match of the reverse path asks', () => {
  const noRoutes = (text: string): string => text.replace(/### ip route show table all\n(?:(?!###).*\n)*/, '');
  it('is the route to the source', () => {
    expect(holds('-m rpfilter')).toBe('yes');
    expect(holds('-m rpfilter --invert')).toBe('no');
    expect(holds('-m rpfilter', { from: '10.0.0.77:5' })).toBe('no');
    expect(holds('-m rpfilter --loose', { from: '10.0.0.77:5' })).toBe('yes');
    expect(holds('-m rpfilter --invert', { from: '10.0.0.77:5' })).toBe('yes');
  });
  it('is unknown where tables are', () => {
    expect(holds('-m rpfilter', { from: '8.8.8.8:5' }, noRoutes)).toBe('?');
    expect(holds('-m rpfilter --invert', { from: '8.8.8.8:5' }, noRoutes)).toBe('?');
  });
});

describe('sets', () => {
  it('of which the members are not given are unknown', () => {
    const created = (text: string): string =>
      `### ipset save\ncreate a hash:ip family inet\nadd a 192.168.0.10\n${text}`;
    expect(holds('-m set --match-set a src', {}, created)).toBe('yes');
    expect(holds('-m set ! --match-set a src', {}, created)).toBe('no');
    expect(holds('-m set --match-set a dst', {}, created)).toBe('no');
  });
});

describe('what a connection is known by', () => {
  const packet: Partial<PacketParts> = { from: '192.168.0.10:40000', to: '10.0.0.10:3389' };
  it.each([
    ['--ctproto tcp', 'yes'],
    ['--ctproto udp', 'no'],
    ['! --ctproto tcp', 'no'],
    ['--ctorigsrc 192.168.0.10', 'yes'],
    ['--ctorigsrc 192.168.0.0/24', 'yes'],
    ['--ctorigsrc 10.0.0.10', 'no'],
    ['! --ctorigsrc 10.0.0.10', 'yes'],
    ['--ctorigdst 10.0.0.10', 'yes'],
    ['--ctorigdst 192.168.0.10', 'no'],
    ['--ctreplsrc 10.0.0.10', 'yes'],
    ['--ctreplsrc 192.168.0.10', 'no'],
    ['--ctrepldst 192.168.0.10', 'yes'],
    ['--ctrepldst 10.0.0.10', 'no'],
    ['--ctorigsrcport 40000', 'yes'],
    ['--ctorigsrcport 3389', 'no'],
    ['--ctorigdstport 3389', 'yes'],
    ['--ctorigdstport 40000', 'no'],
    ['--ctreplsrcport 3389', 'yes'],
    ['--ctreplsrcport 40000', 'no'],
    ['--ctrepldstport 40000', 'yes'],
    ['--ctrepldstport 3389', 'no'],
    ['--ctorigdstport 3000:3389', 'yes'],
    ['--ctorigdstport 3390:4000', 'no'],
    ['--ctdir ORIGINAL', 'yes'],
    ['--ctdir REPLY', 'no'],
    ['--ctstatus NONE', 'no'],
    ['--ctstatus SEEN_REPLY', 'no'],
    ['! --ctstatus ASSURED', 'yes'],
    ['--ctstatus CONFIRMED', 'no'],
  ])('-m conntrack %s', (match, want) => {
    const router = lab([`-d 10.0.0.10/32 -p tcp -m conntrack ${match} -j DROP`]);
    // Another entry comes first.
    router.send('eth0', { ...SYN, protocol: 'udp', from: '192.168.0.99:53', to: '10.0.0.99:54' });
    const result = router.send('eth0', { ...SYN, ...packet });
    expect(result === 'dropped-by-rule' ? 'yes' : result.startsWith('undetermined') ? '?' : 'no').toBe(want);
  });
});

describe('the status of a connection', () => {
  it.each([
    ['SEEN_REPLY', [false, true, true]],
    ['ASSURED', [false, false, true]],
    ['CONFIRMED', [false, true, true]],
    ['EXPECTED', [false, false, false]],
  ] as const)('%s', (status, want) => {
    const router = lab([`-p tcp -m conntrack --ctstatus ${status} -j MARK --set-xmark 0x5/0xffffffff`]);
    const [there, back] = [
      { from: '192.168.0.10:40000', to: '10.0.0.10:80' },
      { from: '10.0.0.10:80', to: '192.168.0.10:40000' },
    ];
    const sent = [
      ['eth0', { ...there, flags: 'S', sequence: 1000 }],
      ['eth2', { ...back, flags: 'SA', sequence: 5000, acknowledgement: 1001 }],
      ['eth0', { ...there, flags: 'A', sequence: 1001, acknowledgement: 5001 }],
    ] as const;
    const marked = sent.map(([ingress, packet]) => {
      router.send(ingress, packet);
      return router.mark === 5;
    });
    expect(marked).toEqual(want);
  });
});

describe('chains in chains', () => {
  it('go on behind each jump where they came from', () => {
    const steps = ['1', '2', '4', '8', '16', '32', '64'];
    const mark = (bit: string): string =>
      `-j MARK --set-xmark 0x${Number(bit).toString(16)}/0x${Number(bit).toString(16)}`;
    const text = (state: string): string =>
      state.replace(
        'COMMIT\n',
        `:a - [0:0]\n:b - [0:0]\n:c - [0:0]\n:d - [0:0]\n-A a ${mark(steps[1]!)}\n-A a -j b\n-A a ${mark(steps[5]!)}\n-A b ${mark(steps[2]!)}\n-A b -j c\n-A b ${mark(steps[4]!)}\n-A c -j d\n-A c ${mark(steps[3]!)}\n-A c -j RETURN\n-A c -j DROP\n-A d -j RETURN\nCOMMIT\n`,
      );
    const router = lab([mark(steps[0]!), '-j a', mark(steps[6]!)], text);
    expect(router.send('eth0', SYN)).not.toBe('dropped-by-rule');
    expect(router.mark).toBe(127);
  });
});

describe('damaged and odd packets', () => {
  it('cut in front of the ports, and whole', () => {
    const router = lab(['-p tcp -m tcp --dport 3389 -j DROP']);
    expect(router.send('eth0', { ...SYN, short: 3, status: Status.cut })).toMatch(/^undetermined: the capture cut/);
    expect(router.send('eth0', SYN)).toBe('dropped-by-rule');
  });
  it('that came in nobody knows where', () => {
    expect(lab([]).send('eth99', SYN)).toMatch(/^undetermined: the interface/);
  });
});

describe('the type of an address', () => {
  const own: Partial<PacketParts> = { to: '192.168.0.254:3389' };
  it('is that on every interface, or on the one that it came in by', () => {
    expect(holds('-m addrtype --dst-type LOCAL', own)).toBe('yes');
    expect(holds('-m addrtype --dst-type LOCAL --limit-iface-in', own)).toBe('yes');
    expect(holds('-m addrtype --dst-type UNICAST --limit-iface-in', own)).toBe('no');
    expect(holds('-m addrtype --dst-type LOCAL --limit-iface-in', { to: '10.0.0.254:3389' })).toBe('no');
    expect(holds('-m addrtype --dst-type UNICAST --limit-iface-in', { to: '10.0.0.254:3389' })).toBe('yes');
    expect(holds('-m addrtype --dst-type BROADCAST --limit-iface-in', { to: '192.168.0.255:3389' })).toBe('yes');
    expect(holds('-m addrtype --dst-type UNICAST', { to: '10.0.0.10:3389' })).toBe('yes');
    expect(holds('-m addrtype --dst-type MULTICAST', { to: '224.0.0.5:3389' })).toBe('yes');
  });
});
