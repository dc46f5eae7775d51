/** What holds of the end of every run, whatever it was given. */
import type { Case } from './cases.ts';
import type { Outcome } from './execute.ts';
import { INJECTIONS } from './mutate-text.ts';

export const MOST_SECONDS = 5;
export const MOST_MEBIBYTES = 300;

/** What is wrong with an outcome, in a line whose first words are the same for the same defect; undefined where nothing is. */
export function violation(item: Pick<Case, 'argv' | 'files'>, outcome: Outcome): string | undefined {
  if (outcome.crash !== undefined) return `crash: ${crashLine(outcome.crash)}`;
  if (outcome.status === null || ![0, 1, 2, 3].includes(outcome.status)) return `exit code ${outcome.status}`;
  if (/^ {4}at .*:\d+:\d+|UnhandledPromise|node:internal/m.test(outcome.stderr))
    return `stack trace on stderr: ${lastLine(outcome.stderr)}`;
  if (outcome.seconds > MOST_SECONDS) return `slow: more than ${MOST_SECONDS} s of the processor`;
  const refused = outcome.status === 2 ? refusal(item, outcome) : undefined;
  return refused ?? strayControl('stderr', outcome.stderr) ?? outputViolation(item.argv, outcome);
}

/** The error and where in the sources it was thrown: the same for the same defect. */
function crashLine(stack: string): string {
  const [first = ''] = stack.split('\n');
  const place = /^ {4}at .*?((?:src|dist)\/[^:)]+:\d+)/m.exec(stack)?.[1] ?? '';
  return `${first.slice(0, 100)} @ ${place}`;
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1) ?? '';
}

/** Lines that say what was picked up, and what is wrong with a capture, may stand before the one that says why there is no report. */
const BEFORE_REFUSAL = /^(router state|site file): |^RV\d{3}: |^wrote /;

function refusal({ argv, files }: Pick<Case, 'argv' | 'files'>, { stderr, stdout }: Outcome): string | undefined {
  // `test` says of each scenario why it could not be run, and goes on with the others.
  if (argv[0] === 'test' && stderr === '' && stdout !== '') return undefined;
  const lines = stderr.split('\n').filter((line) => !BEFORE_REFUSAL.test(line));
  if (lines.length !== 2 || lines[1] !== '') return `refused on ${lines.length - 1} lines: ${lines[0]?.slice(0, 60)}`;
  const [line = ''] = lines;
  if (!line.startsWith('redirect-verify: ')) return `refused without the name of the tool: ${line.slice(0, 60)}`;
  const names = [...files.keys()].flatMap((name) => [name, name.split('/')[0] ?? name]);
  const isPlaced = [...names, '--', 'join:', 'trace:'].some((name) => line.includes(name));
  if (!isPlaced) return `refused without a place: ${line.slice(0, 80)}`;
  return undefined;
}

/** Control characters move the cursor and change colours; so do those of C1, and marks that turn the direction of writing hide text. */
function strayControl(where: string, text: string): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
  const found = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/.exec(text);
  if (found === null) return undefined;
  return `control character U+${found[0].charCodeAt(0).toString(16).padStart(4, '0')} on ${where}`;
}

function outputViolation(argv: readonly string[], { stdout, status }: Outcome): string | undefined {
  const format = argv.includes('--format') ? argv[argv.indexOf('--format') + 1] : 'text';
  if (status === 2 && argv[0] !== 'test') return undefined;
  if (/\ud800/.test(stdout)) return 'half a character on stdout';
  switch (format) {
    case 'json':
    case 'sarif':
      return notJson(stdout) ?? strayControl('stdout', stdout);
    case 'ndjson':
      return (
        stdout
          .trimEnd()
          .split('\n')
          .map(notJson)
          .find((found) => found !== undefined) ?? strayControl('stdout', stdout)
      );
    case 'junit':
      return strayControl('stdout', stdout) ?? notXml(stdout);
    case 'html':
      return strayControl('stdout', stdout) ?? foreignMarkup(stdout);
    case 'markdown':
      return strayControl('stdout', stdout) ?? foreignMarkdown(stdout);
    default:
      return strayControl('stdout', stdout);
  }
}

function notJson(text: string): string | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    return `not JSON: ${String(error).slice(0, 60)}`;
  }
}

/** Whether elements close as they open, attributes are quoted, and references are of XML. For what JUnit files hold: no DTD, no comments. */
function notXml(text: string): string | undefined {
  const open: string[] = [];
  const token = /<\?xml[^?]*\?>|<(\/?)([A-Za-z][\w.-]*)((?:\s+[\w:.-]+="[^"<]*")*)\s*(\/?)>|[^<]+/gy;
  let at = 0;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    at = token.lastIndex;
    const [all, closing, name, attributes = '', empty] = match;
    const plain = name === undefined ? (all.startsWith('<?') ? '' : all) : attributes;
    if (/&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[\da-f]+);)/i.test(plain))
      return `not XML: a bare & in ${plain.slice(0, 40)}`;
    if (name === undefined) continue;
    if (closing === '/') {
      if (open.pop() !== name) return `not XML: </${name}> closes another element`;
    } else if (empty !== '/') open.push(name);
  }
  if (at !== text.length) return `not XML at ${JSON.stringify(text.slice(at, at + 40))}`;
  return open.length > 0 ? `not XML: <${open.at(-1)}> stays open` : undefined;
}

/** Markup that only an input can have brought. */
const INJECTED = INJECTIONS.filter((item) => item.startsWith('<') || item.includes('</'));

function foreignMarkup(text: string): string | undefined {
  const found = INJECTED.find((item) => text.includes(item));
  if (found !== undefined) return `an input's markup stands in the page: ${found}`;
  if (/\son\w+\s*=\s*alert|javascript:/i.test(text.replace(/>[^<]*</g, '><')))
    return "an input's script stands in the page";
  return undefined;
}

function foreignMarkdown(text: string): string | undefined {
  // In code, whether a span or a block, markup is text.
  const plain = text.replace(/^(`{3,})[^\n]*\n[\s\S]*?^\1`*$/gm, '').replace(/(`+)(?!`)[\s\S]*?[^`]\1(?!`)/g, '');
  const found = [...INJECTED, '![x](', '](javascript:'].find((item) => plain.includes(item));
  if (found !== undefined) return `an input's markup stands in the Markdown: ${found}`;
  return undefined;
}
