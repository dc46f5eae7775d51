import type { Span } from '../text/span.ts';

/**
 * What an interface asks of a packet's source. `strict`: the route back leaves by this interface. `loose`: there is a route back.
 * `attached`: the source is in no network that another interface is connected to.
 */
export interface SourceCheck {
  readonly mode: 'strict' | 'loose' | 'attached';
  /** Whether the default route counts as a route back; absent where that is not known. */
  readonly allowDefault?: boolean;
  /** An access list that is asked about packets that fail: what it permits passes. */
  readonly exceptions?: string;
  readonly unmodelled: readonly string[];
  /** Why it is not known whether there is a check at all: with and without it are tried. */
  readonly doubt?: string;
  readonly origin: Span;
}
