import type { Evidence, LegEvidence } from '../../report/evidence.ts';
import type { Report } from '../../report/report.ts';
import { escapeHtml } from './escape.ts';

type Role = LegEvidence['role'];
type State = 'good' | 'bad' | 'doubt' | 'none';

const LEG_WORDS: Readonly<Record<Role, string>> = {
  'client-request': 'client → SPS',
  'sps-request': 'SPS → server',
  'server-reply': 'server → SPS',
  'sps-reply': 'SPS → client',
};

/** The way that each flow should take across the router, from host to host. Lanes lie beside each other. */
const EXPECTED: Readonly<Record<Role, string>> = {
  'client-request': 'M80 372V222H178V84',
  'sps-request': 'M206 72V236H330V360',
  'server-reply': 'M366 372V208H234V84',
  'sps-reply': 'M262 72V250H118V360',
};

/** Where it goes instead: straight to the other host, or back to SPS. */
const BYPASS: Readonly<Record<Role, string>> = {
  'client-request': 'M80 372V264H300V360',
  'sps-request': 'M206 72V236H330V360',
  'server-reply': 'M366 372V194H146V360',
  'sps-reply': 'M262 72V250H118V360',
};
const LOOP: Readonly<Record<Role, string>> = {
  'client-request': BYPASS['client-request'],
  'sps-request': 'M206 72V200H192V84',
  'server-reply': BYPASS['server-reply'],
  'sps-reply': 'M262 72V200H276V84',
};
/** As far as the router, where it ends. */
const BROKEN: Readonly<Record<Role, { readonly path: string; readonly x: number; readonly y: number }>> = {
  'client-request': { path: 'M80 372V270', x: 80, y: 262 },
  'sps-request': { path: 'M206 72V176', x: 206, y: 184 },
  'server-reply': { path: 'M366 372V270', x: 366, y: 262 },
  'sps-reply': { path: 'M262 72V176', x: 262, y: 184 },
};

/** Clients, router, SPS and servers, with each flow as it should go and as it went; and the same in words. */
export function topology(report: Report, evidence: Evidence | undefined): string {
  const legs = evidence?.legs ?? [];
  const { intent } = report;
  const addressOf = (name: string | undefined): string =>
    evidence?.interfaces.find((item) => item.name === name)?.addresses.find((address) => !address.startsWith('fe80')) ??
    '';
  const port = (name: string | undefined, x: number, y: number): string =>
    name === undefined ? '' : svgText(x, y, `${name}  ${addressOf(name)}`.trim(), 'label');
  const [spsInterface] = intent.spsInterfaces;
  return `<figure>
<svg viewBox="0 0 444 440" role="img" aria-labelledby="topology-title topology-text">
<title id="topology-title">Clients, router, SPS and servers with the ways of the packets</title>
<desc id="topology-text">${escapeHtml(legs.map(legWords).join('; ') || 'no packets')}</desc>
<defs>${['good', 'bad', 'doubt', 'expected'].map(marker).join('')}</defs>
<rect class="box" x="130" y="8" width="184" height="62" rx="8"/>
${svgText(222, 34, 'SPS')}${svgText(222, 56, shorten(intent.sps.join(', '), 26), 'small')}
<rect class="box" x="20" y="166" width="404" height="118" rx="8"/>
${svgText(394, 186, shorten(report.router.hostname ?? 'router', 16), undefined, 'end')}
<rect class="box" x="8" y="374" width="190" height="60" rx="8"/>
${svgText(103, 398, 'clients')}${svgText(103, 420, shorten(intent.clients.join(', ') || 'any source', 27), 'small')}
<rect class="box" x="246" y="374" width="190" height="60" rx="8"/>
${svgText(341, 398, 'servers')}${svgText(341, 420, shorten(intent.servers.join(', ') || 'any destination', 27), 'small')}
${legs.map((leg) => legPaths(leg)).join('\n')}
${port(spsInterface, 90, 158)}${port(evidence?.clientInterface, 96, 302)}${port(evidence?.serverInterface, 348, 302)}
</svg>
<figcaption><ul class="legs">${legs.map((leg) => `<li>${badge(leg)} ${escapeHtml(legWords(leg))}</li>`).join('')}</ul>
<p><small>Dashed grey: the way that packets should take. Solid: the way they took, or would take where they were synthesized; a cross is where they end.</small></p></figcaption>
</figure>`;
}

function legPaths(leg: LegEvidence): string {
  const { role } = leg;
  const parts: string[] = [];
  const state = stateOf(leg);
  if (state !== 'good') parts.push(path(EXPECTED[role], 'expected'));
  if (leg.dropped > 0) {
    const { path: way, x, y } = BROKEN[role];
    parts.push(path(way, 'bad', false), `<path class="cross" d="M${x - 8} ${y - 8}l16 16m0 -16l-16 16"/>`);
  }
  if (leg.bypassed > 0) parts.push(path(BYPASS[role], 'bad'));
  if (leg.looped > 0) parts.push(path(LOOP[role], 'bad'));
  if (leg.undetermined > 0) parts.push(path(EXPECTED[role], 'doubt'));
  if (leg.viaSps > 0) parts.push(path(EXPECTED[role], 'good'));
  return parts.join('');
}

function stateOf(leg: LegEvidence): State {
  if (leg.bypassed + leg.dropped + leg.looped > 0) return 'bad';
  if (leg.undetermined > 0) return 'doubt';
  return leg.viaSps > 0 ? 'good' : 'none';
}

const BADGES = {
  good: ['verified', 'right'],
  bad: ['failed', 'broken'],
  doubt: ['inconclusive', 'not known'],
  none: ['note', 'none'],
} as const;

function badge(leg: LegEvidence): string {
  const [style, word] = BADGES[stateOf(leg)];
  return `<span class="badge ${style}">${word}</span>`;
}

function legWords(leg: LegEvidence): string {
  const parts = [
    ...(leg.viaSps > 0 ? [`${leg.viaSps} as they should`] : []),
    ...(leg.bypassed > 0 ? [`${leg.bypassed} past SPS`] : []),
    ...(leg.dropped > 0 ? [`${leg.dropped} dropped`] : []),
    ...(leg.looped > 0 ? [`${leg.looped} back to SPS`] : []),
    ...(leg.undetermined > 0 ? [`${leg.undetermined} not known`] : []),
  ];
  const synthesized = leg.synthesized > 0 ? `, ${leg.synthesized} of them synthesized` : '';
  return `${LEG_WORDS[leg.role]}: ${parts.length > 0 ? `${parts.join(', ')}${synthesized}` : 'nothing came so far'}`;
}

function path(way: string, style: Exclude<State, 'none'> | 'expected', head = true): string {
  return `<path class="${style}" d="${way}"${head ? ` marker-end="url(#head-${style})"` : ''}/>`;
}

function marker(style: string): string {
  return `<marker id="head-${style}" viewBox="0 0 10 10" refX="7" refY="5" markerWidth="4.5" markerHeight="4.5" orient="auto"><path class="${style}-head" style="stroke:none" d="M0 0L10 5L0 10z"/></marker>`;
}

function svgText(x: number, y: number, text: string, style?: string, anchor = 'middle'): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}"${style === undefined ? '' : ` class="${style}"`}>${escapeHtml(text)}</text>`;
}

function shorten(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}
