import type { Connection, ConnectionLog, PathCount } from '../observation/connection-log.ts';
import { Listing } from '../observation/listing.ts';
import type { Category } from './judge.ts';
import type { JudgedConnection, JudgedProbes, JudgedWay, Leg } from './judged.ts';
import type { Path, PathTable } from './path-table.ts';

const CATEGORIES: readonly Category[] = ['viaSps', 'bypassed', 'dropped', 'looped', 'undetermined'];
const LEGS: readonly Leg[] = ['client', 'server', 'both'];

/** Bits of a way: its category, who sent it, whether it is a stray. */
const CATEGORY_MASK = 7;
const SENDER_KNOWN = 8;
const FROM_SPS = 16;
const STRAY = 32;

/** Bits of a connection: its leg, then these. */
const LEG_MASK = 3;
const CLIENT_IS_ROUTER = 4;
const MAY_BE_OF_SPS = 8;
const HAS_SERVER_LEG = 16;

export const NO_PROBES: JudgedProbes = { toServer: 0, toClient: 0, problems: [], undetermined: [] };

/**
 * What is said of the connections of a log, in columns beside the log's own: some bytes a connection and one a way. {@link JudgedConnection}s
 * are made of them when they are asked for. Valid as long as nothing more comes into the log.
 */
export class JudgedRows {
  /** Those that are monitored, in the order first seen; their `id` is the position and one. */
  readonly connections = new Listing<JudgedConnection>(
    () => this.#length,
    (position) => new JudgedOfRow(this, this.#rows[position]!),
  );
  readonly log: ConnectionLog;
  readonly #paths: PathTable;
  #length = 0;
  /** Rows of the log by position. */
  readonly #rows: Int32Array;
  /** By token of the log. */
  readonly #ways: Uint8Array;
  /** By row of the log. */
  readonly #bits: Uint8Array;
  readonly #sessions: Int32Array;
  readonly #probes: Int32Array;
  /** What belongs to whoever numbers kinds of sessions. */
  readonly sessionKinds: Int32Array;
  /** By the numbers that stand in the column; equal objects once. */
  readonly #knownProbes: JudgedProbes[] = [NO_PROBES];
  readonly #numberOfProbes = new Map<JudgedProbes, number>([[NO_PROBES, 0]]);

  constructor(log: ConnectionLog, paths: PathTable) {
    this.log = log;
    this.#paths = paths;
    this.#rows = new Int32Array(log.connections.length);
    this.#ways = new Uint8Array(log.countLength);
    this.#bits = new Uint8Array(log.rowLength);
    this.#sessions = new Int32Array(log.rowLength);
    this.#probes = new Int32Array(log.rowLength);
    this.sessionKinds = new Int32Array(log.rowLength);
  }

  /** The connection in a row of the log. */
  at(row: number): JudgedConnection {
    return new JudgedOfRow(this, row);
  }

  /** Adds the connection in a row of the log as the next of those that are monitored, and gives it its id. */
  add(row: number, leg: Leg, clientIsRouter: boolean): void {
    this.#rows[this.#length++] = row;
    this.log.atRow(row).id = this.#length;
    this.#bits[row] = LEGS.indexOf(leg) | (clientIsRouter ? CLIENT_IS_ROUTER : 0);
  }

  wayBits(token: number): number {
    return this.#ways[token]!;
  }

  setWayBits(token: number, mask: number, bits: number): void {
    this.#ways[token] = (this.#ways[token]! & ~mask) | bits;
  }

  pathOf(token: number): Path {
    return this.#paths.paths[this.log.pathOf(token)]!;
  }

  bitsOf(row: number): number {
    return this.#bits[row]!;
  }

  setBit(row: number, bit: number, value: boolean): void {
    this.#bits[row] = value ? this.#bits[row]! | bit : this.#bits[row]! & ~bit;
  }

  sessionOf(row: number): number | undefined {
    const session = this.#sessions[row]!;
    return session === 0 ? undefined : session;
  }

  setSession(row: number, session: number | undefined): void {
    this.#sessions[row] = session ?? 0;
  }

  probesOf(row: number): JudgedProbes {
    return this.#knownProbes[this.#probes[row]!]!;
  }

  setProbes(row: number, probes: JudgedProbes): void {
    let number = this.#numberOfProbes.get(probes);
    if (number === undefined) {
      number = this.#knownProbes.push(probes) - 1;
      this.#numberOfProbes.set(probes, number);
    }
    this.#probes[row] = number;
  }
}

class JudgedOfRow implements JudgedConnection {
  readonly #rows: JudgedRows;
  readonly #row: number;
  #connection: Connection | undefined;
  #ways: readonly JudgedWay[] | undefined;

