/** Where a statement stands. Lines and columns count from 1. */
export interface Span {
  /** As given on the command line, or found beside the capture. */
  readonly path: string;
  readonly line: number;
  readonly column: number;
  /** The statement as written, without prompt and line end. */
  readonly text: string;
}

/** Prints `path:line:column`. */
export function formatPlace(span: Span): string {
  return `${span.path}:${span.line}:${span.column}`;
}
