import { describe, expect, it } from 'vitest';
import { JOIN_ERROR_ADVICE, JOIN_ERROR_KINDS } from '../../src/join/join-error.ts';
import { recogniseJoinErrors } from '../../src/join/recognise-join-errors.ts';
import { HEADING, RAW } from './raw-errors.ts';

const WANT = {
  mismatch: { kind: 'certificate-mismatch', entered: 'examplespp.company', named: ['192.0.2.123'] },
  login: { kind: 'login-refused' },
  permissions: { kind: 'not-authorised', host: '192.0.2.123', status: 403 },
  node: { kind: 'node-already-known', host: '192.0.2.123', status: 400 },
  validation: { kind: 'validation-refused', host: '192.0.2.123', status: 403 },
} as const;

/** On which of its lines an error is told: where its code, its names or its URL stands. */
const LINE = { mismatch: 2, login: 2, permissions: 2, node: 3, validation: 1 } as const;

type Name = keyof typeof RAW;
const NAMES = Object.keys(RAW) as Name[];

/** The same in one line, as other pages of the documentation print it. */
const oneLine = (text: string): string => text.replace(/\s+/g, ' ');

describe('each documented error', () => {
  it.each(NAMES)('is recognised as it stands: %s', (name) => {
    expect(recogniseJoinErrors(RAW[name])).toEqual([{ ...WANT[name], line: LINE[name], count: 1 }]);
  });

  it.each(NAMES)('is recognised in one line: %s', (name) => {
    expect(recogniseJoinErrors(oneLine(RAW[name]))).toEqual([{ ...WANT[name], line: 1, count: 1 }]);
  });

  it.each(NAMES)('takes the message that announces it along: %s', (name) => {
    expect(recogniseJoinErrors(`\n${HEADING}\n${RAW[name]}`)).toEqual([{ ...WANT[name], line: 2, count: 1 }]);
    expect(recogniseJoinErrors(`${RAW[name]}\n${HEADING}`)).toEqual([{ ...WANT[name], line: LINE[name], count: 1 }]);
  });

  it.each(NAMES)('is recognised behind the prefix of a log line: %s', (name) => {
    const log = RAW[name].replace(/^/gm, 'Nov 21 10:00:00 sps1 webui[412]: ');
    expect(recogniseJoinErrors(log)).toEqual([{ ...WANT[name], line: LINE[name], count: 1 }]);
  });

  it.each(NAMES)('is recognised with the line ends of another system: %s', (name) => {
    expect(recogniseJoinErrors(RAW[name].replaceAll('\n', '\r\n'))).toMatchObject([WANT[name]]);
  });
});

it('lists several errors of a log in their order, with their lines', () => {
  const log = NAMES.map((name) => `${HEADING}\n${RAW[name]}\n`).join('\n');
  const found = recogniseJoinErrors(log);
  expect(found).toMatchObject(NAMES.map((name) => WANT[name]));
  const lines = log.split('\n');
  expect(found.map((item) => lines[item.line - 1])).toEqual(NAMES.map(() => HEADING));
});

it('lists them in the order of the text, whichever that is, without blank lines between', () => {
  const names = [...NAMES].reverse();
  expect(recogniseJoinErrors(names.map((name) => RAW[name]).join('\n'))).toMatchObject(names.map((name) => WANT[name]));
});

