import { describe, expect, it } from 'vitest';
import { Status } from '../../src/wire/packet-batch.ts';
import { Lab, type PacketParts } from './builders.ts';

const LINKS = ['eth0 192.168.0.254/24', 'eth1 172.16.0.254/24', 'eth2 10.0.0.254/24'];
const PROXY = 'eth1 172.16.0.1';
const HELD = 'held';
const GONE = 'not-forwarding';
const UNKNOWN = 'unknown';

/** Port 3389 of UDP goes to a proxy by its mark, longer packets than 1000 bytes are dropped. */
function lab(extra: { sysctls?: Record<string, number>; mtu?: number } = {}): Lab {
  return new Lab({
    links: LINKS,
    sysctls: extra.sysctls ?? {},
    rules: ['0: from all lookup 255', '100: from all fwmark 0x1 lookup 103', '32766: from all lookup 254'],
    routes: ['default via 172.16.0.1 dev eth1 table 103'],
    tables: {
      mangle: [
        '-A PREROUTING -f -j DROP',
        '-A PREROUTING -p udp --dport 3389 -j CONNMARK --set-xmark 0x1/0xffffffff',
        '-A PREROUTING ! -i eth1 -m connmark --mark 0x1 -j MARK --set-xmark 0x1/0xffffffff',
      ],
    },
  });
}

type Piece = readonly [offset: number, length: number, more: boolean, changes?: Partial<PacketParts> & { in?: string }];

/** What becomes of each piece at once, and the numbers of those that were held and whose fate is settled in the end, by whether whole. */
function send(router: Lab, pieces: readonly Piece[]): { got: string[]; whole: number[]; thrown: number[] } {
  const whole: number[] = [];
  const thrown: number[] = [];
  const got = pieces.map(([offset, length, more, changes], index) => {
    const { in: ingress = 'eth0', ...rest } = changes ?? {};
    const result = router.send(ingress, {
      protocol: 'udp',
      from: '192.168.0.10:40000',
      to: '10.0.0.10:3389',
      fragment: [offset, length, more],
      frame: index + 1,
      ...rest,
    });
    for (const settled of router.forwarder.settled!) (settled.whole ? whole : thrown).push(settled.frame);
    if (result.includes('holds the fragment')) return HELD;
    return result.startsWith('undetermined') ? UNKNOWN : result;
  });
  return { got, whole, thrown };
}

