#!/bin/bash
# wget2 asked for http://[ADDRESS]:PORT/ sends "Host: " with the address's colons escaped, and without brackets: "Host:
# %3A%3A1". The port is never sent, whatever the host. Queries go out unescaped ("<", bytes beyond ASCII), while blanks in
# paths are escaped.
#
# Seen: wget2 1.99.1 (Debian 12). wget 1.21.3 and curl 7.88.1 send "[::1]:PORT".
# Where it matters: protocols/http/target.py takes such a Host for the address if the connection goes there.
#
# Usage: findings/wget2-ipv6-host.sh      It wants Debian's wget2, and installs it if it is missing (as root).

set -uo pipefail
command -v wget2 >/dev/null || apt-get install -qq -y wget2 >/dev/null || exit 2
exec python3 - <<'END'
import socket
import subprocess
import sys
import threading


def heard(family, address, url):
    """The request that wget2 sends."""
    listener = socket.socket(family)
    listener.bind((address, 0))
    listener.listen()
    port = listener.getsockname()[1]
    said = []

    def serve():
        peer, _ = listener.accept()
        said.append(peer.recv(65536))
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        peer.close()

    server = threading.Thread(target=serve)
    server.start()
    subprocess.run(["wget2", "-q", "-O", "-", "--no-proxy", "--tries=1", url % port], timeout=30)
    server.join()
    line, _, rest = said[0].decode().partition("\r\n")
    host = next(each for each in rest.split("\r\n") if each.startswith("Host:"))
    print(f"{url % port}\n  {line}\n  {host}")
    return line, host


line6, host6 = heard(socket.AF_INET6, "::1", "http://[::1]:%d/a b?q=<\u00e4>")
_, host4 = heard(socket.AF_INET, "127.0.0.1", "http://127.0.0.1:%d/")
_, named = heard(socket.AF_INET, "127.0.0.1", "http://localhost:%d/")
same = (
    host6 == "Host: %3A%3A1"
    and (host4, named) == ("Host: 127.0.0.1", "Host: localhost")
    and line6 == "GET /a%20b?q=<\u00e4> HTTP/1.1"
)
print("as it was seen" if same else "this has changed")
sys.exit(not same)
END
