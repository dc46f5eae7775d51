import type { ListeningSocket } from '../model/listening-socket.ts';
import { IpProtocol } from '../net/ip-protocol.ts';
import { parseIpAddress } from '../net/ip-address.ts';
import { spanOfLine } from '../text/line-scanner.ts';
import type { Dialect } from './base/dialect.ts';

const HEADER = /^Netid\s+State\s/;
const SOCKET = /^(tcp|udp)\s+(?:LISTEN|UNCONN)\s+\d+\s+\d+\s+(\S+):(\d+)\s/;
/** Sockets of other kinds, which ss shows where it was not asked for TCP and UDP alone. */
const OTHER = /^[a-z_0-9-]+\s+[A-Z][A-Z-]*\s/;

/** `ss -lntu`: the ports at which programs of the router listen. Ref: ss(8) */
export const linuxSockets: Dialect = {
  name: 'linux-sockets',
  stage: 1,
  recognise: ({ heading, lines }) =>
    heading === undefined
      ? HEADER.test(lines[0]?.text ?? '') || SOCKET.test(`${lines[0]?.text ?? ''} `)
      : /^ss -lntuH?$/.test(heading.command),
  parse(section, draft) {
    draft.listening ??= [];
    for (const line of section.lines) {
      if (line.text.trim() === '' || HEADER.test(line.text)) continue;
      const found = SOCKET.exec(`${line.text} `);
      if (found !== null) draft.listening.push(socketOf(found[1]!, found[2]!, Number(found[3])));
      else if (!OTHER.test(line.text)) draft.unparsed('this is no line of `ss -lntu`', spanOfLine(line));
    }
  },
};

/** A socket of all IPv6 addresses takes IPv4 packets, too, unless it says otherwise, which ss does not show. */
function socketOf(name: string, host: string, port: number): ListeningSocket {
  const address = parseIpAddress(host.replace(/%.*$/, ''));
  const protocol = name === 'tcp' ? IpProtocol.tcp : IpProtocol.udp;
  const word = address?.family === 4 ? address.words[0] : 0;
  return word === 0 ? { protocol, port } : { protocol, port, address: word };
}
