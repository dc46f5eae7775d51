import type { PolicyRouteDevice } from '../model/policy-route.ts';
import { InputError } from '../text/input-error.ts';
import type { DeviceDialect } from './base/device-dialect.ts';
import { utmDevice } from './base/utm-device.ts';
import { applyChange, readExport } from './base/utm-objects.ts';

const OBJECT = /"_type"\s*:\s*"(?:route|network|service|interface|itfparams|itfhw|packetfilter)\//;
const CONFD = /"class"\s*:\s*"(?:route|network|service|interface|itfparams|itfhw|packetfilter)"/;
const NODES =
  /"(?:routes\.policy|routes\.static|packetfilter\.advanced\.spoof_protection|interfaces\.interfaces|packetfilter\.rules)"\s*:/;
const HEADING = /^### *\/api\/(?:objects|nodes)\//m;
const NODE_FILE = /(?:routes|packetfilter|nat|masq|interfaces)\.[a-z_.]+?(?:\.json|\.txt)?$/;

/** Objects and nodes of a Sophos UTM as its REST API or confd give them, in one text or several. */
export const sophosUtm: DeviceDialect = {
  name: 'sophos-utm',
  recognise: ({ path, text }) =>
    OBJECT.test(text) ||
    CONFD.test(text) ||
    NODES.test(text) ||
    HEADING.test(text) ||
    (NODE_FILE.test(path) && /^\s*(?:\[\s*(?:"REF_|\])|"\w+"\s*$)/.test(text)) ||
    /^\s*\[\s*\]\s*$/.test(text),
  parse: (sources) => {
    const objects = readExport(sources);
    if (objects.objects.size === 0)
      throw new InputError(
        `${sources[0]?.path}: the export holds no objects; \`redirect-verify collect sophos-utm\` prints what to fetch`,
      );
    return utmDevice(objects, sources);
  },
};

/** The device after some requests of the REST API. Throws InputError where one is none. */
export function applyUtmRequests(device: PolicyRouteDevice, requests: readonly string[]): PolicyRouteDevice {
  const objects = readExport(device.texts);
  requests.forEach((request, index) => {
    applyChange(objects, request, index + 1);
  });
  return utmDevice(objects, device.texts);
}
