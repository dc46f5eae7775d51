import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
} from 'yaml';
import { InputError } from '../text/input-error.ts';

/** What people write by hand is far smaller; what is larger takes seconds to be refused. */
const MOST_BYTES = 256 * 1024;
const MOST_LEVELS = 64;
const MOST_ALIASES = 100;
/** Values that a file may come to once its aliases are written out. */
const MOST_VALUES = 100_000;
const LONGEST_MESSAGE = 300;

/** Plain YAML of one document. Ref: YAML 1.2.2, 10.3 Core schema */
export interface YamlFile {
  readonly document: Document;
  /** Plain data, bounded; never circular. An empty file is an empty object. */
  readonly value: unknown;
  /** An error at the place of a key or of an item of a list: the innermost that is there. */
  error(keys: readonly (string | number)[], words: string): InputError;
}

/**
 * Parses what people wrote: words, numbers, lists and keys. Aliases are followed as far as they stay small; tags, merge keys and a key given twice
 * are refused, since readers of YAML differ about what they mean. Throws InputError with path, line and column.
 */
export function parseYaml(path: string, text: string): YamlFile {
  if (text.length > MOST_BYTES)
    throw new InputError(`${path}:1:1: ${text.length} characters are too many for a file of this kind`);
  const counter = new LineCounter();
  const errorAt = (offset: number, words: string): InputError => {
    const { line, col } = counter.linePos(offset);
    const said = words.length > LONGEST_MESSAGE ? `${words.slice(0, LONGEST_MESSAGE)}…` : words;
    // Nothing was counted in a file without a line.
    return new InputError(`${path}:${Math.max(1, line)}:${Math.max(1, col)}: ${said}`);
  };
  // What the file itself says about its version changes nothing. Keys are compared below: yaml compares each with all.
  const document = parseDocument(text, {
    lineCounter: counter,
    prettyErrors: false,
    schema: 'core',
    merge: false,
    resolveKnownTags: false,
    uniqueKeys: false,
    logLevel: 'error',
  });
  const [broken] = [...document.errors, ...document.warnings];
  if (broken?.code === 'RESOURCE_EXHAUSTION') throw errorAt(broken.pos[0], TOO_DEEP);
  if (broken?.code === 'TAG_RESOLVE_FAILED')
    throw errorAt(broken.pos[0], `${broken.message}: tags are not read; write the value without one`);
  if (broken !== undefined) throw errorAt(broken.pos[0], `not YAML: ${broken.message}`);
  new Walk(errorAt).measure(document.contents, 0);
  return {
    document,
    value: document.toJS({ maxAliasCount: -1 }) ?? {},
    error: (keys, words) => errorAt(offsetOf(document, keys), words),
  };
}

const TOO_DEEP = `more than ${MOST_LEVELS} levels of lists and keys in one another`;

/** Goes through a document once, in its order, and refuses what is not plain. */
class Walk {
  readonly #errorAt: (offset: number, words: string) => InputError;
  /** Values behind each anchor, written out; undefined while the walk is inside of it. */
  readonly #behind = new Map<string, number | undefined>();
  #aliases = 0;

  constructor(errorAt: (offset: number, words: string) => InputError) {
    this.#errorAt = errorAt;
  }

  /** Values that a node comes to with its aliases written out. */
  measure(node: unknown, level: number): number {
    if (!isNode(node)) return 1;
    if (isAlias(node)) return this.#follow(node.source, node);
    if (level > MOST_LEVELS) throw this.#errorAt(startOf(node), TOO_DEEP);
    const { anchor } = node as { anchor?: string };
    if (anchor !== undefined) this.#behind.set(anchor, undefined);
    let values = 1;
    if (isSeq(node)) for (const item of node.items) values += this.measure(item, level + 1);
    if (isMap(node)) {
      const known = new Set<string>();
      for (const { key, value } of node.items) {
        this.#checkKey(key, startOf(node), known);
        values += this.measure(key, level + 1) + this.measure(value, level + 1);
      }
    }
    if (values > MOST_VALUES) throw this.#errorAt(startOf(node), `more than ${MOST_VALUES} values with its aliases`);
    if (anchor !== undefined) this.#behind.set(anchor, values);
    return values;
  }

  #follow(anchor: string, alias: Node): number {
    if (++this.#aliases > MOST_ALIASES) throw this.#errorAt(startOf(alias), `more than ${MOST_ALIASES} aliases`);
    const values = this.#behind.get(anchor);
    if (values !== undefined) return values;
    const why = this.#behind.has(anchor) ? 'stands within what it repeats' : 'repeats nothing that stands before it';
    throw this.#errorAt(startOf(alias), `the alias *${anchor} ${why}`);
  }

  #checkKey(key: unknown, offset: number, known: Set<string>): void {
    const at = isNode(key) ? startOf(key) : offset;
    if (!isScalar(key)) throw this.#errorAt(at, 'a key has to be a word');
    const name = String(key.value);
    if (name === '<<') throw this.#errorAt(at, 'merge keys are not read; write the keys out');
    if (known.has(name)) throw this.#errorAt(at, `the key '${name}' stands here twice`);
    known.add(name);
  }
}

function offsetOf(document: Document, keys: readonly (string | number)[]): number {
  let node: unknown = document.contents;
  let offset = isNode(node) ? startOf(node) : 0;
  for (const key of keys) {
    if (isAlias(node)) node = node.resolve(document);
    const found: unknown = isMap(node)
      ? node.items.find((pair) => isScalar(pair.key) && String(pair.key.value) === String(key))
      : isSeq(node)
        ? node.items[Number(key)]
        : undefined;
    const named = isPair(found) ? found.key : found;
    if (!isNode(named)) break;
    offset = startOf(named);
    node = isPair(found) ? found.value : found;
  }
  return offset;
}

function startOf(node: Node): number {
  return node.range?.[0] ?? 0;
}
