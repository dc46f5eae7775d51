/** Counts of a run, by profile, and how they are printed. */
import type { RoundResult } from './worker.ts';

export interface Total {
  scenarios: number;
  packets: number;
  undetermined: number;
  disagreements: number;
  unsteady: number;
  refused: number;
  /** Scenarios that the command line tool was asked about, too. */
  throughFrontDoor: number;
  seconds: number;
  readonly reasons: Map<string, number>;
}

const none = (): Total => ({
  scenarios: 0,
  packets: 0,
  undetermined: 0,
  disagreements: 0,
  unsteady: 0,
  refused: 0,
  throughFrontDoor: 0,
  seconds: 0,
  reasons: new Map(),
});

const COLUMNS = [
  'scenarios',
  'packets',
  'undetermined',
  'disagreements',
  'unsteady',
  'refused',
  'by CLI',
  'seconds',
] as const;
const NAME_WIDTH = 16;

export class Totals {
  readonly sum = none();
  readonly #byProfile: ReadonlyMap<string, Total>;

  constructor(profiles: readonly string[]) {
    this.#byProfile = new Map(profiles.map((name) => [name, none()]));
  }

  add(result: RoundResult): void {
    for (const total of [this.sum, this.#byProfile.get(result.profile)!]) {
      if (result.refused === undefined) total.scenarios++;
      else total.refused++;
      total.packets += result.packets;
      total.undetermined += result.undetermined;
      total.disagreements += result.disagreements;
      total.unsteady += result.unsteady;
      total.throughFrontDoor += result.throughFrontDoor ? 1 : 0;
      total.seconds += result.milliseconds / 1000;
      for (const [reason, count] of result.reasons) total.reasons.set(reason, (total.reasons.get(reason) ?? 0) + count);
    }
  }

  /** A line for each profile, and one for all. Seconds are those of the processes together. */
  table(): string {
    const lines = [...this.#byProfile, ['all', this.sum] as const].map(([name, total]) => line(name, cells(total)));
    return `\n${line('profile', COLUMNS)}${lines.join('')}`;
  }

  /** Why packets were undetermined, the most frequent first: over all profiles, or for each. */
  reasons(each: boolean): string {
    if (!each) return listed(this.sum, '  ');
    return [...this.#byProfile]
      .filter(([, total]) => total.undetermined > 0)
      .map(([name, total]) => `${name}: ${share(total)} undetermined\n${listed(total, '  ')}`)
      .join('');
  }
}

function cells(total: Total): string[] {
  const { scenarios, packets, disagreements, unsteady, refused, throughFrontDoor, seconds } = total;
  return [scenarios, packets, share(total), disagreements, unsteady, refused, throughFrontDoor, seconds.toFixed(1)].map(
    String,
  );
}

function share(total: Total): string {
  return `${((100 * total.undetermined) / Math.max(total.packets, 1)).toFixed(2)} %`;
}

function line(name: string, texts: readonly string[]): string {
  const padded = texts.map((text, index) => text.padStart(Math.max(COLUMNS[index]!.length, 8)));
  return `${[name.padEnd(NAME_WIDTH), ...padded].join(' ')}\n`;
}

function listed(total: Total, indent: string): string {
  const reasons = [...total.reasons].sort((a, b) => b[1] - a[1]).slice(0, 8);
  return reasons.map(([reason, count]) => `${indent}undetermined ${count}: ${reason}\n`).join('');
}
