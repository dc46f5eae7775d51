/** A process that runs cases one after the other; the one that started it ends it where a case does not end. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Case, makeCase } from './cases.ts';
import { loadCorpus } from './corpus.ts';
import { judgeCase } from './judge-case.ts';

export type Order =
  | {
      readonly kind: 'range';
      readonly seed: number;
      readonly from: number;
      readonly to: number;
      readonly only?: string;
    }
  | { readonly kind: 'case'; readonly item: Case }
  | { readonly kind: 'stop' };

export type Answer =
  | { readonly kind: 'ready' }
  | {
      readonly kind: 'done';
      readonly index: number;
      readonly caseKind: string;
      readonly wrong: string | undefined;
      readonly crash: string | undefined;
      readonly status: number | null;
      readonly seconds: number;
      /** More memory was taken than before: worth a run on its own. */
      readonly isLarge: boolean;
    }
  | { readonly kind: 'range-done' };

/** So much more memory than ever before makes a case large. */
const LARGE_MEBIBYTES = 60;
const USUAL_MEBIBYTES = 350;

const [stdoutPath = ''] = process.argv.slice(2);
const scratch = mkdtempSync(join(tmpdir(), 'redirect-verify-fuzz-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));
let most = USUAL_MEBIBYTES;

async function run(item: Case, index: number): Promise<void> {
  const { wrong, outcome } = await judgeCase(item, join(scratch, 'case'), stdoutPath);
  const mebibytes = process.resourceUsage().maxRSS / 1024;
  const isLarge = mebibytes > most + LARGE_MEBIBYTES;
  most = Math.max(most, mebibytes);
  const { crash, status, seconds } = outcome;
  send({ kind: 'done', index, caseKind: item.kind, wrong, crash, status, seconds, isLarge });
}

function send(answer: Answer): void {
  process.send?.(answer);
}

const corpus = await loadCorpus();
let stopping = false;

async function obey(order: Order): Promise<void> {
  if (order.kind === 'stop') {
    stopping = true;
    process.disconnect();
    return;
  }
  if (order.kind === 'case') {
    await run({ ...order.item, files: asBuffers(order.item.files) }, -1);
    return;
  }
  for (let index = order.from; index < order.to && !stopping; index++) {
    await run(makeCase(corpus, order.seed, index, order.only), index);
    // Lets an order to stop come in.
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (!stopping) send({ kind: 'range-done' });
}

/** Bytes that came from the other process are plain arrays. */
function asBuffers(files: ReadonlyMap<string, Uint8Array>): Map<string, Buffer> {
  return new Map([...files].map(([name, bytes]) => [name, Buffer.from(bytes)]));
}

process.on('message', (order: Order) => void obey(order));
send({ kind: 'ready' });
