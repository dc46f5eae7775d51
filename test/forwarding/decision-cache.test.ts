import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCaptureSet } from '../../src/capture/open-capture.ts';
import { parseDevice } from '../../src/dialects/index.ts';
import { DecisionBatch, DISPOSITIONS } from '../../src/forwarding/decision.ts';
import type { Forwarder } from '../../src/forwarding/forwarder.ts';
import { createLinuxForwarder } from '../../src/forwarding/linux/linux-forwarder.ts';
import type { LinuxDevice } from '../../src/model/linux-device.ts';
import type { Router } from '../../src/verification/router.ts';
import { trace } from '../../src/verification/trace.ts';
import { verify } from '../../src/verify.ts';
import { PacketBatch } from '../../src/wire/packet-batch.ts';
import { inputsOf, intentOf, routerOf, storedScenarios } from '../scenarios/stored-scenario.ts';
import { Lab, type PacketParts, putPacket } from './builders.ts';

const SEED_STATE = readFileSync(join('captures', 'seed-own-address', 'router', 'router.txt'), 'utf8');
const SET_UPS = 100;
const PACKETS = 120;

/** The same router, which decides about every packet anew. */
function withoutMemory(router: Router): Router {
  return { ...router, forwarder: (options) => router.forwarder({ ...options, remembersDecisions: false }) };
}

/** xorshift32: the same numbers for the same seed. Ref: Marsaglia 2003 */
class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = Math.imul(seed + 1, 0x9e3779b1);
  }

  below(count: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % count;
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)]!;
  }
}

const MATCHES = [
  '',
  '-i eth0',
  '! -i eth1',
  '-s 192.168.0.0/25',
  '-d 10.0.0.10/32',
  '-p tcp -m tcp --dport 3389',
  '-p tcp -m tcp --tcp-flags SYN,RST,ACK,FIN SYN',
  '-p tcp -m tcp --tcp-flags PSH PSH',
  '-p udp -m udp --dport 53',
  '-m ttl --ttl-lt 64',
  '-m ttl --ttl-eq 64',
  '-m length --length 0:100',
  '-m length --length 500:1400',
  '-m tos --tos 0x10/0x3f',
  '-m mac --mac-source 02:00:c0:a8:00:0a',
  '-m conntrack --ctstate NEW',
  '-m conntrack --ctstate RELATED,ESTABLISHED',
  '-m conntrack --ctstatus SEEN_REPLY',
  '-m conntrack --ctdir REPLY',
  '-m connmark --mark 0x1',
  '-m connmark --mark 0x2/0x2',
  '-m mark --mark 0x1',
  '-m statistic --mode random --probability 0.5',
  '-m addrtype --dst-type LOCAL',
  '-m rpfilter',
];
const TARGETS = [
  'ACCEPT',
  'RETURN',
  'MARK --set-xmark 0x1/0xffffffff',
  'MARK --set-xmark 0x4/0x4',
  'CONNMARK --set-xmark 0x1/0xffffffff',
  'CONNMARK --set-xmark 0x2/0x2',
  'CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff',
  'CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff',
  'TTL --ttl-dec 1',
  'TOS --set-tos 0x10/0x3f',
  'DROP',
];
const POLICY_RULES = [
  '100:\tfrom all tos 0x10 lookup scb',
  '101:\tfrom all ipproto udp lookup scb',
  '102:\tfrom 192.168.0.128/25 lookup scb',
];
const NAT = [
  '-A POSTROUTING -o eth2 -j MASQUERADE',
  '-A PREROUTING -d 10.0.0.99/32 -j DNAT --to-destination 10.0.0.10',
  '-A POSTROUTING -o eth1 -j SNAT --to-source 172.16.0.200',
];

