import { describe, expect, it } from 'vitest';
import {
  matchName,
  nameToEnter,
  namesOf,
  readCertificate,
  type ServerCertificate,
} from '../../src/join/certificate.ts';

function certificate(parts: Partial<ServerCertificate>): ServerCertificate {
  return { dnsNames: [], addresses: [], issuer: '', validFrom: 0, validTo: 1, ...parts };
}

describe('names by the rules of a client', () => {
  const IP = '192.0.2.123';
  const cases: readonly { name: string; has: Partial<ServerCertificate>; entered: string; want: string }[] = [
    { name: 'an IP entry names the address', has: { addresses: [IP] }, entered: IP, want: 'subject-alt-name' },
    { name: 'another address is another', has: { addresses: ['192.0.2.12'] }, entered: IP, want: 'none' },
    { name: 'an address as a DNS entry names nothing', has: { dnsNames: [IP] }, entered: IP, want: 'none' },
    {
      name: 'a DNS entry does not name the address it leads to',
      has: { dnsNames: ['spp.example'] },
      entered: IP,
      want: 'none',
    },
    { name: 'an IP entry does not name a host', has: { addresses: [IP] }, entered: 'spp.example', want: 'none' },
    {
      name: 'a DNS entry names the host, in any case',
      has: { dnsNames: ['SPP.Example'] },
      entered: 'spp.eXample',
      want: 'subject-alt-name',
    },
    {
      name: 'a dot at the end is the same name',
      has: { dnsNames: ['spp.example'] },
      entered: 'spp.example.',
      want: 'subject-alt-name',
    },
    { name: 'a name below it is another', has: { dnsNames: ['spp.example'] }, entered: 'a.spp.example', want: 'none' },
    {
      name: 'a wildcard covers one label',
      has: { dnsNames: ['*.corp.example'] },
      entered: 'spp.corp.example',
      want: 'subject-alt-name',
    },
    {
      name: 'a wildcard does not cover two labels',
      has: { dnsNames: ['*.corp.example'] },
      entered: 'a.spp.corp.example',
      want: 'none',
    },
    {
      name: 'a wildcard does not cover none',
      has: { dnsNames: ['*.corp.example'] },
      entered: 'corp.example',
      want: 'none',
    },
    {
      name: 'a wildcard of a part of a label covers nothing',
      has: { dnsNames: ['s*.corp.example'] },
      entered: 'spp.corp.example',
      want: 'none',
    },
    {
      name: 'a wildcard right below the top covers nothing',
      has: { dnsNames: ['*.example'] },
      entered: 'spp.example',
      want: 'none',
    },
    { name: 'a wildcard does not cover an address', has: { dnsNames: ['*.0.2.123'] }, entered: IP, want: 'none' },
    {
      name: 'Common Name alone names the host',
      has: { commonName: 'spp.example' },
      entered: 'spp.example',
      want: 'common-name',
    },
    { name: 'Common Name alone names the address', has: { commonName: IP }, entered: IP, want: 'common-name' },
    {
      name: 'Common Name does not count beside a DNS entry',
      has: { commonName: IP, dnsNames: ['spp.example'] },
      entered: IP,
      want: 'none',
    },
    {
      name: 'Common Name does not count beside an IP entry',
      has: { commonName: 'spp.example', addresses: [IP] },
      entered: 'spp.example',
      want: 'none',
    },
    { name: 'a certificate without names', has: {}, entered: IP, want: 'none' },
  ];

  it.each(cases)('$name', ({ has, entered, want }) => {
    expect(matchName(certificate(has), entered)).toBe(want);
  });

  it('what is to be entered is what matches', () => {
    for (const { has } of cases) {
      const wanted = nameToEnter(certificate(has));
      // An address as a DNS entry is the one name that can be read and never matches.
      if (wanted !== undefined && !(has.dnsNames ?? []).includes(IP))
        expect(matchName(certificate(has), wanted)).not.toBe('none');
    }
  });

  it('says what a certificate names', () => {
    expect(namesOf(certificate({ commonName: 'x', dnsNames: ['a'], addresses: ['10.0.0.1'] }))).toBe(
      'DNS a, IP 10.0.0.1',
    );
    expect(namesOf(certificate({ commonName: 'x' }))).toBe('Common Name x, no subjectAltName');
    expect(namesOf(certificate({}))).toBe('nothing');
  });
});

it.each([
  ['nothing', new Uint8Array(0)],
  ['zeros', new Uint8Array(300)],
  ['a sequence that lies about its length', new Uint8Array([0x30, 0x82, 0xff, 0xff, 1, 2, 3])],
])('what is no certificate is not read as one: %s', (_, der) => {
  expect(readCertificate(der)).toBeUndefined();
});
