import { formatWords } from '../../net/ip-address.ts';
import { IpProtocol } from '../../net/ip-protocol.ts';
import { ConntrackView, DISPOSITIONS, Disposition } from '../decision.ts';
import { ENTRY_LENGTH, Entry } from './connection-table.ts';
import { EntryUse, type Run } from './run.ts';
import { TCP_STATE_NAMES } from './tcp-state.ts';

const VIEWS = ['NEW', 'NEW', 'ESTABLISHED', 'RELATED', 'INVALID', 'UNTRACKED', 'unknown'] as const;

/** Records what conntrack made of the packet. */
export function recordConntrack(run: Run): void {
  const { words } = run.table;
  const hasEntry = run.use !== EntryUse.none;
  const detail = conntrackDetail(run, words[run.base + Entry.tcpState]!);
  run.steps!.push({
    kind: 'conntrack',
    state: VIEWS[run.view]!,
    ...(hasEntry ? { direction: run.direction === 0 ? ('original' as const) : ('reply' as const) } : {}),
    ...(hasEntry && run.connmarkUnknown === 0 ? { connmark: run.connmark >>> 0 } : {}),
    ...(detail === undefined ? {} : { detail }),
  });
}

function conntrackDetail(run: Run, after: number): string | undefined {
  if (run.view === ConntrackView.invalid) {
    if (run.chosen !== -1 && !run.oldGone) {
      const before = run.table.words[run.chosen * ENTRY_LENGTH + Entry.tcpState]!;
      return run.protocol === IpProtocol.tcp
        ? `the segment does not fit the entry in state ${TCP_STATE_NAMES[before]!}`
        : 'the packet does not fit the entry';
    }
    return run.found === -1 ? 'such a packet makes no entry, and there is none' : 'such a packet makes no entry';
  }
  if (run.use === EntryUse.none || run.isError || run.protocol !== IpProtocol.tcp) return undefined;
  if (run.use === EntryUse.dying) return 'the entry is deleted';
  const before = run.chosen === -1 || run.oldGone ? 0 : run.table.words[run.chosen * ENTRY_LENGTH + Entry.tcpState]!;
  const reopened = run.oldGone ? ', a new entry' : '';
  return `${TCP_STATE_NAMES[before]!} > ${TCP_STATE_NAMES[after]!}${reopened}`;
}

/** Records what became of the packet. */
export function recordEnd(run: Run): void {
  const { links, fib, registry } = run.router;
  const forwarded = run.disposition === Disposition.forwarded;
  const reason = run.unknown === -1 ? undefined : registry.unknowns[run.unknown];
  if (run.disposition === Disposition.undetermined && reason !== undefined) {
    run.steps!.push({ kind: 'unknown', ...reason });
  }
  run.steps!.push({
    kind: 'end',
    disposition: DISPOSITIONS[run.disposition]!,
    ...(forwarded ? { egress: links.names[run.egress]!, nextHop: nextHopText(run, fib.routes.hopGateway) } : {}),
    ...(reason === undefined ? {} : { detail: reason.reason }),
  });
}

function nextHopText(run: Run, gateways: Uint32Array): string {
  if (run.nextHop6 === -1) return run.formatAddress(run.nextHop);
  const at = 4 * run.nextHop6;
  return formatWords(6, gateways[at]!, gateways[at + 1]!, gateways[at + 2]!, gateways[at + 3]!);
}
