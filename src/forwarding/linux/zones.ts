import { LinkDestination, Status } from '../../wire/packet-batch.ts';
import type { HookPlace } from './match.ts';
import { HookNumber, TableNumber, ZoneFlag } from './program.ts';
import type { Run } from './run.ts';
import { traverse, Verdict } from './traverse.ts';

/** {@link Run.zoneOriginal} where the zone that the packet is looked up in is not known. */
export const UNKNOWN_ZONE = -2;
/** In a lookup: no tuple of that direction is meant. */
export const NO_ZONE = -1;

const place: HookPlace = { ingress: -1, egress: -1 };

/**
 * Finds, before the packet's worlds are walked, the conntrack zones in which its entry is looked up: what the CT rules of raw PREROUTING
 * give it. Where they are not the same in all worlds, they are {@link UNKNOWN_ZONE}. Ref: nf_conntrack_zones.h: nf_ct_zone_tmpl().
 */
export function settleZones(run: Run): void {
  run.zoneOriginal = 0;
  run.zoneReply = 0;
  if (!run.router.program.zones) return;
  if (run.linkDestination === LinkDestination.otherHost || (run.status & Status.badNetworkChecksum) !== 0) return;
  let original = NO_ZONE;
  let reply = NO_ZONE;
  run.worlds.begin();
  do {
    run.restart();
    run.zoneOriginal = 0;
    run.zoneReply = 0;
    place.ingress = run.ingress;
    const verdict = traverse(run, HookNumber.prerouting, TableNumber.raw, place);
    if (verdict === Verdict.drop) continue;
    takeZone(run);
    if (original === NO_ZONE) {
      original = run.zoneOriginal;
      reply = run.zoneReply;
    }
    const differs = run.zoneOriginal !== original || run.zoneReply !== reply;
    if (verdict === Verdict.unknown || differs || run.zoneOriginal === UNKNOWN_ZONE || run.zoneReply === UNKNOWN_ZONE) {
      original = UNKNOWN_ZONE;
    }
  } while (original !== UNKNOWN_ZONE && run.worlds.next() !== -1);
  if (run.worlds.overflow) original = UNKNOWN_ZONE;
  run.zoneOriginal = original;
  run.zoneReply = original === UNKNOWN_ZONE ? UNKNOWN_ZONE : reply;
}

/** The zones by the template that raw left, and by the mark that conntrack sees. */
function takeZone(run: Run): void {
  if (run.untracked || !run.templated) return;
  const { template } = run;
  let zone = template & 0xffff;
  if ((template & ZoneFlag.fromMark) !== 0) {
    zone = (run.markUnknown & 0xffff) === 0 ? run.mark & 0xffff : UNKNOWN_ZONE;
  }
  run.zoneOriginal = (template & ZoneFlag.original) !== 0 ? zone : 0;
  run.zoneReply = (template & ZoneFlag.reply) !== 0 ? zone : 0;
}
