#!/bin/sh
# c-icap 0.5.10 (Debian 12), seen 2026-11-30: a connection is closed after 101 requests (MaxKeepAliveRequests is 100), and the last answer to
# OPTIONS does not say that it will be (RFC 9112, section 9.6, has "Connection: close" for that). The next request, if it was sent already, is lost without an answer.
# Here: protocols/scanners/asked.py asks again, on a new connection, where one that was kept has ended without an answer, and does not
# take that for the server's failure.
# Prints: 101 answers; the last one says close: False
set -eu
place=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || true; sleep 1; rm -rf "$place"' EXIT
(cd "$place" && apt-get -qq -o APT::Sandbox::User=root download c-icap libicapapi5 && for each in *.deb; do dpkg-deb --extract "$each" .; done)
libraries=$(dirname "$(find "$place" -name 'libicapapi.so.5')")
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$place/conf" <<CONF
PidFile $place/pid
CommandsSocket $place/control
Port 127.0.0.1:$port
TmpDir $place
ServerLog $place/log
AccessLog $place/access
ModulesDir $libraries/c_icap
ServicesDir $libraries/c_icap
LoadMagicFile $place/etc/c-icap/c-icap.magic
Service echo srv_echo.so
CONF
LD_LIBRARY_PATH=$libraries "$place/usr/bin/c-icap" -N -f "$place/conf" >/dev/null 2>&1 &
pid=$!
python3 - "$port" <<'PROGRAM'
import socket, sys, time

for _ in range(100):
    ours = socket.socket()
    if not ours.connect_ex(("127.0.0.1", int(sys.argv[1]))):
        break
    time.sleep(0.1)
ours.settimeout(20)
answers, last = 0, b""
while True:
    try:
        ours.sendall(b"OPTIONS icap://127.0.0.1/echo ICAP/1.0\r\nHost: a\r\n\r\n")
        heard = b""
        while b"\r\n\r\n" not in heard and (data := ours.recv(65536)):
            heard += data
    except ConnectionError:
        break
    if not heard:
        break
    answers, last = answers + 1, heard
said = b"connection: close" in last.lower()
print(f"{answers} answers; the last one says close: {said}")
sys.exit((answers, said) != (101, False))
PROGRAM
