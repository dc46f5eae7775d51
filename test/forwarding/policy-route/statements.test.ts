/** What is documented of Cisco IOS policy routing, access lists, next hops, uRPF and fragments, one case for each statement. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { createPolicyRouteForwarder } from '../../../src/forwarding/policy-route/policy-route-forwarder.ts';
import { ToldTexts } from '../../told-texts.ts';
import { CLIENTS, device, fate, interfaces, policy, type Sent, SERVERS, SPS, tell } from './decide.ts';

/** What is told of each configuration and many packets, word by word. */
const told = new ToldTexts(fileURLToPath(new URL('told.json.br', import.meta.url)));
afterAll(() => told.save());

const REQUEST: Sent = { packet: 'tcp 192.168.0.10:40000 > 10.0.0.10:22' };
const OTHER: Sent = { packet: 'tcp 192.168.0.10:40000 > 10.0.0.10:80' };
const TO_SPS = `${SPS} 172.16.0.1`;
const DIRECT = `${SERVERS} 10.0.0.10`;
const LIST = ['ip access-list extended ssh', ' permit tcp 192.168.0.0 0.0.0.255 10.0.0.0 0.0.0.255 eq 22'];
const HOP = ' set ip next-hop 172.16.0.1';
const PERMIT = ['route-map m permit 10', ' match ip address ssh', HOP];

interface Case {
  readonly name: string;
  readonly config: string;
  readonly sent?: Sent;
  readonly down?: readonly string[];
  readonly want: string;
}

function table(title: string, cases: readonly Case[]): void {
  describe(title, () => {
    it.each(cases)('$name', ({ name, config, sent = REQUEST, down = [], want }) => {
      const got = fate(config, sent, down);
      if (want.endsWith('…')) expect(got).toContain(want.slice(0, -1));
      else expect(got).toBe(want);
      told.expect(`${title}: ${name}`, tell(createPolicyRouteForwarder(device(config))));
    });
  });
}

