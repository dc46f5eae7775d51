import { describe, expect, it } from 'vitest';
import { direct, session, type Snat, Traffic } from './build-capture.ts';
import { type StateParts, Rule } from './router-state.ts';
import { codesOf, INTENT, report, SPOOFING } from './run-verify.ts';

const REPLIES: StateParts = { mangle: [Rule.replies, Rule.requests, Rule.mark] };

describe('nothing is said on a correct set-up', () => {
  it.each<{ name: string; snat: Snat; state: StateParts; connections: number }>([
    { name: 'with its own address', snat: 'own', state: {}, connections: 2 },
    { name: "with the client's address", snat: 'client', state: REPLIES, connections: 2 },
    { name: "with the client's address and port", snat: 'client-same-port', state: REPLIES, connections: 1 },
  ])('where SPS goes on $name', async ({ snat, state, connections }) => {
    const made = await report({
      capture: session(new Traffic(), { snat }),
      state,
      intent: snat === 'own' ? INTENT : SPOOFING,
    });
    expect(codesOf(made)).toEqual([]);
    expect(made.verdict).toBe('verified');
    expect(made.summary).toMatchObject({ connections, verified: connections, packets: 36, monitoredPackets: 18 });
  });

  it('where the capture predates the redirect, for either address of SPS', async () => {
    for (const [intent, state] of [
      [INTENT, {}],
      [SPOOFING, REPLIES],
    ] as const) {
      const made = await report({ capture: direct(new Traffic()), state, intent, whatIf: true });
      expect(codesOf(made)).toEqual([]);
      expect(made.verdict).toBe('verified');
      expect(made.mode).toBe('what-if');
    }
  });
});