/** The seed's router with some random rules, and now and then others of its settings. */
function setUp(dice: Dice): LinuxDevice {
  const chains = ['PREROUTING', 'PREROUTING', 'FORWARD', 'POSTROUTING'];
  const rules = Array.from({ length: dice.below(7) }, () => {
    const chain = dice.pick(chains);
    const fits = MATCHES.filter((match) => chain === 'PREROUTING' || !/rpfilter|-i eth|mac-source/.test(match));
    return `-A ${chain} ${dice.pick(fits)} -j ${dice.pick(TARGETS)}\n`;
  });
  const raw =
    dice.below(4) === 0
      ? `*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A PREROUTING ${dice.pick(['-p udp', '-m ttl --ttl-eq 63', '-i eth2', '-m length --length 700:800'])} -j ${dice.pick(['NOTRACK', 'DROP', 'MARK --set-xmark 0x1/0xffffffff'])}\nCOMMIT\n`
      : '';
  const nat =
    dice.below(3) === 0
      ? `*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n${dice.pick(NAT)}\nCOMMIT\n`
      : '';
  const policy = dice.below(3) === 0 ? `${dice.pick(POLICY_RULES)}\n` : '';
  let text = SEED_STATE.replace(/### nft list ruleset\n[\s\S]*?(?=### ip rule show)/, '')
    .replace('COMMIT\n', `${rules.join('')}COMMIT\n${nat}${raw}`)
    .replace('32765:', `${policy}32765:`);
  if (dice.below(3) === 0) text = text.replace('net.ipv4.conf.eth1.rp_filter = 0', 'net.ipv4.conf.eth1.rp_filter = 1');
  if (dice.below(6) === 0) text = text.replace(/net.ipv4.conf.(all|eth2).rp_filter = 0\n/g, '');
  const device = parseDevice([{ path: 'router.txt', text }]);
  if (device.kind !== 'linux') throw new Error('the seed is a Linux router');
  expect(device.problems.filter(({ code }) => code === 'RV302' || code === 'RV303')).toEqual([]);
  return device;
}

interface Ends {
  readonly client: string;
  readonly server: string;
  sent: number;
  answered: number;
}

const FLOWS: readonly (readonly [client: string, server: string])[] = [
  ['192.168.0.10:40000', '10.0.0.10:3389'],
  ['192.168.0.200:40001', '10.0.0.10:3389'],
  ['192.168.0.10:40002', '10.0.0.99:22'],
  ['172.16.0.1:50000', '10.0.0.10:3389'],
  ['192.168.0.10:5353', '10.0.0.10:53'],
];

/** Packets of some connections that go on for long, with what rules tell apart changing now and then. */
function* traffic(dice: Dice): Generator<{ readonly ingress: string; readonly packet: PacketParts }> {
  const flows = FLOWS.map(([client, server]): Ends => ({ client, server, sent: 1000, answered: 9000 }));
  for (let index = 0; index < PACKETS; index++) {
    const flow = flows[index < 3 * flows.length ? index % flows.length : dice.below(flows.length)]!;
    const isUdp = flow.server.endsWith(':53');
    const phase = Math.floor(index / flows.length);
    const isReply = phase === 1 || (phase > 2 && dice.below(2) === 0);
    const payload = dice.pick([0, 0, 60, 700, 1400]);
    const opening = ['S', 'SA', 'A'][phase];
    const flags = opening ?? dice.pick(['A', 'A', 'A', 'A', 'PA', 'PA', 'A', dice.pick(['FA', 'R', 'S', 'SA'])]);
    const length = opening === undefined || isUdp ? payload : 0;
    const side = flow.client.startsWith('172') ? 'eth1' : 'eth0';
    yield {
      ingress: dice.below(40) === 0 ? 'eth1' : isReply ? 'eth2' : side,
      packet: {
        from: isReply ? flow.server : flow.client,
        to: isReply ? flow.client : flow.server,
        protocol: isUdp ? 'udp' : 'tcp',
        flags,
        sequence: (isReply ? flow.answered : flow.sent) + (dice.below(30) === 0 ? 1_000_000 : 0),
        acknowledgement: isReply ? flow.sent : flow.answered,
        payload: length,
        length: 40 + length,
        ttl: dice.pick([64, 64, 64, 64, 63, 128, 2, 1]),
        tos: dice.pick([0, 0, 0, 0x10]),
        mac: dice.pick([0x0200c0a8000a, 0x0200c0a8000a, 0x0200ac100001, -1]),
        linkDestination: dice.pick([1, 1, 1, 1, 1, 0, 2]),
        at: 1000 + index * dice.pick([0.01, 0.02]) + (index > 100 ? 400 : 0),
      },
    };
    const step = length + (/[SF]/.test(flags) ? 1 : 0);
    if (isReply) flow.answered += step;
    else flow.sent += step;
  }
}

/** What a forwarder says of a packet, as far as it says it to anybody. */
function answerOf(forwarder: Forwarder, decisions: DecisionBatch): unknown {
  const { record: _, recordStamp: __, capacity: ___, ...columns } = decisions;
  const said = Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, [...(column as Uint8Array)]]));
  return { ...said, walk: forwarder.explainLast() };
}