table('route-maps', [
  { name: 'a permit sequence that matches applies its set clauses', config: policy(PERMIT, LIST), want: TO_SPS },
  {
    name: 'what matches no sequence is routed by destination, and nothing is dropped',
    config: policy(PERMIT, LIST),
    sent: OTHER,
    want: DIRECT,
  },
  {
    name: 'a sequence without a match clause matches everything',
    config: policy(['route-map m permit 10', HOP]),
    sent: OTHER,
    want: TO_SPS,
  },
  {
    name: 'sequences are asked in ascending order, wherever they stand in the text',
    config: policy(['route-map m permit 20', HOP, 'route-map m deny 10', ' match ip address ssh'], LIST),
    want: DIRECT,
  },
  {
    name: 'a deny sequence that matches ends policy routing, and its set clauses do nothing',
    config: policy(['route-map m deny 10', ' match ip address ssh', HOP, 'route-map m permit 20', HOP], LIST),
    want: DIRECT,
  },
  {
    name: 'a deny sequence that does not match goes on to the next',
    config: policy(['route-map m deny 10', ' match ip address ssh', 'route-map m permit 20', HOP], LIST),
    sent: OTHER,
    want: TO_SPS,
  },
  {
    name: 'an entry that denies in the access list means that the sequence does not match, and the next is asked',
    config: policy(
      ['route-map m permit 22', ' match ip address a', ' set ip next-hop 172.16.0.9', 'route-map m permit 23', HOP],
      [
        'access-list 101 permit ip any any',
        'ip access-list extended a',
        ' deny tcp any any eq 22',
        ' permit ip any any',
      ],
    ),
    want: TO_SPS,
  },
  {
    name: 'the implicit deny at the end of a list means no match, too',
    config: policy([...PERMIT, 'route-map m permit 20', ' set ip next-hop 172.16.0.9'], LIST),
    sent: OTHER,
    want: `${SPS} 172.16.0.9`,
  },
  {
    name: 'several lists in one match: one that permits is enough',
    config: policy(
      ['route-map m permit 10', ' match ip address none ssh', HOP],
      [...LIST, 'ip access-list extended none', ' deny ip any any'],
    ),
    want: TO_SPS,
  },
  {
    name: 'length and address together hold: both texts agree',
    config: policy(['route-map m permit 10', ' match ip address ssh', ' match length 40 1500', HOP], LIST),
    want: TO_SPS,
  },
  {
    name: 'length and address of which one holds: it depends on the platform',
    config: policy(['route-map m permit 10', ' match ip address ssh', ' match length 1000 1500', HOP], LIST),
    want: 'undetermined: whether route-map m permit 10 asks for length and address together…',
  },
  {
    name: 'match length alone decides by the length of the IP packet',
    config: policy(['route-map m permit 10', ' match length 1000 1500', HOP]),
    sent: { ...REQUEST, length: 1200 },
    want: TO_SPS,
  },
  {
    name: 'an undefined list in a match is not documented',
    config: policy(PERMIT),
    want: 'undetermined: access list ssh is not defined…',
  },
  {
    name: 'an undefined route-map redirects nothing',
    config: interfaces({ clients: ['ip policy route-map gone'] }),
    want: DIRECT,
  },
  {
    name: 'ip policy holds for what arrives on its interface only',
    config: policy(PERMIT, LIST),
    sent: { ...REQUEST, on: SERVERS },
    want: DIRECT,
  },
  {
    name: 'ip local policy does not touch what is forwarded',
    config: `${interfaces({})}ip local policy route-map m\n${[...PERMIT, ...LIST].join('\n')}\n`,
    want: DIRECT,
  },
  {
    name: 'a match that is not modelled leaves it open whether the sequence matches',
    config: policy(['route-map m permit 10', ' match ip address prefix-list p', HOP]),
    want: 'undetermined: whether "match ip address prefix-list p" holds…',
  },
  {
    name: 'precedence, tos and df are set and steer nothing',
    config: policy(
      [
        'route-map m permit 10',
        ' match ip address ssh',
        ' set ip precedence critical',
        ' set ip tos 4',
        ' set ip df 0',
      ],
      LIST,
    ),
    want: DIRECT,
  },
]);

const set = (...clauses: string[]): string =>
  policy(['route-map m permit 10', ...clauses.map((clause) => ` ${clause}`)]);
const FAR = 'ip route 172.20.0.0 255.255.0.0 10.0.0.2';

table('set clauses, in the order in which they are tried', [
  {
    name: 'next-hop comes before interface, wherever it stands',
    config: set('set interface Null0', 'set ip next-hop 172.16.0.1'),
    want: TO_SPS,
  },
  {
    name: 'recursive comes before interface',
    config: `${set('set interface Null0', 'set ip next-hop recursive 172.20.0.1')}${FAR}\n`,
    want: `${SERVERS} 10.0.0.2`,
  },
  {
    name: 'interface comes before default next-hop',
    config: set('set ip default next-hop 172.16.0.1', 'set interface Null0'),
    want: 'blackhole',
  },
  {
    name: 'default next-hop comes before default interface',
    config: set('set default interface Null0', 'set ip default next-hop 172.16.0.1'),
    sent: { packet: 'tcp 192.168.0.10:40000 > 8.8.8.8:22' },
    want: TO_SPS,
  },
  {
    name: 'default next-hop does not redirect what an explicit route leads to',
    config: set('set ip default next-hop 172.16.0.1'),
    want: DIRECT,
  },
  {
    name: 'a default route is no explicit one',
    config: `${set('set ip default next-hop 172.16.0.1')}ip route 0.0.0.0 0.0.0.0 10.0.0.1\n`,
    sent: { packet: 'tcp 192.168.0.10:40000 > 8.8.8.8:22' },
    want: TO_SPS,
  },
  {
    name: 'a recursive next hop need not be connected',
    config: `${set('set ip next-hop recursive 172.20.0.1')}${FAR}\n`,
    want: `${SERVERS} 10.0.0.2`,
  },
  {
    name: 'a recursive next hop without a route is passed over',
    config: set('set ip next-hop recursive 172.20.0.1'),
    want: DIRECT,
  },
  {
    name: 'set interface Null0 behind a recursive next hop without a route drops',
    config: set('set ip next-hop recursive 172.20.0.1', 'set interface Null0'),
    want: 'blackhole',
  },
  {
    name: 'an interface that the routing table leads to the destination by is used',
    config: set(`set interface ${SERVERS}`),
    want: DIRECT,
  },
  {
    name: 'by another interface with neighbours the destination is dropped',
    config: set(`set interface ${SPS}`),
    want: 'unreachable',
  },
  {
    name: 'set vrf looks the destination up in that table',
    config: `${set('set vrf red')}ip vrf red\n rd 1:1\ninterface FastEthernet2/0\n ip vrf forwarding red\n ip address 10.0.0.253 255.255.255.0\n`,
    want: 'FastEthernet2/0 10.0.0.10',
  },
  {
    name: 'a clause that is not modelled leaves the packet open',
    config: set('set ip next-hop dynamic dhcp'),
    want: 'undetermined: "set ip next-hop dynamic dhcp" is not modelled',
  },
]);

