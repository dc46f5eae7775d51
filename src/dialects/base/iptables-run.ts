import { configPlace } from '../../diagnostic/diagnostic.ts';
import type { Family } from '../../net/ip-address.ts';
import type { Word } from '../../text/line-scanner.ts';
import type { Span } from '../../text/span.ts';
import type { DeviceDraft } from './device-draft.ts';
import { type IptablesCommand, parseIptablesCommand } from './iptables-command.ts';
import { applyIptablesCommand, isTableName, type Outcome, type TableDraft } from './netfilter-draft.ts';

/** One line of iptables-save, or one command, to be read and applied. */
export interface IptablesLine {
  readonly family: Family;
  /** After `iptables`. */
  readonly words: readonly Word[];
  readonly origin: Span;
  readonly innerNegation: boolean;
  /** The table of a dump's line, or how a command finds its own. */
  readonly table: TableDraft | ((name: string) => TableDraft | undefined);
}

/** Reads a line and applies it to its table. Reports what is not understood or not modelled; a refusal is the caller's to report. */
export function runIptables(draft: DeviceDraft, line: IptablesLine): Outcome {
  const { table: target } = line;
  const command = parseIptablesCommand(line.words, {
    family: line.family,
    innerNegation: line.innerNegation,
    expansionLimit: draft.expansionLimit(),
    table: typeof target === 'function' ? 'filter' : target.name,
  });
  if (command.onlyFamily !== undefined && command.onlyFamily !== line.family) return {};
  if (!isTableName(command.table)) return { refused: `there is no table ${command.table}` };
  const table = typeof target === 'function' ? target(command.table) : target;
  if (table === undefined || table.name !== command.table)
    return { refused: `table ${command.table} cannot be changed here` };
  reportCommand(draft, command, line.origin);
  if (command.error !== undefined && !['append', 'insert', 'replace'].includes(command.verb ?? '')) {
    return { refused: command.error, uncertain: true };
  }
  draft.spendExpansion(command.rules.length);
  return applyIptablesCommand(table, command, line.origin);
}

function reportCommand(draft: DeviceDraft, command: IptablesCommand, origin: Span): void {
  if (command.error !== undefined) draft.unparsed(`rule not understood: ${command.error}`, origin);
  else if (command.unheard.length > 0) draft.unparsed(`not known: ${command.unheard.join(', ')}`, origin);
  else if (command.unmodelled.length > 0) {
    draft.report({
      code: 'RV301',
      message: `the effect of this rule is unknown: ${command.unmodelled.join(', ')} is not modelled`,
      where: configPlace(origin),
    });
  }
}
