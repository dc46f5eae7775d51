import * as v from 'valibot';
import { parseYaml } from './yaml-file.ts';

/** One value or a list of them, with the words that editors show. */
function list(description: string, example: string) {
  return v.pipe(
    v.union([
      v.array(v.string()),
      v.pipe(
        v.string(),
        v.transform((item) => [item]),
      ),
    ]),
    v.metadata({ description, examples: [example] }),
  );
}

/** The site file: the intent, in the words of the report. Every key is optional; others are refused. */
export const SITE_SCHEMA = v.strictObject({
  sps: v.optional(list('Addresses of SPS that the router redirects to.', '172.16.0.1')),
  spsInterfaces: v.optional(list("The router's interfaces that face SPS.", 'eth1')),
  snat: v.optional(
    v.pipe(
      v.picklist(['own', 'client', 'fixed']),
      v.metadata({
        description:
          "The address that SPS uses toward servers: its own, the client's (spoofing), or another fixed one.",
      }),
    ),
  ),
  services: v.optional(
    list('Monitored services: PROTO/PORT, PROTO/PORT-PORT, or ssh rdp telnet vnc http https ica.', 'tcp/3389'),
  ),
  clients: v.optional(list('Monitored client networks; without them any source but SPS.', '192.168.0.0/24')),
  servers: v.optional(list('Monitored server networks; without them any destination.', '10.0.0.0/24')),
  join: v.optional(
    v.pipe(
      v.strictObject({
        spp: v.pipe(v.string(), v.metadata({ description: "SPP's primary IPv4 address.", examples: ['10.0.0.20'] })),
        sps: v.optional(
          list('Addresses of the SPS nodes that talk to SPP; without them those of `sps`.', '172.16.0.1'),
        ),
        entered: v.optional(
          v.pipe(
            v.string(),
            v.metadata({
              description: 'The host name or address that is entered on SPS as SPP.',
              examples: ['spp.example'],
            }),
          ),
        ),
      }),
      v.metadata({ description: 'The SPP that SPS is, or will be, joined to.' }),
    ),
  ),
});

export type SiteFile = v.InferOutput<typeof SITE_SCHEMA>;

/** Parses a site file. Throws InputError with path, line and column. */
export function parseSiteFile(path: string, text: string): SiteFile {
  const file = parseYaml(path, text);
  const result = v.safeParse(SITE_SCHEMA, file.value);
  if (result.success) return result.output;
  const key = result.issues[0].path?.[0]?.key;
  const known = Object.keys(SITE_SCHEMA.entries).join(', ');
  if (typeof key !== 'string') throw file.error([], `expected keys with values (${known})`);
  if (!Object.hasOwn(SITE_SCHEMA.entries, key)) throw file.error([key], `unknown key '${key}'; the keys are ${known}`);
  throw file.error([key], `'${key}' has a value that is not allowed here: ${expectedOf(key)}`);
}

function expectedOf(key: string): string {
  if (key === 'join') return 'expected spp: ADDRESS, and where wanted sps: and entered:';
  if (key === 'snat') return 'expected own, client or fixed';
  return 'expected a word or a list of words';
}
