import { scanWords, type SourceLine, spanOfLine } from '../text/line-scanner.ts';
import type { DeviceDraft } from './base/device-draft.ts';
import type { Dialect } from './base/dialect.ts';
import { IpSetDraft } from './base/ipset-text.ts';

const FAILURE = /not found\s*$|No such file or directory|Permission denied|not permitted|^ipset v\S+: /i;

/** `ipset list` as lines of `ipset save`. */
function savedLine(text: string, state: { name: string; type: string; inMembers: boolean }): string | undefined {
  const [, key, value = ''] =
    /^(Name|Type|Revision|Header|Size in memory|References|Number of entries|Members):\s*(.*)$/.exec(text) ?? [];
  if (key === 'Name') {
    state.name = value;
    state.inMembers = false;
  } else if (key === 'Type') state.type = value;
  else if (key === 'Header') return `create ${state.name} ${state.type} ${value}`;
  else if (key === 'Members') state.inMembers = true;
  else if (key === undefined && state.inMembers && text !== '') return `add ${state.name} ${text}`;
  return undefined;
}

function readLine(draft: DeviceDraft, sets: Map<string, IpSetDraft>, line: SourceLine, text: string): void {
  const words = scanWords({ ...line, text }, 'double')?.map((word) => word.text);
  const origin = spanOfLine(line);
  const [verb, ...rest] = (words ?? []).filter((word) => word !== '-exist' && word !== '-!');
  const [name, ...more] = rest;
  if (verb === 'create' && name !== undefined && more[0] !== undefined) {
    const set = new IpSetDraft(name, more[0], more.slice(1), origin);
    sets.set(name, set);
    return;
  }
  const set = verb === 'add' && name !== undefined ? sets.get(name) : undefined;
  if (set !== undefined && more.length > 0) set.add(more);
  else {
    draft.unparsed('this is no line of ipset save', origin);
    draft.unknown('a line of ipset save that is not understood', origin);
  }
}

/** Two dumps of one state differ in counters and in the time that members have left. */
function fingerprint(lines: readonly SourceLine[]): string {
  return lines
    .map((line) => line.text.trim().replace(/ (?:timeout|packets|bytes|initval|hashsize) \S+/g, ''))
    .filter((text) => text !== '')
    .sort()
    .join('\n');
}

/** `ipset save`, and `ipset list`. Ref: ipset(8). */
export const linuxIpset: Dialect = {
  name: 'linux-ipset',
  stage: 1,
  recognise: ({ heading, lines }) =>
    heading === undefined
      ? /^(?:create|add) \S+ (?:hash:|bitmap:|list:|[0-9a-f.:/]+(?:,\S+)?(?: |$))/.test(lines[0]?.text ?? '')
      : /^ipset (?:save|list)(?: |$)/.test(heading.command),

  parse(section, draft) {
    const lines = section.lines.filter((line) => line.text.trim() !== '' && !line.text.startsWith('#'));
    const failure = lines.find((line) => FAILURE.test(line.text) && !/^(?:create|add) /.test(line.text));
    if (failure !== undefined) {
      draft.report({
        code: 'RV304',
        message: `"ipset save" failed on the router: ${failure.text.trim()}`,
        where: { kind: 'config', ...spanOfLine(failure) },
      });
      return;
    }
    const at = section.heading?.at ?? lines[0];
    if (at === undefined || !draft.isNew('ipset', fingerprint(lines), spanOfLine(at))) return;
    const sets = new Map<string, IpSetDraft>();
    const isList = lines[0]?.text.startsWith('Name:') === true;
    const state = { name: '', type: '', inMembers: false };
    for (const line of lines) {
      const text = isList ? savedLine(line.text.trim(), state) : line.text.trim();
      if (text !== undefined) readLine(draft, sets, line, text);
    }
    draft.sets ??= new Map();
    for (const set of sets.values()) {
      if (set.unknown !== undefined)
        draft.unmodelled(`what set ${set.name} holds is unknown: ${set.unknown}`, set.origin);
      draft.sets.set(set.name, set.finish());
    }
  },
};
