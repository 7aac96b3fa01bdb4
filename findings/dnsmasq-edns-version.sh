#!/bin/sh
# dnsmasq 2.90 (Debian 12), seen 2026-11-30: a query with EDNS version 1 is answered as if it had version 0, from its own records, and forwarded as it
# is. RFC 6891, section 6.1.3, wants BADVERS from whoever does not have the version, as BIND 9.18, Knot 3.2 and unbound 1.17 say. (And a Z bit
# in a query's header comes back in the answer.)
# Where it matters: protocols/dns says BADVERS itself, whatever is behind the gateway.
# Prints: version 0: NOERROR, version 0; version 1: NOERROR, version 0
set -eu
place=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || true; rm -rf "$place"' EXIT
(cd "$place" && apt-get -qq -o APT::Sandbox::User=root download dnsmasq-base && dpkg-deb --extract ./*.deb .)
port=$(python3 -c 'import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$place/usr/sbin/dnsmasq" --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --user="$(id -un)" --pid-file= \
    --listen-address=127.0.0.1 --bind-interfaces --port="$port" --address=/example.org/192.0.2.7 2>/dev/null &
pid=$!
python3 - "$port" <<'PROGRAM'
import socket, struct, sys

OPT = struct.Struct("!BHHBBHH")  # owner, type, size, upper bits of the code, version, flags, length
ours = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
ours.connect(("127.0.0.1", int(sys.argv[1])))
ours.settimeout(0.5)
question = b"\7example\3org\0" + struct.pack("!2H", 1, 1)
seen = []
for version in (0, 1):
    query = struct.pack("!6H", version, 0x100, 1, 0, 0, 1) + question + OPT.pack(0, 41, 1232, 0, version, 0, 0)
    for _ in range(20):  # dnsmasq may not be there yet
        try:
            ours.send(query)
            said = ours.recv(512)
            break
        except (TimeoutError, ConnectionRefusedError):
            said = b""
    _, kind, _, upper, answered, _, _ = OPT.unpack(said[-OPT.size:])
    code = upper << 4 | said[3] & 15
    seen.append((kind, code, answered))
print("; ".join(f"version {asked}: {'NOERROR' if not code else code}, version {answered}" for asked, (_, code, answered) in enumerate(seen)))
sys.exit(seen != [(41, 0, 0), (41, 0, 0)])
PROGRAM
