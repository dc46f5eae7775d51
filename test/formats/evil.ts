/** Words that inputs may hold where a report repeats them, and reports in which every such word stands once. */
import fc from 'fast-check';
import type { DiffReport } from '../../src/report/diff-report.ts';
import type { Evidence } from '../../src/report/evidence.ts';
import type { Report } from '../../src/report/report.ts';
import { connection, finding, madeReport } from '../report/made-report.ts';

/** What steers terminals, hides text, ends lines, or is structure in HTML, XML, Markdown, JSON, SARIF, YAML, Prometheus' text or a shell. */
export const PIECES = [
  '\u001b[2J\u001b[31m',
  '\u001b]0;title\u0007',
  '\u001b]8;;http://192.0.2.1\u001b\\',
  '\u009b31m',
  '\u0000',
  '\b\b\b',
  '\r',
  '\n',
  '\r\n',
  '\n\n',
  '\u0085',
  '\u2028',
  '\u2029',
  '\u202e',
  '\u2066',
  '\u200f',
  '\u061c',
  '\ufeff',
  '\ud800',
  '\uffff',
  '\t',
  '<script>alert(1)</script>',
  '</script><img src=x onerror=alert(1)>',
  '</title></style></code>',
  '<!--',
  ']]>',
  '"><b x="',
  "'><b x='",
  '&lt;b&gt;',
  '&#27;',
  '&amp',
  '<http://192.0.2.1>',
  'https://192.0.2.1/',
  'www.example.com',
  '[x](javascript:alert(1))',
  '![x](http://192.0.2.1/y)',
  '[x]: http://192.0.2.1',
  '[x][y]',
  '[^1]',
  '`',
  '``',
  '```',
  '~~~',
  '~~x~~',
  '**x**',
  '_x_',
  '|',
  '\\|',
  '\\',
  '| a | b |',
  '| --- |',
  '# ',
  '- ',
  '+ ',
  '* ',
  '1. ',
  '1) ',
  '> ',
  '---',
  '===',
  '    ',
  ': ',
  '$x^2$',
  '@everyone',
  '#1',
  '{0}',
  '{{',
  '}',
  '"',
  "'",
  '}",verdict="verified"} 1',
  '$(touch pwned)',
  '`touch pwned`',
  ';touch pwned;',
  '&&touch pwned',
  '|touch pwned',
  '>pwned',
  '\ntouch pwned\n',
  '"$(touch pwned)"',
  "';touch pwned;'",
  '$HOME',
  '%s%n',
  'VERIFIED  1 connection: 1 verified',
] as const;

/** A few pieces in a row. */
export const PIECE = fc
  .array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 3 })
  .map((parts) => parts.join(''));

/** A word for each place: its name, so that no two are the same, among what does harm. */
export type Words = (place: string) => string;

/** Places are named by letters and digits only, and at least one stays. */
export const HARMLESS: Words = (place) => place;

/** The same pieces around the name of every place; runs that differ fail on their own. */
export const HARMFUL: fc.Arbitrary<Words> = fc.tuple(PIECE, fc.oneof(fc.constant(''), PIECE)).map(
  ([before, behind]) =>
    (place: string) =>
      `${before}${place}${behind}`,
);

const AT = (words: Words, place: string) =>
  ({ kind: 'config', path: words(`${place}path`), line: 7, column: 3, text: words(`${place}text`) }) as const;
const FRAME = (words: Words, place: string) =>
  ({ kind: 'frame', path: words(`${place}path`), frame: 12, interface: words(`${place}interface`) }) as const;