describe('what is near a documented error', () => {
  const cases: readonly { name: string; text: string; want: readonly object[] }[] = [
    {
      name: 'several names of a certificate',
      text: `CertificateError("hostname '192.0.2.7' doesn't match either of 'spp.example', '*.spp.example'")`,
      want: [{ kind: 'certificate-mismatch', entered: '192.0.2.7', named: ['spp.example', '*.spp.example'] }],
    },
    {
      name: 'a newer client, which does not say what the certificate names',
      text: "certificate verify failed: Hostname mismatch, certificate is not valid for 'spp.example'. (_ssl.c:1000)",
      want: [{ kind: 'certificate-mismatch', entered: 'spp.example' }],
    },
    {
      name: 'a newer client with an address',
      text: "certificate verify failed: IP address mismatch, certificate is not valid for '192.0.2.7'.",
      want: [{ kind: 'certificate-mismatch', entered: '192.0.2.7' }],
    },
    {
      name: 'typographic apostrophes',
      text: 'hostname ‘spp.example’ doesn’t match ‘192.0.2.7’',
      want: [{ kind: 'certificate-mismatch', entered: 'spp.example', named: ['192.0.2.7'] }],
    },
    {
      name: 'code 60108 without a URL',
      text: 'Authorization is required for this request. Code: 60108',
      want: [{ kind: 'code-60108' }],
    },
    {
      name: 'the browser that does not reach SPP',
      text: 'This site can’t be reached',
      want: [{ kind: 'address-not-reached' }],
    },
    {
      name: 'a URL with a user name, a password and a port',
      text: 'Code: 60108 URL: https://admin:x@spp.example:8443/service/core/v3/Cluster/SessionModules Status: 403',
      want: [{ kind: 'not-authorised', host: 'spp.example', status: 403 }],
    },
    { name: 'JoinFailed alone', text: HEADING, want: [{ kind: 'no-details' }] },
    { name: 'the same error again and again', text: `${RAW.node}\n\n${RAW.node}`, want: [{ ...WANT.node, count: 2 }] },
    {
      name: 'invalid_request of something else',
      text: '{"error": "invalid_request", "error_description": "redirect_uri is missing"}',
      want: [{ kind: 'unknown', line: 1 }],
    },
    {
      name: 'another code of SPP',
      text: 'Something went wrong.\nCode: 60999\nURL: https://192.0.2.1/service/core/v3/Cluster\nStatus: 500',
      want: [
        { kind: 'unknown', line: 2, code: 60999 },
        { kind: 'unknown', line: 4, status: 500 },
      ],
    },
    {
      name: 'PsmValidation that failed otherwise',
      text: 'ERROR: Request to https://192.0.2.1/service/a2a/v2/PsmValidation failed, response (HTTP 502):',
      want: [{ kind: 'unknown', line: 1, status: 502 }],
    },
    { name: 'a text without any error', text: 'all is well', want: [{ kind: 'unknown', line: 1 }] },
    { name: 'an empty text', text: ' \n ', want: [] },
    {
      name: 'an unknown error among known ones',
      text: `${RAW.login}\n\n${'x\n'.repeat(200)}RuntimeError: out of luck\n${'x\n'.repeat(200)}\n${RAW.node}`,
      want: [WANT.login, { kind: 'unknown', line: 207 }, WANT.node],
    },
  ];

  it.each(cases)('$name', ({ text, want }) => {
    const found = recogniseJoinErrors(text);
    expect(found).toMatchObject(want);
    expect(found).toHaveLength(want.length);
  });
});

describe('secrets', () => {
  const SECRET = 'hunter2-Pa55w0rd!';
  const texts = [
    `{"username": "admin", "password": "${SECRET}", "error": "invalid_request", "error_description": "Access denied."}`,
    `Code: 60108 URL: https://admin:${SECRET}@192.0.2.1/service/core/v3/Cluster/SessionModules?token=${SECRET} Status: 403`,
    `ERROR: Request to https://admin:${SECRET}@192.0.2.1/service/a2a/v2/PsmValidation failed, response (HTTP 403)`,
    'Code: 60108 URL: https://admin:hunter2/Pa55@192.0.2.1/service/core/v3/Cluster/SessionModules Status: 403',
    'ERROR: Request to https://admin:hunter2/Pa55@192.0.2.1/service/a2a/v2/PsmValidation failed, response (HTTP 403)',
    `FATAL error: login with ${SECRET} failed, Authorization: Bearer ${SECRET}`,
    `hostname '${SECRET}' doesn't match '${SECRET}'`,
  ];

  it.each(texts)('are not taken out of the text: %#', (text) => {
    const found = recogniseJoinErrors(text);
    expect(found).toHaveLength(1);
    expect(JSON.stringify(found)).not.toContain('Pa55');
    expect(JSON.stringify(found)).not.toContain('hunter2');
  });
});

it('takes time in proportion to the length of a hostile text', () => {
  const pieces = ["hostname '", 'Code: ', 'https://', '\\\\\\', "'a', ", 'error '];
  for (const piece of pieces) {
    const text = piece.repeat(400_000 / piece.length);
    const begin = performance.now();
    recogniseJoinErrors(text);
    expect(performance.now() - begin, piece).toBeLessThan(8000);
  }
});

it('has advice of every kind, with when to try again', () => {
  for (const kind of JOIN_ERROR_KINDS)
    for (const text of Object.values(JOIN_ERROR_ADVICE[kind])) expect(text.trim()).not.toBe('');
  expect(JOIN_ERROR_ADVICE['certificate-mismatch'].tryAgain).toContain('five minutes');
});
