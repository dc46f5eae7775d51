import { ConntrackView, Disposition } from '../forwarding/decision.ts';
import type { Intent } from '../model/intent.ts';
import { beganBefore, type Connection } from '../observation/connection-log.ts';
import type { Host, Hosts } from './hosts.ts';
import { type Category, judge } from './judge.ts';
import { isOfDumpedEntry, type JudgedConnection, type JudgedWay } from './judged.ts';
import type { JudgedRows } from './judged-rows.ts';
import { legOf } from './legs.ts';
import { PacketKind } from './path-table.ts';
import type { Replay } from './replay.ts';

export interface JudgeOptions {
  readonly intent: Intent;
  readonly hosts: Hosts;
  /** The capture lacks nothing. */
  readonly complete: boolean;
  readonly whatIf: boolean;
}

/** Judges the ways of the connection in a row of the log, and adds it to `rows` where it is a monitored one. */
export function judgeConnection(row: number, rows: JudgedRows, run: Replay, options: JudgeOptions): void {
  const { intent, hosts, complete, whatIf } = options;
  const item = rows.at(row);
  const { connection, ways } = item;
  const { family } = connection;
  const client = hosts.of(family, connection.client);
  // A node that took over would be seen getting what is redirected, or announcing itself, where everything was captured.
  const seesAll = complete && run.covers;
  const server = seesAll ? undefined : hosts.of(family, connection.server);
  for (const way of ways) {
    const { path } = way;
    const isBeside = (path.toServer ? client : server)?.isOnSpsSegment === true;
    way.fromSps = path.synthetic ? true : run.senders.isSps(path.ingress, path.sourceMac, seesAll || isBeside);
    way.category = judge(path, way.fromSps);
    way.stray = false;
  }
  const loops = ways.some((way) => way.category === 'looped');
  for (const way of ways) {
    // The end of a loop is a packet whose TTL ran out.
    if (loops && way.path.disposition === Disposition.ttlExpired) way.category = 'looped';
    else if (isStray(way)) way.stray = true;
    else if (whatIf) continue;
    else if (beganBefore(connection) && !isOfDumpedEntry(way)) way.category = judgeByCopies(way, run);
    else if (way.path.conntrack === ConntrackView.invalid) judgeInvalid(way, connection, run, complete);
  }
  if (isMonitored(item, client, intent)) rows.add(row, legOf(client.isSps, ways), client.isRouters);
}

/** On an interface that faces SPS any source may be SPS's; where it turns out to be another host, the stated clients count. */
function isMonitored({ connection, ways }: JudgedConnection, client: Host, intent: Intent): boolean {
  if (connection.isRouters) return false;
  if (intent.clients.length === 0 || ways.length === 0 || ways.some((way) => way.fromSps !== false)) return true;
  return client.isClient || client.isSps;
}

/**
 * The entry of a connection that began before the capture, and its mark, are not known: what the simulation gives from there on is a
 * guess. What the copies show is not.
 */
function judgeByCopies(way: JudgedWay, run: Replay): Category {
  const { observed } = way.count;
  if (observed.length === 0 || way.fromSps === undefined) return 'undetermined';
  const toSps = observed.map(
    (egress) => run.senders.facesSps(egress.interface) && run.senders.isSpsMac(egress.destinationMac) !== false,
  );
  if (way.fromSps) return toSps.some((value) => value) ? 'looped' : 'viaSps';
  return toSps.every((value) => value) ? 'viaSps' : 'bypassed';
}

/**
 * A packet that does not fit into its connection as captured. Its copies tell whether the router took it for INVALID, too, or whether
 * packets are missing from the capture that the router saw. Without copies, only a complete capture proves anything.
 */
function judgeInvalid(way: JudgedWay, connection: Connection, run: Replay, complete: boolean): void {
  const isObserved = way.count.wasObserved;
  if (!isObserved && complete) return;
  way.category = judgeByCopies(way, run);
  // Where the end of the connection is missing from the capture, stragglers behind it look like packets of a live one.
  const mayBeLate = !complete && way.count.firstTime > connection.closingTime && way.path.kind !== PacketKind.ordinary;
  way.stray = way.category !== 'viaSps' && mayBeLate;
}

/**
 * A reset, a FIN or an empty ACK after the connection had ended, of which conntrack has no entry any more: it carries nothing, and no
 * session goes around SPS by it. In a connection that lives it is a defect of the redirect (RV510).
 */
function isStray(way: JudgedWay): boolean {
  if (way.category !== 'bypassed' || way.path.kind !== PacketKind.late) return false;
  return way.path.conntrack === ConntrackView.invalid || way.path.conntrack === ConntrackView.new;
}
