import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Command } from 'commander';
import { formatService, type Intent } from '../model/intent.ts';
import { formatIpAddress } from '../net/ip-address.ts';
import { formatPrefix } from '../net/prefix.ts';
import { InputError } from '../text/input-error.ts';
import { formatPlace } from '../text/span.ts';
import { visible } from '../text/visible.ts';
import { resolveIntent } from '../verification/intent.ts';
import type { Router } from '../verification/router.ts';
import { loadRouter } from './inputs.ts';
import { withIntent, withRouter } from './options.ts';
import { SITE_SCHEMA_FILE, siteSchemaText } from './site-schema.ts';
import { type IntentOptions, statedIntent } from './stated-intent.ts';
import { sayToError, writeFilesWhole, writeOut } from './write-output.ts';

interface InitOptions extends IntentOptions {
  readonly router?: readonly string[];
  readonly output: string;
  readonly force?: boolean;
  readonly schema?: boolean;
}

const SITE_FILE = 'redirect-verify.yaml';

/** `redirect-verify init`. */
export function addInit(program: Command): void {
  const command = program
    .command('init')
    .description("a commented site file from a router's state")
    .option('--output <file>', 'the site file to write; - for standard output', SITE_FILE)
    .option('--force', 'overwrite it where it exists')
    .option('--schema', "print the site file's JSON schema instead");
  withIntent(withRouter(command), { site: false }).action((options: InitOptions) => {
    run(options);
  });
}

function run(options: InitOptions): void {
  if (options.schema === true) {
    writeOut(siteSchemaText());
    return;
  }
  const { router, sources, pickedUp } = loadRouter(options.router ?? [], [{ path: 'beside' }]);
  if (pickedUp !== undefined) sayToError(`router state: ${pickedUp}`);
  const { intent, ambiguousSps } = resolveIntent(statedIntent(options, {}, ''), router);
  const paths = sources.map((source) => source.path);
  if (options.output === '-') {
    writeOut(siteFileText(router, intent, ambiguousSps, paths, false));
    return;
  }
  if (options.force !== true && existsSync(options.output))
    throw new InputError(`init: ${options.output} exists; --force overwrites it, --output names another file`);
  const schemaPath = join(dirname(options.output), SITE_SCHEMA_FILE);
  const files = [
    { path: options.output, text: siteFileText(router, intent, ambiguousSps, paths, true) },
    { path: schemaPath, text: siteSchemaText() },
  ];
  writeFilesWhole(files, paths, '--output');
  sayToError(
    `wrote ${options.output}, and ${basename(schemaPath)} beside it for editors; read it, and correct what was inferred`,
  );
}

/** The site file with comments that say where each value comes from. */
export function siteFileText(
  router: Router,
  intent: Intent,
  ambiguousSps: boolean,
  sources: readonly string[],
  withSchema: boolean,
): string {
  const inferred = new Set(intent.inferred);
  const note = (part: Intent['inferred'][number], text: string): string =>
    inferred.has(part) ? `# ${text}` : '# as stated';
  const hops = router.redirect.nextHops.flatMap((hop) =>
    hop.origin === undefined ? [] : [`#   ${formatPlace(hop.origin)}  ${line(hop.origin.text)}`],
  );
  const rules = router.redirect.selections.map(({ origin }) => `#   ${formatPlace(origin)}  ${line(origin.text)}`);
  const replies = router.redirect.selections.some((selection) => selection.replies);
  return `${[
    ...(withSchema ? [`# yaml-language-server: $schema=./${SITE_SCHEMA_FILE}`] : []),
    `# What is to be redirected to SPS, and where. Made from the state of ${router.hostname ?? 'the router'}:`,
    ...sources.map((path) => `#   ${line(path)}`),
    '# A value that was inferred from a rule cannot show a mistake in that rule: compare each with what you intend.',
    '',
    '# Interfaces of the router:',
    ...router.interfaces.map((item) =>
      `#   ${line(item.name)}  ${item.addresses.map(({ prefix }) => formatPrefix(prefix)).join(' ')}`.trimEnd(),
    ),
    '',
    ...(ambiguousSps
      ? ['# Several next hops could be SPS: keep only those that are. Nothing is verified otherwise.']
      : []),
    note('sps', "inferred from the redirect's next hop:"),
    ...(inferred.has('sps') ? [...new Set(hops)] : []),
    `sps: ${list(intent.sps.map(formatIpAddress))}`,
    '',
    note('spsInterfaces', 'inferred from the route to SPS'),
    `spsInterfaces: ${list(intent.spsInterfaces)}`,
    '',
    '# The address that SPS uses toward servers: own, client (spoofing) or fixed.',
    ...(intent.snat === 'unknown'
      ? [
          `# The router's state does not say it${replies ? '; that servers’ replies are redirected suggests client' : ''}.`,
          `# snat: ${replies ? 'client' : 'own'}`,
        ]
      : [`snat: ${intent.snat}`]),
    '',
    note('services', 'inferred from the rules that select:'),
    ...(inferred.has('services') ? [...new Set(rules)] : []),
    `services: ${list(intent.services.map(formatService))}`,
    '',
    ...networks('clients', intent.clients.map(formatPrefix), inferred.has('clients'), 'any source but SPS'),
    '',
    ...networks('servers', intent.servers.map(formatPrefix), inferred.has('servers'), 'any destination'),
  ].join('\n')}\n`;
}

function networks(key: string, prefixes: readonly string[], isInferred: boolean, otherwise: string): string[] {
  if (prefixes.length === 0)
    return [
      `# No rule names ${key}: ${otherwise}.`,
      `# ${key}: [${key === 'clients' ? '192.168.0.0/24' : '10.0.0.0/24'}]`,
    ];
  return [isInferred ? '# inferred from the same rules' : '# as stated', `${key}: ${list(prefixes)}`];
}

function list(items: readonly string[]): string {
  return `[${items.map((item) => (/^[A-Za-z0-9][\w./-]*$/.test(item) ? item : JSON.stringify(item))).join(', ')}]`;
}

/** Of a comment: nothing of a router's text begins a line of its own. */
function line(text: string): string {
  return visible(text.replace(/\s+/g, ' '));
}
