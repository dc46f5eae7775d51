import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Lab } from './builders.ts';

/** direction (0 client, 1 server), flags, sequence, acknowledgement, window, scale, SACK permitted, payload, what the kernel said. */
type Recorded = readonly [number, number, number, number, number, number, number, number, number];

const STATES = ['', 'invalid', 'new', 'established', 'related'];

describe('TCP segments as Linux 6.18 judged them', () => {
  const connections = JSON.parse(
    readFileSync(new URL('./kernel-6.18-tcp.json', import.meta.url), 'utf8'),
  ) as readonly (readonly Recorded[])[];

  it(`agrees on all ${connections.length} recorded connections`, () => {
    const wrong: string[] = [];
    let packets = 0;
    connections.forEach((segments, number) => {
      const lab = new Lab({
        links: ['eth0 192.168.0.254/24', 'eth2 10.0.0.254/24'],
        tables: { mangle: ['-A PREROUTING -m conntrack --ctstate NEW'] },
      });
      segments.forEach(([direction, flags, sequence, acknowledgement, window, scale, sack, payload, state], index) => {
        const [from, to] =
          direction === 0 ? ['192.168.0.10:40000', '10.0.0.10:80'] : ['10.0.0.10:80', '192.168.0.10:40000'];
        lab.send(direction === 0 ? 'eth0' : 'eth2', {
          from: from!,
          to: to!,
          flags: [...'FSRPAUEC'].filter((_, bit) => (flags >> bit) & 1).join(''),
          sequence,
          acknowledgement,
          window,
          windowScale: scale,
          sackPermitted: sack === 1,
          payload,
        });
        packets++;
        if (lab.state !== STATES[state])
          wrong.push(`connection ${number} segment ${index}: ${lab.state}, kernel ${STATES[state]}`);
      });
    });
    expect(wrong).toEqual([]);
    expect(packets).toBeGreaterThan(2500);
  });
});
