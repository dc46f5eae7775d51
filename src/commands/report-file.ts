import * as v from 'valibot';
import type { Report } from '../report/report.ts';
import { InputError } from '../text/input-error.ts';
import { VANTAGES } from '../verification/verification.ts';
import { readText } from './inputs.ts';

/** A report has some ten; fields of later versions may have more. */
const MOST_LEVELS = 64;
const LONGEST_MESSAGE = 300;

const COUNT = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const TEXTS = v.array(v.string());
const VANTAGE = v.picklist(VANTAGES);
const VERDICT = v.picklist(['verified', 'failed', 'inconclusive']);

const WHERE = v.union([
  v.looseObject({ kind: v.literal('frame'), path: v.string(), frame: COUNT, interface: v.optional(v.string()) }),
  v.looseObject({ kind: v.literal('config'), path: v.string(), line: COUNT, column: COUNT, text: v.string() }),
]);

const DIRECTION = v.looseObject({
  packets: COUNT,
  viaSps: COUNT,
  bypassed: COUNT,
  dropped: COUNT,
  looped: COUNT,
  undetermined: COUNT,
  observed: COUNT,
  probes: COUNT,
  basis: v.picklist(['captured', 'synthesized', 'mixed']),
});

/** What a reader of reports relies on. Fields that later versions add are kept. */
const REPORT = v.looseObject({
  schema: v.literal('redirect-verify/report/1'),
  verdict: VERDICT,
  mode: v.picklist(['observed', 'what-if', 'check']),
  captures: v.array(
    v.looseObject({
      path: v.string(),
      format: v.string(),
      packets: COUNT,
      bytes: COUNT,
      interfaces: TEXTS,
      truncated: v.boolean(),
      vantage: v.optional(VANTAGE),
      firstTimestamp: v.optional(v.string()),
      lastTimestamp: v.optional(v.string()),
      note: v.optional(v.string()),
    }),
  ),
  vantage: v.optional(
    v.looseObject({ stated: v.boolean(), interfaces: TEXTS, missing: TEXTS, showsBypass: v.boolean() }),
  ),
  router: v.looseObject({
    dialects: TEXTS,
    sources: v.array(v.looseObject({ path: v.string(), sha256: v.string() })),
    hostname: v.optional(v.string()),
    collectedAt: v.optional(v.string()),
    notices: v.optional(TEXTS),
  }),
  intent: v.looseObject({
    sps: TEXTS,
    spsInterfaces: TEXTS,
    snat: v.picklist(['own', 'client', 'fixed', 'unknown']),
    services: TEXTS,
    clients: TEXTS,
    servers: TEXTS,
    inferred: TEXTS,
  }),
  check: v.optional(
    v.looseObject({ sessions: COUNT, clients: TEXTS, servers: TEXTS, services: TEXTS, alsoRedirected: TEXTS }),
  ),
  summary: v.looseObject({
    packets: COUNT,
    monitoredPackets: COUNT,
    connections: COUNT,
    verified: COUNT,
    failed: COUNT,
    inconclusive: COUNT,
    findings: v.looseObject({ error: COUNT, warning: COUNT, note: COUNT }),
  }),
  connections: v.array(
    v.looseObject({
      id: COUNT,
      protocol: v.string(),
      client: v.string(),
      server: v.string(),
      leg: v.picklist(['client', 'server', 'both']),
      session: v.optional(COUNT),
      verdict: VERDICT,
      clientToServer: DIRECTION,
      serverToClient: DIRECTION,
      findings: TEXTS,
    }),
  ),
  findings: v.array(
    v.looseObject({
      id: COUNT,
      code: v.pipe(v.string(), v.regex(/^RV\d{3}$/)),
      slug: v.string(),
      severity: v.picklist(['error', 'warning', 'note']),
      message: v.string(),
      count: COUNT,
      where: v.optional(WHERE),
      causes: v.array(COUNT),
      connections: v.array(COUNT),
      notes: v.array(v.looseObject({ message: v.string(), where: v.optional(WHERE) })),
      fix: TEXTS,
      undo: v.optional(TEXTS),
      persist: v.optional(TEXTS),
    }),
  ),
});

/** Reads a report that `--format json` wrote. Throws InputError with what is wrong with it. */
export function readReport(path: string): Report {
  let value: unknown;
  try {
    value = JSON.parse(readText(path));
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`${path}: is not JSON; a report is written with --format json --output FILE`);
  }
  if (isDeep(value))
    throw new InputError(`${path}: is not a report of redirect-verify: more than ${MOST_LEVELS} levels`);
  const result = v.safeParse(REPORT, value);
  if (!result.success) {
    const [issue] = result.issues;
    const key = (issue.path ?? []).map((item) => String(item.key)).join('.');
    throw new InputError(
      `${path}: is not a report of redirect-verify: ${key === '' ? '' : `${key}: `}${issue.message.slice(0, LONGEST_MESSAGE)}`,
    );
  }
  return result.output as unknown as Report;
}

/** Whether values stand further in one another than any report's do: what walks through them would not come back. */
function isDeep(value: unknown): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MOST_LEVELS) return true;
    const next: unknown[] = [];
    for (const item of level)
      if (typeof item === 'object' && item !== null) for (const part of Object.values(item)) next.push(part);
    level = next;
  }
  return false;
}
