/** Words that are no markup: nothing in a name makes a link, an image, HTML, emphasis or a formula. For the middle of a line. */
export function plain(text: string): string {
  return (
    text
      .replace(/[\\`*_[\]<>&#!~@$]/g, (character) => ENTITIES[character] ?? `\\${character}`)
      // Addresses become links by themselves. Ref: GitHub Flavored Markdown 0.29, 6.9 autolinks
      .replace(/:(?=\/\/)/g, '\\:')
      .replace(/(www)\./gi, '$1\\.')
  );
}

/** The same where a paragraph or the text of a list's item begins: no list, heading, code or break begins with it. Ref: CommonMark 0.31, 4 and 5 */
export function paragraph(text: string): string {
  return plain(text)
    .replace(/^\s+/, '')
    .replace(/^(\d+)(?=[.)])/, '$1\\')
    .replace(/^[-+=:|]/, '\\$&');
}

const ENTITIES: Readonly<Record<string, string>> = { '<': '&lt;', '>': '&gt;', '&': '&amp;' };

/** A code span, with as many backticks around it as it takes. */
export function code(text: string): string {
  const fence = '`'.repeat(longestRun(text) + 1);
  const pad = text.startsWith('`') || text.endsWith('`') || text === '' ? ' ' : '';
  return `${fence}${pad}${text}${pad}${fence}`;
}

/** A block of shell commands. */
export function fenced(text: string): string {
  const fence = '`'.repeat(Math.max(3, longestRun(text) + 1));
  return `${fence}sh\n${text}\n${fence}`;
}

function longestRun(text: string): number {
  return Math.max(0, ...[...text.matchAll(/`+/g)].map((run) => run[0].length));
}

/** A table's cell: a bar would begin the next one, in code spans, too. */
export function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
