/** The reading thread: reads, decodes and orders frames, and is a few batches ahead of who takes them. */
import { parentPort, workerData } from 'node:worker_threads';
import { InputError } from '../text/input-error.ts';
import { PacketBatch } from '../wire/packet-batch.ts';
import type { CaptureSet } from './capture-set.ts';
import { openCaptureSet } from './open-capture.ts';
import {
  BATCHES_AHEAD,
  BATCHES_TOGETHER,
  type CaptureState,
  type FilledBatch,
  type FromReader,
  type ReadAheadRequest,
  type ToReader,
} from './read-ahead-messages.ts';

const port = parentPort!;
const say = (message: FromReader): void => port.postMessage(message);
const free: number[] = [];
let batches: PacketBatch[] = [];
let toldInterfaces = 0;
let wake = (): void => {};

port.on('message', (message: ToReader) => {
  if (message.kind === 'begin') {
    batches = Array.from({ length: BATCHES_AHEAD }, () => new PacketBatch(message.rows, 'threads'));
    free.push(...batches.keys());
    say({ kind: 'batches', memory: batches.map((batch) => batch.sharedMemory) });
  } else {
    free.push(...message.batches);
  }
  wake();
});

try {
  const { inputs, options } = workerData as ReadAheadRequest;
  const captures = await openCaptureSet(inputs, options);
  say({ kind: 'opened', state: stateOf(captures) });
  let filled: FilledBatch[] = [];
  const deliver = (): void => {
    if (filled.length > 0) say({ kind: 'filled', filled });
    filled = [];
  };
  for (;;) {
    if (free.length === 0) deliver();
    while (free.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    const number = free.shift()!;
    const batch = batches[number]!;
    if (!(await captures.next(batch))) break;
    filled.push({ batch: number, length: batch.length, state: stateOf(captures) });
    if (filled.length === BATCHES_TOGETHER) deliver();
  }
  deliver();
  say({ kind: 'end', state: stateOf(captures) });
  await captures.close();
} catch (error) {
  const isInput = error instanceof InputError;
  say({ kind: 'failed', message: isInput ? error.message : String((error as Error).stack), isInput });
}
port.close();

function stateOf(captures: CaptureSet): CaptureState {
  const newInterfaces = captures.interfaces.slice(toldInterfaces);
  toldInterfaces += newInterfaces.length;
  return { files: captures.files(), problems: captures.problems(), progress: captures.progress(), newInterfaces };
}