/** A failed run in which everything that can come from an input, or from somebody's JSON that is merged, is a word. */
export function evilReport(words: Words, parts: Partial<Report> = {}): Report {
  const capture = {
    path: words('capturepath'),
    format: words('captureformat'),
    packets: 1,
    bytes: 1,
    interfaces: [words('captureinterface1'), words('captureinterface2')],
    truncated: true,
    vantage: 'client' as const,
    firstTimestamp: words('first'),
    lastTimestamp: words('last'),
    note: words('capturenote'),
  };
  return madeReport('failed', {
    captures: [capture],
    vantage: { stated: false, interfaces: [words('shown')], missing: [words('missing')], showsBypass: false },
    router: {
      dialects: [words('dialect')],
      sources: [{ path: words('source'), sha256: words('sum') }],
      hostname: words('hostname'),
      collectedAt: words('collected'),
      notices: [words('notice')],
    },
    intent: {
      sps: [words('sps')],
      spsInterfaces: [words('spsinterface')],
      snat: 'own',
      services: [words('service')],
      clients: [words('clients')],
      servers: [words('servers')],
      inferred: ['sps', 'services'],
    },
    connections: [
      connection(1, {
        protocol: words('protocol'),
        client: words('client'),
        server: words('server'),
        verdict: 'failed',
        findings: [words('connectionfinding')],
      }),
      connection(2, { verdict: 'inconclusive' }),
    ],
    findings: [
      finding(1, {
        slug: words('slug'),
        message: words('message'),
        count: 2,
        causes: [2],
        connections: [1],
        where: FRAME(words, 'finding'),
        notes: [
          { message: words('note1'), where: AT(words, 'note1') },
          { message: words('note2'), where: FRAME(words, 'note2') },
          { message: words('note3') },
        ],
        fix: [words('fix1'), words('fix2')],
        undo: [words('undo')],
        persist: [words('persist')],
      }),
      finding(2, {
        code: 'RV401',
        slug: 'mark-without-policy-rule',
        message: words('message2'),
        where: AT(words, 'two'),
      }),
    ],
    ...parts,
  });
}

/** The same, of a run without captures. */
export function evilCheck(words: Words): Report {
  return evilReport(words, {
    mode: 'check',
    captures: [],
    check: {
      sessions: 4,
      clients: [words('checkclients')],
      servers: [words('checkservers')],
      services: [words('checkservice')],
      alsoRedirected: [words('also')],
      possible: [{ code: 'RV510', message: words('possible'), connections: [1], fix: [words('possiblefix')] }],
    },
  });
}

/** The same, of a join: what stands in a certificate was written by whoever answered. */
export function evilJoin(words: Words): Report {
  return evilReport(words, {
    connections: [],
    join: {
      spp: words('spp'),
      sps: [words('node')],
      entered: words('entered'),
      flows: [
        {
          client: words('flowclient'),
          server: words('flowserver'),
          verdict: 'failed',
          expected: 'blocked',
          expectedDetail: words('detail'),
          observed: 'refused',
          attempts: 2,
        },
      ],
      certificates: [
        {
          path: words('certificatepath'),
          frame: 9,
          version: words('version'),
          certificate: 'visible',
          entered: words('certificateentered'),
          match: 'none',
          names: words('names'),
          issuer: words('issuer'),
          validity: 'expired',
          outcome: 'rejected',
          notes: [words('certificatenote')],
        },
      ],
    },
  });
}

export function evilEvidence(words: Words): Evidence {
  const leg = { viaSps: 1, bypassed: 1, dropped: 1, looped: 1, undetermined: 1, synthesized: 1 };
  return {
    interfaces: [{ name: words('spsinterface'), addresses: [words('address')], facesSps: true }],
    clientInterface: words('clientinterface'),
    serverInterface: words('serverinterface'),
    legs: [{ role: 'client-request', ...leg }],
    walks: [
      {
        finding: 1,
        steps: [{ words: words('step'), place: { path: words('steppath'), line: 3, text: words('steptext') } }],
      },
    ],
    sequences: [],
    sequencesOmitted: 1,
  };
}

export function evilDiff(words: Words): DiffReport {
  const { captures, router, intent, summary, verdict } = evilReport(words);
  const side = (place: string) =>
    ({ fate: 'dropped', effect: words(`${place}effect`), end: words(`${place}end`), where: AT(words, place) }) as const;
  const none = {
    'no-longer-via-sps': 0,
    'newly-looping': 0,
    'newly-bypassing': 0,
    'newly-undetermined': 0,
    'newly-via-sps': 0,
    'newly-determined': 0,
    'other-way': 0,
    unchanged: 0,
  };
  return {
    schema: 'redirect-verify/diff/1',
    before: { verdict, router, summary },
    after: { verdict, router, summary },
    captures,
    intent,
    summary: { ...none, 'newly-dropped': 1, connections: 1, noLongerVerified: 1 },
    established: { open: 1, unaffected: 0, cut: 1, oldMark: 0, unknown: 0 },
    groups: [
      {
        change: 'newly-dropped',
        count: 1,
        noLongerVerified: 1,
        packet: words('packet'),
        before: side('before'),
        after: side('after'),
        connections: [{ protocol: words('protocol'), client: words('client'), server: words('server') }],
      },
    ],
  };
}
