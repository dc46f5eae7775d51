import { detected, type Finding } from './finding.ts';

/** RV706. */
export const joinAddressNotIpv4: Finding = {
  kind: {
    code: 'RV706',
    slug: 'join-address-not-ipv4',
    severity: 'error',
    saidWhen: 'an address of the join is IPv6',
    meaning: 'SPS can be joined to SPP by IPv4 addresses only.',
    whyItMatters: 'SPS does not accept the address, or the join fails.',
    example: '--spp 2001:db8::20',
    whatToDo: 'Give both IPv4 addresses; enter the IPv4 address of SPP, or a host name that leads to one.',
    references: ['One Identity: Joining SPS to SPP'],
  },
  detect: () => [],
  detectJoin: (run) =>
    run.notIpv4.map((address) =>
      detected({
        key: `RV706:${address}`,
        message: `${address} is an IPv6 address: only IPv4 addresses are supported`,
      }),
    ),
};
