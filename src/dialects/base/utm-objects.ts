import type { ConfigurationText } from '../../model/policy-route.ts';
import { InputError } from '../../text/input-error.ts';
import type { Span } from '../../text/span.ts';
import { isJsonObject, type JsonObject, type JsonValue, parseJsonText } from './json-objects.ts';

/** An object of the configuration: its reference, its class and type (`route/policy`), its attributes. */
export interface UtmObject {
  readonly ref: string;
  readonly type: string;
  readonly members: ReadonlyMap<string, JsonValue>;
  readonly origin: Span;
}

/** Objects by reference, and values of nodes by dotted path. Mutable while texts and changes are read. */
export class UtmObjects {
  readonly objects = new Map<string, UtmObject>();
  readonly nodes = new Map<string, { readonly value: JsonValue; readonly origin: Span }>();
  /** Texts, or parts of them, that are no JSON. */
  readonly unread: Span[] = [];

  ofType(prefix: string): UtmObject[] {
    return [...this.objects.values()].filter((object) => object.type.startsWith(prefix));
  }

  /** References that a list node holds, in order; undefined where the node is not given. */
  order(path: string): readonly string[] | undefined {
    const value = this.nodes.get(path)?.value;
    return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : undefined;
  }
}

/** Where nodes are named by no key: `GET /api/nodes/routes.policy` gives a bare list, and the file is called after it. */
const NODE_NAME = /((?:routes|packetfilter|nat|masq|interfaces|uplink)\.[a-z_.]+?)(?:\.json|\.txt)?$/;
const HEADING = /^### *(.*\S)\s*$/;

/** Reads an export: objects as the REST API or confd give them, arrays or maps by class, and nodes. */
export function readExport(texts: readonly ConfigurationText[]): UtmObjects {
  const found = new UtmObjects();
  for (const { path, text } of texts) {
    for (const part of parts(text)) {
      if (part.text.trim() === '') continue;
      const value = parseJsonText(path, part.text, part.line);
      if (value === undefined) {
        found.unread.push({ path, line: part.line, column: 1, text: part.text.trim().split('\n')[0]!.slice(0, 80) });
        continue;
      }
      const named = NODE_NAME.exec(part.heading ?? path)?.[1];
      const origin = { path, line: part.line, column: 1, text: named ?? '' };
      if (named !== undefined && !isJsonObject(value) && !holdsObjects(value))
        found.nodes.set(named, { value, origin });
      else collect(found, value, [], origin);
    }
  }
  return found;
}

interface Part {
  readonly heading?: string;
  readonly text: string;
  readonly line: number;
}

/** Sections of a collection: `### /api/objects/route/policy/` before each answer. */
function parts(text: string): Part[] {
  const lines = text.split(/\r?\n/);
  const result: { heading?: string; lines: string[]; line: number }[] = [{ lines: [], line: 1 }];
  lines.forEach((line, index) => {
    const heading = HEADING.exec(line)?.[1];
    if (heading === undefined) result.at(-1)!.lines.push(line);
    else result.push({ heading, lines: [], line: index + 2 });
  });
  return result.map(({ heading, lines: own, line }) => ({
    ...(heading !== undefined && { heading }),
    text: own.join('\n'),
    line,
  }));
}

function holdsObjects(value: JsonValue): boolean {
  return Array.isArray(value) && value.some((item) => isJsonObject(item));
}

function collect(found: UtmObjects, value: JsonValue, path: readonly string[], origin: Span): void {
  if (Array.isArray(value)) {
    if (value.some((item) => isJsonObject(item)) || value.length === 0 || path.length === 0)
      for (const item of value) collect(found, item, path, origin);
    if (!value.some((item) => isJsonObject(item))) addNode(found, path, value, origin);
    return;
  }
  if (!isJsonObject(value)) {
    addNode(found, path, value, origin);
    return;
  }
  const object = objectOf(value, path);
  if (object !== undefined) {
    found.objects.set(object.ref, object);
    return;
  }
  for (const [key, member] of value.members)
    collect(found, member, [...path, key], value.places.get(key) ?? value.origin);
}

function addNode(found: UtmObjects, path: readonly string[], value: JsonValue, origin: Span): void {
  const name = path.filter((key) => key !== 'nodes').join('.');
  if (/^[a-z_]+(?:\.[a-z_0-9]+)+$/.test(name)) found.nodes.set(name, { value, origin });
}

/** REST: `_ref` and `_type` among the attributes. confd: `ref`, `class`, `type` around `data`. */
function objectOf(value: JsonObject, path: readonly string[]): UtmObject | undefined {
  const { members, origin } = value;
  const ref = text(members.get('_ref')) ?? text(members.get('ref')) ?? keyOf(path, members);
  if (ref === undefined) return undefined;
  const type = text(members.get('_type'));
  if (type !== undefined) return { ref, type, members, origin };
  const data = members.get('data');
  const group = text(members.get('class'));
  const kind = text(members.get('type'));
  if (!isJsonObject(data) || group === undefined || kind === undefined) return undefined;
  return { ref, type: `${group}/${kind}`, members: data.members, origin };
}

/** Maps by reference leave it out within. */
function keyOf(path: readonly string[], members: ReadonlyMap<string, JsonValue>): string | undefined {
  const key = path.at(-1);
  return key?.startsWith('REF_') === true && (members.has('_type') || members.has('data')) ? key : undefined;
}

function text(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

const CHANGE = /^(PATCH|PUT|POST|DELETE) \/api\/(objects|nodes)\/(\S+)(?: ([[{"\w].*))?$/;

/** Applies a change in the words of the REST API. Throws InputError where it is none, or names what is not there. */
export function applyChange(found: UtmObjects, command: string, line: number): void {
  const match = CHANGE.exec(command);
  const origin: Span = { path: 'commands', line, column: 1, text: command };
  const body = match?.[4] === undefined ? undefined : parseJsonText('commands', match[4], line);
  if (match === null) throw new InputError(`commands:${line}: this is no request of the REST API`);
  const [, method, kind, path = ''] = match;
  if (kind === 'nodes') {
    if (method !== 'PUT' || body === undefined) throw new InputError(`commands:${line}: a node is changed by PUT`);
    found.nodes.set(path, { value: body, origin });
    return;
  }
  const [group, type, ref] = path.split('/');
  const known = found.objects.get(ref ?? '');
  if (method === 'DELETE') {
    found.objects.delete(ref ?? '');
    return;
  }
  if (!isJsonObject(body)) throw new InputError(`commands:${line}: the request has no object`);
  if (method === 'POST') {
    const given = body.members.get('_ref');
    if (typeof given !== 'string') throw new InputError(`commands:${line}: the new object has no reference`);
    found.objects.set(given, { ref: given, type: `${group}/${type}`, members: body.members, origin });
    return;
  }
  if (known === undefined) throw new InputError(`commands:${line}: there is no object ${ref}`);
  const members = method === 'PATCH' ? new Map([...known.members, ...body.members]) : body.members;
  found.objects.set(known.ref, { ...known, members });
}