describe('fragments in front of connection tracking (8.5)', () => {
  const cases: readonly {
    name: string;
    pieces: readonly Piece[];
    want: readonly string[];
    whole?: readonly number[];
    thrown?: readonly number[];
  }[] = [
    {
      name: 'the last piece decides for all of them, by the ports of the first',
      pieces: [
        [0, 800, true],
        [800, 800, true],
        [1600, 100, false],
      ],
      want: [HELD, HELD, PROXY],
      whole: [1, 2],
    },
    {
      name: 'in whatever order, by whatever interface',
      pieces: [
        [1600, 100, false, { in: 'eth2' }],
        [0, 800, true, { in: 'eth2' }],
        [800, 800, true],
      ],
      want: [HELD, HELD, PROXY],
      whole: [1, 2],
    },
    {
      name: 'the interface is that of the last to come',
      pieces: [
        [0, 800, true],
        [800, 100, false, { in: 'eth1' }],
      ],
      want: [HELD, 'eth2 10.0.0.10'],
      whole: [1],
    },
    {
      name: 'a copy of a piece goes alone',
      pieces: [
        [0, 800, true],
        [0, 800, true],
        [800, 100, false],
      ],
      want: [HELD, GONE, PROXY],
      whole: [1],
    },
    {
      name: 'an overlap takes all with it, and the rest begins anew',
      pieces: [
        [0, 800, true],
        [792, 100, false],
        [800, 100, false],
      ],
      want: [HELD, GONE, HELD],
      thrown: [1],
    },
    {
      name: 'two ends contradict each other',
      pieces: [
        [800, 100, false],
        [800, 108, false],
        [0, 800, true],
      ],
      want: [HELD, GONE, HELD],
      thrown: [1],
    },
    {
      name: 'a piece behind the end',
      pieces: [
        [800, 100, false],
        [904, 8, true],
      ],
      want: [HELD, GONE],
      thrown: [1],
    },
    {
      name: 'a piece of nothing',
      pieces: [
        [0, 800, true],
        [800, 0, true],
      ],
      want: [HELD, GONE],
      thrown: [1],
    },
    {
      name: 'more than a packet can hold',
      pieces: [
        [0, 800, true],
        [800, 64_728, true],
        [65_528, 100, false],
      ],
      want: [HELD, HELD, GONE],
      thrown: [1, 2],
    },
    {
      name: 'congestion that only part of a datagram could have met',
      pieces: [
        [0, 800, true, { tos: 3 }],
        [800, 100, false],
      ],
      want: [HELD, GONE],
      thrown: [1],
    },
    {
      name: 'pieces of other datagrams stay apart',
      pieces: [
        [0, 800, true],
        [800, 100, false, { to: '10.0.0.11' }],
        [800, 100, false, { protocol: 'tcp' }],
      ],
      want: [HELD, HELD, HELD],
    },
    {
      name: 'what is late finds nothing left',
      pieces: [
        [0, 800, true],
        [800, 100, false, { at: 1032 }],
      ],
      want: [HELD, HELD],
      thrown: [1],
    },
    {
      name: 'whether it is late is not known to the second',
      pieces: [
        [0, 800, true],
        [800, 100, false, { at: 1030.3 }],
      ],
      want: [HELD, UNKNOWN],
    },
    {
      name: 'a piece that is cut to a multiple of eight bytes is not believed',
      pieces: [
        [0, 801, true],
        [800, 100, false],
      ],
      want: [UNKNOWN, UNKNOWN],
    },
    {
      name: 'a header in two pieces is not believed',
      pieces: [
        [8, 100, false],
        [0, 8, true, { status: Status.malformed }],
      ],
      want: [HELD, UNKNOWN],
    },
  ];
  it.each(cases)('$name', ({ pieces, want, whole = [], thrown = [] }) => {
    expect(send(lab(), pieces)).toEqual({ got: want, whole, thrown });
  });

  it('beyond the memory that the kernel gives them nothing is known', () => {
    const router = lab({ sysctls: { 'net/ipv4/ipfrag_high_thresh': 20_000 } });
    const pieces = [1, 2, 3, 4].map((host): Piece => [0, 800, true, { from: `192.168.0.${host}:1` }]);
    expect(send(router, pieces).got).toEqual([HELD, HELD, HELD, UNKNOWN]);
    expect(send(router, [[800, 100, false, { from: '192.168.0.1' }]]).got).toEqual([UNKNOWN]);
  });

  it('so many of one source between two pieces that the kernel begins anew', () => {
    const router = lab();
    const others = Array.from({ length: 64 }, (_, index): Piece => [0, 800, true, { to: `10.0.1.${index}:1` }]);
    expect(send(router, [[0, 800, true], ...others, [800, 100, false]]).got.at(-1)).toBe(UNKNOWN);
    expect(send(lab(), [[0, 800, true], ...others.slice(1), [800, 100, false]]).got.at(-1)).toBe(PROXY);
  });

  it('the connection of what may have come together is not known any more', () => {
    const router = lab();
    send(router, [
      [0, 801, true],
      [800, 100, false],
    ]);
    const answer = { protocol: 'udp', from: '10.0.0.10:3389', to: '192.168.0.10:40000' } as const;
    expect(router.send('eth2', answer)).toMatch(/^undetermined: /);
    expect(router.send('eth2', { ...answer, to: '192.168.0.10:40001' })).toBe('eth0 192.168.0.10');
  });

  const TOO_BIG = 'too-big';
  it.each<{ name: string; pieces: readonly Piece[]; want: string }>([
    {
      name: 'pieces that fit leave, whatever their sum',
      pieces: [
        [0, 1400, true],
        [1400, 800, false],
      ],
      want: PROXY,
    },
    {
      name: 'pieces that do not fit are cut again',
      pieces: [
        [0, 2000, true],
        [2000, 800, false],
      ],
      want: PROXY,
    },
    {
      name: 'where the largest must not be cut, neither must the whole',
      pieces: [
        [0, 2000, true, { status: Status.dontFragment }],
        [2000, 800, false],
      ],
      want: TOO_BIG,
    },
    {
      name: 'a smaller one that must not be cut does not matter',
      pieces: [
        [0, 2000, true],
        [2000, 800, false, { status: Status.dontFragment }],
      ],
      want: PROXY,
    },
    {
      name: 'nor does it where all fit',
      pieces: [
        [0, 1400, true, { status: Status.dontFragment }],
        [1400, 800, false, { status: Status.dontFragment }],
      ],
      want: PROXY,
    },
  ])('the MTU: $name', ({ pieces, want }) => {
    expect(send(lab(), pieces).got.at(-1)).toBe(want);
  });
});
