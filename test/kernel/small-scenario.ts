/** A router small enough to know what it does without asking. */
import { frameHex, interfaceMac, type PacketWords, packetBytes } from './frame.ts';
import type { Scenario, ScenarioFrame } from './scenario.ts';

function frame(ingress: number, words: Partial<PacketWords>): ScenarioFrame {
  const packet = packetBytes({
    source: '192.168.0.10',
    destination: '10.0.0.10',
    protocol: 'tcp',
    sourcePort: 40_000,
    destinationPort: 22,
    flags: 0x02,
    identification: 1,
    ...words,
  });
  return { in: ingress, hex: frameHex(ingress, packet), label: '' };
}

/** Redirects port 3389 to 172.16.0.1 by mark 7, drops port 80, checks the sources of eth1 strictly, has no default route. */
export function loopScenario(): Scenario {
  const addresses = ['192.168.0.254/24', '172.16.0.254/24', '10.0.0.254/24'];
  return {
    profile: 'small',
    interfaces: addresses.map((address, index) => ({
      name: `eth${index}`,
      mac: interfaceMac(index),
      addresses: [address],
    })),
    sysctls: { 'net/ipv4/conf/eth1/rp_filter': '1' },
    dropPolicies: [],
    rules: [
      { variant: 'nft', table: 'mangle', chain: 'PREROUTING', text: '-p tcp --dport 3389 -j MARK --set-mark 7' },
      { variant: 'nft', table: 'mangle', chain: 'PREROUTING', text: '-p tcp --dport 80 -j DROP' },
    ],
    sets: [],
    commands: ['rule add pref 10 fwmark 7 lookup 100', 'route add default via 172.16.0.1 dev eth1 table 100'],
    frames: [
      frame(0, {}),
      frame(0, { destinationPort: 3389 }),
      frame(0, { destinationPort: 80 }),
      frame(0, { destination: '192.168.0.254' }),
      frame(1, {}),
      // In this order: the kernel gives the source no second error at once.
      frame(0, { destination: '8.8.8.8' }),
      frame(0, { ttl: 1 }),
      frame(0, { badChecksum: 'network' }),
    ],
  };
}
