import { createServer, type Server } from 'node:http';
import type { Report } from '../report/report.ts';
import { isOfService } from '../report/live-progress.ts';
import { InputError } from '../text/input-error.ts';
import { visible } from '../text/visible.ts';

/** What the metrics are made from; asked anew for each scrape. */
export interface Measured {
  /** The last report that was made; absent before the first. */
  readonly report: Report | undefined;
  readonly frames: number;
  readonly lagSeconds: number;
  readonly sources: readonly { readonly path: string; readonly packets: number; readonly lost: number | undefined }[];
  readonly givenUp: number;
}

/** `HOST:PORT`, `[ADDRESS]:PORT`, or a port alone, which is loopback's. Throws InputError. */
export function metricsAddress(text: string): { host: string; port: number } {
  const match = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]*)):)?(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65535)
    throw new InputError(`--metrics '${text}': expected an address like 127.0.0.1:9464`);
  return { host: match[1] ?? (match[2] || '127.0.0.1'), port };
}

/** Serves Prometheus text at /metrics. Throws InputError where the address cannot be listened on. */
export async function serveMetrics(text: string, measure: () => Measured): Promise<Server> {
  const { host, port } = metricsAddress(text);
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?')[0];
    if (request.method !== 'GET' || path !== '/metrics') {
      response.writeHead(request.method === 'GET' ? 404 : 405, { 'content-type': 'text/plain' }).end('see /metrics\n');
      return;
    }
    const measured = measure();
    if (measured.report === undefined) {
      response.writeHead(503, { 'content-type': 'text/plain' }).end('not yet\n');
      return;
    }
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
    response.end(metricsText({ ...measured, report: measured.report }));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      const code = 'code' in error ? String(error.code) : error.message;
      const why = code === 'EADDRINUSE' ? 'something else listens there' : code;
      reject(new InputError(`--metrics ${text}: cannot be served (${why})`));
    });
    server.listen(port, host, resolve);
  });
  // Whoever scrapes does not keep the run alive.
  server.unref();
  return server;
}

/** Prometheus' text format. Ref: prometheus.io, exposition formats */
export function metricsText({
  report,
  frames,
  lagSeconds,
  sources,
  givenUp,
}: Measured & { readonly report: Report }): string {
  const lines: string[] = [];
  const metric = (
    name: string,
    type: 'counter' | 'gauge',
    help: string,
    values: readonly [labels: string, value: number][],
  ) => {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    for (const [labels, value] of values) lines.push(`${name}${labels === '' ? '' : `{${labels}}`} ${value}`);
  };
  const verdicts = ['verified', 'failed', 'inconclusive'] as const;
  const byService: [string, number][] = report.intent.services.flatMap((service) => {
    const own = report.connections.filter((item) => isOfService(item, service));
    return verdicts.map((verdict): [string, number] => [
      `service="${escaped(service)}",verdict="${verdict}"`,
      own.filter((item) => item.verdict === verdict).length,
    ]);
  });
  const findings = new Map<string, number>();
  for (const { code, severity } of report.findings) {
    const labels = `code="${code}",severity="${severity}"`;
    findings.set(labels, (findings.get(labels) ?? 0) + 1);
  }
  const bySource = (value: (source: Measured['sources'][number]) => number | undefined): [string, number][] =>
    sources.flatMap((source): [string, number][] => {
      const count = value(source);
      return count === undefined ? [] : [[`source="${escaped(source.path)}"`, count]];
    });
  metric('redirect_verify_connections', 'gauge', 'Monitored connections by verdict.', byService);
  metric('redirect_verify_connections_given_up', 'counter', 'Connections forgotten to bound memory.', [['', givenUp]]);
  metric('redirect_verify_monitored_packets', 'gauge', 'Packets of monitored connections that entered the router.', [
    ['', report.summary.monitoredPackets],
  ]);
  metric('redirect_verify_findings', 'gauge', 'Findings by code.', [...findings]);
  metric('redirect_verify_analysed_packets_total', 'counter', 'Frames analysed.', [['', frames]]);
  metric(
    'redirect_verify_captured_packets_total',
    'counter',
    'Frames captured.',
    bySource((source) => source.packets),
  );
  metric(
    'redirect_verify_dropped_packets_total',
    'counter',
    'Frames lost by the source, where it knows.',
    bySource((source) => source.lost),
  );
  metric('redirect_verify_lag_seconds', 'gauge', 'Age of the frame analysed last when it was.', [['', lagSeconds]]);
  metric(
    'redirect_verify_verdict',
    'gauge',
    '1 for the verdict that holds.',
    verdicts.map((verdict) => [`verdict="${verdict}"`, report.verdict === verdict ? 1 : 0]),
  );
  return `${lines.join('\n')}\n`;
}

/** The value of a label. */
function escaped(text: string): string {
  return visible(text).replaceAll('\\', '\\\\').replaceAll('"', '\\"');
}
