import { ConntrackView } from '../forwarding/decision.ts';
import { equalIpAddress, type IpAddress } from '../net/ip-address.ts';
import { IpProtocol } from '../net/ip-protocol.ts';
import { prefixContains } from '../net/prefix.ts';
import type { Hosts } from './hosts.ts';
import type { ResolvedIntent } from './intent.ts';
import type { JudgedConnection } from './judged.ts';
import type { Replay } from './replay.ts';
import type { Router } from './router.ts';
import { isOnSpsSegment } from './senders.ts';
import { runSession, type SessionSpec } from './session.ts';

/** What the doubts of a capture rest on. */
export interface Partial {
  readonly run: Replay;
  readonly router: Router;
  readonly resolved: ResolvedIntent;
  readonly hosts: Hosts;
  /** Every interface was captured, and nothing is missing. */
  readonly complete: boolean;
  /** SPS may use the client's address and port toward servers. */
  readonly mayShareTuple: boolean;
}

/** The connection mark recipe on a segment that SPS and clients share, where a capture lacks what shows it fail. */
export const PAST_ROUTER =
  "SPS answers the client past the router, so that conntrack takes the client's packets for INVALID, which go past SPS: not all of them are in the capture";

const NOT_YET =
  "where SPS uses the client's address and port, conntrack may take packets for INVALID once both TCP connections of the session are open, which go past SPS: the capture does not show what the client sends then";

/** Whether the client was seen to go on, as it should, after the server had answered SPS: the entry of both sessions then knows both. */
function showsBothSessions({ ways }: JudgedConnection): boolean {
  const answered = Math.min(
    ...ways.filter(({ path, fromSps }) => !path.toServer && fromSps === false).map(({ count }) => count.firstTime),
  );
  return ways.some(
    ({ path, fromSps, category, count }) =>
      path.toServer && fromSps === false && category === 'viaSps' && count.lastTime > answered,
  );
}

/**
 * What may happen where a capture does not show it, and would there be a failure: packets that conntrack takes for INVALID, of which a part
 * of the capture cannot tell; directions that another SPS than the captured one may serve.
 */
export class Doubts {
  readonly #partial: Partial;
  readonly #escapes = new Map<string, boolean>();

  constructor(partial: Partial) {
    this.#partial = partial;
  }

  /** Reasons why a connection is not verified; none where the capture shows all of it. `specOf`: the session that it belongs to. */
  of(
    item: JudgedConnection,
    specOf: () => SessionSpec | undefined,
    specSharing: () => SessionSpec | undefined,
  ): string[] {
    const { complete, mayShareTuple, resolved } = this.#partial;
    const reasons: string[] = [];
    const isTcp = item.connection.protocol === IpProtocol.tcp;
    if (complete) {
      const isOpen = item.leg === 'both' && !showsBothSessions(item);
      if (isTcp && isOpen && this.#escapesSharing(specSharing())) reasons.push(NOT_YET);
      return reasons;
    }
    if (item.ways.length === 0 && item.connection.unpairedEgress > 0)
      reasons.push(
        'its packets were captured as they left the router only: where they came from, and so whether past SPS, is not known',
      );
    const spec = specOf();
    if (isTcp && spec?.clientOnSpsSegment === true && this.#escapesWhenInvalid(spec)) reasons.push(PAST_ROUTER);
    if (isTcp && mayShareTuple && this.#escapesSharing(specSharing()))
      reasons.push(
        "where SPS uses the client's address and port, conntrack may take packets for INVALID, which go past SPS: not all interfaces are in the capture, or it lacks packets",
      );
    const hasBoth = [true, false].every((toServer) => item.ways.some((way) => way.path.toServer === toServer));
    const nodes = resolved.intent.sps.filter(({ family }) => family === item.connection.family);
    if (nodes.length > 1 && !hasBoth)
      reasons.push('SPS has several addresses, and which of them serves the other direction is not in the capture');
    return reasons;
  }

  /** Nothing of it was captured where it entered, and its client is none that is monitored: SPS's leg to the server, or what passes SPS. */
  isOfUnknownClient(item: JudgedConnection): boolean {
    const { router, resolved } = this.#partial;
    const { intent } = resolved;
    if (item.leg === 'server' || item.ways.length > 0) return false;
    const client: IpAddress = { family: item.connection.family, words: item.connection.client };
    if (intent.clients.length > 0) return !intent.clients.some((clients) => prefixContains(clients, client));
    const toward = router.interfaceToward(client);
    return toward !== undefined && intent.spsInterfaces.includes(toward) && !isOnSpsSegment(router, intent, client);
  }

  #escapesSharing(spec: SessionSpec | undefined): boolean {
    return spec !== undefined && this.#escapesWhenInvalid({ ...spec, unrelatedSequences: true, serverLegOnly: false });
  }

  /** Whether with every packet seen some of the session would be INVALID, and not go where they should. */
  #escapesWhenInvalid(spec: SessionSpec): boolean {
    const { hosts } = this.#partial;
    const client = hosts.of(spec.client.family, spec.client.words);
    const server = hosts.of(spec.server.family, spec.server.words);
    const mac = client.isOneOfAKind ? 0 : hosts.classes?.ofMac(spec.clientMac);
    const areEqual = equalIpAddress(client.address, server.address);
    const key = `${spec.spoofing}/${spec.unrelatedSequences}/${spec.serverLegOnly}/${client.number}/${server.number}/${areEqual}/${spec.serverPort}/${spec.clientInterface}/${mac}`;
    const known = this.#escapes.get(key);
    if (known !== undefined) return known;
    const escapes = runSession(this.#partial.router.forwarder(), spec).some(
      (probe) => probe.category !== 'viaSps' && probe.key.conntrack === ConntrackView.invalid,
    );
    if (this.#escapes.size < 10_000) this.#escapes.set(key, escapes);
    return escapes;
  }
}
