"""What the three programs share: length-prefixed exchanges, one JSON object per line on stdout, and an abrupt end.

Every program ends on SIGTERM with a reset of whatever is still open (SO_LINGER 0). A closed socket would go on
retransmitting its FIN for minutes and so leak into the next recording of the same lab.
"""

import json
import os
import signal
import socket
import struct
import sys
import threading

HEADER = struct.Struct('!II')  # length of the request's body, length of the response
TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ = 19, 20, 21
TCP_SEND_QUEUE = 2
_open = set()
_lock = threading.Lock()


def log(**event):
    with _lock:
        sys.stdout.write(json.dumps(event) + '\n')
        sys.stdout.flush()


def text(address):
    return f'[{address[0]}]:{address[1]}' if ':' in address[0] else f'{address[0]}:{address[1]}'


def family(address):
    return socket.AF_INET6 if ':' in address else socket.AF_INET


def track(sock):
    _open.add(sock)
    return sock


def set_sequence(sock, number):
    """The initial sequence number of a socket that is not yet connected. The kernel takes the one that checkpoint and restore left."""
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, TCP_SEND_QUEUE)
    sock.setsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ, struct.pack('I', number))
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 0)


def abort(sock):
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    except OSError:
        pass
    close(sock)


def close(sock):
    _open.discard(sock)
    try:
        sock.close()
    except OSError:
        pass


def receive(sock, length):
    """Exactly `length` bytes, or None where the peer closed before the first one."""
    parts = []
    while length > 0:
        part = sock.recv(min(length, 65536))
        if not part:
            if parts:
                raise ConnectionError('closed in the middle of a message')
            return None
        parts.append(part)
        length -= len(part)
    return b''.join(parts)


def end_on_sigterm():
    def end(_signal, _frame):
        for sock in list(_open):
            abort(sock)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
