import { describe, expect, it } from 'vitest';
import { parseRouterState } from '../../src/dialects/index.ts';
import { Lab } from './builders.ts';

const LINKS = ['eth0 192.168.0.254/24', 'eth1 172.16.0.254/24', 'eth2 10.0.0.254/24'];

/** Where the packet goes with these rules of mangle. */
function fate(...rules: readonly string[]): string {
  const text = `### iptables-save\n*mangle\n${rules.map((rule) => `-A ${rule}\n`).join('')}COMMIT\n`;
  const { rulesets } = parseRouterState([{ path: 'router.txt', text }]);
  return new Lab({ links: LINKS, rulesets }).send('eth0', { from: '192.168.0.10:40000', to: '10.0.0.10:3389' });
}

describe('targets and matches that a kernel is not asked about', () => {
  const cases: { name: string; rules: readonly string[]; want: RegExp }[] = [
    {
      name: 'TPROXY drops, or delivers: the local program is not known',
      rules: ['PREROUTING -p tcp -j TPROXY --on-port 5 --tproxy-mark 0x1/0x1'],
      want: /^undetermined/,
    },
    {
      name: 'TPROXY of other packets does not matter',
      rules: ['PREROUTING -p udp -j TPROXY --on-port 5 --tproxy-mark 0x1/0x1'],
      want: /^eth2 10\.0\.0\.10$/,
    },
    {
      name: 'a test for a socket decides',
      rules: ['PREROUTING -p tcp -m socket --transparent -j DROP'],
      want: /^undetermined/,
    },
    {
      name: 'a test for a socket that changes nothing does not spoil',
      rules: ['PREROUTING -p tcp -m socket --transparent -j LOG'],
      want: /^eth2 10\.0\.0\.10$/,
    },
    {
      name: 'a mark taken over from a socket changes the packet whatever stands behind it',
      rules: ['PREROUTING -p tcp -m socket --restore-skmark -m mark --mark 7'],
      want: /^undetermined/,
    },
    { name: 'a time to live that rules use up', rules: ['PREROUTING -j TTL --ttl-set 0'], want: /^ttl-expired/ },
    {
      name: 'a time to live that rules use up behind routing',
      rules: ['FORWARD -j TTL --ttl-set 0'],
      want: /^eth2 10\.0\.0\.10$/,
    },
  ];
  it.each(cases)('$name', ({ rules, want }) => {
    expect(fate(...rules)).toMatch(want);
  });
});
