#!/bin/sh
# dnsmasq 2.90 (Debian 12), seen 2026-11-30: a TCP connection is closed after 100 queries, in the middle of a pipeline, without a word; what was
# sent behind them has no answer. (RFC 7766, section 6.2.4: clients must be ready for that; many of them tell their users of a failure.)
# Here: protocols/dns/inspector.py asks the server again, on a new connection, what it has not answered.
# Prints: 150 queries, 100 answers
set -eu
place=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || true; rm -rf "$place"' EXIT
(cd "$place" && apt-get -qq -o APT::Sandbox::User=root download dnsmasq-base && dpkg-deb --extract ./*.deb .)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$place/usr/sbin/dnsmasq" --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --user="$(id -un)" --pid-file= \
    --listen-address=127.0.0.1 --bind-interfaces --port="$port" --address=/example.org/192.0.2.7 2>/dev/null &
pid=$!
python3 - "$port" <<'PROGRAM'
import socket, struct, sys, time

QUERIES = 150
for _ in range(100):
    ours = socket.socket()
    if not ours.connect_ex(("127.0.0.1", int(sys.argv[1]))):
        break
    time.sleep(0.1)
ours.settimeout(20)
question = b"\3www\7example\3org\0\0\1\0\1"
for number in range(QUERIES):
    query = struct.pack("!6H", number, 0x100, 1, 0, 0, 0) + question
    ours.sendall(len(query).to_bytes(2, "big") + query)
stream, answers = ours.makefile("rb"), 0
try:
    while size := stream.read(2):
        stream.read(int.from_bytes(size, "big"))
        answers += 1
except ConnectionError:
    pass
print(f"{QUERIES} queries, {answers} answers")
sys.exit(answers != 100)
PROGRAM
