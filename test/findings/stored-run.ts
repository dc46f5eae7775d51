import { expect } from 'vitest';
import type { Report } from '../../src/report/report.ts';
import type { StatedIntent } from '../../src/verification/intent.ts';
import type { Remedy } from '../../src/verification/router.ts';
import { verify } from '../../src/verify.ts';
import { inputsOf, intentOf, routerOf, storedScenario } from '../scenarios/stored-scenario.ts';

export interface StoredRun {
  /** On the stored router, before it is asked. */
  readonly commands?: Remedy;
  /** Another scenario, whose capture predates the router's configuration. */
  readonly plainCaptureOf?: string;
  readonly intent?: Partial<StatedIntent>;
}

/** The stored capture of a scenario, judged by its stored router after some commands; or what would become of plain traffic then. */
export async function judged(name: string, options: StoredRun = {}): Promise<Report> {
  const { commands = [], plainCaptureOf, intent = {} } = options;
  const scenario = storedScenario(name);
  const { router, sources } = routerOf(scenario);
  const altered = commands.length === 0 ? router : router.altered(commands);
  expect(altered, commands.join('\n')).toBeDefined();
  const inputs = inputsOf(storedScenario(plainCaptureOf ?? name), 'merged');
  const whatIf = plainCaptureOf !== undefined;
  return verify(inputs, altered!, { ...intentOf(scenario), ...intent }, { whatIf, sources });
}
