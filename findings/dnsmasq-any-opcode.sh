#!/bin/sh
# dnsmasq 2.90 (Debian 12), seen 2026-11-30: what it has no answer for it passes on to its server whatever the operation is: UPDATE, NOTIFY,
# STATUS and opcodes that nobody has assigned, also queries of other classes; and it passes the answers back. One would guess NOTIMP
# from a forwarder (unbound 1.17 says REFUSED or NOTIMP), whose manual page speaks of queries only.
# Where it matters: docs/dns.md: which operations pass is the gateway's to say, also between clients and a dnsmasq.
# Prints: per opcode, what the server was asked and the client was answered
set -eu
place=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || true; rm -rf "$place"' EXIT
(cd "$place" && apt-get -qq -o APT::Sandbox::User=root download dnsmasq-base && dpkg-deb --extract ./*.deb .)
free() { python3 -c 'import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
port=$(free)
server=$(free)
"$place/usr/sbin/dnsmasq" --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --user="$(id -un)" --pid-file= \
    --listen-address=127.0.0.1 --bind-interfaces --port="$port" --server="127.0.0.1#$server" 2>/dev/null &
pid=$!
python3 - "$port" "$server" <<'PROGRAM'
import socket, struct, sys

OPCODES = {"QUERY": 0, "STATUS": 2, "NOTIFY": 4, "UPDATE": 5, "unassigned (7)": 7}
ours, server = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
server.bind(("127.0.0.1", int(sys.argv[2])))
ours.connect(("127.0.0.1", int(sys.argv[1])))
missed = 0
for name, opcode in OPCODES.items():
    query = struct.pack("!6H", opcode, opcode << 11 | 0x100, 1, 0, 0, 0) + b"\7example\3org\0" + struct.pack("!2H", 6, 1)
    server.settimeout(0.5)
    for _ in range(20):  # dnsmasq may not be there yet
        try:
            ours.send(query)
            asked, whose = server.recvfrom(512)
            break
        except (TimeoutError, ConnectionRefusedError):
            asked = b""
    seen = asked and asked[2] >> 3 & 15
    if asked:
        server.sendto(asked[:2] + bytes([asked[2] | 0x80, 0x80]) + asked[4:], whose)
        ours.settimeout(5)
        answered = ours.recv(512)[2] >> 3 & 15
    print(f"{name}: the server was asked opcode {seen}, the client answered opcode {answered if asked else None}")
    missed += not asked or (seen, answered) != (opcode, opcode)
sys.exit(missed)
PROGRAM
