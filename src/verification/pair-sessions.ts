import { beganBefore, type Connection } from '../observation/connection-log.ts';
import type { Listing } from '../observation/listing.ts';
import type { JudgedConnection } from './judged.ts';
import { OpenLegs } from './open-legs.ts';

/** A server leg is opened at most this long after its client leg: SPS may first ask the client who he is. */
const SESSION_WINDOW_NANOSECONDS = 30e9;

/**
 * Gives the two legs of a session the same number. A leg is paired with the oldest open client leg to the same server that precedes
 * it (with spoofing, of the same client). `hasServerLeg` then holds for every client leg with a server leg of its own; the number is only
 * given where no other client leg could have been meant. Whether the two legs of a session are seen to have ports of their own.
 */
export function pairSessions(connections: Listing<JudgedConnection>): boolean {
  const waiting = new Map<string, WaitingLegs>();
  // Of other servers nobody waits.
  const asked = new Set<string>();
  for (const item of connections) if (item.leg === 'server') asked.add(serviceOf(item.connection));
  let session = 0;
  let hasOwnPorts = false;
  for (const position of inOrderOfOpening(connections)) {
    const item = connections.at(position)!;
    if (item.clientIsRouter) continue;
    if (item.leg === 'both') {
      item.session = ++session;
      item.hasServerLeg = true;
      continue;
    }
    if (asked.size === 0) continue;
    const { connection } = item;
    const key = serviceOf(connection);
    if (!asked.has(key)) continue;
    const legs = waiting.get(key) ?? new WaitingLegs();
    waiting.set(key, legs);
    if (item.leg === 'client') {
      legs.add(connection, position);
      continue;
    }
    const found = legs.take(connection);
    if (found === undefined) continue;
    const chosen = connections.at(found.position)!;
    chosen.hasServerLeg = true;
    hasOwnPorts ||= !beganBefore(connection) || (showsOneSession(chosen, 0) && showsOneSession(item, 1));
    if (!found.isOnly) continue;
    session++;
    chosen.session = session;
    item.session = session;
  }
  return hasOwnPorts;
}

function serviceOf({ protocol, server, serverPort }: Connection): string {
  return `${protocol}/${server.join()}/${serverPort}`;
}

/** Positions, in the order of opening. Of those that began before the capture, which packet of it is the first is chance. */
function inOrderOfOpening(connections: Listing<JudgedConnection>): Uint32Array {
  const times = new Float64Array(connections.length);
  const positions = new Uint32Array(connections.length);
  let isOrdered = true;
  let position = 0;
  for (const { connection, leg } of connections) {
    const time = leg === 'client' && beganBefore(connection) ? Number.NEGATIVE_INFINITY : connection.firstTime;
    if (position > 0 && time < times[position - 1]!) isOrdered = false;
    times[position] = time;
    positions[position] = position;
    position++;
  }
  if (isOrdered) return positions;
  return positions.sort((a, b) => (times[a]! < times[b]! ? -1 : times[a]! > times[b]! ? 1 : a - b));
}

/** A client leg that waits for its server leg, in two rows: of all that wait for the server, and of those of its client. */
interface Waiting {
  readonly position: number;
  readonly firstTime: number;
  readonly lastTime: number;
  isTaken: boolean;
}

/** A client leg that was open when the capture began, with its places among all of its server's and among its client's. */
interface Begun extends Waiting {
  readonly own: OpenLegs<Begun>;
  readonly ownPlace: number;
  readonly place: number;
}

/** The client legs to one server, oldest first. */
class WaitingLegs {
  /** Opened in the capture: those that come are never older than those before. */
  readonly #all = new Row();
  readonly #ofClient = new Map<string, Row>();
  /** Open when the capture began. */
  readonly #begun = new OpenLegs<Begun>();
  readonly #begunOfClient = new Map<string, OpenLegs<Begun>>();

  add(connection: Connection, position: number): void {
    const { firstTime, lastTime } = connection;
    const client = connection.client.join();
    if (beganBefore(connection)) {
      const own = this.#begunOfClient.get(client) ?? new OpenLegs<Begun>();
      this.#begunOfClient.set(client, own);
      const [ownPlace, place] = [own.legs.length, this.#begun.legs.length];
      const begun = { position, firstTime, lastTime, isTaken: false, own, ownPlace, place };
      own.add(begun);
      this.#begun.add(begun);
      return;
    }
    const leg = { position, firstTime, lastTime, isTaken: false };
    this.#all.add(leg);
    const row = this.#ofClient.get(client) ?? new Row();
    this.#ofClient.set(client, row);
    row.add(leg);
  }

  /** The leg that a server leg belongs to, and whether it can be no other. A session that was open when the capture began has both legs from before. */
  take(server: Connection): { readonly position: number; readonly isOnly: boolean } | undefined {
    const client = server.client.join();
    if (beganBefore(server)) return this.#takeBegun(server, client);
    const { firstTime } = server;
    const own = this.#ofClient.get(client);
    const row = own?.first(firstTime) === undefined ? this.#all : own;
    const leg = row.first(firstTime);
    if (leg === undefined) return undefined;
    leg.isTaken = true;
    return { position: leg.position, isOnly: row.first(firstTime) === undefined };
  }

  #takeBegun(server: Connection, client: string): { readonly position: number; readonly isOnly: boolean } | undefined {
    const { firstTime, lastTime } = server;
    const own = this.#begunOfClient.get(client);
    const ownPlace = own?.find(firstTime, lastTime) ?? -1;
    const legs = own === undefined || ownPlace < 0 ? this.#begun : own;
    const place = legs === own ? ownPlace : legs.find(firstTime, lastTime);
    const leg = legs.legs[place];
    if (leg === undefined) return undefined;
    const isOnly = legs.find(firstTime, lastTime, place + 1) < 0;
    leg.own.take(leg.ownPlace);
    this.#begun.take(leg.place);
    return { position: leg.position, isOnly };
  }
}

/** Legs of which the oldest go first. */
class Row {
  #legs: Waiting[] = [];
  #begin = 0;

  add(leg: Waiting): void {
    // What has gone is let go of now and then.
    if (this.#begin > 1024 && this.#begin * 2 > this.#legs.length) {
      this.#legs = this.#legs.slice(this.#begin);
      this.#begin = 0;
    }
    this.#legs.push(leg);
  }

  /** The oldest that is not taken, and not too old at a time. Times that are asked for only grow. */
  first(now: number): Waiting | undefined {
    for (; this.#begin < this.#legs.length; this.#begin++) {
      const leg = this.#legs[this.#begin]!;
      if (!leg.isTaken && now - leg.firstTime < SESSION_WINDOW_NANOSECONDS) return leg;
    }
    return undefined;
  }
}

/**
 * Whether both directions of the session with SPS's client (0) or with the server (1) were captured, and nothing of the other: were they
 * one five-tuple, what SPS relays would be there, too.
 */
function showsOneSession({ connection }: JudgedConnection, session: 0 | 1): boolean {
  const isSeen = (direction: 0 | 1): boolean => connection.nextSequences[2 * session + direction]! >= 0;
  return isSeen(0) && isSeen(1) && connection.nextSequences.filter((next) => next >= 0).length === 2;
}
