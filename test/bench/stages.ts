/**
 * One stage of a run over a capture, in a process of its own: `tsx test/bench/stages.ts read|decode|decide CAPTURE STATE SITE`. Prints frames (of
 * `read` bytes), wall and processor seconds without the start, and the peak of resident memory in MiB, as JSON.
 */
import { openByteSource } from '../../src/capture/byte-source.ts';
import type { CaptureSet } from '../../src/capture/capture-set.ts';
import { openCaptureSet } from '../../src/capture/open-capture.ts';
import { prepare } from '../../src/commands/verify-files.ts';
import { DecisionBatch } from '../../src/forwarding/decision.ts';
import { Side } from '../../src/observation/vantage.ts';
import { resolveIntent } from '../../src/verification/intent.ts';
import { Senders } from '../../src/verification/senders.ts';
import { hostRoles, vantageOf } from '../../src/verification/surroundings.ts';
import { PacketBatch, Status } from '../../src/wire/packet-batch.ts';

const ROWS = 4096;
const CHUNK_BYTES = 1 << 20;

const [stage, path, state, site] = process.argv.slice(2) as [string, string, string, string];
const stages: Readonly<Record<string, () => Promise<() => Promise<number>>>> = {
  read: async () => readBytes,
  decode: async () => decodeFrames,
  decide: readyToDecide,
};
const ready = await stages[stage]!();
const used = process.cpuUsage();
const start = performance.now();
const count = await ready();
const wall = (performance.now() - start) / 1e3;
const { user, system } = process.cpuUsage(used);
const peak = Math.round(process.resourceUsage().maxRSS / 1024);
console.log(JSON.stringify({ count, wall, user: user / 1e6, system: system / 1e6, peak }));

async function readBytes(): Promise<number> {
  const source = await openByteSource(path);
  const chunk = new Uint8Array(CHUNK_BYTES);
  while ((await source.read(chunk, 0, chunk.length)) > 0);
  await source.close();
  return source.bytesRead;
}

async function decodeFrames(): Promise<number> {
  const captures = await openCaptureSet([{ path }]);
  const batch = new PacketBatch(ROWS);
  let frames = 0;
  while (await captures.next(batch)) frames += batch.length;
  await captures.close();
  return frames;
}

/** With the router's state read: every frame is placed, and every one that came in decided about. */
async function readyToDecide(): Promise<() => Promise<number>> {
  const { loaded, stated } = prepare({ captures: [path], router: [state], site });
  const { router } = loaded;
  const resolved = resolveIntent(stated, router);
  const forwarder = router.forwarder({});
  const names = forwarder.interfaceNames;
  const senders = new Senders(router, resolved.intent, (name) => names.indexOf(name), resolved.clientInterface);
  const vantage = vantageOf(router, names);
  const decisions = new DecisionBatch(1);
  const place = async (captures: CaptureSet): Promise<number> => {
    const batch = new PacketBatch(ROWS);
    let frames = 0;
    while (await captures.next(batch)) {
      if (frames === 0) {
        vantage.learn(captures.interfaces);
        vantage.tell(batch, 1, hostRoles(router, resolved, senders));
      }
      vantage.learn(captures.interfaces);
      frames += batch.length;
      for (let row = 0; row < batch.length; row++) {
        if ((batch.status[row]! & Status.ip) === 0) continue;
        vantage.place(batch, row);
        if (vantage.side === Side.ingress) forwarder.decide(batch, row, vantage.interface, decisions, 0);
      }
    }
    return frames;
  };
  return async () => {
    const captures = await openCaptureSet([{ path }]);
    const frames = await place(captures);
    await captures.close();
    return frames;
  };
}