table('next hops that fail', [
  { name: 'not in the routing table: routed by destination', config: set('set ip next-hop 172.20.0.1'), want: DIRECT },
  {
    name: 'in the routing table and on no connected network: texts disagree',
    config: `${set('set ip next-hop 172.20.0.1')}${FAR}\n`,
    want: 'undetermined: next hop 172.20.0.1 is on no connected network…',
  },
  {
    name: 'known by the default route only: the same',
    config: `${set('set ip next-hop 172.20.0.1')}ip route 0.0.0.0 0.0.0.0 10.0.0.1\n`,
    want: 'undetermined: next hop 172.20.0.1 is on no connected network…',
  },
  {
    name: 'on a connected network and dead: lost (closed)',
    config: policy(PERMIT, LIST),
    down: ['172.16.0.1'],
    want: 'unreachable',
  },
  {
    name: 'by show arp, too, a host that did not answer is dead',
    config: `${policy(PERMIT, LIST)}router#show arp\nProtocol  Address  Age (min)  Hardware Addr   Type   Interface\nInternet  172.16.0.1   0   Incomplete   ARPA\n`,
    want: 'unreachable',
  },
  {
    name: 'several: the next is used where the interface of the first is down',
    config: policy(['route-map m permit 10', ' set ip next-hop 172.16.0.1 10.0.0.5'], [], { sps: ['shutdown'] }),
    want: `${SERVERS} 10.0.0.5`,
  },
  {
    name: 'several: the first is used where both are there',
    config: set('set ip next-hop 172.16.0.1 10.0.0.5'),
    want: TO_SPS,
  },
  {
    name: 'all interfaces down: routed by destination',
    config: policy(['route-map m permit 10', HOP], [], { sps: ['shutdown'] }),
    want: DIRECT,
  },
  {
    name: 'verify-availability without a track asks CDP, which SPS does not speak: never used (open)',
    config: set('set ip next-hop 172.16.0.1', 'set ip next-hop verify-availability'),
    want: DIRECT,
  },
  {
    name: 'verify-availability with a track that is up: used',
    config: `${set('set ip next-hop verify-availability 172.16.0.1 10 track 1')}track 1 ip sla 1 reachability\nrouter#show track\nTrack 1\n  IP SLA 1 reachability\n  Reachability is Up\n`,
    want: TO_SPS,
  },
  {
    name: 'verify-availability with a track that is down: routed by destination (open)',
    config: `${set('set ip next-hop verify-availability 172.16.0.1 10 track 1')}track 1 ip sla 1 reachability\nrouter#show track\nTrack 1\n  IP SLA 1 reachability\n  Reachability is Down\n`,
    want: DIRECT,
  },
  {
    name: 'verify-availability without show track is open to both',
    config: `${set('set ip next-hop verify-availability 172.16.0.1 10 track 1')}track 1 ip sla 1 reachability\n`,
    want: 'undetermined: whether track 1 is up…',
  },
  {
    name: 'a track whose probe asks a host that is down is down',
    config: `${set('set ip next-hop verify-availability 172.16.0.1 10 track 1')}ip sla 1\n icmp-echo 172.16.0.1\ntrack 1 ip sla 1 reachability\n`,
    down: ['172.16.0.1'],
    want: DIRECT,
  },
]);

