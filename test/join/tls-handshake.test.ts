import { describe, expect, it } from 'vitest';
import { readTlsHandshake, type TlsHandshake } from '../../src/join/tls-handshake.ts';
import {
  alert,
  CHANGE_CIPHER_SPEC,
  certificateMessage,
  clientHello,
  concat,
  encrypted,
  message,
  record,
  SERVER_HELLO_DONE,
  serverHello,
} from './tls-bytes.ts';

const DER = new Uint8Array(700).map((_, index) => index);
const NOTHING = new Uint8Array(0);
const HELLO = record(22, clientHello('spp.example'));
const SERVER_12 = record(22, concat(serverHello(0x0303), certificateMessage(DER), SERVER_HELLO_DONE));
const SERVER_13 = concat(record(22, serverHello(0x0304)), CHANGE_CIPHER_SPEC, encrypted(900));
const KEY_EXCHANGE = record(22, message(16, new Uint8Array(66)));
const FINISHED_12 = record(22, new Uint8Array(40).fill(0xee));
const FINISHED_13 = encrypted(53);
const ALERT_13 = encrypted(19);

const cases: readonly { name: string; client: Uint8Array; server: Uint8Array; want: Partial<TlsHandshake> }[] = [
  {
    name: 'TLS 1.2 with a request',
    client: concat(HELLO, KEY_EXCHANGE, CHANGE_CIPHER_SPEC, FINISHED_12, encrypted(100)),
    server: SERVER_12,
    want: {
      version: 'TLS 1.2',
      serverName: 'spp.example',
      certificate: 'visible',
      certificates: [DER],
      clientWentOn: true,
      alerts: [],
      notes: [],
    },
  },
  {
    name: 'TLS 1.2, and the client refuses the certificate',
    client: concat(HELLO, alert(2, 48)),
    server: SERVER_12,
    want: { clientWentOn: false, alerts: [{ by: 'SPS', name: 'unknown_ca', fatal: true, afterCertificate: true }] },
  },
  {
    name: 'TLS 1.2, and the client goes away after the handshake',
    client: concat(HELLO, KEY_EXCHANGE, CHANGE_CIPHER_SPEC, FINISHED_12, record(21, new Uint8Array(26))),
    server: SERVER_12,
    want: { clientWentOn: false, alerts: [] },
  },
  {
    name: 'the server refuses at once',
    client: HELLO,
    server: alert(2, 70),
    want: {
      certificate: 'none',
      alerts: [{ by: 'SPP', name: 'protocol_version', fatal: true, afterCertificate: false }],
    },
  },
  {
    name: 'an alert that nobody knows, and a warning',
    client: concat(HELLO, alert(1, 90), alert(2, 201)),
    server: SERVER_12,
    want: {
      alerts: [
        { by: 'SPS', name: 'user_canceled', fatal: false, afterCertificate: true },
        { by: 'SPS', name: 'alert 201', fatal: true, afterCertificate: true },
      ],
    },
  },
  { name: 'close_notify is no complaint', client: concat(HELLO, alert(1, 0)), server: SERVER_12, want: { alerts: [] } },
  {
    name: 'several certificates, spread over records of one byte',
    client: HELLO,
    server: concat(
      ...[...concat(serverHello(0x0303), certificateMessage(DER.subarray(0, 30), DER.subarray(0, 9)))].map((byte) =>
        record(22, new Uint8Array([byte])),
      ),
    ),
    want: { certificates: [DER.subarray(0, 30).slice(), DER.subarray(0, 9).slice()], notes: [] },
  },
  {
    name: 'a resumed session shows no certificate',
    client: concat(HELLO, CHANGE_CIPHER_SPEC, FINISHED_12, encrypted(80)),
    server: concat(record(22, serverHello(0x0303)), CHANGE_CIPHER_SPEC, FINISHED_12),
    want: { certificate: 'none', clientWentOn: true },
  },
  {
    name: 'TLS 1.3 with a request',
    client: concat(HELLO, CHANGE_CIPHER_SPEC, FINISHED_13, encrypted(120)),
    server: SERVER_13,
    want: { version: 'TLS 1.3', certificate: 'encrypted', certificates: [], clientWentOn: true, alerts: [] },
  },
  {
    name: 'TLS 1.3, and the client refuses: an alert by its length',
    client: concat(HELLO, CHANGE_CIPHER_SPEC, ALERT_13),
    server: SERVER_13,
    want: { clientWentOn: false, alerts: [{ by: 'SPS', fatal: true, afterCertificate: true }] },
  },
  {
    name: 'TLS 1.3, and the client refuses in the clear',
    client: concat(HELLO, alert(2, 42)),
    server: SERVER_13,
    want: {
      clientWentOn: false,
      alerts: [{ by: 'SPS', name: 'bad_certificate', fatal: true, afterCertificate: true }],
    },
  },
  {
    name: 'TLS 1.3, handshake finished and nothing asked for: not known',
    client: concat(HELLO, CHANGE_CIPHER_SPEC, FINISHED_13),
    server: SERVER_13,
    want: { clientWentOn: false, alerts: [] },
  },
  {
    name: 'TLS 1.3, handshake finished and closed with an alert: not known, it may be a close_notify',
    client: concat(HELLO, CHANGE_CIPHER_SPEC, FINISHED_13, ALERT_13),
    server: SERVER_13,
    want: { clientWentOn: false, alerts: [] },
  },
  {
    name: 'TLS 1.3, the client shows a certificate of its own and goes away: that was no request',
    client: concat(HELLO, CHANGE_CIPHER_SPEC, encrypted(900), encrypted(96), FINISHED_13),
    server: SERVER_13,
    want: { clientWentOn: false, alerts: [] },
  },
  {
    name: 'TLS 1.3, the client shows a certificate of its own and asks',
    client: concat(HELLO, CHANGE_CIPHER_SPEC, encrypted(900), encrypted(96), FINISHED_13, encrypted(120)),
    server: SERVER_13,
    want: { clientWentOn: true, alerts: [] },
  },
  {
    name: 'TLS 1.3 with SHA-384 has a longer Finished',
    client: concat(HELLO, CHANGE_CIPHER_SPEC, encrypted(69), encrypted(120)),
    server: record(22, serverHello(0x0304, 0x1302)),
    want: { clientWentOn: true, alerts: [] },
  },
  {
    name: 'TLS 1.3, everything in one record: not known',
    client: concat(HELLO, CHANGE_CIPHER_SPEC, encrypted(1000), encrypted(120)),
    server: SERVER_13,
    want: { clientWentOn: false, alerts: [] },
  },
  {
    name: 'TLS 1.3 with the short tag has shorter alerts',
    client: concat(HELLO, CHANGE_CIPHER_SPEC, encrypted(11)),
    server: record(22, serverHello(0x0304, 0x1305)),
    want: { alerts: [{ by: 'SPS', fatal: true, afterCertificate: true }] },
  },
  {
    name: 'the server is not in the capture: what is encrypted proves nothing',
    client: concat(HELLO, CHANGE_CIPHER_SPEC, FINISHED_13, encrypted(120)),
    server: NOTHING,
    want: { certificate: 'none', clientWentOn: false, alerts: [] },
  },
  {
    name: 'no TLS at all',
    client: new TextEncoder().encode('GET / HTTP/1.1\r\n\r\n'),
    server: new TextEncoder().encode('HTTP/1.1 400 Bad Request\r\n'),
    want: { certificate: 'none', notes: ['what SPS sent is not TLS', 'what SPP sent is not TLS'] },
  },
  {
    name: 'a message that says to be of 16 megabytes',
    client: HELLO,
    server: record(22, concat(serverHello(0x0303), message(11, DER, 0xffffff))),
    want: {
      certificate: 'none',
      notes: ['SPP: a handshake message of 16777215 bytes is not whole: 700 of them are there'],
    },
  },
  {
    name: 'a record that says to be longer than records are',
    client: HELLO,
    server: record(22, serverHello(0x0303), 0xffff),
    want: { notes: ['what SPP sent is not TLS'] },
  },
  {
    name: 'a list of certificates that lies about its length',
    client: HELLO,
    server: record(22, concat(serverHello(0x0303), message(11, new Uint8Array([0, 0xff, 0xff, 0, 0, 1, 7])))),
    want: { certificate: 'none', notes: ["SPP's list of certificates lies about its length"] },
  },
  {
    name: 'a certificate that lies about its length',
    client: HELLO,
    server: record(22, concat(serverHello(0x0303), message(11, new Uint8Array([0, 0, 4, 0, 0, 9, 7])))),
    want: { certificate: 'none', notes: ["one of SPP's certificates lies about its length"] },
  },
  {
    name: 'a server name that is no host name is not repeated',
    client: record(22, clientHello('\u001b[31mevil')),
    server: SERVER_12,
    want: { certificate: 'visible' },
  },
];

