/** Asks the verifier about the second half of a scenario's traffic, of whose first half it sees nothing but the kernel's entries. */
import type { Oracle } from './oracle/oracle.ts';
import type { RecordedScenario, Scenario, ScenarioFrame } from './scenario.ts';

const IP = 14;
const TCP = 6;
const SYN = 0x02;
const RST = 0x04;
const ACK = 0x10;

/** Datagrams in pieces may come together from both halves. */
export const hasDumped = ({ profile, family }: Scenario): boolean => family !== 6 && !profile.startsWith('pieces');

/**
 * A frame that begins a connection, where entries of a dump do not count, or resets one, which the sequence numbers decide about that
 * no dump holds.
 */
function isBeside({ hex }: ScenarioFrame): boolean {
  const bytes = Buffer.from(hex, 'hex');
  const flags = bytes[IP + (bytes[IP]! & 15) * 4 + 13] ?? 0;
  return bytes[IP + 9] === TCP && ((flags & (SYN | ACK)) === SYN || (flags & RST) !== 0);
}

/** What the kernel did with the second half, behind a listing of its entries after the first one. */
export async function askDumped(oracle: Oracle, scenario: Scenario): Promise<RecordedScenario> {
  const half = Math.floor(scenario.frames.length / 2);
  const second = scenario.frames.slice(half).filter((frame) => !isBeside(frame));
  const frames = [...scenario.frames.slice(0, half), ...second];
  // Nor does a dump hold windows.
  const sysctls = { ...scenario.sysctls, 'net/netfilter/nf_conntrack_tcp_be_liberal': '1' };
  const recorded = await oracle.ask({ ...scenario, sysctls, frames }, { connectionsAfter: half });
  return {
    ...recorded,
    frames: second,
    // Which sources have been redirected already, the second half does not show.
    answers: recorded.answers.slice(half).map(({ errors: _, ...answer }) => answer),
  };
}
