import { readUint16 } from '../wire/bytes.ts';

/** An alert of one side. */
export interface TlsAlert {
  readonly by: 'SPS' | 'SPP';
  /** `unknown_ca`; absent where it was encrypted. */
  readonly name?: string;
  readonly fatal: boolean;
  readonly afterCertificate: boolean;
}

/** What a handshake shows to somebody who watches it. */
export interface TlsHandshake {
  /** `TLS 1.2`, absent where no ServerHello was seen. */
  readonly version?: string;
  /** The host name that the client asked for. */
  readonly serverName?: string;
  /** The server's certificates as DER, its own first; empty where none is visible. */
  readonly certificates: readonly Uint8Array[];
  /** `encrypted`: with TLS 1.3 it is not visible. `none`: the server sent none (a resumed session), or it is not in the capture. */
  readonly certificate: 'visible' | 'encrypted' | 'none';
  readonly alerts: readonly TlsAlert[];
  /** Whether the client went on: it sent a request after the handshake. Then it had nothing against the certificate. */
  readonly clientWentOn: boolean;
  /** What could not be read, and why. */
  readonly notes: readonly string[];
}

const Record = { changeCipherSpec: 20, alert: 21, handshake: 22, applicationData: 23 } as const;
const Message = { clientHello: 1, serverHello: 2, certificate: 11 } as const;
const RECORD_HEADER = 5;
const MESSAGE_HEADER = 4;
/** Ref: RFC 5246 section 6.2.3: 2^14 bytes and at most 2048 more for what encryption adds. */
const MAX_RECORD = 2 ** 14 + 2048;
const RANDOM_LENGTH = 32;
const EXTENSION_SERVER_NAME = 0;
const EXTENSION_SUPPORTED_VERSIONS = 43;
const MAX_CERTIFICATES = 10;
const VERSIONS: ReadonlyMap<number, string> = new Map([
  [0x0300, 'SSL 3.0'],
  [0x0301, 'TLS 1.0'],
  [0x0302, 'TLS 1.1'],
  [0x0303, 'TLS 1.2'],
  [0x0304, 'TLS 1.3'],
]);
/** TLS_AES_128_CCM_8_SHA256 has the only short tag. Ref: RFC 8446 appendix B.4 */
const CCM_8 = 0x1305;
const AES_256_GCM_SHA384 = 0x1302;
/** Ref: RFC 8446 section 6, RFC 5246 section 7.2 */
const ALERTS: ReadonlyMap<number, string> = new Map([
  [0, 'close_notify'],
  [10, 'unexpected_message'],
  [20, 'bad_record_mac'],
  [21, 'decryption_failed'],
  [22, 'record_overflow'],
  [40, 'handshake_failure'],
  [41, 'no_certificate'],
  [42, 'bad_certificate'],
  [43, 'unsupported_certificate'],
  [44, 'certificate_revoked'],
  [45, 'certificate_expired'],
  [46, 'certificate_unknown'],
  [47, 'illegal_parameter'],
  [48, 'unknown_ca'],
  [49, 'access_denied'],
  [50, 'decode_error'],
  [51, 'decrypt_error'],
  [70, 'protocol_version'],
  [71, 'insufficient_security'],
  [80, 'internal_error'],
  [86, 'inappropriate_fallback'],
  [90, 'user_canceled'],
  [100, 'no_renegotiation'],
  [109, 'missing_extension'],
  [110, 'unsupported_extension'],
  [112, 'unrecognized_name'],
  [113, 'bad_certificate_status_response'],
  [115, 'unknown_psk_identity'],
  [116, 'certificate_required'],
  [120, 'no_application_protocol'],
]);

interface TlsRecord {
  readonly type: number;
  readonly body: Uint8Array;
  /** As the header says; longer than the body where the rest is missing. */
  readonly length: number;
}

interface Side {
  readonly records: readonly TlsRecord[];
  /** Handshake messages in the clear, in order. */
  readonly messages: readonly { readonly type: number; readonly body: Uint8Array }[];
  readonly notes: readonly string[];
}

/**
 * Reads what both directions of a connection to SPP's HTTPS port begin with. Never throws: what is cut, lies about its length or is no TLS
 * is said in the notes, and what was read before it holds. Undefined where neither direction holds a byte.
 */
