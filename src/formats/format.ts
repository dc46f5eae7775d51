import type { Evidence } from '../report/evidence.ts';
import type {
  ConnectionReport,
  DirectionReport,
  FindingKind,
  JoinCertificateReport,
  JoinReport,
  Report,
} from '../report/report.ts';
import { visible } from '../text/visible.ts';

/** A way to write a report. */
export interface Format {
  readonly name: string;
  /** The whole output, line end included. */
  readonly render: (report: Report, options: RenderOptions) => string;
  /** The same in pieces, for reports that may be longer than a string can be. */
  readonly pieces?: (report: Report) => Iterable<string>;
}

/** Characters of a piece, at least: each is written by itself. */
const LEAST_PIECE = 1 << 16;

/** Joins strings to pieces that are worth writing. */
export function* joinedPieces(texts: Iterable<string>): Generator<string> {
  let piece = '';
  for (const text of texts) {
    piece += text;
    if (piece.length < LEAST_PIECE) continue;
    yield piece;
    piece = '';
  }
  if (piece !== '') yield piece;
}

export interface RenderOptions {
  readonly color: boolean;
  readonly verbose: boolean;
  readonly quiet: boolean;
  /** Of this tool, for formats that name their producer. */
  readonly version?: string;
  /** The documentation of findings, for formats that carry it. */
  readonly kinds?: readonly FindingKind[];
  /** For formats that draw. */
  readonly evidence?: Evidence;
}

/** The same value with every string made visible: names of captures and configurations steer no terminal and no reader of XML. */
export function clean<Value>(value: Value): Value {
  if (typeof value === 'string') return visible(value) as Value;
  if (Array.isArray(value)) return value.map(clean) as Value;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, clean(item)])) as Value;
}

/** Behind a capture's name: where it was taken, unless on the router. */
export const VANTAGE_WORDS = {
  router: '',
  client: ', taken on a client',
  server: ', taken on a server',
  sps: ', taken on SPS',
  mirror: ', taken between the hosts',
} as const;

/** How SPS appears toward servers, in words. */
export const SNAT_WORDS = {
  own: 'its own address',
  client: "the client's address",
  fixed: 'a fixed address',
  unknown: 'not known',
} as const;

const URGENCY: Readonly<Record<ConnectionReport['verdict'], number>> = { failed: 0, inconclusive: 1, verified: 2 };

/** The connections with those first that somebody has to look at; in the order first seen among equals. */
export function worstFirst(connections: readonly ConnectionReport[]): ConnectionReport[] {
  return connections.toSorted((a, b) => URGENCY[a.verdict] - URGENCY[b.verdict] || a.id - b.id);
}

/** Heads of {@link connectionCells}. */
export const CONNECTION_HEADS: readonly string[] = [
  'id',
  'verdict',
  'leg',
  'session',
  'connection',
  'client→server',
  'server→client',
  'findings',
];

/** A connection as a row of a table; `noSession`: what stands where it belongs to none. */
export function connectionCells(item: ConnectionReport, noSession: string): string[] {
  return [
    `${item.id}`,
    item.verdict,
    item.leg,
    item.session === undefined ? noSession : `${item.session}`,
    `${item.protocol} ${item.client} > ${item.server}`,
    directionWords(item.clientToServer),
    directionWords(item.serverToClient),
    item.findings.join(' '),
  ];
}

/** `12 via SPS`, `1 bypassed, 11 via SPS`, `8 probes`. */
export function directionWords(direction: DirectionReport): string {
  const parts: string[] = [];
  if (direction.bypassed > 0) parts.push(`${direction.bypassed} bypassed`);
  if (direction.dropped > 0) parts.push(`${direction.dropped} dropped`);
  if (direction.looped > 0) parts.push(`${direction.looped} looped`);
  if (direction.undetermined > 0) parts.push(`${direction.undetermined} undetermined`);
  if (direction.viaSps > 0) parts.push(`${direction.viaSps} via SPS`);
  if (direction.probes > 0) parts.push(`${direction.probes} synthesized`);
  return parts.length > 0 ? parts.join(', ') : 'none';
}

/** A row for each connection that a join needs: verdict, connection, what the router does, what was seen. */
export function joinRows(join: JoinReport): string[][] {
  return join.flows.map((flow) => [
    flow.verdict,
    `${flow.client} > ${flow.server}`,
    flow.expected === undefined ? 'not known' : (flow.expectedDetail ?? flow.expected),
    flow.observed === undefined
      ? 'not tried'
      : `${flow.observed}${flow.attempts > 1 ? `, the last of ${flow.attempts}` : ''}`,
  ]);
}

/** What is known of SPP's certificate, in one line. */
export function certificateWords(seen: JoinCertificateReport): string {
  const outcome = {
    'went-on': 'SPS went on with a request, so it took the certificate',
    rejected: 'the handshake was ended with an alert',
    unknown: 'what SPS made of it is not known',
  }[seen.outcome];
  const what = {
    visible: `names ${seen.names ?? 'nothing that can be read'}${matchWords(seen)}${seen.validity === undefined ? '' : `, ${VALIDITY_WORDS[seen.validity]}`}`,
    encrypted: 'is encrypted, its names and dates cannot be seen',
    none: 'is not in the capture',
  }[seen.certificate];
  const notes = seen.notes.length > 0 ? ` (${seen.notes.join('; ')})` : '';
  return `certificate at frame ${seen.frame}, ${seen.version ?? 'TLS'}: ${what}; ${outcome}${notes}`;
}

const VALIDITY_WORDS = {
  valid: 'valid then',
  expired: 'expired',
  'not-yet': 'not valid yet',
  unreadable: 'with dates that cannot be read',
} as const;

function matchWords({ match, entered }: JoinCertificateReport): string {
  if (match === undefined) return '';
  if (match === 'none') return `, not ${entered}`;
  const by = match === 'common-name' ? 'by Common Name only, which newer clients do not look at' : 'by subjectAltName';
  return `, and so ${entered} (${by})`;
}
