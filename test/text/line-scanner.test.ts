import { describe, expect, it } from 'vitest';
import { scanWords, spanOfLine, splitLines, trimLine } from '../../src/text/line-scanner.ts';
import { scanShell } from '../../src/text/shell-scanner.ts';

const line = (text: string) => ({ path: 'f', line: 3, column: 1, text });

describe('splitLines', () => {
  it.each([
    { name: 'LF', text: 'a\nb\n', want: ['a', 'b'] },
    { name: 'CR LF', text: 'a\r\nb', want: ['a', 'b'] },
    { name: 'a lone CR', text: 'a\rb', want: ['a', 'b'] },
    { name: 'an empty text', text: '', want: [] },
    { name: 'a byte order mark', text: '\ufeffa', want: ['a'] },
    { name: 'empty lines count', text: '\n\na', want: ['', '', 'a'] },
  ])('$name', ({ text, want }) => {
    const lines = splitLines('f', text);
    expect(lines.map((entry) => entry.text)).toEqual(want);
    expect(lines.map((entry) => entry.line)).toEqual(want.map((_, index) => index + 1));
  });

  it('places are those of the text without the blanks around it', () => {
    expect(spanOfLine(line('   ip rule  '))).toEqual({ path: 'f', line: 3, column: 4, text: 'ip rule' });
    expect(trimLine(line('  '))).toMatchObject({ text: '' });
  });
});

describe('scanWords', () => {
  it.each([
    { name: 'blanks and tabs', text: ' a\tb  c ', quoting: 'none' as const, want: ['a@2', 'b@4', 'c@7'] },
    { name: 'no quotes in plain text', text: '"a b"', quoting: 'none' as const, want: ['"a@1', 'b"@4'] },
    { name: 'double quotes', text: 'x "a b" y', quoting: 'double' as const, want: ['x@1', 'a b@3*', 'y@9'] },
    {
      name: 'an apostrophe is nothing in iptables-save',
      text: "it's so",
      quoting: 'double' as const,
      want: ["it's@1", 'so@6'],
    },
    { name: 'escapes', text: '"a\\"b\\\\c\\\'d"', quoting: 'double' as const, want: ['a"b\\c\'d@1*'] },
    { name: 'an empty word', text: '"" a', quoting: 'double' as const, want: ['@1*', 'a@4'] },
    { name: 'both quotes of a shell', text: `'a b'"c d"e`, quoting: 'shell' as const, want: ['a bc de@1*'] },
    { name: 'a backslash of a shell', text: 'a\\ b "c\\d"', quoting: 'shell' as const, want: ['a b@1', 'c\\d@6*'] },
  ])('$name', ({ text, quoting, want }) => {
    const words = scanWords(line(text), quoting);
    expect(words?.map((word) => `${word.text}@${word.column}${word.quoted ? '*' : ''}`)).toEqual(want);
  });

  it.each(['"a', '"a\\"', "'a", 'x "'])('%s is never closed', (text) => {
    expect(scanWords(line(text), 'shell')).toBeUndefined();
  });
});

describe('scanShell', () => {
  const variables = new Map([
    ['A', 'one'],
    ['AB', 'two words'],
    ['E', ''],
  ]);
  const show = (text: string): string => {
    const { tokens, comment, error } = scanShell(line(text), variables);
    const shown = tokens.map((token) => (token.kind === 'word' ? `${token.text}@${token.column}` : `(${token.text})`));
    return [
      ...shown,
      ...(comment === undefined ? [] : [`#${comment}`]),
      ...(error === undefined ? [] : [`! ${error}`]),
    ].join(' ');
  };
  it.each([
    { text: 'a b', want: 'a@1 b@3' },
    { text: 'a;b&&c||d|e&', want: 'a@1 (;) b@3 (&&) c@6 (||) d@9 (|) e@11 (&)' },
    { text: 'echo 0 >/proc/x 2>/dev/null', want: 'echo@1 0@6 (>) /proc/x@9 (2>) /dev/null@19' },
    { text: 'a 2>&1 >>b &>c', want: 'a@1 (2>&1) (>>) b@10 (&>) c@14' },
    { text: 'eth0>x', want: 'eth0@1 (>) x@6' },
    { text: 'a # b', want: 'a@1 #2' },
    { text: 'a#b', want: 'a#b@1' },
    { text: '\'a # b\' "c;d"', want: 'a # b@1 c;d@9' },
    { text: '$A $' + '{A}x "$AB" $AB', want: 'one@1 onex@4 two words@10 two@16 words@19' },
    { text: 'a$E b$', want: 'a@1 b$@5' },
    { text: '$E a', want: 'a@4' },
    { text: '"a\\$A\\n"', want: 'a$A\\n@1' },
    { text: 'a\\;b', want: 'a;b@1' },
    { text: 'a $B', want: 'a@1 ! the variable B is not set in this text' },
    { text: 'a $(b)', want: 'a@1 ! this expansion is not followed' },
    { text: 'a `b`', want: 'a@1 ! a command substitution is not followed' },
    { text: 'a "`b`"', want: 'a@1 ! a command substitution is not followed' },
    { text: 'a $1', want: 'a@1 ! the variable 1 is not set in this text' },
    { text: 'a $' + '{B:-c}', want: 'a@1 ! this expansion is not followed' },
    { text: 'a {b,c}', want: 'a@1 ! a brace expansion is not followed' },
    { text: '(a)', want: '! subshells, functions and arrays are not followed' },
    { text: 'a "b', want: 'a@1 ! a quote is opened and never closed' },
  ])('$text', ({ text, want }) => {
    expect(show(text)).toBe(want);
  });
});
