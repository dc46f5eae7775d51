import { type Command, InvalidArgumentError, Option } from 'commander';
import { FORMATS } from '../formats/index.ts';

/** Adds a value to those given before: options that may be repeated. */
export function collect(value: string, previous: readonly string[] = []): string[] {
  return [...previous, value];
}

/** Options of the router's state, common to commands that simulate. */
export function withRouter(command: Command): Command {
  return command
    .option('--router <path>', "the router's state: a file or a folder of files (repeatable)", collect)
    .option(
      '--next-hop-down <address>',
      'what if this next hop of a policy route is down? (repeatable; Cisco IOS, Sophos UTM)',
      collect,
    )
    .option('--verify-checksums', 'judge IP, TCP, UDP and ICMP checksums as the kernel does');
}

/** Options that state the intent. */
export function withIntent(command: Command, { site = true } = {}): Command {
  if (site) command.option('--site <file>', 'site file (YAML) that states the intent');
  return command
    .option('--sps <address>', 'an address of SPS (repeatable)', collect)
    .option('--sps-interface <iface>', 'an interface of the router that faces SPS (repeatable)', collect)
    .addOption(new Option('--snat <mode>', 'the address SPS uses toward servers').choices(['own', 'client', 'fixed']))
    .option(
      '--service <proto/port>',
      'a monitored service, e.g. tcp/3389, or ssh rdp telnet vnc http https ica (repeatable)',
      collect,
    )
    .option('--clients <prefix>', 'a monitored client network (repeatable)', collect)
    .option('--servers <prefix>', 'a monitored server network (repeatable)', collect);
}

/** What a report says, and what it means for the exit code. */
export function withReport(command: Command): Command {
  return command
    .addOption(
      new Option('--format <format>', 'format of the report')
        .choices(FORMATS.map((format) => format.name))
        .default('text'),
    )
    .addOption(
      new Option('--fail-on <severity>', 'severity from which on the run ends with 1')
        .choices(['error', 'warning', 'never'])
        .default('error'),
    )
    .addOption(new Option('--connections <which>', 'connections to list').choices(['all', 'failed', 'none']));
}

/** How much is said, and where. */
export function withOutput(command: Command): Command {
  return command
    .option('--output <file>', 'write the report to a file')
    .addOption(new Option('--quiet', 'the verdict only').conflicts('verbose'))
    .option('--verbose', 'notes, and every connection')
    .option('--no-color', 'no colours (NO_COLOR is honoured, too)')
    .option('--no-progress', 'no progress bar');
}

/** Parses a positive whole number. */
export function positive(value: string): number {
  const number = Number(value);
  if (!/^\d+$/.test(value) || number < 1 || number > 0xffffffff)
    throw new InvalidArgumentError('expected a whole number from 1.');
  return number;
}
