import type { Dialect } from './base/dialect.ts';

/** `ipset save`. The sets are not read: a rule that uses one is reported as not modelled where it stands. */
export const linuxIpset: Dialect = {
  name: 'linux-ipset',
  stage: 1,
  recognise: ({ heading, lines }) =>
    heading === undefined
      ? /^(?:create|add) \S+ (?:hash:|bitmap:|list:|[0-9a-f.:/]+(?:,\S+)?(?: |$))/.test(lines[0]?.text ?? '')
      : /^ipset (?:save|list)(?: |$)/.test(heading.command),
  parse() {},
};
