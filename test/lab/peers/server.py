"""server.py ADDRESS PORT: answers each request with as many bytes as it asks for, and logs who connected."""

import socket
import sys
import threading

import wire


def serve(sock, peer):
    received = 0
    try:
        while True:
            header = wire.receive(sock, wire.HEADER.size)
            if header is None:
                break
            request, response = wire.HEADER.unpack(header)
            if request:
                wire.receive(sock, request)
            received += request
            sock.sendall(b's' * response)
        wire.log(event='closed', peer=peer, bytes=received)
    except OSError as error:
        wire.log(event='failed', peer=peer, error=str(error))
    wire.close(sock)


def main():
    listener = wire.track(socket.socket(wire.family(sys.argv[1])))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((sys.argv[1], int(sys.argv[2])))
    listener.listen(64)
    wire.end_on_sigterm()
    wire.log(event='ready')
    while True:
        sock, address = listener.accept()
        peer = wire.text(address)
        wire.log(event='accepted', peer=peer)
        threading.Thread(target=serve, args=(wire.track(sock), peer), daemon=True).start()


main()
