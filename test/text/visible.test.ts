import { describe, expect, it } from 'vitest';
import { jsonText, visible } from '../../src/text/visible.ts';

const STEERING: readonly [name: string, character: string, shown: string][] = [
  ['escape', '\u001b', '\\x1b'],
  ['a line end', '\n', '\\x0a'],
  ['carriage return', '\r', '\\x0d'],
  ['zero', '\u0000', '\\x00'],
  ['delete', '\u007f', '\\x7f'],
  ['the one-character CSI', '\u009b', '\\x9b'],
  ['a line separator', '\u2028', '\\u2028'],
  ['a paragraph separator', '\u2029', '\\u2029'],
  ['right-to-left override', '\u202e', '\\u202e'],
  ['a right-to-left mark', '\u200f', '\\u200f'],
  ['an Arabic letter mark', '\u061c', '\\u061c'],
  ['a left-to-right isolate', '\u2066', '\\u2066'],
  ['no character', '\uffff', '\\uffff'],
  ['half a character', '\ud800', '\\ud800'],
];

describe('words of an input', () => {
  it.each(STEERING)('%s is shown, not sent', (_, character, shown) => {
    expect(visible(`a${character}b`)).toBe(`a${shown}b`);
  });

  it('other words are as they were; a tab is a space', () => {
    expect(visible('Gi0/0\t— ключ, مفتاح, 🔑 …')).toBe('Gi0/0 — ключ, مفتاح, 🔑 …');
  });
});

describe('JSON', () => {
  it.each(STEERING)('%s is spelled out, and read back', (_, character) => {
    const text = jsonText({ [`k${character}`]: [`v${character}`] });
    expect(text).not.toContain(character);
    expect(JSON.parse(text)).toEqual({ [`k${character}`]: [`v${character}`] });
  });

  it('otherwise is as JSON.stringify writes it', () => {
    const value = { a: ['é', 1, null], b: { c: '🔑' } };
    expect(jsonText(value, 2)).toBe(JSON.stringify(value, undefined, 2));
  });
});
