/** The style of the HTML report: light and dark by the reader's setting, one column on a phone, all of it on paper. */
export const STYLE = `
:root { color-scheme: light dark; --ground: #fff; --text: #1b1f24; --dim: #57606a; --line: #d0d7de; --panel: #f6f8fa; --link: #0550ae;
  --good: #116329; --bad: #b42318; --doubt: #7a4a00; --good-ground: #dafbe1; --bad-ground: #ffebe9; --doubt-ground: #fff4d6; --expected: #8c959f; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #0d1117; --text: #e6edf3; --dim: #9da7b3; --line: #30363d; --panel: #161b22; --link: #79b8ff;
    --good: #56d364; --bad: #ff8f87; --doubt: #f0c05a; --good-ground: #0f2d1a; --bad-ground: #3a1414; --doubt-ground: #332608; --expected: #6e7681; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 70rem; background: var(--ground); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: .2rem 0 .6rem; }
h2 { font-size: 1.2rem; margin: 2rem 0 .6rem; border-bottom: 1px solid var(--line); padding-bottom: .2rem; }
h3 { font-size: 1rem; margin: 1rem 0 .3rem; }
a { color: var(--link); }
code, pre { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .875em; }
pre { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: .6rem; overflow-x: auto; white-space: pre-wrap; margin: .3rem 0; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.skip { position: absolute; left: -100rem; } .skip:focus { left: 1rem; top: 1rem; background: var(--ground); padding: .5rem; }
.verdict { display: inline-block; padding: .1em .6em; border-radius: 6px; border: 2px solid currentColor; text-transform: uppercase; letter-spacing: .04em; }
.verified { color: var(--good); background: var(--good-ground); } .failed, .error { color: var(--bad); background: var(--bad-ground); }
.inconclusive, .warning { color: var(--doubt); background: var(--doubt-ground); } .note { color: var(--dim); background: var(--panel); }
.badge { display: inline-block; border-radius: 4px; padding: 0 .4em; font-size: .8rem; font-weight: 600; border: 1px solid currentColor; white-space: nowrap; }
.two { display: grid; gap: 1.5rem; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); align-items: start; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .25rem 1rem; margin: 0; } dt { color: var(--dim); } dd { margin: 0; }
figure { margin: 0; } svg { display: block; width: 100%; height: auto; max-width: 34rem; }
svg text { fill: var(--text); font: 14px system-ui, "DejaVu Sans", sans-serif; } svg .small { font-size: 12px; fill: var(--dim); }
svg .label { font-size: 12px; paint-order: stroke; stroke: var(--ground); stroke-width: 5px; }
svg .box { fill: var(--panel); stroke: var(--line); stroke-width: 1.5; } svg path { fill: none; stroke-width: 3; stroke-linejoin: round; }
svg .expected { stroke: var(--expected); stroke-width: 2; stroke-dasharray: 4 5; }
svg .good { stroke: var(--good); } svg .bad { stroke: var(--bad); } svg .doubt { stroke: var(--doubt); stroke-dasharray: 9 4; }
svg .good-head { fill: var(--good); } svg .bad-head { fill: var(--bad); } svg .doubt-head { fill: var(--doubt); } svg .expected-head { fill: var(--expected); }
svg .cross { stroke: var(--bad); stroke-width: 4; } svg .life { stroke: var(--line); stroke-width: 1.5; }
.legs { list-style: none; margin: .5rem 0 0; padding: 0; } .legs li { margin: .3rem 0; }
details { border: 1px solid var(--line); border-radius: 6px; margin: .5rem 0; } details > div { padding: 0 .8rem .8rem; }
summary { cursor: pointer; padding: .5rem .8rem; font-weight: 600; } summary small { font-weight: 400; color: var(--dim); }
.ladder { list-style: none; margin: .4rem 0; padding: 0; border-left: 3px solid var(--line); }
.ladder li { position: relative; padding: .15rem 0 .3rem 1.1rem; }
.ladder li::before { content: ""; position: absolute; left: -7px; top: .65rem; width: 11px; height: 11px; border-radius: 50%; background: var(--ground); border: 2px solid var(--dim); }
.ladder li:last-child { font-weight: 600; } .ladder code { display: block; color: var(--dim); font-weight: 400; }
.controls { display: flex; flex-wrap: wrap; gap: .6rem 1rem; align-items: end; margin: .5rem 0; } .controls label { display: grid; font-size: .85rem; color: var(--dim); }
input, select, button { font: inherit; color: inherit; background: var(--ground); border: 1px solid var(--dim); border-radius: 6px; padding: .3rem .5rem; min-height: 2.2rem; }
button { cursor: pointer; } button[disabled] { opacity: .55; cursor: default; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; } table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: normal; }
th { background: var(--panel); white-space: nowrap; } th button { border: 0; background: none; padding: 0; min-height: 0; font-weight: 600; }
th[aria-sort="ascending"] button::after { content: " \\2191"; } th[aria-sort="descending"] button::after { content: " \\2193"; }
td.number { text-align: right; font-variant-numeric: tabular-nums; } td.ends { white-space: nowrap; font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .82rem; }
footer { margin-top: 2rem; color: var(--dim); font-size: .85rem; }
@media (max-width: 50rem) { .two { grid-template-columns: minmax(0, 1fr); } dl { grid-template-columns: minmax(0, 1fr); } dt { margin-top: .3rem; } body { padding: .7rem; } }
@media print { .controls, .skip { display: none; } details { break-inside: avoid; } body { max-width: none; } .scroll { overflow: visible; } }
`;
