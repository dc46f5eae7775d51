"""spp.py ADDRESS CERTIFICATE KEY VERSION: SPP as far as joining needs it: HTTPS on tcp 443 in one TLS version."""

import socket
import ssl
import sys

import wire

VERSIONS = {'1.2': ssl.TLSVersion.TLSv1_2, '1.3': ssl.TLSVersion.TLSv1_3}


def main():
    address, certificate, key, version = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.minimum_version = context.maximum_version = VERSIONS[version]
    context.num_tickets = 0
    listener = wire.track(socket.socket())
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, 443))
    listener.listen(8)
    wire.end_on_sigterm()
    wire.log(event='ready')
    while True:
        sock, _ = listener.accept()
        try:
            with context.wrap_socket(sock, server_side=True) as secure:
                request = secure.recv(4096)
                if request:
                    secure.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
        except OSError as error:
            wire.log(event='failed', error=type(error).__name__)


main()
