import { formatEndpoint, type Words } from '../net/ip-address.ts';
import { formatIpProtocol } from '../net/ip-protocol.ts';
import type { JudgedConnection } from '../verification/judged.ts';
import type { ConnectionReport, DirectionReport, Verdict } from './report.ts';

/** Equal parts that are remembered. */
const MOST_REMEMBERED = 10_000;

/** Makes the reports of connections. Equal parts of them are one object: where a million are listed, few of them differ. */
export class ConnectionReports {
  readonly #directions = new Map<string, DirectionReport>();
  readonly #servers = new Map<string, string>();

  of(item: JudgedConnection, verdict: Verdict, findings: readonly string[]): ConnectionReport {
    const { connection, session } = item;
    const { family } = connection;
    return {
      id: connection.id,
      protocol: formatIpProtocol(connection.protocol),
      client: formatEndpoint({ family, words: connection.client }, connection.clientPort),
      server: this.#serverOf(family, connection.server, connection.serverPort),
      leg: item.leg,
      ...(session !== undefined && { session }),
      verdict,
      clientToServer: this.#directionOf(item, true),
      serverToClient: this.#directionOf(item, false),
      findings,
    };
  }

  #serverOf(family: 4 | 6, words: Words, port: number): string {
    return remembered(this.#servers, `${words.join()}/${port}/${family}`, () =>
      formatEndpoint({ family, words }, port),
    );
  }

  #directionOf(item: JudgedConnection, toServer: boolean): DirectionReport {
    const counts = { viaSps: 0, bypassed: 0, dropped: 0, looped: 0, undetermined: 0 };
    let packets = 0;
    let observed = 0;
    let probes = toServer ? item.probes.toServer : item.probes.toClient;
    for (const way of item.ways) {
      if (way.path.toServer !== toServer) continue;
      if (way.path.synthetic) {
        probes += way.count.packets;
        continue;
      }
      packets += way.count.packets;
      counts[way.category] += way.count.packets;
      observed += way.count.observed.reduce((sum, egress) => sum + egress.packets, 0);
    }
    const { viaSps, bypassed, dropped, looped, undetermined } = counts;
    const key = `${viaSps}/${bypassed}/${dropped}/${looped}/${undetermined}/${observed}/${probes}`;
    return remembered(this.#directions, key, () => ({
      packets,
      ...counts,
      observed,
      probes,
      basis: packets === 0 ? 'synthesized' : probes === 0 ? 'captured' : 'mixed',
    }));
  }
}

function remembered<Value>(known: Map<string, Value>, key: string, make: () => Value): Value {
  const value = known.get(key) ?? make();
  if (known.size < MOST_REMEMBERED) known.set(key, value);
  return value;
}
