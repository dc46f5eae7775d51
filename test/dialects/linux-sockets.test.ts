import { describe, expect, it } from 'vitest';
import { parseRouterState } from '../../src/dialects/index.ts';

const read = (text: string) => parseRouterState([{ path: 'router.txt', text }]);

describe('ss -lntu', () => {
  it('tells the ports at which programs listen', () => {
    const device = read(`### ss -lntuH
udp   UNCONN 0      0      127.0.0.53%lo:53        0.0.0.0:*
tcp   LISTEN 0      128          0.0.0.0:22        0.0.0.0:*
tcp   LISTEN 0      128             [::]:80           [::]:*
tcp   LISTEN 0      128                *:81              *:*
`);
    expect(device.problems.filter(({ code }) => code === 'RV302')).toEqual([]);
    expect(device.listening).toEqual([
      { protocol: 17, port: 53, address: 0x7f000035 },
      { protocol: 6, port: 22 },
      { protocol: 6, port: 80 },
      { protocol: 6, port: 81 },
    ]);
  });

  it('is recognised by its header, and its columns may be split over more room', () => {
    const device = read(
      'Netid State  Recv-Q Send-Q Local Address:Port Peer Address:Port Process\ntcp   LISTEN 0 4096 192.168.0.254:3389 0.0.0.0:*    users:(("x",pid=1,fd=3))\n',
    );
    expect(device.listening).toEqual([{ protocol: 6, port: 3389, address: 0xc0a800fe }]);
  });

  it('of no socket is not the same as no list', () => {
    expect(read('### ss -lntuH\n### ip rule show\n0:\tfrom all lookup local\n').listening).toEqual([]);
    expect(read('### ip rule show\n0:\tfrom all lookup local\n').listening).toBeUndefined();
  });

  it('is what the kernel lists, in whichever byte order', () => {
    const device = read(`### sockets
tcp 00000000:0016
tcp FE00A8C0:0D3D
udp 3500007F:0035
udp6 00000000000000000000000001000000:0044
`);
    expect(device.problems.filter(({ code }) => code === 'RV302')).toEqual([]);
    expect(device.listening).toEqual([
      { protocol: 6, port: 22 },
      { protocol: 6, port: 3389, address: 0xc0a800fe },
      { protocol: 6, port: 3389, address: 0xfe00a8c0 },
      { protocol: 17, port: 53, address: 0x7f000035 },
      { protocol: 17, port: 53, address: 0x3500007f },
      { protocol: 17, port: 68 },
    ]);
  });

  it('names a line that it does not understand', () => {
    expect(read('### ss -lntuH\n!!\n').problems.map(({ code }) => code)).toContain('RV302');
  });
});