const URPF = 'ip verify unicast source reachable-via';
const FROM_SPS: Sent = { packet: 'tcp 10.0.0.10:22 > 192.168.0.10:40000', on: SPS, flags: 18 };
const FROM_FAR: Sent = { packet: 'tcp 8.8.8.8:22 > 192.168.0.10:40000', on: SPS, flags: 18 };
const TO_CLIENT = `${CLIENTS} 192.168.0.10`;
const check = (statement: string, more = ''): string => `${interfaces({ sps: [statement] })}${more}`;
const DEFAULT = 'ip route 0.0.0.0 0.0.0.0 172.16.0.9\n';

table('uRPF', [
  {
    name: "strict on SPS's interface drops the answers to clients",
    config: check(`${URPF} rx`),
    sent: FROM_SPS,
    want: 'dropped-by-reverse-path',
  },
  {
    name: "strict on SPS's interface drops what it sends with the client's address",
    config: check(`${URPF} rx`),
    sent: { packet: 'tcp 192.168.0.10:50000 > 10.0.0.10:22', on: SPS },
    want: 'dropped-by-reverse-path',
  },
  {
    name: 'the old spelling is strict',
    config: check('ip verify unicast reverse-path'),
    sent: FROM_SPS,
    want: 'dropped-by-reverse-path',
  },
  {
    name: 'the spelling without source is the same',
    config: check('ip verify unicast reachable-via rx'),
    sent: FROM_SPS,
    want: 'dropped-by-reverse-path',
  },
  {
    name: 'strict passes what comes from where the route leads',
    config: check(`${URPF} rx`),
    sent: { ...FROM_SPS, packet: 'tcp 172.16.0.1:22 > 192.168.0.10:40000' },
    want: TO_CLIENT,
  },
  {
    name: 'loose passes a source that any interface leads to',
    config: check(`${URPF} any`),
    sent: FROM_SPS,
    want: TO_CLIENT,
  },
  {
    name: 'loose drops a source that nothing leads to',
    config: check(`${URPF} any`),
    sent: FROM_FAR,
    want: 'dropped-by-reverse-path',
  },
  {
    name: 'loose without allow-default drops a source known by the default route only, unlike Linux',
    config: check(`${URPF} any`, DEFAULT),
    sent: FROM_FAR,
    want: 'dropped-by-reverse-path',
  },
  {
    name: 'with allow-default the default route satisfies it',
    config: check(`${URPF} any allow-default`, DEFAULT),
    sent: FROM_FAR,
    want: TO_CLIENT,
  },
  {
    name: 'the list is asked about what fails: what it permits passes',
    config: check(`${URPF} rx 101`, 'access-list 101 permit tcp 10.0.0.0 0.0.0.255 eq 22 any\n'),
    sent: FROM_SPS,
    want: TO_CLIENT,
  },
  {
    name: 'the list is asked about what fails: what it denies is dropped',
    config: check(`${URPF} rx 101`, 'access-list 101 deny ip any any\n'),
    sent: FROM_SPS,
    want: 'dropped-by-reverse-path',
  },
  {
    name: 'the list is not asked about what passes',
    config: check(`${URPF} any 101`, 'access-list 101 deny ip any any\n'),
    sent: FROM_SPS,
    want: TO_CLIENT,
  },
  {
    name: 'of equal routes any interface will do',
    config: check(`${URPF} rx`, 'ip route 8.8.8.0 255.255.255.0 172.16.0.9\nip route 8.8.8.0 255.255.255.0 10.0.0.9\n'),
    sent: FROM_FAR,
    want: TO_CLIENT,
  },
  {
    name: 'policy routing does not influence it',
    config: policy(PERMIT, LIST, { clients: [`${URPF} rx`] }),
    want: TO_SPS,
  },
  {
    name: 'it needs CEF',
    config: check(`${URPF} rx`, 'no ip cef\n'),
    sent: FROM_SPS,
    want: 'undetermined: "no ip cef" of the source check…',
  },
]);

