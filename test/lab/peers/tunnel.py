"""tunnel.py NAMESPACE: joins tun0 of this network namespace with tun0 of another: a point-to-point link without MAC addresses."""

import ctypes
import fcntl
import os
import select
import struct
import sys

import wire

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
CLONE_NEWNET = 0x40000000


def device():
    descriptor = os.open('/dev/net/tun', os.O_RDWR)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack('16sH', b'tun0', IFF_TUN | IFF_NO_PI))
    return descriptor


def main():
    near = device()
    with open(sys.argv[1], 'rb') as namespace:
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), 'setns')
    far = device()
    wire.end_on_sigterm()
    wire.log(event='ready')
    while True:
        for ready in select.select([near, far], [], [])[0]:
            try:
                packet = os.read(ready, 65536)
                os.write(far if ready == near else near, packet)
            except OSError:
                pass  # The other end is down.


main()