it.each(cases)('$name', ({ client, server, want }) => {
  const got = readTlsHandshake(client, server);
  expect(got).toMatchObject(want);
  if (want.certificates !== undefined) expect(got!.certificates).toEqual(want.certificates);
  if (want.alerts !== undefined) expect(got!.alerts).toEqual(want.alerts);
});

it('the hostile server name is left out', () => {
  expect(readTlsHandshake(record(22, clientHello('\u001b[31mevil')), SERVER_12)!.serverName).toBeUndefined();
});

describe('hostile bytes', () => {
  const client = concat(HELLO, KEY_EXCHANGE, CHANGE_CIPHER_SPEC, FINISHED_12, encrypted(100));

  it('of every length are read without a crash, and never give a certificate that was not sent', () => {
    for (let length = 0; length <= SERVER_12.length; length++) {
      const got = readTlsHandshake(client, SERVER_12.subarray(0, length));
      expect(got!.certificates).toEqual(got!.certificate === 'visible' ? [DER] : []);
    }
    for (let length = 0; length <= client.length; length++) readTlsHandshake(client.subarray(0, length), SERVER_12);
    expect(readTlsHandshake(NOTHING, NOTHING)).toBeUndefined();
  });

  it('with any byte changed are read without a crash', () => {
    for (const [side, whole] of [client, SERVER_12, SERVER_13].entries()) {
      for (let at = 0; at < Math.min(whole.length, 200); at++) {
        for (const value of [0, 1, 127, 255]) {
          const changed = whole.slice();
          changed[at] = value;
          expect(() =>
            side === 0 ? readTlsHandshake(changed, SERVER_12) : readTlsHandshake(client, changed),
          ).not.toThrow();
        }
      }
    }
  });

  it('an endless handshake takes time in proportion to its length', () => {
    const endless = concat(...new Array<Uint8Array>(8000).fill(record(22, message(14, NOTHING))));
    const begin = performance.now();
    expect(readTlsHandshake(HELLO, endless)!.certificate).toBe('none');
    expect(performance.now() - begin).toBeLessThan(3000);
  });
});
