/** Makes a failing case smaller while it fails in the same way. */
import type { Case } from './cases.ts';

const MOST_RUNS = 400;
const MOST_MILLISECONDS = 30_000;

/** `fails` tells whether a smaller case still fails as the first did. */
export async function shrink(item: Case, fails: (smaller: Case) => Promise<boolean>): Promise<Case> {
  const started = performance.now();
  let runs = 0;
  let best = item;
  const attempt = async (smaller: Case): Promise<boolean> => {
    if (runs >= MOST_RUNS || performance.now() - started > MOST_MILLISECONDS) return false;
    runs++;
    if (!(await fails(smaller))) return false;
    best = smaller;
    return true;
  };
  for (let index = best.argv.length - 1; index > 0; index--) {
    if (best.argv[index]?.startsWith('--') === true) {
      await attempt({ ...best, argv: best.argv.filter((_, at) => at !== index) });
    }
  }
  for (const name of item.files.keys()) {
    const rest = new Map(best.files);
    rest.delete(name);
    await attempt({ ...best, files: rest });
  }
  for (const name of [...best.files.keys()].sort((a, b) => size(best, a) - size(best, b))) {
    await shrinkFile(name, cutIntoParts, () => best, attempt);
    if (size(best, name) < 2000) await shrinkFile(name, cutIntoBytes, () => best, attempt);
  }
  return best;
}

function size(item: Case, name: string): number {
  return item.files.get(name)?.length ?? 0;
}

/** Leaves out half of the parts, then quarters, and so on. */
async function shrinkFile(
  name: string,
  cut: (bytes: Buffer) => Buffer[],
  best: () => Case,
  attempt: (smaller: Case) => Promise<boolean>,
): Promise<void> {
  let parts = cut(best().files.get(name) ?? Buffer.alloc(0));
  for (let length = Math.ceil(parts.length / 2); length >= 1; length = length === 1 ? 0 : Math.ceil(length / 2)) {
    for (let at = 0; at < parts.length; ) {
      const fewer = [...parts.slice(0, at), ...parts.slice(at + length)];
      const files = new Map(best().files).set(name, Buffer.concat(fewer));
      if (await attempt({ ...best(), files })) parts = fewer;
      else at += length;
    }
  }
}

/** Lines of a text, records of a capture. */
function cutIntoParts(bytes: Buffer): Buffer[] {
  if (bytes.length > 12 && bytes.readUInt32LE(0) === 0x0a0d_0d0a) {
    return cutByLength(bytes, 0, (at) => bytes.readUInt32LE(at + 4));
  }
  if (bytes.length > 24 && [0xa1b2_c3d4, 0xa1b2_3c4d].includes(bytes.readUInt32LE(0))) {
    return cutByLength(bytes, 24, (at) => (at + 16 <= bytes.length ? bytes.readUInt32LE(at + 8) + 16 : 16));
  }
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(10, at);
    const next = end < 0 ? bytes.length : end + 1;
    parts.push(bytes.subarray(at, next));
    at = next;
  }
  return parts;
}

function cutByLength(bytes: Buffer, begin: number, lengthAt: (at: number) => number): Buffer[] {
  const parts = begin === 0 ? [] : [bytes.subarray(0, begin)];
  for (let at = begin; at < bytes.length; ) {
    const length = at + 8 <= bytes.length ? lengthAt(at) : bytes.length - at;
    const next = length < 8 || at + length > bytes.length ? bytes.length : at + length;
    parts.push(bytes.subarray(at, next));
    at = next;
  }
  return parts;
}

function cutIntoBytes(bytes: Buffer): Buffer[] {
  return Array.from(bytes, (byte) => Buffer.from([byte]));
}
