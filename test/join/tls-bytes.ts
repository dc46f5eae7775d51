/** TLS as bytes, laid out field by field. */
import { layOut } from '../wire/frame-bytes.ts';

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A record: content type, version 1.2, length, body. `length` lies where it is given. */
export function record(type: number, body: Uint8Array, length = body.length): Uint8Array {
  return concat(layOut([1, type], [2, 0x0303], [2, length]), body);
}

export const CHANGE_CIPHER_SPEC = record(20, new Uint8Array([1]));
export const alert = (level: number, description: number): Uint8Array =>
  record(21, new Uint8Array([level, description]));
/** An encrypted record of so many bytes. */
export const encrypted = (length: number): Uint8Array => record(23, new Uint8Array(length).fill(0xee));

/** A handshake message: type, length, body. `length` lies where it is given. */
export function message(type: number, body: Uint8Array, length = body.length): Uint8Array {
  return concat(layOut([1, type], [1, length >>> 16], [2, length & 0xffff]), body);
}

function extension(type: number, body: Uint8Array): Uint8Array {
  return concat(layOut([2, type], [2, body.length]), body);
}

function withLength(body: Uint8Array): Uint8Array {
  return concat(layOut([2, body.length]), body);
}

/** Version, random, no session, one cipher suite, no compression, the name asked for. */
export function clientHello(serverName?: string): Uint8Array {
  const name = serverName === undefined ? new Uint8Array(0) : bytes(serverName);
  const list = withLength(concat(layOut([1, 0], [2, name.length]), name));
  return message(
    1,
    concat(
      layOut([2, 0x0303]),
      new Uint8Array(32),
      layOut([1, 0], [2, 2], [2, 0x1301], [1, 1], [1, 0]),
      serverName === undefined ? new Uint8Array(0) : withLength(extension(0, list)),
    ),
  );
}

/** With `version` 0x0304 by the supported_versions extension, as TLS 1.3 has it. */
export function serverHello(version: number, cipher = 0x1301): Uint8Array {
  const extensions =
    version === 0x0304 ? withLength(extension(43, layOut([2, 0x0304]))) : withLength(new Uint8Array(0));
  return message(
    2,
    concat(layOut([2, Math.min(version, 0x0303)]), new Uint8Array(32), layOut([1, 0], [2, cipher], [1, 0]), extensions),
  );
}

/** A Certificate message of TLS up to 1.2. */
export function certificateMessage(...certificates: readonly Uint8Array[]): Uint8Array {
  const list = concat(
    ...certificates.map((der) => concat(layOut([1, der.length >>> 16], [2, der.length & 0xffff]), der)),
  );
  return message(11, concat(layOut([1, list.length >>> 16], [2, list.length & 0xffff]), list));
}

export const SERVER_HELLO_DONE = message(14, new Uint8Array(0));