  constructor(rows: JudgedRows, row: number) {
    this.#rows = rows;
    this.#row = row;
  }

  get connection(): Connection {
    this.#connection ??= this.#rows.log.atRow(this.#row);
    return this.#connection;
  }

  get ways(): readonly JudgedWay[] {
    if (this.#ways !== undefined) return this.#ways;
    const { log } = this.#rows;
    const ways: JudgedWay[] = [];
    for (let token = log.firstToken(this.#row); token >= 0; token = log.nextToken(token))
      ways.push(new WayOfToken(this.#rows, token));
    this.#ways = ways;
    return ways;
  }

  get leg(): Leg {
    return LEGS[this.#rows.bitsOf(this.#row) & LEG_MASK]!;
  }

  get clientIsRouter(): boolean {
    return (this.#rows.bitsOf(this.#row) & CLIENT_IS_ROUTER) !== 0;
  }

  get mayBeOfSps(): boolean {
    return (this.#rows.bitsOf(this.#row) & MAY_BE_OF_SPS) !== 0;
  }

  set mayBeOfSps(value: boolean) {
    this.#rows.setBit(this.#row, MAY_BE_OF_SPS, value);
  }

  get hasServerLeg(): boolean {
    return (this.#rows.bitsOf(this.#row) & HAS_SERVER_LEG) !== 0;
  }

  set hasServerLeg(value: boolean) {
    this.#rows.setBit(this.#row, HAS_SERVER_LEG, value);
  }

  get session(): number | undefined {
    return this.#rows.sessionOf(this.#row);
  }

  set session(value: number | undefined) {
    this.#rows.setSession(this.#row, value);
  }

  get probes(): JudgedProbes {
    return this.#rows.probesOf(this.#row);
  }

  set probes(value: JudgedProbes) {
    this.#rows.setProbes(this.#row, value);
  }

  get sessionKind(): number {
    return this.#rows.sessionKinds[this.#row]!;
  }

  set sessionKind(value: number) {
    this.#rows.sessionKinds[this.#row] = value;
  }
}

class WayOfToken implements JudgedWay {
  readonly #rows: JudgedRows;
  readonly token: number;

  constructor(rows: JudgedRows, token: number) {
    this.#rows = rows;
    this.token = token;
  }

  get path(): Path {
    return this.#rows.pathOf(this.token);
  }

  get count(): PathCount {
    return this.#rows.log.countOf(this.token);
  }

  get fromSps(): boolean | undefined {
    const bits = this.#rows.wayBits(this.token);
    return (bits & SENDER_KNOWN) === 0 ? undefined : (bits & FROM_SPS) !== 0;
  }

  set fromSps(value: boolean | undefined) {
    const bits = value === undefined ? 0 : SENDER_KNOWN | (value ? FROM_SPS : 0);
    this.#rows.setWayBits(this.token, SENDER_KNOWN | FROM_SPS, bits);
  }

  get category(): Category {
    return CATEGORIES[this.#rows.wayBits(this.token) & CATEGORY_MASK]!;
  }

  set category(value: Category) {
    this.#rows.setWayBits(this.token, CATEGORY_MASK, CATEGORIES.indexOf(value));
  }

  get stray(): boolean {
    return (this.#rows.wayBits(this.token) & STRAY) !== 0;
  }

  set stray(value: boolean) {
    this.#rows.setWayBits(this.token, STRAY, value ? STRAY : 0);
  }
}
