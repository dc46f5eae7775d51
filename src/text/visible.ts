/** What is not written as it is: it would steer a terminal, break XML, or hide what a reader believes to see. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not get through
const STEERING = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffe\uffff]|\p{Surrogate}/gu;

/** The same, of what JSON does not escape by itself. */
const STEERING_IN_JSON = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffe\uffff]/g;

/**
 * Words of an input in one line that can be shown: control characters, marks that turn the direction of writing, lone surrogates and what
 * XML forbids are spelled out (`\x1b`, `\u202e`); a tab is a space.
 *
 * Ref: Unicode Technical Report 36, 2.7 (bidirectional text spoofing); XML 1.0, 2.2 Characters.
 */
export function visible(words: string): string {
  const shown = (character: string): string => {
    const code = character.charCodeAt(0);
    return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  };
  return words.replaceAll('\t', ' ').replace(STEERING, shown);
}

/** JSON whose strings steer no terminal that it is shown on; a reader gets the same value. */
export function jsonText(value: unknown, indent?: number): string {
  return JSON.stringify(value, undefined, indent).replace(
    STEERING_IN_JSON,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
