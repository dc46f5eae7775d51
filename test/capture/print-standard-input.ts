/** Started by the test: reads the capture on standard input, prints what came, and ends as its argument says. */
import { openCaptureSet } from '../../src/capture/open-capture.ts';
import { PacketBatch } from '../../src/wire/packet-batch.ts';

try {
  const mode = process.argv[2];
  const inputs = mode === 'twice' ? [{ path: '-' }, { path: '-' }] : [{ path: '-' }];
  const captures = await openCaptureSet(inputs, mode === 'first' ? { reorderWindow: 0 } : {});
  const batch = new PacketBatch(100);
  let count = 0;
  while (await captures.next(batch)) {
    count += batch.length;
    if (mode === 'first') break;
  }
  const problems = captures.problems().map(({ code }) => code);
  await captures.close();
  process.stdout.write(`${JSON.stringify({ count, problems, progress: captures.progress() })}\n`);
  if (mode === 'first') process.exit(0);
} catch (error) {
  process.stdout.write(`${String(error)}\n`);
}
