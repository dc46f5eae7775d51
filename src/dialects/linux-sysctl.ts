import { type SourceLine, spanOfLine } from '../text/line-scanner.ts';
import type { Dialect } from './base/dialect.ts';
import { sysctlPath } from './base/sysctl-path.ts';

/** `key = value`, `/proc/sys/path = value`, `/proc/sys/path:value` (as grep prints it). */
const ENTRY = /^\s*-?(\/?proc\/sys\/[^\s:=]+|[A-Za-z][\w-]*(?:[./][^\s=]+)+)\s*(?:=|:(?=\S*\s*$)|\s:)\s*(.*?)\s*$/;
const OUT_OF_CONTEXT = /^\s*(?:\/?proc\/sys\/\S+|(?:net|kernel|vm|fs|dev|user|debug|abi|crypto)[./][^\s=]+)\s*[=:]/;

function parseEntry(line: SourceLine): { path: string; value: string } | undefined {
  const match = ENTRY.exec(line.text);
  return match === null ? undefined : { path: sysctlPath(match[1]!), value: match[2]! };
}

/** Settings that change while a router runs, or that say nothing about packets, are no sign of another router. */
const isSetting = (path: string): boolean => /^net\/ipv4\/(?:conf\/|ip_forward$)/.test(path);

/** Lines of `sysctl -a`, or of files below `/proc/sys` with their values. Ref: sysctl(8). */
export const linuxSysctl: Dialect = {
  name: 'linux-sysctl',
  stage: 1,

  recognise: ({ heading, lines }) =>
    heading === undefined
      ? OUT_OF_CONTEXT.test(lines[0]?.text ?? '')
      : /^sysctl(?: |$)|\/proc\/sys\/|^\/etc\/sysctl/.test(heading.command),

  parse(section, draft) {
    draft.given.sysctls = true;
    // `cat /proc/sys/net/…` prints the value alone.
    const single = /^cat (\/proc\/sys\/[^\s*?[]+)$/.exec(section.heading?.command ?? '')?.[1];
    for (const line of section.lines) {
      const text = line.text.trim();
      // sysctl's own messages about keys that cannot be read.
      if (text === '' || /^[#;]/.test(text) || /^(?:sysctl|grep|cat): /.test(text)) continue;
      const entry = parseEntry(line) ?? (single === undefined ? undefined : { path: sysctlPath(single), value: text });
      if (entry === undefined) {
        // Values of several lines, as some keys outside `net` have, carry on without a key.
        if (!/^\s/.test(line.text)) draft.unparsed('this is no sysctl with its value', spanOfLine(line));
        continue;
      }
      if (isSetting(entry.path)) draft.isNew(`sysctl ${entry.path}`, entry.value, spanOfLine(line));
      draft.sysctls.set(entry.path, { value: entry.value, origin: spanOfLine(line) });
      if (entry.path === 'kernel/hostname') draft.hostname ??= entry.value;
    }
  },
};
