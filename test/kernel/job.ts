/** A process that runs the rounds that run.ts gives it, with an oracle of its own. */
import { Oracle } from './oracle/oracle.ts';
import { type RunOptions, runRound } from './worker.ts';

const options = JSON.parse(process.argv[2]!) as RunOptions;
const oracle = await started();
process.on('message', (round: number) => {
  runRound(oracle, options, round).then(
    (result) => process.send!(result),
    (error: unknown) => {
      process.stderr.write(`round ${round}: ${error instanceof Error ? error.stack : String(error)}\n`);
      process.exit(70);
    },
  );
});
process.once('disconnect', () => void oracle.stop());
process.send!({ kernel: oracle.kernel });

async function started(): Promise<Oracle> {
  try {
    return await Oracle.start();
  } catch (error) {
    process.stderr.write(`test:kernel ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(2);
  }
}
