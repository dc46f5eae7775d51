import type { Reference, Translation } from '../../model/policy-route.ts';
import { maskOfLength } from '../../net/prefix.ts';
import { DecisionFlag, Disposition } from '../decision.ts';
import { askList, type ListVerdict } from './access-list.ts';
import { applyPolicy } from './classifier.ts';
import { routeByDestination } from './route.ts';
import type { Run } from './run.ts';
import { checkSource } from './source-check.ts';
import { passesFilter } from './stateful-filter.ts';

const verdict: ListVerdict = { permits: false, entry: undefined };
const BROADCAST = 0xffffffff;

/**
 * Takes the packet's walk in the order that the vendor documents: input list, source check, translation from outside, policy routing,
 * routing, translation from inside, output list. Ref: Cisco, "NAT order of operation"; IOS IP switching command reference.
 */
export function walkPacket(run: Run): void {
  run.restart();
  const { port } = run;
  if (!passesUnmodelled(run, port.unmodelled)) return;
  if (!passesList(run, port.port.inputList, 'input')) return;
  if (!checkSource(run)) return;
  if (isSpecialSource(run.source)) {
    run.giveUp(run.router.reasons.specialSource);
    return;
  }
  if (!isForwarded(run)) return;
  if (!passesTranslations(run, 'outside')) return;
  if (!applyPolicy(run)) routeByDestination(run, port.fib);
  if (run.disposition !== Disposition.forwarded) return;
  if (run.ttl <= 1) {
    run.end(Disposition.ttlExpired);
    return;
  }
  leave(run);
}

/** The egress interface's part. */
function leave(run: Run): void {
  const egress = run.router.ports[run.egress]!;
  if (!passesUnmodelled(run, egress.unmodelled)) return;
  if (!passesTranslations(run, 'inside')) return;
  if (!passesFilter(run)) return;
  if (!passesList(run, egress.port.outputList, 'output', egress.port.name)) return;
  if (egress.port.mtu !== undefined && run.length > egress.port.mtu && run.dontFragment) {
    run.end(Disposition.tooBig);
    return;
  }
  if (run.egress === run.port.index && run.port.port.sendsIcmpRedirects && sharesNetwork(run))
    run.flags |= DecisionFlag.icmpRedirect;
}

/** The source and the next hop are on one network of the interface: the source could do without the router. */
function sharesNetwork(run: Run): boolean {
  for (const { address, mask } of run.port.networks)
    if (((run.source ^ address) & mask) === 0 && ((run.nextHop ^ address) & mask) === 0) return true;
  return false;
}

function passesUnmodelled(run: Run, reasons: readonly number[]): boolean {
  for (const reason of reasons) {
    if (run.worlds.choose(2, reason) === 1) {
      run.giveUp(reason);
      return false;
    }
  }
  return true;
}

/** A list that nothing defines lets everything pass. Ref: Cisco IOS command reference, `ip access-group`. */
function passesList(
  run: Run,
  reference: Reference | undefined,
  stage: 'input' | 'output',
  name = run.port.port.name,
): boolean {
  if (reference === undefined) return true;
  const list = run.router.lists.get(reference.name);
  if (list === undefined || list.entries.length === 0) {
    run.steps?.push({
      kind: 'filter',
      stage,
      interface: name,
      list: `access list ${reference.name}`,
      outcome: 'permitted',
      effect:
        list === undefined ? 'it is not defined, and lets everything pass' : 'it is empty, and lets everything pass',
      origin: reference.origin,
    });
    return true;
  }
  askList(run, list, verdict);
  run.steps?.push({
    kind: 'filter',
    stage,
    interface: name,
    list: list.list.title,
    outcome: verdict.permits ? 'permitted' : 'denied',
    effect: verdict.entry === undefined ? 'no entry matches: denied' : `entry ${verdict.entry.sequence}`,
    origin: verdict.entry?.origin ?? reference.origin,
  });
  if (verdict.permits) return true;
  run.end(Disposition.droppedByRule, verdict.entry?.origin ?? reference.origin);
  return false;
}

function isSpecialSource(source: number): boolean {
  const first = source >>> 24;
  return first === 0 || first === 127 || first >= 224;
}

/** Whether the packet is for others and may go on. */
function isForwarded(run: Run): boolean {
  const { router, destination } = run;
  if (destination === BROADCAST || router.broadcasts.has(destination | 0)) {
    run.end(Disposition.delivered);
    return false;
  }
  if (destination >>> 28 === 14) {
    run.giveUp(router.reasons.multicast);
    return false;
  }
  if (router.own.has(destination | 0)) {
    if (run.port.port.policy !== undefined && applyPolicy(run)) run.giveUp(router.reasons.ownAndRedirected);
    else run.end(Disposition.delivered);
    return false;
  }
  if (!router.device.routing) {
    run.end(Disposition.notForwarding);
    return false;
  }
  return true;
}

/**
 * A packet that a translation would change goes on as another one, of which nothing more is said. `outside`: before policy routing, for
 * what comes from outside; `inside`: before the packet leaves by an outside interface.
 */
function passesTranslations(run: Run, from: 'inside' | 'outside'): boolean {
  const { router, port } = run;
  for (const translation of router.device.translations) {
    if (!isMet(run, translation, from)) continue;
    const reason = router.registry.unknown(
      'this translation (NAT) applies to the packet and is not modelled',
      translation.origin,
    );
    run.steps?.push({
      kind: 'translation',
      hook: 'NAT',
      effect: `applies on ${port.port.name}`,
      origin: translation.origin,
    });
    run.giveUp(reason);
    return false;
  }
  return true;
}

function isMet(run: Run, translation: Translation, from: 'inside' | 'outside'): boolean {
  if (translation.at === undefined)
    return from === 'outside' ? isTranslatedBack(run, translation) : isTranslated(run, translation);
  if ((translation.at === 'ingress') !== (from === 'outside')) return false;
  if (from === 'inside' && translation.egress !== undefined && run.router.names[run.egress] !== translation.egress)
    return false;
  return isLocalSide(run, translation, run.source, run.sourcePort);
}

/** From outside, to an address that stands for an inside one; or with a source that is to be hidden inside. */
function isTranslatedBack(run: Run, translation: Translation): boolean {
  if (run.port.port.nat !== 'outside') return false;
  if (translation.side === 'outside') return isLocalSide(run, translation, run.source, run.sourcePort);
  const { global } = translation;
  if (global === undefined) return false;
  if (!global.some(({ first, last }) => first <= run.destination && run.destination <= last)) return false;
  return translation.globalPort === undefined || translation.globalPort === run.destinationPort;
}

function isTranslated(run: Run, translation: Translation): boolean {
  if (translation.side !== 'inside' || run.port.port.nat !== 'inside') return false;
  if (run.router.ports[run.egress]!.port.nat !== 'outside') return false;
  return isLocalSide(run, translation, run.source, run.sourcePort);
}

function isLocalSide(run: Run, translation: Translation, address: number, sourcePort: number): boolean {
  const { local, list } = translation;
  if (local !== undefined) {
    if (((local.words[0] ^ address) & maskOfLength(local.prefixLength)) !== 0) return false;
    return translation.localPort === undefined || translation.localPort === sourcePort;
  }
  const compiled = list === undefined ? undefined : run.router.lists.get(list);
  // Which packets a map or a missing list takes is not known: all that pass here may be.
  if (compiled === undefined) return true;
  askList(run, compiled, verdict);
  return verdict.permits;
}
