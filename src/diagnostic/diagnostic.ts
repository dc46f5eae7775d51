import type { Span } from '../text/span.ts';

/** How bad it is. Ref: contract, table of findings. */
export type Severity = 'error' | 'warning' | 'note';

/** A frame of a capture (numbers from 1, as Wireshark counts) or a statement of a configuration. */
export type Where =
  | { readonly kind: 'frame'; readonly path: string; readonly frame: number; readonly interface?: string }
  | ({ readonly kind: 'config' } & Span);

/** One more sentence about a diagnostic, with its place. */
export interface Note {
  readonly message: string;
  readonly where?: Where;
}

/**
 * Something that a reader of input met: a truncated file, text that is not of its dialect, a value that is missing. Lower layers
 * make these; `findings/` documents their codes and turns them into findings.
 */
export interface Problem {
  /** A code of the contract, e.g. `RV302`. */
  readonly code: string;
  readonly message: string;
  readonly where?: Where;
  readonly notes?: readonly Note[];
  readonly fix?: readonly string[];
  /** How often, 1 where absent. */
  readonly count?: number;
}

/** A configuration place. */
export function configPlace(span: Span): Where {
  return { kind: 'config', ...span };
}
