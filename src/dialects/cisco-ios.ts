import type { ConfigurationText, PolicyRouteDevice } from '../model/policy-route.ts';
import { spanOfLine, splitLines } from '../text/line-scanner.ts';
import { formatPlace } from '../text/span.ts';
import { CiscoDraft } from './base/cisco-draft.ts';
import { finishCisco } from './base/cisco-finish.ts';
import { splitCiscoText } from './base/cisco-lines.ts';
import { runCiscoConfig } from './base/cisco-run.ts';
import { readShow } from './base/cisco-show.ts';
import { isUnfoldable } from './base/cisco-unfold.ts';
import type { DeviceDialect } from './base/device-dialect.ts';

/** Lines that only a configuration of IOS, its prompts or what its commands print can hold. */
const SIGNS: readonly RegExp[] = [
  /^\s*interface [A-Za-z][\w-]*\s?\d[\d/.:]*\s*$/m,
  /^\s*ip access-list (?:standard |extended )?[\w-]+\s*$/m,
  /^\s*access-list \d+ (?:permit|deny|remark) /m,
  /^\s*route-map \S+ (?:permit|deny)(?: \d+)?\s*$/m,
  /^\s*ip policy route-map \S/m,
  /^\s*ip route (?:vrf \S+ )?\d+\.\d+\.\d+\.\d+ \d+\.\d+\.\d+\.\d+ /m,
  /(?:^|\s)(?:#\s?\(config[\w-]*\)|\S+\(config[\w-]*\)\s?#)/m,
  /^(?:### *)?(?:\S+[#>]\s*)?sh(?:ow?)? (?:run|startup|ip route|track|arp|interfaces|clock|ip interface)/im,
  /^Current configuration : \d+ bytes/m,
  /^Codes: .*\bC - connected\b/m,
  /^Protocol\s+Address\s+Age ?\(min\)\s+Hardware Addr/m,
  /^\S+ is (?:administratively )?(?:up|down|reset|deleted)(?: \(.*\))?, line protocol is (?:up|down)/m,
  /^Track \d+\s*$/m,
  /^Interface\s+IP-Address\s+OK\?\s+Method/m,
];

/** A running configuration of Cisco IOS, commands typed into one, and outputs of `show`: see {@link splitCiscoText}. */
export const ciscoIos: DeviceDialect = {
  name: 'cisco-ios',
  recognise: (source) =>
    SIGNS.some((sign) => sign.test(source.text)) || isUnfoldable(splitLines(source.path, source.text)),
  parse: (sources) => readTexts(sources),
};

/** The device after some commands in its configuration mode; what IOS would refuse is added to the problems. */
export function applyCiscoCommands(device: PolicyRouteDevice, commands: readonly string[]): PolicyRouteDevice {
  return readTexts(device.texts, commands);
}

/** Configurations first, in the order of the texts, then outputs, which say how things are. */
function readTexts(texts: readonly ConfigurationText[], commands: readonly string[] = []): PolicyRouteDevice {
  const draft = new CiscoDraft();
  const split = texts.map((text) => splitCiscoText(text));
  split.forEach((part, index) => {
    const first = part.config[0]?.line;
    const { path } = texts[index]!;
    for (const host of part.hosts) draft.nameHost(host, { path, line: first?.line ?? 1, column: 1, text: host });
    if (part.unfolded !== undefined && first !== undefined) {
      draft.notices.push(`${formatPlace(spanOfLine(first))}: a configuration without line ends, read as`);
      for (const line of part.unfolded) draft.notices.push(`    ${line.text}`);
    }
    runCiscoConfig(draft, part.config);
  });
  runCiscoConfig(
    draft,
    commands.map((text, index) => ({ line: { path: 'commands', line: index + 1, column: 1, text }, level: 'either' })),
  );
  for (const part of split) for (const show of part.shows) readShow(draft, show);
  return finishCisco(draft, texts);
}
