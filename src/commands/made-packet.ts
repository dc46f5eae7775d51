import { DecisionBatch, Disposition, DISPOSITIONS } from '../forwarding/decision.ts';
import { renderWalk } from '../formats/walk.ts';
import { formatWords, type IpAddress, parseIpAddress } from '../net/ip-address.ts';
import { InputError } from '../text/input-error.ts';
import { Flag, makePacket } from '../verification/probe-packet.ts';
import type { Router } from '../verification/router.ts';
import { describePacket } from '../verification/trace.ts';
import type { PacketBatch } from '../wire/packet-batch.ts';

/** A packet in words: `tcp A:PORT > B:PORT` (a SYN) or `udp A:PORT > B:PORT`. Throws InputError. */
export function madePacket(words: string): PacketBatch {
  const match = /^\s*(tcp|udp)\s+(\S+)\s*>\s*(\S+)\s*$/i.exec(words);
  const source = endpoint(match?.[2]);
  const destination = endpoint(match?.[3]);
  if (
    match === null ||
    source === undefined ||
    destination === undefined ||
    source.address.family !== destination.address.family
  ) {
    throw new InputError(`--packet: expected "tcp 192.168.0.10:40000 > 10.0.0.10:3389", got "${words}"`);
  }
  const tcp = match[1]?.toLowerCase() === 'tcp';
  return makePacket({
    protocol: tcp ? 6 : 17,
    source: source.address,
    sourcePort: source.port,
    destination: destination.address,
    destinationPort: destination.port,
    sourceMac: -1,
    ttl: 64,
    time: 1_700_000_000e9,
    flags: tcp ? Flag.syn : 0,
    sequence: 1000,
  });
}

function endpoint(text: string | undefined): { address: IpAddress; port: number } | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text ?? '');
  const address = parseIpAddress(match?.[1] ?? match?.[2] ?? '');
  const port = Number(match?.[3]);
  return address === undefined || port > 65535 ? undefined : { address, port };
}

/** What the router does with a made-up packet, in one of trace's formats. */
export function traceMadePacket(
  router: Router,
  packet: PacketBatch,
  ingress: string,
  format: 'text' | 'ndjson',
): string {
  const forwarder = router.forwarder();
  const index = forwarder.interfaceIndex(ingress);
  if (index < 0)
    throw new InputError(
      `--ingress: the router has no interface ${ingress} (it has ${forwarder.interfaceNames.join(', ')})`,
    );
  const decisions = new DecisionBatch(1);
  forwarder.decide(packet, 0, index, decisions, 0);
  if (format === 'text')
    return `${ingress} ${describePacket(packet, 0)}\n${renderWalk(forwarder.explainLast()).join('\n')}\n`;
  const forwarded = decisions.disposition[0] === Disposition.forwarded;
  const hop = decisions.nextHop;
  const line = {
    type: 'frame',
    ingress,
    disposition: DISPOSITIONS[decisions.disposition[0]!],
    ...(forwarded && {
      egress: forwarder.interfaceNames[decisions.egress[0]!],
      nextHop: formatWords(packet.family[0]!, hop[0]!, hop[1]!, hop[2]!, hop[3]!),
    }),
    fwmark: decisions.fwmark[0],
    ...(decisions.hasConnmark[0] === 1 && { connmark: decisions.connmark[0] }),
    ...(decisions.table[0]! >= 0 && { table: String(decisions.table[0]) }),
  };
  return [
    { type: 'header', schema: 'redirect-verify/trace/1', router: router.dialects },
    line,
    { type: 'summary', frames: 1, ingress: 1 },
  ]
    .map((item) => `${JSON.stringify(item)}\n`)
    .join('');
}