const acl = (...entries: string[]): string =>
  policy(PERMIT, ['ip access-list extended ssh', ...entries.map((entry) => ` ${entry}`)]);

table('access lists', [
  { name: 'a wildcard bit of 1 is not looked at', config: acl('permit tcp 192.168.0.0 0.0.0.255 any'), want: TO_SPS },
  {
    name: 'a wildcard may be discontiguous: even last octets',
    config: acl('permit ip 192.168.0.0 0.0.0.254 any'),
    want: TO_SPS,
  },
  {
    name: 'a wildcard may be discontiguous: odd ones do not match',
    config: acl('permit ip 192.168.0.1 0.0.0.254 any'),
    want: DIRECT,
  },
  {
    name: 'a netmask in its place matches something else',
    config: acl('permit tcp 192.168.0.0 255.255.255.0 10.0.0.0 255.255.255.0 eq 22'),
    want: DIRECT,
  },
  { name: 'eq takes several ports', config: acl('permit tcp any any eq 80 22 443'), want: TO_SPS },
  { name: 'neq', config: acl('permit tcp any any neq 22'), want: DIRECT },
  { name: 'gt is exclusive', config: acl('permit tcp any any gt 22'), want: DIRECT },
  { name: 'lt', config: acl('permit tcp any any lt 23'), want: TO_SPS },
  { name: 'range is inclusive', config: acl('permit tcp any any range 20 22'), want: TO_SPS },
  {
    name: 'the operator before the destination is of the source port',
    config: acl('permit tcp any eq 22 any'),
    want: DIRECT,
  },
  {
    name: 'port names',
    config: acl('permit tcp any any eq telnet'),
    sent: { packet: 'tcp 192.168.0.10:40000 > 10.0.0.10:23' },
    want: TO_SPS,
  },
  {
    name: 'port names differ by protocol',
    config: acl('permit udp any any eq syslog'),
    sent: { packet: 'udp 192.168.0.10:40000 > 10.0.0.10:514' },
    want: TO_SPS,
  },
  {
    name: 'established lets the SYN by: it is not redirected',
    config: acl('permit tcp any any eq 22 established'),
    want: DIRECT,
  },
  {
    name: 'established matches with ACK',
    config: acl('permit tcp any any eq 22 established'),
    sent: { ...REQUEST, flags: 16 },
    want: TO_SPS,
  },
  {
    name: 'established matches with RST',
    config: acl('permit tcp any any eq 22 established'),
    sent: { ...REQUEST, flags: 4 },
    want: TO_SPS,
  },
  {
    name: 'match-all asks for every flag',
    config: acl('permit tcp any any match-all +syn -ack'),
    sent: { ...REQUEST, flags: 18 },
    want: DIRECT,
  },
  { name: 'dscp', config: acl('permit ip any any dscp af31'), sent: { ...REQUEST, tos: 26 << 2 }, want: TO_SPS },
  {
    name: 'precedence',
    config: acl('permit ip any any precedence critical'),
    sent: { ...REQUEST, tos: 5 << 5 },
    want: TO_SPS,
  },
  {
    name: 'log and remark change nothing',
    config: acl('remark ssh only', 'permit tcp any any eq 22 log'),
    want: TO_SPS,
  },
  {
    name: 'a time-range leaves it open',
    config: acl('permit tcp any any eq 22 time-range office'),
    want: 'undetermined: whether "time-range office" of access list ssh…',
  },
  {
    name: 'entries are asked by their numbers',
    config: acl('20 permit tcp any any eq 22', '10 deny ip any any'),
    want: DIRECT,
  },
  {
    name: 'new entries go to the end in steps of ten',
    config: acl('permit udp any any', '15 deny ip any any', 'permit tcp any any eq 22'),
    want: DIRECT,
  },
  {
    name: 'a standard list without a wildcard names one host',
    config: policy(['route-map m permit 10', ' match ip address 7', HOP], ['access-list 7 permit 192.168.0.10']),
    want: TO_SPS,
  },
  {
    name: 'a standard list ends with deny any',
    config: policy(['route-map m permit 10', ' match ip address 7', HOP], ['access-list 7 permit 192.168.0.11']),
    want: DIRECT,
  },
  {
    name: 'object groups of networks hold netmasks',
    config: policy(PERMIT, [
      'object-group network c',
      ' 192.168.0.0 255.255.255.0',
      'ip access-list extended ssh',
      ' permit tcp object-group c any eq 22',
    ]),
    want: TO_SPS,
  },
  {
    name: 'a host by a name whose address is not known leaves it open',
    config: acl('permit tcp host sps.example.com any eq 22'),
    want: 'undetermined: the address of host sps.example.com…',
  },
  {
    name: 'an object group that nothing defines leaves it open',
    config: acl('permit tcp object-group gone any eq 22'),
    want: 'undetermined: object group gone…',
  },
  {
    name: 'object groups of services',
    config: policy(PERMIT, [
      'object-group service s',
      ' tcp eq 22',
      ' udp range 1 9',
      'ip access-list extended ssh',
      ' permit object-group s any any',
    ]),
    want: TO_SPS,
  },
  {
    name: 'a prefix in place of a wildcard, as NX-OS writes it',
    config: policy(PERMIT, ['ip access-list ssh', ' 10 permit tcp 192.168.0.0/24 10.0.0.0/24 eq 22']),
    want: TO_SPS,
  },
]);

