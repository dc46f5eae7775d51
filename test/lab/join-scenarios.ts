/** The stored joins of SPS to SPP: how SPP and the router are set up, and what `join` must say. */
import { OWN_ADDRESS } from './procedure.ts';

export interface JoinScenario {
  readonly name: string;
  readonly shows: string;
  readonly tls: '1.2' | '1.3';
  /** subjectAltName of SPP's certificate. */
  readonly names: string;
  /** Default: valid. */
  readonly expired?: boolean;
  /** What SPS's administrator enters. */
  readonly entered: string;
  /** Command lines for the router; the redirect of the seed's procedure unless said. */
  readonly commands?: readonly string[];
  /** Of which interface's frames the capture is; default eth1, which faces SPS. */
  readonly interface?: 'eth1' | 'eth2';
  /** Where nothing listens on tcp 8649. */
  readonly clusterPortClosed?: 'spp';
  /** How the three connections end by what the peers say: SPS to SPP 443, SPS to SPP 8649, SPP to SPS 8649. */
  readonly outcomes: readonly [string, string, string];
  readonly expect: {
    readonly verdict: 'verified' | 'failed' | 'inconclusive';
    /** All codes that appear. */
    readonly findings: readonly string[];
  };
  /** Another scenario whose router's state is the same. */
  readonly routerOf?: string;
}

/** SPP is among the servers. */
export const SPP_ADDRESS = '10.0.0.20';
const ANSWERED = ['answered', 'answered', 'answered'] as const;
const GOOD_NAMES = `IP:${SPP_ADDRESS},DNS:spp.example`;

export const JOIN_SCENARIOS: readonly JoinScenario[] = [
  {
    name: 'join-tls12',
    shows: "TLS 1.2, and SPP's certificate names the address that was entered; tcp 8649 is answered both ways.",
    tls: '1.2',
    names: GOOD_NAMES,
    entered: SPP_ADDRESS,
    outcomes: ANSWERED,
    expect: { verdict: 'verified', findings: [] },
  },
  {
    name: 'join-tls12-name-mismatch',
    shows: "TLS 1.2; SPP's certificate holds only a host name, and the address was entered: SPS refuses it.",
    tls: '1.2',
    names: 'DNS:spp.example',
    entered: SPP_ADDRESS,
    outcomes: [`rejected: IP address mismatch, certificate is not valid for '${SPP_ADDRESS}'.`, 'answered', 'answered'],
    expect: { verdict: 'failed', findings: ['RV703', 'RV705'] },
    routerOf: 'join-tls12',
  },
  {
    name: 'join-tls12-expired',
    shows: "TLS 1.2; SPP's certificate names what was entered and has expired.",
    tls: '1.2',
    names: GOOD_NAMES,
    expired: true,
    entered: 'spp.example',
    outcomes: ['rejected: certificate has expired', 'answered', 'answered'],
    expect: { verdict: 'failed', findings: ['RV704', 'RV705'] },
    routerOf: 'join-tls12',
  },
  {
    name: 'join-tls13',
    shows: 'TLS 1.3: the certificate is encrypted; that SPS sent its request shows that it took it.',
    tls: '1.3',
    names: GOOD_NAMES,
    entered: 'spp.example',
    outcomes: ANSWERED,
    expect: { verdict: 'verified', findings: [] },
    routerOf: 'join-tls12',
  },
  {
    name: 'join-tls13-name-mismatch',
    shows:
      "TLS 1.3; the certificate does not name what was entered: it cannot be seen, and SPS's alert, sent in the clear, tells.",
    tls: '1.3',
    names: 'DNS:spp.example',
    entered: SPP_ADDRESS,
    outcomes: [`rejected: IP address mismatch, certificate is not valid for '${SPP_ADDRESS}'.`, 'answered', 'answered'],
    expect: { verdict: 'failed', findings: ['RV705'] },
    routerOf: 'join-tls12',
  },
  {
    name: 'join-cluster-port-refused',
    shows: 'SPP refuses tcp 8649; the other connections work, and the router forwards all.',
    tls: '1.2',
    names: GOOD_NAMES,
    entered: SPP_ADDRESS,
    clusterPortClosed: 'spp',
    outcomes: ['answered', 'ConnectionRefusedError', 'answered'],
    expect: { verdict: 'failed', findings: ['RV701', 'RV707'] },
    routerOf: 'join-tls12',
  },
  {
    name: 'join-cluster-port-filtered',
    shows: 'The router accepts what SPS opens, and drops tcp 8649 where SPP opens it.',
    tls: '1.2',
    names: GOOD_NAMES,
    entered: SPP_ADDRESS,
    commands: [
      ...OWN_ADDRESS,
      'iptables -A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT',
      'iptables -A FORWARD -i eth2 -p tcp --dport 8649 -j DROP',
    ],
    interface: 'eth2',
    outcomes: ['answered', 'answered', 'TimeoutError'],
    expect: { verdict: 'failed', findings: ['RV701', 'RV707'] },
  },
  {
    name: 'join-redirected',
    shows: "https is monitored by a rule that names no interface: SPS's own connection to SPP is sent back to SPS.",
    tls: '1.2',
    names: GOOD_NAMES,
    entered: SPP_ADDRESS,
    commands: [
      'iptables -t mangle -A PREROUTING -p tcp -d 10.0.0.0/24 --dport 443 -j MARK --set-mark 1',
      '103 scb',
      'ip route add default via 172.16.0.1 table scb',
      'ip rule add from all fwmark 1 table scb',
    ],
    outcomes: ['TimeoutError', 'answered', 'answered'],
    expect: { verdict: 'failed', findings: ['RV702'] },
  },
];
