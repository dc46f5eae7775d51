import { applyLinuxCommands } from '../dialects/index.ts';
import type { LinuxDevice } from '../model/linux-device.ts';
import { InputError } from '../text/input-error.ts';
import { undoable } from './linux-undo.ts';
import type { Remedy } from './router.ts';

const SYSCTL = /^sysctl -w (\S+)=(\S+)$/;

/**
 * The commands that take a change back, in the order in which they are to be given. Tried on a copy: what it gives must be the configuration
 * that was there before; undefined where it is not.
 */
export function undoOfFix(device: LinuxDevice, commands: Remedy): Remedy | undefined {
  const steps = undoable(device, commands);
  if (steps.some(({ undo }) => undo.length === 0)) return undefined;
  const undo = steps.toReversed().flatMap((step) => step.undo);
  try {
    const back = applyLinuxCommands(applyLinuxCommands(device, commands), undo);
    return sameConfiguration(device, back) ? undo : undefined;
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}

/** Whether two configurations are the same, wherever their statements stand. */
function sameConfiguration(a: LinuxDevice, b: LinuxDevice): boolean {
  return contentOf(a) === contentOf(b);
}

function contentOf({ rulesets, policyRules, routes, sysctls }: LinuxDevice): string {
  const bare = (value: unknown): string =>
    JSON.stringify(value, (key, item: unknown) => (key === 'origin' || item === undefined ? undefined : item));
  return bare([
    rulesets.map(({ family, variant, tables }) => [
      family,
      variant,
      tables
        .flatMap(({ name, chains }) =>
          chains.map((chain) => bare([name, chain.name, chain.policy ?? 'ACCEPT', chain.rules])),
        )
        // A table that a command made and that is empty again does nothing.
        .filter((text) => !text.endsWith('"ACCEPT",[]]'))
        .sort(),
    ]),
    policyRules,
    routes.map(bare).sort(),
    [...sysctls].map(([path, { value }]) => `${path}=${value}`).sort(),
  ]);
}

const SYSCTL_FILE = '/etc/sysctl.d/90-redirect.conf';

/** What makes a change outlast a restart, with the means of Debian and its like. */
export function lastingLinuxCommands(commands: Remedy): string[] {
  const lasting: string[] = [];
  const add = (line: string): void => {
    if (!lasting.includes(line)) lasting.push(line);
  };
  for (const command of commands) {
    const setting = SYSCTL.exec(command);
    if (setting !== null) add(`echo '${setting[1]} = ${setting[2]}' >> ${SYSCTL_FILE}`);
    else if (command.startsWith('iptables-legacy ')) add('iptables-legacy-save > /etc/iptables/rules.v4');
    else if (command.startsWith('iptables ')) add('iptables-save > /etc/iptables/rules.v4');
    else if (command.startsWith('ip6tables-legacy ')) add('ip6tables-legacy-save > /etc/iptables/rules.v6');
    else if (command.startsWith('ip6tables ')) add('ip6tables-save > /etc/iptables/rules.v6');
    else if (/^ip (?:-6 )?(?:rule|route) (?:add|replace) /.test(command)) {
      const device = / dev (\S+)/.exec(command)?.[1];
      add(`# /etc/network/interfaces${device === undefined ? '' : `, iface ${device}`}: up ${command}`);
    } else if (/^ip (?:-6 )?(?:rule|route) del /.test(command))
      add(`# remove from /etc/network/interfaces: up ${command.replace(' del ', ' add ')}`);
  }
  return lasting;
}
