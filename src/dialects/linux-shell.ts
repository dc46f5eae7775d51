import type { LinuxDevice } from '../model/linux-device.ts';
import { DeviceDraft } from './base/device-draft.ts';
import type { Dialect } from './base/dialect.ts';
import { finishCommands } from './base/resolve-state.ts';
import { promptLength } from './base/section.ts';
import { isSetupCommand } from './base/shell-lines.ts';
import { runShell } from './base/shell-run.ts';
import { SHELL_STAGE } from './base/split-sections.ts';

const SCRIPT = /^#!.*\b(?:ba|da|a|k)?sh\b|^\s*\$\{?\w+\}?\s+-(?:t\s|[AIDNPFXR]\b)/;

/**
 * Commands that set a router up, as a shell script, a pasted terminal or a documented procedure: iptables, ip, sysctl, echo into
 * `/proc/sys` and rt_tables. Applied in order on top of what dumps say.
 */
export const linuxShell: Dialect = {
  name: 'linux-shell',
  stage: SHELL_STAGE,

  recognise({ heading, lines }) {
    if (heading !== undefined) return /^(?:commands|procedure|script|shell)$/.test(heading.command);
    const text = lines[0]?.text ?? '';
    const start = promptLength(text);
    return isSetupCommand(text) || SCRIPT.test(text) || (start !== undefined && isSetupCommand(text.slice(start)));
  },

  parse: (section, draft) => runShell(draft, section.lines),
};

/**
 * The device after some commands, as its own shell would run them; the device itself is not changed. What the commands do that is not
 * understood, or that the router would refuse, is added to the problems, at line N of `commands`.
 */
export function applyLinuxCommands(device: LinuxDevice, commands: readonly string[]): LinuxDevice {
  const draft = DeviceDraft.of(device);
  runShell(
    draft,
    commands.map((text, index) => ({ path: 'commands', line: index + 1, column: 1, text })),
  );
  return finishCommands(draft, device.known);
}