describe('remembered decisions', () => {
  it('are those that would have been made, on random rules and long connections', () => {
    const batch = new PacketBatch(1);
    const [remembering, anew] = [new DecisionBatch(1), new DecisionBatch(1)];
    let taken = 0;
    for (let seed = 0; seed < SET_UPS; seed++) {
      const dice = new Dice(seed);
      const device = setUp(dice);
      const one = createLinuxForwarder(device);
      const other = createLinuxForwarder(device, { remembersDecisions: false });
      let number = 0;
      const flowOf = new Map<number, string>();
      for (const { ingress, packet } of traffic(dice)) {
        number++;
        putPacket(batch, 0, packet);
        // Set in front of netfilter, and not for all packets the same.
        const mark = seed % 5 === 0 ? dice.pick([0, 0, 1]) : 0;
        one.arriveWithMark?.(mark);
        other.arriveWithMark?.(mark);
        one.decide(batch, 0, one.interfaceIndex(ingress), remembering, 0);
        other.decide(batch, 0, other.interfaceIndex(ingress), anew, 0);
        if (remembering.record[0]! >= 0) {
          taken++;
          // What stands behind a record is said of packets of one flow that leave, of no others.
          const flow = `forwarded ${ingress} ${packet.protocol} ${packet.from} ${packet.to}`;
          const stamp = remembering.recordStamp[0]!;
          const disposition = DISPOSITIONS[remembering.disposition[0]!]!;
          const own = `${disposition} ${ingress} ${packet.protocol} ${packet.from} ${packet.to}`;
          if (!flowOf.has(stamp)) flowOf.set(stamp, flow);
          expect(own, `seed ${seed}, packet ${number}`).toBe(flowOf.get(stamp));
        }
        expect(anew.record[0]).toBe(-1);
        expect(answerOf(one, remembering), `seed ${seed}, packet ${number}`).toEqual(answerOf(other, anew));
      }
    }
    // Else this would prove nothing; and with fewer it would be slower than it was.
    expect(taken).toBeGreaterThanOrEqual(1267);
  });

  it('are of one entry, not of a later one with the same addresses, ports, flags and mark', () => {
    const router = new Lab({
      links: ['eth0 192.168.0.254/24', 'eth2 10.0.0.254/24'],
      tables: {
        nat: [
          '-A PREROUTING -m mac --mac-source 02:00:00:00:00:01 -j DNAT --to-destination 10.0.0.20',
          '-A PREROUTING -m mac --mac-source 02:00:00:00:00:02 -j DNAT --to-destination 10.0.0.30',
        ],
      },
    });
    const client = '192.168.0.10:5353';
    const session = (at: number, mac: number, server: string): string[] => {
      const request = { protocol: 'udp', from: client, to: '10.0.0.10:53' } as const;
      const ways = [router.send('eth0', { ...request, mac, at })];
      router.send('eth2', { protocol: 'udp', from: `${server}:53`, to: client, at: at + 1 });
      for (let packet = 2; packet < 5; packet++)
        ways.push(router.send('eth0', { ...request, mac: 0x020000000003, at: at + packet }));
      return ways;
    };
    expect(new Set(session(1000, 0x020000000001, '10.0.0.20'))).toEqual(new Set(['eth2 10.0.0.20']));
    expect(router.decisions.record[0]).toBeGreaterThanOrEqual(0);
    // Later than the entry lasts.
    expect(new Set(session(2000, 0x020000000002, '10.0.0.30'))).toEqual(new Set(['eth2 10.0.0.30']));
    expect(router.decisions.record[0]).toBeGreaterThanOrEqual(0);
  });

  it('give the same reports and the same traces, on every stored scenario', async () => {
    const scenarios = storedScenarios();
    expect(scenarios.length).toBeGreaterThan(50);
    for (const scenario of scenarios) {
      const { router } = routerOf(scenario);
      const stated = intentOf(scenario);
      const options = { whatIf: scenario.options['what-if'] === true, sources: [], connections: 'all' as const };
      const inputs = inputsOf(scenario, 'merged');
      const want = await verify(inputs, withoutMemory(router), stated, options);
      expect(await verify(inputs, router, stated, options), scenario.name).toEqual(want);
      if (options.whatIf) continue;
      expect(await lines(scenario, router), scenario.name).toEqual(await lines(scenario, withoutMemory(router)));
    }
  });
});

async function lines(scenario: ReturnType<typeof storedScenarios>[number], router: Router): Promise<unknown[]> {
  const captures = await openCaptureSet(inputsOf(scenario, 'merged'), {});
  const totals = { frames: 0, ingress: 0, observed: 0, ambiguous: 0, unpairedEgress: 0 };
  const found: unknown[] = [];
  try {
    for await (const frame of trace(captures, router, totals, { verifyChecksums: false, explain: () => true }))
      found.push(frame);
  } finally {
    await captures.close();
  }
  return found;
}
