/** Mistakes made on purpose: a comparison that is any good catches each of them. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const LINUX = 'src/forwarding/linux';

/** A piece of the sources that stands there once, and what it is turned into. */
interface Edit {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export interface Breakage {
  readonly name: string;
  readonly mistake: string;
  readonly edits: readonly Edit[];
}

/** The ten that the comparison is held to. */
export const BREAKAGES: readonly Breakage[] = [
  {
    name: 'xor-or',
    mistake: 'XOR mask arithmetic turned into OR',
    edits: [
      { file: `${LINUX}/traverse.ts`, from: '((run.mark & ~b) ^ a)', to: '((run.mark & ~b) | a)' },
      { file: `${LINUX}/traverse.ts`, from: '((run.connmark & ~b) ^ a)', to: '((run.connmark & ~b) | a)' },
      {
        file: `${LINUX}/traverse.ts`,
        from: '((run.connmark & ~b) ^ (run.mark & a))',
        to: '((run.connmark & ~b) | (run.mark & a))',
      },
      {
        file: `${LINUX}/traverse.ts`,
        from: '((run.mark & ~a) ^ (run.connmark & b))',
        to: '((run.mark & ~a) | (run.connmark & b))',
      },
    ],
  },
  {
    name: 'masked-value',
    mistake: 'a mark match that masks its value',
    edits: [{ file: `${LINUX}/match.ts`, from: '((value & mask) ^ wanted)', to: '((value & mask) ^ (wanted & mask))' }],
  },
  {
    name: 'equal-priority',
    mistake: 'policy rules of equal priority in reverse order',
    edits: [
      {
        file: `${LINUX}/rpdb.ts`,
        from: 'const model = device.policyRules.filter((rule) => rule.family === family);',
        to: 'const model = device.policyRules.filter((rule) => rule.family === family).reverse().sort((a, b) => a.priority - b.priority);',
      },
    ],
  },
  {
    name: 'reverse-iif',
    mistake: '`iif` in the reverse lookup taken as the ingress',
    edits: [
      {
        file: `${LINUX}/reverse-path.ts`,
        from: 'run.flowIif = egress === -1 ? router.links.loopback : egress;',
        to: 'run.flowIif = run.ingress;',
      },
    ],
  },
  {
    name: 'filter-maximum',
    mistake: "max() of rp_filter replaced by the interface's",
    edits: [
      {
        file: `${LINUX}/settings.ts`,
        from: 'return known(checkMode(Math.max(all, own)), ',
        to: 'return known(checkMode(own), ',
      },
    ],
  },
  {
    name: 'reverse-mark',
    mistake: 'the mark used in the reverse lookup regardless of src_valid_mark',
    edits: [
      {
        file: `${LINUX}/reverse-path.ts`,
        from: '!== 0 && run.setting(router.settings.sourceValidMark[run.ingress]!) !== 0;',
        to: '!== 0;',
      },
    ],
  },
  {
    name: 'window',
    mistake: 'the window check left out',
    edits: [{ file: `${LINUX}/tcp-tracking.ts`, from: 'if (judged === Window.invalid) {', to: 'if (judged < 0) {' }],
  },
  {
    name: 'keep-entry',
    mistake: 'an entry kept after a drop before confirm',
    edits: [{ file: `${LINUX}/entry-commit.ts`, from: 'if (!survives) {', to: 'if (table === undefined) {' }],
  },
  {
    name: 'goto-return',
    mistake: 'RETURN from goto',
    edits: [
      {
        file: `${LINUX}/traverse.ts`,
        from: 'case TargetKind.goto:\n',
        to: 'case TargetKind.goto:\n        stack[depth * 2] = rule + 1;\n        stack[depth * 2 + 1] = chain;\n        depth++;\n',
      },
    ],
  },
  {
    name: 'metric',
    mistake: 'metric order',
    edits: [
      {
        file: `${LINUX}/fib-table.ts`,
        from: 'model[a]!.metric - model[b]!.metric',
        to: 'model[b]!.metric - model[a]!.metric',
      },
    ],
  },
];

/** A file's text with the edit applied. Throws where it does not stand there exactly once. */
export function broken(edit: Edit, text: string): string {
  const parts = text.split(edit.from);
  if (parts.length !== 2) throw new Error(`${edit.file} has ${parts.length - 1} times, not once: ${edit.from.trim()}`);
  return parts.join(edit.to);
}

/** The text of a file of the sources. */
export function sourceText(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8');
}

/** Gives the folder of a copy of the sources with the mistake in it to `use`, and removes it afterwards. */
export async function withBreakage<T>(breakage: Breakage | undefined, use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'redirect-verify-broken-'));
  try {
    for (const name of ['src', 'test', 'package.json', 'tsconfig.json']) {
      cpSync(join(ROOT, name), join(folder, name), {
        recursive: true,
        filter: (path) =>
          !path.startsWith(join(ROOT, 'test')) ||
          /^test(?:\/kernel(?:\/(?!cases)|$)|\/cli|$)/.test(path.slice(ROOT.length)),
      });
    }
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    for (const edit of breakage?.edits ?? []) {
      const path = join(folder, edit.file);
      writeFileSync(path, broken(edit, readFileSync(path, 'utf8')));
    }
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
