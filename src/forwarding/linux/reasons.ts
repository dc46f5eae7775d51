import type { Span } from '../../text/span.ts';
import type { Unknown } from '../forwarder.ts';

/** Things that could be unknown, and statements that could decide, by small numbers. Filled while compiling, constant afterwards. */
export class Registry {
  readonly unknowns: Unknown[] = [];
  readonly origins: Span[] = [];
  readonly #unknownByText = new Map<string, number>();
  readonly #originByPlace = new Map<string, number>();

  unknown(reason: string, origin?: Span): number {
    const key = origin === undefined ? reason : `${reason}\n${placeOf(origin)}`;
    const found = this.#unknownByText.get(key);
    if (found !== undefined) return found;
    this.#unknownByText.set(key, this.unknowns.length);
    return this.unknowns.push(origin === undefined ? { reason } : { reason, origin }) - 1;
  }

  /** −1 where the statement is implied and stands nowhere. */
  origin(span: Span | undefined): number {
    if (span === undefined) return -1;
    const key = placeOf(span);
    const found = this.#originByPlace.get(key);
    if (found !== undefined) return found;
    this.#originByPlace.set(key, this.origins.length);
    return this.origins.push(span) - 1;
  }
}

function placeOf(span: Span): string {
  return `${span.path}\n${span.line}\n${span.column}\n${span.text}`;
}
