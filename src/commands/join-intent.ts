import type { JoinIntent } from '../model/join-intent.ts';
import { parseIpAddress } from '../net/ip-address.ts';
import { InputError } from '../text/input-error.ts';
import type { SiteFile } from './site-file.ts';

/** Options that say what is to be joined, as the command line gives them. */
export interface JoinOptionWords {
  readonly spp?: string;
  readonly sps?: readonly string[];
  readonly entered?: string;
}

/**
 * What is to be joined: options first, then the join: section, SPS's addresses last from the site file itself, none where it
 * names none. Undefined where SPP is not named. Throws InputError.
 */
export function joinIntent(options: JoinOptionWords, site: SiteFile, sitePath: string): JoinIntent | undefined {
  const spp = options.spp ?? site.join?.spp;
  const sps = options.sps ?? site.join?.sps ?? site.sps ?? [];
  if (spp === undefined) return undefined;
  const entered = options.entered ?? site.join?.entered;
  const address = (text: string, option: string, isOption: boolean) => {
    const parsed = parseIpAddress(text);
    if (parsed === undefined)
      throw new InputError(
        `${isOption ? option : sitePath}: '${text}' is not an IP address${option === '--spp' ? '; a host name goes with --entered' : ''}`,
      );
    return parsed;
  };
  if (entered !== undefined && !/^[\w.:[\]-]{1,253}$/.test(entered))
    throw new InputError(
      `${options.entered === undefined ? sitePath : '--entered'}: '${entered}' is neither a host name nor an address`,
    );
  return {
    spp: address(spp, '--spp', options.spp !== undefined),
    sps: sps.map((item) => address(item, '--sps', options.sps !== undefined)),
    ...(entered !== undefined && { entered }),
  };
}