export function readTlsHandshake(client: Uint8Array, server: Uint8Array): TlsHandshake | undefined {
  if (client.length === 0 && server.length === 0) return undefined;
  const ofClient = readSide(client, 'SPS');
  const ofServer = readSide(server, 'SPP');
  const notes = [...ofClient.notes, ...ofServer.notes];
  const hello = ofServer.messages.find((message) => message.type === Message.serverHello);
  const serverHello = hello === undefined ? undefined : readServerHello(hello.body);
  if (hello !== undefined && serverHello === undefined) notes.push("SPP's ServerHello is malformed");
  const clientHello = ofClient.messages.find((message) => message.type === Message.clientHello);
  const serverName = clientHello === undefined ? undefined : readServerName(clientHello.body);
  const isTls13 = serverHello?.version === 0x0304;
  const message = ofServer.messages.find((item) => item.type === Message.certificate);
  const certificates = message === undefined || isTls13 ? [] : readCertificates(message.body, notes);
  const afterCertificate = message !== undefined || isTls13;
  const client13 = isTls13 ? judgeClient13(ofClient.records, serverHello.cipher) : undefined;
  return {
    ...(serverHello !== undefined && {
      version: VERSIONS.get(serverHello.version) ?? `version 0x${serverHello.version.toString(16)}`,
    }),
    ...(serverName !== undefined && { serverName }),
    certificates,
    certificate: isTls13 ? 'encrypted' : certificates.length > 0 ? 'visible' : 'none',
    alerts: [
      ...(client13?.rejected === true ? [{ by: 'SPS', fatal: true, afterCertificate: true } as const] : []),
      ...clearAlerts(ofClient, 'SPS', afterCertificate),
      ...clearAlerts(ofServer, 'SPP', afterCertificate),
    ],
    // Without the ServerHello an encrypted record may be anything: with TLS 1.3 the end of the handshake looks like a request.
    clientWentOn:
      client13?.wentOn ??
      (serverHello !== undefined && ofClient.records.some((record) => record.type === Record.applicationData)),
    notes,
  };
}

/**
 * With TLS 1.3 even alerts are encrypted, but not their length: two bytes, a content type and the tag are too short for any message of a
 * handshake. So a client whose first encrypted record is that short gave up. A Finished has the one length that the cipher suite's hash gives
 * it; a longer record than an alert behind it is a request. Where it is not found (a client that packs messages into one record, or pads),
 * nothing is said: what SPS sends with a certificate of its own must not be taken for a request.
 * Ref: RFC 8446 sections 4.4.4, 5.2 and 6
 */
function judgeClient13(records: readonly TlsRecord[], cipher: number): { rejected: boolean; wentOn: boolean } {
  const tag = cipher === CCM_8 ? 8 : 16;
  const alertLength = 2 + 1 + tag;
  const finishedLength = MESSAGE_HEADER + (cipher === AES_256_GCM_SHA384 ? 48 : 32) + 1 + tag;
  const lengths = records.filter((record) => record.type === Record.applicationData).map((record) => record.length);
  const finished = lengths.indexOf(finishedLength);
  return {
    rejected: lengths[0] === alertLength,
    wentOn: finished >= 0 && lengths.slice(finished + 1).some((length) => length > alertLength),
  };
}

function readSide(bytes: Uint8Array, name: string): Side {
  const records: TlsRecord[] = [];
  const notes: string[] = [];
  for (let at = 0; at + RECORD_HEADER <= bytes.length; ) {
    const type = bytes[at]!;
    const length = readUint16(bytes, at + 3);
    const isTls = type >= Record.changeCipherSpec && type <= 24 && bytes[at + 1] === 3 && length <= MAX_RECORD;
    if (!isTls) {
      notes.push(
        records.length === 0
          ? `what ${name} sent is not TLS`
          : `what ${name} sent is not TLS any more after ${at} bytes`,
      );
      break;
    }
    const body = bytes.subarray(at + RECORD_HEADER, Math.min(at + RECORD_HEADER + length, bytes.length));
    records.push({ type, body, length });
    at += RECORD_HEADER + length;
  }
  const { messages, note } = readMessages(records);
  if (note !== undefined) notes.push(`${name}: ${note}`);
  return { records, messages, notes };
}

