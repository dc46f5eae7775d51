/** Random routers and packets about connection tracking: zones, helpers, fragments, what the router answers itself. */
import fc from 'fast-check';
import type { Profile } from './generate.ts';
import { ENTRY_MATCHES } from './generate-rules.ts';

type Text = fc.Arbitrary<string>;
const one = (...values: readonly string[]): Text => fc.constantFrom(...values);

/** Targets of raw that give packets a conntrack zone. */
const ZONE_TARGETS: Text = one(
  '-j CT --zone 1',
  '-j CT --zone 1',
  '-j CT --zone 2',
  '-j CT --zone-orig 1',
  '-j CT --zone-orig 2',
  '-j CT --zone-reply 1',
  '-j CT --zone-reply 2',
  '-j CT --zone mark',
  '-j CT --zone-orig mark',
  '-j CT --zone-reply mark',
  '-j CT --zone 0',
  '-j CT --ctevents new,destroy',
  '-j CT --notrack',
  '-p tcp -j CT --helper ftp',
  '-p udp -j CT --zone 1 --helper tftp',
  '-j CONNMARK --restore-mark',
  '-j CONNMARK --set-mark 0x3',
);

const plainly = { ruleCommands: 3, routeCommands: 0, plainRouting: true, plainInterfaces: true, sysctls: {} };
const CALM = { deviations: 3, strays: 1, elsewhere: 2, most: 100, tcp: 5 };

/** Profiles of connection tracking. */
export const CONNTRACK_PROFILES: Readonly<Record<string, Profile>> = {
  zones: {
    ...plainly,
    rules: {
      tables: ['raw', 'raw', 'raw', 'mangle', 'mangle', 'filter'],
      conntrack: true,
      variants: ['nft'],
      most: 12,
      rawTargets: ZONE_TARGETS,
      matches: ENTRY_MATCHES,
    },
    traffic: { ...CALM, elsewhere: 4 },
  },
  pieces: {
    ...plainly,
    rules: { tables: ['raw', 'mangle', 'mangle', 'filter'], conntrack: true, variants: ['nft'], most: 12 },
    traffic: { ...CALM, deviations: 1, elsewhere: 1, pieces: true, badChecksums: true },
  },
  'pieces-legacy': {
    ...plainly,
    rules: { tables: ['raw', 'mangle', 'nat'], conntrack: true, variants: ['legacy'], most: 12 },
    traffic: { ...CALM, deviations: 1, elsewhere: 1, pieces: true, translated: true },
  },
  'pieces-untracked': {
    ...plainly,
    rules: { tables: ['mangle', 'filter'], conntrack: false, variants: ['legacy'], most: 12 },
    traffic: { ...CALM, deviations: 1, elsewhere: 1, pieces: true },
  },
  'zones-translation': {
    ...plainly,
    rules: {
      tables: ['raw', 'raw', 'nat', 'nat', 'mangle'],
      conntrack: true,
      variants: ['nft'],
      most: 12,
      rawTargets: ZONE_TARGETS,
    },
    traffic: { ...CALM, translated: true },
  },
};
