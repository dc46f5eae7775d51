import { isStateCommand, normaliseCommand, parseIpCommand, promptLength } from './section.ts';

const STATE_CHANGES = new Set([
  'add',
  'append',
  'prepend',
  'change',
  'chg',
  'replace',
  'delete',
  'flush',
  'set',
  'restore',
]);

/**
 * Whether a text is a command that sets up a router: strict enough that a sentence which begins with "ip" or "iptables" is none.
 */
export function isSetupCommand(text: string): boolean {
  const bare = text.trim().replace(/^(?:sudo\s+)?(?:\/\S*\/)?/, '');
  if (/^ip6?tables(?:-legacy|-nft)?(?:-restore)?\s+(?:[-!<]|$)/.test(bare)) return true;
  if (/^ip6?tables(?:-legacy|-nft)?-restore\b/.test(bare)) return true;
  if (/^sysctl\s+(?:-\S+\s+)*["']?[\w./-]+\s*=/.test(bare)) return true;
  if (/^(?:echo|printf)\s.*>/.test(bare)) return true;
  if (!/^ip\s/.test(bare)) return false;
  const words = bare.split(/\s+/).slice(1);
  const command = parseIpCommand(words);
  return command !== undefined && STATE_CHANGES.has(command.verb);
}

/** Whether a text, behind a prompt, is a command that sets up a router or prints its state. */
export function isRouterCommand(text: string): boolean {
  return isSetupCommand(text) || isStateCommand(normaliseCommand(text));
}

/**
 * Whether the commands of a text stand behind prompts: every command line of it has one. Then other lines are prose or output; else
 * `# CMD` is a comment, as a shell takes it.
 */
export function hasPrompts(texts: readonly string[]): boolean {
  let prompted = false;
  for (const text of texts) {
    if (isSetupCommand(text)) return false;
    const start = promptLength(text);
    if (start !== undefined && isRouterCommand(text.slice(start))) prompted = true;
  }
  return prompted;
}
