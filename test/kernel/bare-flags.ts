/** Every state of a TCP connection meets a bare RST and a bare FIN, which linux-forwarding 2.11 was not measured with. */
import { frameHex, interfaceMac, packetBytes } from './frame.ts';
import type { Scenario, ScenarioFrame } from './scenario.ts';

const FLAGS = {
  SYN: 0x02,
  'SYN/ACK': 0x12,
  ACK: 0x10,
  FIN: 0x01,
  'FIN+ACK': 0x11,
  RST: 0x04,
  'RST+ACK': 0x14,
} as const;
type Flags = keyof typeof FLAGS;
type Step = readonly [sender: 'C' | 'S', flags: Flags];

const HANDSHAKE: readonly Step[] = [
  ['C', 'SYN'],
  ['S', 'SYN/ACK'],
  ['C', 'ACK'],
];
const CLOSED_BY_CLIENT: readonly Step[] = [...HANDSHAKE, ['C', 'FIN+ACK']];

/** How each state is reached. */
const STATES: Readonly<Record<string, readonly Step[]>> = {
  none: [],
  SYN_SENT: HANDSHAKE.slice(0, 1),
  SYN_SENT2: [...HANDSHAKE.slice(0, 1), ['S', 'SYN']],
  SYN_RECV: HANDSHAKE.slice(0, 2),
  ESTABLISHED: HANDSHAKE,
  FIN_WAIT: CLOSED_BY_CLIENT,
  CLOSE_WAIT: [...CLOSED_BY_CLIENT, ['S', 'ACK']],
  LAST_ACK: [...CLOSED_BY_CLIENT, ['S', 'ACK'], ['S', 'FIN+ACK']],
  TIME_WAIT: [...CLOSED_BY_CLIENT, ['S', 'ACK'], ['S', 'FIN+ACK'], ['C', 'ACK']],
  CLOSE: [...HANDSHAKE, ['S', 'RST+ACK']],
};
const TESTED: readonly Step[] = (['C', 'S'] as const).flatMap((sender) =>
  (['RST', 'FIN'] as const).map((flags) => [sender, flags] as const),
);

/** What the marks of {@link bareFlagsScenario}'s rules stand for. */
export const STATE_OF_MARK: Readonly<Record<number, string>> = {
  1: 'NEW',
  2: 'ESTABLISHED',
  3: 'RELATED',
  4: 'INVALID',
};

/**
 * Marks every packet with its conntrack state. The labels of the frames that count are `STATE SENDER FLAGS`, and of those behind them,
 * an ACK from each side that shows what is left of the connection, `STATE SENDER FLAGS then SENDER`.
 */
export function bareFlagsScenario(): Scenario {
  const frames: ScenarioFrame[] = [];
  let port = 40_000;
  for (const [state, steps] of Object.entries(STATES)) {
    for (const [sender, flags] of TESTED) {
      const connection = new Connection(port++);
      for (const step of steps) frames.push(connection.frame(...step, ''));
      frames.push(connection.frame(sender, flags, `${state} ${sender} ${flags}`));
      for (const last of ['C', 'S'] as const) {
        frames.push(connection.frame(last, 'ACK', `${state} ${sender} ${flags} then ${last}`));
      }
    }
  }
  return stateMarkingScenario('made', frames);
}

/** A router that marks packets by their state. */
export function stateMarkingScenario(
  profile: string,
  frames: readonly ScenarioFrame[],
  sysctls: Scenario['sysctls'] = {},
): Scenario {
  return {
    profile,
    interfaces: ['192.168.0.254/24', '172.16.0.254/24', '10.0.0.254/24', '198.51.100.2/30'].map((address, index) => ({
      name: `eth${index}`,
      mac: interfaceMac(index),
      addresses: [address],
    })),
    sysctls,
    dropPolicies: [],
    rules: Object.entries(STATE_OF_MARK).map(([mark, state]) => ({
      variant: 'nft',
      table: 'mangle',
      chain: 'PREROUTING',
      text: `-m conntrack --ctstate ${state} -j MARK --set-mark ${mark}`,
    })),
    sets: [],
    commands: ['rule add pref 7 to 7.7.7.7 lookup main'],
    frames,
  };
}

/** Keeps the sequence numbers of both sides. */
class Connection {
  readonly #port: number;
  readonly #next = { C: 1000, S: 5000 };

  constructor(port: number) {
    this.#port = port;
  }

  frame(sender: 'C' | 'S', name: Flags, label: string): ScenarioFrame {
    const flags = FLAGS[name];
    const isClient = sender === 'C';
    const [client, server] = ['192.168.0.10', '10.0.0.10'];
    const packet = packetBytes({
      source: isClient ? client : server,
      destination: isClient ? server : client,
      protocol: 'tcp',
      sourcePort: isClient ? this.#port : 22,
      destinationPort: isClient ? 22 : this.#port,
      flags,
      sequence: this.#next[sender],
      acknowledgement: (flags & 0x10) === 0 ? 0 : this.#next[isClient ? 'S' : 'C'],
      identification: 1,
    });
    this.#next[sender] += flags & 0x03 ? 1 : 0;
    const ingress = isClient ? 0 : 2;
    return { in: ingress, hex: frameHex(ingress, packet), label };
  }
}
