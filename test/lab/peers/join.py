"""join.py https ADDRESS ENTERED ISSUER | connect FROM ADDRESS PORT: one connection that a join needs, and how it ended."""

import socket
import ssl
import sys

import wire

SECONDS = 4


def https(address, entered, issuer):
    context = ssl.create_default_context(cafile=issuer)
    with socket.create_connection((address, 443), timeout=SECONDS) as sock:
        with context.wrap_socket(sock, server_hostname=entered) as secure:
            secure.sendall(b'GET /service/core/v3/Cluster/SessionModules HTTP/1.1\r\nHost: spp\r\n\r\n')
            return 'answered' if secure.recv(4096) else 'closed'


def connect(source, address, port):
    with socket.create_connection((address, int(port)), timeout=SECONDS, source_address=(source, 0)) as sock:
        sock.sendall(wire.HEADER.pack(40, 40) + b'c' * 40)
        return 'answered' if wire.receive(sock, 40) else 'closed'


def main():
    what, *rest = sys.argv[1:]
    try:
        outcome = {'https': https, 'connect': connect}[what](*rest)
    except ssl.SSLError as error:
        outcome = f'rejected: {getattr(error, "verify_message", None) or error.reason}'
    except OSError as error:
        outcome = type(error).__name__
    wire.log(event='ended', outcome=outcome)


main()