/** Handshake messages up to where encryption begins; they may be spread over records, and several may be in one. */
function readMessages(records: readonly TlsRecord[]): { messages: Side['messages']; note?: string } {
  const clear: Uint8Array[] = [];
  for (const record of records) {
    if (record.type === Record.changeCipherSpec || record.type === Record.applicationData) break;
    if (record.type === Record.handshake) clear.push(record.body);
  }
  const bytes = new Uint8Array(clear.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of clear) {
    bytes.set(part, offset);
    offset += part.length;
  }
  const messages: { type: number; body: Uint8Array }[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (at + MESSAGE_HEADER > bytes.length) return { messages, note: 'a handshake message is cut off' };
    const length = bytes[at + 1]! * 0x1_0000 + readUint16(bytes, at + 2);
    const end = at + MESSAGE_HEADER + length;
    if (end > bytes.length) {
      const there = bytes.length - at - MESSAGE_HEADER;
      return { messages, note: `a handshake message of ${length} bytes is not whole: ${there} of them are there` };
    }
    messages.push({ type: bytes[at]!, body: bytes.subarray(at + MESSAGE_HEADER, end) });
    at = end;
  }
  return { messages };
}

/** Version, random, session, cipher suite, compression, extensions. Ref: RFC 8446 section 4.1.3 */
function readServerHello(body: Uint8Array): { version: number; cipher: number } | undefined {
  const session = 2 + RANDOM_LENGTH;
  if (session >= body.length) return undefined;
  const cipherAt = session + 1 + body[session]!;
  if (cipherAt + 3 > body.length) return undefined;
  const chosen = extensionOf(body, cipherAt + 3, EXTENSION_SUPPORTED_VERSIONS);
  const version = chosen !== undefined && chosen.length === 2 ? readUint16(chosen, 0) : readUint16(body, 0);
  return { version, cipher: readUint16(body, cipherAt) };
}

/** The host name of a ClientHello. Ref: RFC 6066 section 3 */
function readServerName(body: Uint8Array): string | undefined {
  let at = 2 + RANDOM_LENGTH;
  if (at >= body.length) return undefined;
  at += 1 + body[at]!;
  if (at + 2 > body.length) return undefined;
  at += 2 + readUint16(body, at);
  if (at >= body.length) return undefined;
  at += 1 + body[at]!;
  const list = extensionOf(body, at, EXTENSION_SERVER_NAME);
  if (list === undefined || list.length < 5 || list[2] !== 0) return undefined;
  const name = String.fromCharCode(...list.subarray(5, 5 + Math.min(readUint16(list, 3), 253)));
  return /^[A-Za-z0-9_.-]+$/.test(name) ? name : undefined;
}

/** The body of an extension; `at` is where the length of all of them stands. Undefined where it is not there. */
function extensionOf(body: Uint8Array, at: number, wanted: number): Uint8Array | undefined {
  if (at + 2 > body.length) return undefined;
  const end = Math.min(at + 2 + readUint16(body, at), body.length);
  for (let item = at + 2; item + 4 <= end; ) {
    const length = readUint16(body, item + 2);
    if (item + 4 + length > end) return undefined;
    if (readUint16(body, item) === wanted) return body.subarray(item + 4, item + 4 + length);
    item += 4 + length;
  }
  return undefined;
}

/** The list of a Certificate message, before TLS 1.3. Ref: RFC 5246 section 7.4.2 */
function readCertificates(body: Uint8Array, notes: string[]): Uint8Array[] {
  const certificates: Uint8Array[] = [];
  const length24 = (at: number): number => body[at]! * 0x1_0000 + readUint16(body, at + 1);
  const end = body.length >= 3 ? 3 + length24(0) : 0;
  if (end !== body.length) {
    notes.push("SPP's list of certificates lies about its length");
    return certificates;
  }
  for (let at = 3; at < end && certificates.length < MAX_CERTIFICATES; ) {
    const next = at + 3 <= end ? at + 3 + length24(at) : end + 1;
    if (next > end) {
      notes.push("one of SPP's certificates lies about its length");
      return certificates;
    }
    certificates.push(body.subarray(at + 3, next).slice());
    at = next;
  }
  return certificates;
}

/** Alerts before encryption; later ones are told by nothing but their type, and a close_notify looks like any. */
function clearAlerts(side: Side, by: 'SPS' | 'SPP', afterCertificate: boolean): TlsAlert[] {
  const alerts: TlsAlert[] = [];
  for (const record of side.records) {
    if (record.type === Record.changeCipherSpec || record.type === Record.applicationData) break;
    if (record.type !== Record.alert || record.body.length !== 2 || record.length !== 2) continue;
    const [level, description] = record.body;
    if (description === 0) continue;
    alerts.push({ by, name: ALERTS.get(description!) ?? `alert ${description}`, fatal: level === 2, afterCertificate });
  }
  return alerts;
}
