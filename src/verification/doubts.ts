import { ConntrackView } from '../forwarding/decision.ts';
import { IpProtocol } from '../net/ip-protocol.ts';
import { prefixContains } from '../net/prefix.ts';
import type { ResolvedIntent } from './intent.ts';
import type { JudgedConnection } from './judged.ts';
import type { Replay } from './replay.ts';
import type { Router } from './router.ts';
import { runSession, type SessionSpec } from './session.ts';

/** What the doubts of a capture rest on. */
export interface Partial {
  readonly run: Replay;
  readonly router: Router;
  readonly resolved: ResolvedIntent;
  /** Every interface was captured, and nothing is missing. */
  readonly complete: boolean;
  /** SPS may use the client's address and port toward servers. */
  readonly mayShareTuple: boolean;
}

/** The connection mark recipe on a segment that SPS and clients share, where a capture lacks what shows it fail. */
export const PAST_ROUTER =
  "SPS answers the client past the router, so that conntrack takes the client's packets for INVALID, which go past SPS: not all of them are in the capture";

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

  /** Reasons why a connection is not verified; none where the capture shows all of it. `spec`: the session that it belongs to. */
  of(item: JudgedConnection, spec: SessionSpec | undefined, specSharing: SessionSpec | undefined): string[] {
    const { complete, mayShareTuple, resolved } = this.#partial;
    const reasons: string[] = [];
    if (complete) return reasons;
    if (item.ways.length === 0 && item.connection.unpairedEgress > 0)
      reasons.push(
        'its packets were captured as they left the router only: where they came from, and so whether past SPS, is not known',
      );
    const isTcp = item.connection.protocol === IpProtocol.tcp;
    const shared =
      specSharing === undefined ? undefined : { ...specSharing, unrelatedSequences: true, serverLegOnly: false };
    const besideEscapes = spec?.clientOnSpsSegment === true && this.#escapesWhenInvalid(spec);
    const sharedEscapes = mayShareTuple && shared !== undefined && this.#escapesWhenInvalid(shared);
    if (isTcp && besideEscapes) reasons.push(PAST_ROUTER);
    if (isTcp && sharedEscapes)
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
    const { intent } = this.#partial.resolved;
    const { family, client: words } = item.connection;
    return (
      item.leg !== 'server' &&
      item.ways.length === 0 &&
      intent.clients.length > 0 &&
      !intent.clients.some((clients) => prefixContains(clients, { family, words }))
    );
  }

  /** Whether with every packet seen some of the session would be INVALID, and not go where they should. */
  #escapesWhenInvalid(spec: SessionSpec): boolean {
    const key = `${spec.spoofing}/${spec.unrelatedSequences}/${spec.serverLegOnly}/${spec.client.words.join()}/${spec.server.words.join()}/${spec.serverPort}/${spec.clientInterface}`;
    const known = this.#escapes.get(key);
    if (known !== undefined) return known;
    const escapes = runSession(this.#partial.router.forwarder(), spec).some(
      (probe) => probe.category !== 'viaSps' && probe.key.conntrack === ConntrackView.invalid,
    );
    if (this.#escapes.size < 10_000) this.#escapes.set(key, escapes);
    return escapes;
  }
}
