"""client.py ADDRESS PORT TIMEOUT JSON [SEQUENCE]: runs sessions at the same time and logs how each one ended.

JSON is a list of sessions, each a list of [request length, response length]. SEQUENCE is the initial sequence number. With LAB_FRAGMENTS in the
environment packets that do not fit the link are sent in fragments.
"""

import json
import os
import socket
import sys
import threading
import time

import wire

STAGGER_SECONDS = 0.03
# Of linux/in.h, which Python does not name.
IP_MTU_DISCOVER, IP_PMTUDISC_OMIT = 10, 5


def session(number, target, timeout, exchanges):
    sock = wire.track(socket.socket(wire.family(target[0])))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if 'LAB_FRAGMENTS' in os.environ:
        sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT)
    if len(sys.argv) > 5:
        wire.set_sequence(sock, int(sys.argv[5]))
    local, received = '', 0
    # One deadline for the session as a whole, so that a trickle of answers cannot stretch a recording.
    deadline = time.monotonic() + timeout

    def left():
        rest = deadline - time.monotonic()
        if rest <= 0:
            raise TimeoutError('timed out')
        sock.settimeout(rest)

    try:
        left()
        sock.connect(target)
        local = wire.text(sock.getsockname())
        for request, response in exchanges:
            left()
            sock.sendall(wire.HEADER.pack(request, response) + b'c' * request)
            left()
            answer = wire.receive(sock, response)
            if answer is None:
                raise ConnectionError('closed by the peer')
            received += len(answer)
        sock.shutdown(socket.SHUT_WR)
        left()
        if sock.recv(1):
            raise ConnectionError('more bytes than asked for')
        wire.close(sock)
        wire.log(session=number, local=local, ok=True, received=received)
    except OSError as error:
        local = local or wire.text(sock.getsockname())
        wire.abort(sock)
        wire.log(session=number, local=local, ok=False, received=received, error=str(error))


def main():
    target, timeout = (sys.argv[1], int(sys.argv[2])), float(sys.argv[3])
    wire.end_on_sigterm()
    threads = []
    for number, exchanges in enumerate(json.loads(sys.argv[4]), 1):
        thread = threading.Thread(target=session, args=(number, target, timeout, exchanges))
        thread.start()
        threads.append(thread)
        time.sleep(STAGGER_SECONDS)
    for thread in threads:
        thread.join()


main()