const LATER: Sent = { ...REQUEST, later: true };

table('fragments', [
  {
    name: 'an entry with ports that permits takes later fragments of any port between its hosts',
    config: acl('permit tcp 192.168.0.0 0.0.0.255 10.0.0.0 0.0.0.255 eq 22'),
    sent: LATER,
    want: TO_SPS,
  },
  {
    name: 'an entry with ports that denies lets later fragments go on to the next entry',
    config: acl('deny tcp any any eq 22', 'permit ip any any'),
    sent: LATER,
    want: TO_SPS,
  },
  {
    name: 'an entry without ports takes every fragment',
    config: acl('deny tcp any any', 'permit ip any any'),
    sent: LATER,
    want: DIRECT,
  },
  {
    name: 'an entry with fragments takes later ones only: the others',
    config: acl('deny ip any any fragments', 'permit tcp any any eq 22'),
    sent: REQUEST,
    want: TO_SPS,
  },
  {
    name: 'an entry with fragments takes later ones only: these',
    config: acl('deny ip any any fragments', 'permit tcp any any eq 22'),
    sent: LATER,
    want: DIRECT,
  },
  {
    name: 'a first fragment is matched by its ports as a whole packet is',
    config: acl('permit tcp any any eq 22'),
    sent: { ...REQUEST, dontFragment: false },
    want: TO_SPS,
  },
]);

const IN = ['ip access-list extended in', ' permit tcp any eq 22 192.168.0.0 0.0.0.255'];

