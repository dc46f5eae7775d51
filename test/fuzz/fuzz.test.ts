/** The fuzzer itself: it repeats itself, it notices what is wrong, and what it finds it makes small. */
import { beforeAll, describe, expect, it } from 'vitest';
import { type Case, KIND_NAMES, makeCase } from './cases.ts';
import { type Corpus, loadCorpus } from './corpus.ts';
import type { Outcome } from './execute.ts';
import { violation } from './invariants.ts';
import { Random } from './random.ts';
import { shrink } from './shrink.ts';

let corpus: Corpus;
beforeAll(async () => {
  corpus = await loadCorpus();
});

describe('cases', () => {
  it('are those of their seed and number, whatever was made before', () => {
    for (const kind of KIND_NAMES) {
      const first = makeCase(corpus, 7, 3, kind);
      makeCase(corpus, 7, 4, kind);
      expect(makeCase(corpus, 7, 3, kind)).toEqual(first);
      expect(makeCase(corpus, 8, 3, kind)).not.toEqual(first);
    }
  });

  it('are made of every stored capture and text of a router', () => {
    expect(corpus.folders.length).toBeGreaterThan(70);
    expect(corpus.folders.every((folder) => folder.captures.length > 0 && folder.router.length > 0)).toBe(true);
    const texts = corpus.states.map((state) => state.text).join('\n');
    const words = [
      '*mangle',
      'ip access-list',
      'ip rule add',
      '"ifname"',
      'conntrack -L',
      'create ',
      'nexthop',
      'itfparams/',
    ];
    for (const word of words) expect(texts).toContain(word);
  });
});

describe('random numbers', () => {
  it('come in every value of their range', () => {
    const random = new Random(1);
    const seen = new Set(Array.from({ length: 500 }, () => random.between(3, 12)));
    expect([...seen].sort((a, b) => a - b)).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  });
});

describe('what is wrong with an end', () => {
  const calm: Outcome = { status: 0, stdout: 'VERIFIED\n', stderr: '', seconds: 0.1, mebibytes: 90 };
  const refused: Outcome = { ...calm, status: 2, stdout: '', stderr: 'redirect-verify: a.pcap: is empty\n' };
  const run = (argv: readonly string[], outcome: Outcome): string | undefined =>
    violation({ argv, files: new Map([['a.pcap', Buffer.alloc(0)]]) }, outcome);
  const formatted = (format: string, stdout: string): string | undefined =>
    run(['verify', 'a.pcap', '--format', format], { ...calm, stdout });

  it('nothing, where a report or one line that names the place comes', () => {
    expect(run(['verify', 'a.pcap'], calm)).toBeUndefined();
    expect(run(['verify', 'a.pcap'], refused)).toBeUndefined();
    expect(run(['verify', 'a.pcap'], { ...refused, stderr: `router state: r.txt\n${refused.stderr}` })).toBeUndefined();
  });

  it.each<[string, Partial<Outcome>, RegExp]>([
    ['a crash', { crash: 'TypeError: x\n    at f (/r/src/a/b.ts:3:4)' }, /crash: TypeError: x @ src\/a\/b\.ts:3/],
    ['another exit code', { status: 134 }, /exit code 134/],
    ['a signal', { status: null }, /exit code null/],
    ['a stack', { stderr: 'Error: x\n    at f (/r/dist/a.js:3:4)\n' }, /stack trace/],
    ['time', { seconds: 6 }, /slow/],
    ['two lines of refusal', { ...refused, stderr: `${refused.stderr}more\n` }, /refused on 2 lines/],
    ['no line of refusal', { ...refused, stderr: '' }, /refused on 0 lines/],
    ['no place', { ...refused, stderr: 'redirect-verify: it cannot be read\n' }, /without a place/],
    ['an escape sequence', { stdout: 'eth0\u001b[31m\n' }, /U\+001b on stdout/],
    ['a C1 control character', { stdout: 'eth0\u009b31m\n' }, /U\+009b on stdout/],
    ['text turned around', { stderr: 'a\u202eb\n' }, /U\+202e on stderr/],
  ])('%s', (_, change, want) => {
    expect(run(['verify', 'a.pcap'], { ...calm, ...change })).toMatch(want);
  });

  it.each<[string, string, string, RegExp]>([
    ['broken JSON', 'json', '{"a": ', /not JSON/],
    ['a broken line of JSON', 'ndjson', '{"a":1}\n{', /not JSON/],
    ['an element that stays open', 'junit', '<a><b></a>', /closes another/],
    ['a bare ampersand', 'junit', '<a b="x & y"/>', /bare &/],
    ['a bare angle bracket', 'junit', '<a b="x"/>< c', /not XML at/],
    ['markup in a page', 'html', '<p><img src=x onerror=alert(1)></p>', /markup stands in the page/],
    ['markup in a ticket', 'markdown', 'an <img src=x onerror=alert(1)>', /markup stands in the Markdown/],
    ['an image in a ticket', 'markdown', 'an ![x](http://192.0.2.1/)', /markup stands in the Markdown/],
  ])('%s', (_, format, stdout, want) => {
    expect(formatted(format, stdout)).toMatch(want);
  });

  it('nothing, where markup is shown as text', () => {
    expect(formatted('junit', '<?xml version="1.0"?>\n<a b="x &amp; &lt;"><c/>&#10;</a>\n')).toBeUndefined();
    expect(formatted('html', '<p>&lt;img src=x onerror=alert(1)&gt;</p>')).toBeUndefined();
    expect(
      formatted('markdown', '`<img src=x onerror=alert(1)>` and\n\n```sh\n<img src=x onerror=alert(1)>\n```\n'),
    ).toBeUndefined();
  });
});

describe('a failing case is made small', () => {
  it('of a text: the lines and characters that it takes', async () => {
    const lines = Array.from({ length: 300 }, (_, index) => `line ${index}\n`).join('');
    const item: Case = {
      kind: 'text',
      argv: ['check', '--router', 'r.txt', '--verbose'],
      files: new Map([
        ['r.txt', Buffer.from(`${lines}the culprit\n${lines}`)],
        ['other.txt', Buffer.from(lines)],
      ]),
    };
    const small = await shrink(item, async ({ argv, files }) => {
      return argv.includes('--router') && files.get('r.txt')?.includes('culprit') === true;
    });
    expect(small.argv).toEqual(['check', '--router', 'r.txt']);
    expect([...small.files].map(([name, bytes]) => [name, bytes.toString()])).toEqual([['r.txt', 'culprit']]);
  });

  it('of a capture: whole records', async () => {
    const capture = corpus.folders.find((folder) => folder.name === 'empty-table')!.captures[0]!;
    const record = capture.bytes.subarray(-100, -80);
    const item: Case = { kind: 'file', argv: ['verify', 'c'], files: new Map([['c', capture.bytes]]) };
    const small = await shrink(item, async ({ files }) => files.get('c')?.includes(record) === true);
    expect(small.files.get('c')!.length).toBeLessThan(capture.bytes.length / 10);
    expect(small.files.get('c')!.includes(record)).toBe(true);
  });
});
