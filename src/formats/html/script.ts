/**
 * What moves in the HTML report: the table of connections is drawn a page at a time, because ten thousand rows at once take a browser seconds;
 * sequence diagrams are drawn when they are opened. Every text goes in as text, never as markup.
 */
export const SCRIPT = `
'use strict';
const data = JSON.parse(document.getElementById('data').textContent);
const PAGE = 100;
const make = (name, attributes, ...children) => {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
};
const svg = (name, attributes, text) => {
  const node = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
};

const table = document.getElementById('connections-table');
if (table) {
  const body = table.tBodies[0];
  const filter = document.getElementById('filter');
  const verdict = document.getElementById('verdict-filter');
  const status = document.getElementById('shown');
  const [previous, next] = [document.getElementById('previous'), document.getElementById('next')];
  const rank = { failed: 0, inconclusive: 1, verified: 2 };
  const withSequence = new Set(data.sequences.map((item) => item.connection));
  let order = { column: -1, down: false };
  let page = 0;
  let rows = data.connections;

  const select = () => {
    const words = filter.value.toLowerCase().split(/\\s+/).filter(Boolean);
    rows = data.connections.filter((row) => {
      if (verdict.value !== '' && row[1] !== verdict.value) return false;
      const text = row.join(' ').toLowerCase();
      return words.every((word) => text.includes(word));
    });
    if (order.column >= 0) {
      const { column, down } = order;
      const value = (row) => (column === 1 ? rank[row[1]] : row[column]);
      rows = [...rows].sort((a, b) => {
        const [x, y] = [value(a), value(b)];
        const by = typeof x === 'number' && typeof y === 'number' ? x - y : String(x).localeCompare(String(y), 'en', { numeric: true });
        return (down ? -by : by) || a[0] - b[0];
      });
    }
    page = 0;
    draw();
  };
  const draw = () => {
    const first = page * PAGE;
    const shown = rows.slice(first, first + PAGE);
    body.replaceChildren(
      ...shown.map((row) => {
        const id = withSequence.has(row[0]) ? make('a', { href: '#sequence-' + row[0] }, String(row[0])) : String(row[0]);
        return make(
          'tr',
          {},
          make('td', { class: 'number' }, id),
          make('td', {}, make('span', { class: 'badge ' + row[1] }, row[1])),
          make('td', {}, row[2]),
          make('td', { class: 'number' }, row[3] === 0 ? '' : String(row[3])),
          make('td', { class: 'ends' }, row[4]),
          make('td', { class: 'ends' }, row[5]),
          ...row.slice(6).map((cell) => make('td', {}, cell)),
        );
      }),
    );
    status.textContent =
      rows.length === 0 ? 'no connection' : (first + 1) + ' to ' + (first + shown.length) + ' of ' + rows.length + (rows.length < data.connections.length ? ' (of ' + data.connections.length + ' listed)' : '');
    previous.disabled = page === 0;
    next.disabled = first + PAGE >= rows.length;
  };
  filter.addEventListener('input', select);
  verdict.addEventListener('change', select);
  previous.addEventListener('click', () => { page--; draw(); });
  next.addEventListener('click', () => { page++; draw(); });
  [...table.tHead.rows[0].cells].forEach((cell, column) => {
    cell.querySelector('button').addEventListener('click', () => {
      order = { column, down: order.column === column && !order.down };
      for (const other of table.tHead.rows[0].cells) other.removeAttribute('aria-sort');
      cell.setAttribute('aria-sort', order.down ? 'descending' : 'ascending');
      select();
    });
  });
  draw();
}

const AT = { client: 60, router: 200, sps: 340, server: 480 };
const drawSequence = (item) => {
  const step = 34;
  const height = 60 + item.packets.length * step;
  const picture = svg('svg', { viewBox: '0 0 560 ' + height, role: 'img', 'aria-label': 'sequence diagram of connection ' + item.connection + ', told as a list below' });
  for (const [party, x] of Object.entries(AT)) {
    picture.append(svg('text', { x, y: 18, 'text-anchor': 'middle' }, party === 'sps' ? 'SPS' : party));
    picture.append(svg('path', { class: 'life', d: 'M' + x + ' 26V' + (height - 6) }));
  }
  item.packets.forEach((packet, index) => {
    const y = 56 + index * step;
    const [from, to] = [AT[packet.from], AT[packet.to]];
    const lost = packet.to === 'router';
    const kind = lost ? 'bad' : packet.from === 'sps' ? (packet.to === 'sps' ? 'bad' : 'good') : packet.to === 'sps' ? 'good' : 'bad';
    const turn = packet.from === packet.to ? AT.router : to;
    const away = turn > from ? 1 : -1;
    picture.append(svg('path', { class: kind, d: 'M' + from + ' ' + y + 'H' + (packet.from === packet.to ? turn + ' v8 H' + to : turn) }));
    const tip = packet.from === packet.to ? { x: to, y: y + 8, away: -away } : { x: turn, y, away };
    if (lost) picture.append(svg('path', { class: 'cross', d: 'M' + (turn - 6) + ' ' + (y - 6) + 'l12 12m0 -12l-12 12' }));
    else picture.append(svg('path', { class: kind + '-head', style: 'stroke:none', d: 'M' + tip.x + ' ' + tip.y + 'l' + -9 * tip.away + ' -5v10z' }));
    const label = (packet.flags === '' ? '' : '[' + packet.flags + '] ') + 'TTL ' + packet.ttl + ', frame ' + packet.frame;
    picture.append(svg('text', { x: Math.min(from, turn) + 8, y: y - 6, class: 'small' }, label));
  });
  const list = make('ol', {}, ...item.packets.map((packet) =>
    make('li', {}, '+' + packet.seconds.toFixed(6) + ' s, frame ' + packet.frame + ': ' + (packet.from === 'sps' ? 'SPS' : packet.from) + ' sends ' + (packet.flags === '' ? '' : '[' + packet.flags + '] ') + 'TTL ' + packet.ttl + ', ' + packet.fate)));
  const more = item.omitted > 0 ? [make('p', {}, 'and ' + item.omitted + ' more packets')] : [];
  return [make('figure', {}, picture), list, ...more];
};
for (const item of data.sequences) {
  const details = document.getElementById('sequence-' + item.connection);
  const fill = () => {
    const place = details.querySelector('div');
    if (details.open && place.childElementCount === 0) place.append(...drawSequence(item));
  };
  details.addEventListener('toggle', fill);
}
const openTarget = () => {
  const target = location.hash === '' ? null : document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) {
    target.open = true;
    target.querySelector('summary').focus();
  }
};
addEventListener('hashchange', openTarget);
addEventListener('beforeprint', () => { for (const item of document.querySelectorAll('#findings details')) item.open = true; });
openTarget();
`;
