import { describe, expect, it } from 'vitest';
import { DEFAULT_RULES, Lab, type PacketParts, type RouterParts } from './builders.ts';

/** Rules are drawn from these; `?` stands for a match that is not modelled. */
const MANGLE = [
  '-A PREROUTING ? -j MARK --set-xmark 0x1/0x1',
  '-A PREROUTING ? -j MARK --set-xmark 0x2/0x3',
  '-A PREROUTING ? -j CONNMARK --set-xmark 0x1/0xffffffff',
  '-A PREROUTING -p tcp -m tcp --syn ? -j CONNMARK --set-xmark 0x3/0x2',
  '-A PREROUTING -m connmark --mark 0x1/0x1 -j MARK --set-xmark 0x1/0x1',
  '-A PREROUTING -m connmark ! --mark 0x1 ? -j MARK --set-xmark 0x4/0x4',
  '-A PREROUTING -m mark --mark 0x1/0x1 ? -j CONNMARK --save-mark',
  '-A PREROUTING -j CONNMARK --restore-mark --nfmask 0x3 --ctmask 0x3',
  '-A PREROUTING ? -j u',
  '-A PREROUTING ? -g u',
  '-A PREROUTING ? -j RETURN',
  '-A PREROUTING -m conntrack --ctstate INVALID ? -j DROP',
  '-A PREROUTING -m conntrack --ctstate NEW -j MARK --set-xmark 0x8/0x8',
  '-A u -m mark --mark 0x8/0x8 ? -j RETURN',
  '-A u ? -j MARK --set-xmark 0x1/0x1',
  '-A u -j CONNMARK --save-mark --nfmask 0x1 --ctmask 0x1',
  '-A POSTROUTING ? -j CONNMARK --set-xmark 0x2/0x2',
];
const FILTER = [
  '-A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT',
  '-A FORWARD -m conntrack --ctstate INVALID -j DROP',
  '-A FORWARD ? -j DROP',
  '-A FORWARD -p tcp -m tcp --syn ? -j DROP',
  '-A FORWARD -p tcp ? -j REJECT --reject-with tcp-reset',
  '-A FORWARD -m connmark --mark 0x2/0x2 ? -j DROP',
  '-A FORWARD -m mark --mark 0x0 ? -j ACCEPT',
];
const RAW = [
  '-A PREROUTING -p tcp -m tcp --syn ? -j DROP',
  '-A PREROUTING ? -j NOTRACK',
  '-A PREROUTING -i eth1 ? -j DROP',
];
const PACKETS: readonly (readonly [string, PacketParts])[] = ['S', 'A', 'AP', 'FA', 'RA'].flatMap((flags) => {
  const c = '192.168.0.10:40000';
  const s = '10.0.0.10:3389';
  return [
    ['eth0', { from: c, to: s, flags, sequence: 1, acknowledgement: flags === 'S' ? 0 : 1 }],
    ['eth2', { from: s, to: c, flags: flags === 'S' ? 'SA' : flags, sequence: 1, acknowledgement: 2 }],
    ['eth1', { from: c, to: s, flags, sequence: 1, acknowledgement: flags === 'S' ? 0 : 1 }],
  ] as const;
});
const SYSCTLS = ['eth0.rp_filter', 'all.src_valid_mark', 'eth1.rp_filter'];

