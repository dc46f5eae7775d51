"""knock.py ADDRESS...: one datagram to each address, to the discard port: enough to make the kernel ask for its MAC address."""

import socket
import sys

for address in sys.argv[1:]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b'', (address, 9))
