import { describe, expect, it } from 'vitest';
import { Disposition, DISPOSITIONS } from '../../src/forwarding/decision.ts';
import { type Category, judge } from '../../src/verification/judge.ts';
import { Hop, newPathKey } from '../../src/verification/path-table.ts';

const way = (disposition: number, hop: number) => ({ ...newPathKey(), disposition, hop });

describe('a packet that is forwarded', () => {
  it.each<{ name: string; hop: number; fromSps: boolean | undefined; want: Category }>([
    { name: 'to SPS, from a client', hop: Hop.sps, fromSps: false, want: 'viaSps' },
    { name: 'to its destination, from a client', hop: Hop.onLink, fromSps: false, want: 'bypassed' },
    { name: 'to a gateway, from a client', hop: Hop.gateway, fromSps: false, want: 'bypassed' },
    { name: 'to SPS, from SPS', hop: Hop.sps, fromSps: true, want: 'looped' },
    { name: 'to its destination, from SPS', hop: Hop.onLink, fromSps: true, want: 'viaSps' },
    { name: 'to a gateway, from SPS', hop: Hop.gateway, fromSps: true, want: 'viaSps' },
    { name: 'to SPS, from who knows', hop: Hop.sps, fromSps: undefined, want: 'undetermined' },
    { name: 'to its destination, from who knows', hop: Hop.onLink, fromSps: undefined, want: 'undetermined' },
  ])('$name is $want', ({ hop, fromSps, want }) => {
    expect(judge(way(Disposition.forwarded, hop), fromSps)).toBe(want);
  });
});

describe('a packet that is not forwarded', () => {
  it.each(DISPOSITIONS.map((name, disposition) => ({ name, disposition })).filter(({ name }) => name !== 'forwarded'))(
    '($name) is dropped, or not known, whoever sent it',
    ({ name, disposition }) => {
      for (const fromSps of [true, false, undefined])
        expect(judge(way(disposition, Hop.none), fromSps)).toBe(name === 'undetermined' ? 'undetermined' : 'dropped');
    },
  );
});
