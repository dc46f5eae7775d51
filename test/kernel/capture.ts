/** Writes the injected frames as pcapng, as a recorder on the router would. */
import type { RecordedScenario } from './scenario.ts';

function block(type: number, body: Buffer): Buffer {
  const padded = pad(body);
  const out = Buffer.alloc(padded.length + 12);
  out.writeUInt32LE(type, 0);
  out.writeUInt32LE(out.length, 4);
  padded.copy(out, 8);
  out.writeUInt32LE(out.length, out.length - 4);
  return out;
}

function pad(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}

function option(code: number, value: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16LE(code, 0);
  head.writeUInt16LE(value.length, 2);
  return Buffer.concat([head, pad(value)]);
}

function words(...values: readonly number[]): Buffer {
  const out = Buffer.alloc(values.length * 4);
  values.forEach((value, index) => {
    out.writeUInt32LE(value >>> 0, index * 4);
  });
  return out;
}

/** One section; each interface has its name and nanoseconds. Ref: draft-ietf-opsawg-pcapng. */
export function captureBytes(recorded: RecordedScenario): Buffer {
  const blocks = [block(0x0a0d0d0a, words(0x1a2b3c4d, 1, 0xffffffff, 0xffffffff))];
  for (const { name } of recorded.interfaces) {
    const options = [option(2, Buffer.from(name)), option(9, Buffer.from([9])), words(0)];
    blocks.push(block(1, Buffer.concat([words(1, 262_144), ...options])));
  }
  recorded.frames.forEach((frame, index) => {
    const bytes = Buffer.from(frame.hex, 'hex');
    const time = BigInt(recorded.answers[index]!.time);
    const head = words(frame.in, Number(time >> 32n), Number(time & 0xffffffffn), bytes.length, bytes.length);
    blocks.push(block(6, Buffer.concat([head, pad(bytes)])));
  });
  return Buffer.concat(blocks);
}