table('order of operations on the way in and out', [
  {
    name: 'the input list comes first: what it denies is not redirected',
    config: policy(PERMIT, [...LIST, 'ip access-list extended in', ' deny tcp any any eq 22', ' permit ip any any'], {
      clients: ['ip access-group in in'],
    }),
    want: 'dropped-by-rule',
  },
  {
    name: 'the input list comes before uRPF',
    config: `${interfaces({ sps: [`${URPF} rx`, 'ip access-group in in'] })}ip access-list extended in\n deny ip any any\n`,
    sent: FROM_SPS,
    want: 'dropped-by-rule',
  },
  {
    name: 'uRPF comes before policy routing',
    config: policy(PERMIT, LIST, { clients: [`${URPF} rx`] }),
    sent: { packet: 'tcp 10.0.0.99:40000 > 10.0.0.10:22' },
    want: 'dropped-by-reverse-path',
  },
  {
    name: "a list on SPS's interface that permits source = server passes answers",
    config: `${interfaces({ sps: ['ip access-group in in'] })}${IN.join('\n')}\n`,
    sent: FROM_SPS,
    want: TO_CLIENT,
  },
  {
    name: "a list on SPS's interface that does not permit source = client drops what it spoofs",
    config: `${interfaces({ sps: ['ip access-group in in'] })}${IN.join('\n')}\n`,
    sent: { packet: 'tcp 192.168.0.10:50000 > 10.0.0.10:22', on: SPS },
    want: 'dropped-by-rule',
  },
  {
    name: 'the output list of the interface that policy routing chose is asked',
    config: policy(PERMIT, [...LIST, 'access-list 102 deny ip any any'], { sps: ['ip access-group 102 out'] }),
    want: 'dropped-by-rule',
  },
  {
    name: 'an undefined list in access-group lets everything pass',
    config: policy(PERMIT, LIST, { clients: ['ip access-group gone in'] }),
    want: TO_SPS,
  },
  {
    name: 'with NAT outside on the interface, policy routing would see the translated addresses: undetermined',
    config: `${interfaces({ clients: ['ip nat outside'], servers: ['ip nat inside'] })}ip nat inside source static 10.0.0.77 10.0.0.10\n`,
    want: 'undetermined: this translation (NAT)…',
  },
  {
    name: 'overload on the way out is recognised',
    config: `${interfaces({ clients: ['ip nat inside'], servers: ['ip nat outside'] })}access-list 1 permit 192.168.0.0 0.0.0.255\nip nat inside source list 1 interface ${SERVERS} overload\n`,
    want: 'undetermined: this translation (NAT)…',
  },
  {
    name: 'a translation that does not take the packet leaves it alone',
    config: `${interfaces({ clients: ['ip nat inside'], servers: ['ip nat outside'] })}access-list 1 permit 192.168.7.0 0.0.0.255\nip nat inside source list 1 interface ${SERVERS} overload\n`,
    want: DIRECT,
  },
  { name: 'a packet whose TTL ends', config: policy(PERMIT, LIST), sent: { ...REQUEST, ttl: 1 }, want: 'ttl-expired' },
  {
    name: 'a statement on the way that is not modelled',
    config: policy(PERMIT, LIST, { sps: ['zone-member security dmz'] }),
    want: 'undetermined: "zone-member security dmz" on FastEthernet0/1…',
  },
  {
    name: 'a floating route waits for its distance',
    config: `${interfaces({})}ip route 8.0.0.0 255.0.0.0 10.0.0.7 200\nip route 8.0.0.0 255.0.0.0 172.16.0.7\n`,
    sent: { packet: 'tcp 192.168.0.10:1 > 8.8.8.8:22' },
    want: `${SPS} 172.16.0.7`,
  },
  { name: 'no route', config: interfaces({}), sent: { packet: 'tcp 192.168.0.10:1 > 8.8.8.8:22' }, want: 'no-route' },
  {
    name: 'routing protocols know more than the text',
    config: `${interfaces({})}router ospf 1\n network 10.0.0.0 0.255.255.255 area 0\n`,
    sent: { packet: 'tcp 192.168.0.10:1 > 8.8.8.8:22' },
    want: 'undetermined: routes of routing protocols…',
  },
  { name: 'no ip routing', config: `${interfaces({})}no ip routing\n`, want: 'not-forwarding' },
]);

describe('the routers of the stored scenarios tell of many packets what is kept', () => {
  const names = readdirSync('captures').filter((name) => /^(?:ios|utm)-/.test(name));
  it('are there', () => expect(names.length).toBeGreaterThan(15));
  it.each(names)('%s', (name) => {
    const folder = join('captures', name, 'router');
    const files = readdirSync(folder).sort();
    const text = files.map((file) => readFileSync(join(folder, file), 'utf8')).join('\n');
    told.expect(name, tell(createPolicyRouteForwarder(device(text))));
  });
});