/** A small generator of numbers below a bound, the same for the same seed. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

describe('what is said of a router with unknowns holds for every router that it could be', () => {
  const rounds = 200;
  it(`${rounds} random routers, each against 6 that have no unknowns`, () => {
    let determined = 0;
    let packets = 0;
    for (let round = 0; round < rounds; round++) {
      const random = generator(round * 7919 + 1);
      const draw = (pool: readonly string[], count: number): string[] =>
        Array.from({ length: count }, () => {
          const text = pool[random(pool.length)]!;
          return random(2) === 0 ? text.replace('? ', '') : text;
        });
      const mangle = [':u -', ...draw(MANGLE, 3 + random(6))];
      const filter = [...(random(4) === 0 ? [':FORWARD DROP'] : []), ...draw(FILTER, random(4))];
      const raw = draw(RAW, random(2));
      const missing = SYSCTLS.filter(() => random(4) === 0);
      const router = (resolve: (text: string) => string[], parts: Partial<RouterParts>): Lab =>
        new Lab({
          links: ['eth0 192.168.0.254/24', 'eth1 172.16.0.254/24', 'eth2 10.0.0.254/24'],
          tables: { raw: raw.flatMap(resolve), mangle: mangle.flatMap(resolve), filter: filter.flatMap(resolve) },
          rules: [
            DEFAULT_RULES[0]!,
            '100: from all fwmark 0x1/0x1 lookup 103',
            '101: from all fwmark 0x2/0x2 lookup 104',
            DEFAULT_RULES[1]!,
          ],
          routes: ['default via 172.16.0.1 dev eth1 table 103', 'default via 172.16.0.2 dev eth1 table 104'],
          ...parts,
        });
      const unknown = router((text) => [text.replace('?', '-m set').replace('  ', ' ')], { without: missing });
      const possible = Array.from({ length: 6 }, () =>
        router((text) => (text.includes('? ') && random(2) === 0 ? [] : [text.replace('? ', '')]), {
          sysctls: Object.fromEntries(missing.map((key) => [key, random(key.includes('rp_filter') ? 3 : 2)])),
        }),
      );
      let at = 1000;
      for (let step = 0; step < 14; step++) {
        const [ingress, packet] = PACKETS[random(PACKETS.length)]!;
        at += random(5) === 0 ? 70 : 1;
        const said = unknown.send(ingress, { ...packet, at });
        packets++;
        const is = possible.map((lab) => lab.send(ingress, { ...packet, at }));
        if (said.startsWith('undetermined')) continue;
        determined++;
        expect({ round, step, is: [...new Set(is)] }).toEqual({ round, step, is: [said] });
      }
    }
    // The test would say nothing if all were undetermined.
    expect(determined / packets).toBeGreaterThan(0.3);
  });

  it('explaining a packet changes nothing and ends where the decision did', () => {
    for (let round = 0; round < 100; round++) {
      const random = generator(round * 104_729 + 3);
      const mangle = [
        ':u -',
        ...Array.from({ length: 5 }, () => MANGLE[random(MANGLE.length)]!.replace('?', '-m set')),
      ];
      const filter = Array.from({ length: 2 }, () =>
        FILTER[random(FILTER.length)]!.replace('?', random(2) === 0 ? '-m set' : '-p tcp'),
      );
      const parts: RouterParts = {
        links: ['eth0 192.168.0.254/24', 'eth1 172.16.0.254/24', 'eth2 10.0.0.254/24'],
        tables: { mangle, filter, nat: ['-A POSTROUTING -o eth2 -j MASQUERADE'] },
        rules: [DEFAULT_RULES[0]!, '100: from all fwmark 0x1/0x1 lookup 103', DEFAULT_RULES[1]!],
        routes: ['default via 172.16.0.1 dev eth1 table 103'],
        without: ['eth0.rp_filter'],
      };
      const plain = new Lab(parts);
      const explained = new Lab(parts);
      for (let step = 0; step < 12; step++) {
        const [ingress, packet] = PACKETS[random(PACKETS.length)]!;
        const said = plain.send(ingress, packet);
        expect({ round, step, said: explained.send(ingress, packet) }).toEqual({ round, step, said });
        const walk = explained.forwarder.explainLast();
        expect(explained.forwarder.explainLast()).toEqual(walk);
        const last = walk.steps.at(-1)!;
        const end = last.kind === 'end' ? last : undefined;
        const text = end?.disposition === 'forwarded' ? `${end.egress} ${end.nextHop}` : end?.disposition;
        expect(said.startsWith('undetermined') ? 'undetermined' : said).toBe(text);
      }
    }
  });
});
