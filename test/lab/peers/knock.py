"""knock.py ADDRESS...: one datagram to each address, to the discard port: enough to make the kernel ask for its MAC address."""

import socket
import sys

import wire

for address in sys.argv[1:]:
    with socket.socket(wire.family(address), socket.SOCK_DGRAM) as sock:
        sock.sendto(b'', (address, 9))
