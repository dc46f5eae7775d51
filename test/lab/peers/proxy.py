"""proxy.py LISTEN PORT own|client|client-port|ADDRESS TIMEOUT TARGET TARGETPORT [SEQUENCE]: a transparent proxy, as SPS is one.

TPROXY hands it connections that were meant for somebody else; the accepted socket's own address is the original
destination. Toward the server it uses its own address, the client's address with a port of its own, both of the client, or ADDRESS. TARGET is where it connects to instead of the
original destination, unless it is empty; SEQUENCE the initial sequence number of its connections.
"""

import socket
import sys
import threading

import wire

IP_TRANSPARENT, IPV6_TRANSPARENT = 19, 75


def transparent(address):
    family = wire.family(address)
    sock = wire.track(socket.socket(family))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_TRANSPARENT, 1)
    else:
        sock.setsockopt(socket.SOL_IP, IP_TRANSPARENT, 1)
    return sock


def relay(source, target):
    try:
        while True:
            data = source.recv(65536)
            if not data:
                break
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        wire.abort(source)
        wire.abort(target)


def connect(client, target, mode, timeout):
    sock = transparent(target[0])
    if mode == 'client':
        sock.bind((client[0], 0))
    elif mode == 'client-port':
        sock.bind(client)
    elif mode != 'own':
        sock.bind((mode, 0))
    if len(sys.argv) > 7:
        wire.set_sequence(sock, int(sys.argv[7]))
    sock.settimeout(timeout)
    sock.connect(target)
    sock.settimeout(None)
    return sock


def proxy(accepted, client, mode, timeout):
    target = (sys.argv[5], int(sys.argv[6])) if sys.argv[5] else accepted.getsockname()
    names = {'client': wire.text(client), 'target': wire.text(target)}
    wire.log(event='accepted', **names)
    try:
        outgoing = connect(client, target, mode, timeout)
    except OSError as error:
        wire.log(event='failed', error=str(error), **names)
        wire.abort(accepted)
        return
    wire.log(event='connected', source=wire.text(outgoing.getsockname()), **names)
    forth = threading.Thread(target=relay, args=(accepted, outgoing), daemon=True)
    forth.start()
    relay(outgoing, accepted)
    forth.join()
    wire.close(accepted)
    wire.close(outgoing)


def main():
    address, port, mode, timeout = sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4])
    listener = transparent(address)
    listener.bind((address, port))
    listener.listen(64)
    wire.end_on_sigterm()
    wire.log(event='ready')
    while True:
        accepted, client = listener.accept()
        wire.track(accepted)
        threading.Thread(target=proxy, args=(accepted, client, mode, timeout), daemon=True).start()


main()
