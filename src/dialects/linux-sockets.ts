import type { ListeningSocket } from '../model/listening-socket.ts';
import { IpProtocol } from '../net/ip-protocol.ts';
import { parseIpAddress } from '../net/ip-address.ts';
import { spanOfLine } from '../text/line-scanner.ts';
import type { Dialect } from './base/dialect.ts';

const HEADER = /^Netid\s+State\s/;
const SOCKET = /^(tcp|udp)\s+(?:LISTEN|UNCONN)\s+\d+\s+\d+\s+(\S+):(\d+)\s/;
/** Sockets of other kinds, which ss shows where it was not asked for TCP and UDP alone. */
const OTHER = /^[a-z_0-9-]+\s+[A-Z][A-Z-]*\s/;

/** What `collect linux` makes of /proc/net/tcp, udp, tcp6 and udp6: `tcp 0100007F:0016`. Ref: proc_pid_net(5) */
const KERNEL_SOCKET = /^(tcp|udp|tcp6|udp6) ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})$/;

/** `ss -lntu`: the ports at which programs of the router listen. Ref: ss(8) */
export const linuxSockets: Dialect = {
  name: 'linux-sockets',
  stage: 1,
  recognise: ({ heading, lines }) =>
    heading === undefined
      ? HEADER.test(lines[0]?.text ?? '') || SOCKET.test(`${lines[0]?.text ?? ''} `)
      : /^(?:ss -lntuH?|sockets)$/.test(heading.command),
  parse(section, draft) {
    draft.listening ??= [];
    for (const line of section.lines) {
      if (line.text.trim() === '' || HEADER.test(line.text)) continue;
      const found = SOCKET.exec(`${line.text} `);
      const inKernel = KERNEL_SOCKET.exec(line.text);
      if (inKernel !== null)
        draft.listening.push(...kernelSockets(inKernel[1]!, inKernel[2]!, Number.parseInt(inKernel[3]!, 16)));
      else if (found !== null) draft.listening.push(socketOf(found[1]!, found[2]!, Number(found[3])));
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

/** The address is a number of the router's own byte order, which is not known: both are taken. IPv6 as in {@link socketOf}. */
function kernelSockets(name: string, host: string, port: number): ListeningSocket[] {
  const protocol = name.startsWith('tcp') ? IpProtocol.tcp : IpProtocol.udp;
  const word = host.length === 8 ? Number.parseInt(host, 16) : 0;
  if (word === 0) return [{ protocol, port }];
  const swapped = Number.parseInt(host.match(/../g)!.reverse().join(''), 16);
  return [
    { protocol, port, address: swapped },
    { protocol, port, address: word },
  ];
}
