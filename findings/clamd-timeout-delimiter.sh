#!/bin/sh
# clamd 1.4.6 (Debian 12), seen 2026-11-30: commands that begin with "z" are answered with a NUL at the end, and in a session (IDSESSION)
# each answer begins with its command's number. But who takes too long for the rest of a body is told so with an LF, and without a number:
# who waits for the NUL, or for a number, waits until the connection ends.
# Here: protocols/scanners/clamd/reply.py takes either for an end, and an answer without a number for all.
# Prints: [b'1: PONG\x00', b'COMMAND READ TIMED OUT\n']
set -eu
place=$(mktemp -d)
trap 'kill "$pid" 2>/dev/null || true; rm -rf "$place"' EXIT
pid=
(cd "$place" && apt-get -qq -o APT::Sandbox::User=root download clamav-daemon && dpkg-deb --extract clamav-daemon_*.deb . && rm ./*.deb)
mkdir "$place/signatures"
echo 'Pattern-Test:0:*:53434e' >"$place/signatures/own.ndb"
cat >"$place/conf" <<CONF
LocalSocket $place/socket
DatabaseDirectory $place/signatures
TemporaryDirectory $place
Foreground yes
User root
ReadTimeout 1
CommandReadTimeout 1
CONF
"$place/usr/sbin/clamd" -c "$place/conf" >"$place/log" 2>&1 &
pid=$!
python3 - "$place/socket" <<'PROGRAM'
import socket, sys, time

for _ in range(300):
    with socket.socket(socket.AF_UNIX) as probe:
        if not probe.connect_ex(sys.argv[1]):
            break
    time.sleep(0.1)
ours = socket.socket(socket.AF_UNIX)
ours.settimeout(60)
ours.connect(sys.argv[1])
ours.sendall(b"zIDSESSION\0zPING\0")
said = [ours.recv(100)]
ours.sendall(b"zINSTREAM\0" + (5).to_bytes(4, "big") + b"ab")
said.append(ours.recv(100))
print(said)
sys.exit(said != [b"1: PONG\0", b"COMMAND READ TIMED OUT\n"])
PROGRAM
