#!/bin/sh
# c-icap 0.5.10 with its virus_scan (libc-icap-mod-virus-scan 0.5.5) and clamd 1.4.6 (Debian 12), seen 2026-11-30: of a large body, the answer
# begins before all of it has come: 200, the response's own head, and no X-Infection-Found, as nobody has looked yet. Something that is
# found then only shows in the body that is given back: it is shorter, and has a proper end. A client that stops sending when an answer begins waits for ever.
# Here: protocols/scanners/icap/exchange.py goes on sending while it reads, and takes another body than its own for a refusal; which is why
# docs/scanners.md says that "changes" is not for scanners of viruses.
# Prints: 200, named: False, shorter: True
set -eu
place=$(mktemp -d)
pids=
trap 'kill $pids 2>/dev/null || true; sleep 1; rm -rf "$place"' EXIT
(cd "$place" && apt-get -qq -o APT::Sandbox::User=root download c-icap libicapapi5 libc-icap-mod-virus-scan clamav-daemon && for each in *.deb; do dpkg-deb --extract "$each" .; done)
libraries=$(dirname "$(find "$place" -name 'libicapapi.so.5')")
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mkdir "$place/signatures"
echo 'Pattern-Test:0:*:5343414e2d544849532d504c45415345' >"$place/signatures/own.ndb"
cat >"$place/clamd" <<CONF
LocalSocket $place/socket
DatabaseDirectory $place/signatures
TemporaryDirectory $place
Foreground yes
User root
CONF
cat >"$place/conf" <<CONF
PidFile $place/pid
CommandsSocket $place/control
Port 127.0.0.1:$port
TmpDir $place
ServerLog $place/log
AccessLog $place/access
ModulesDir $libraries/c_icap
ServicesDir $libraries/c_icap
TemplateDir $place/usr/share/c_icap/templates/
TemplateDefaultLanguage en
LoadMagicFile $place/etc/c-icap/c-icap.magic
Service antivirus virus_scan.so
virus_scan.ScanFileTypes TEXT DATA EXECUTABLE ARCHIVE GIF JPEG MSOFFICE
virus_scan.MaxObjectSize 20M
virus_scan.DefaultEngine clamd
Module common clamd_mod.so
clamd_mod.ClamdSocket $place/socket
CONF
"$place/usr/sbin/clamd" -c "$place/clamd" >"$place/clamd.log" 2>&1 &
pids=$!
for _ in $(seq 300); do [ ! -S "$place/socket" ] || break; sleep 0.1; done
LD_LIBRARY_PATH=$libraries "$place/usr/bin/c-icap" -N -f "$place/conf" >/dev/null 2>&1 &
pids="$pids $!"
python3 - "$port" <<'PROGRAM'
import random, socket, sys, threading, time

for _ in range(100):
    ours = socket.socket()
    if not ours.connect_ex(("127.0.0.1", int(sys.argv[1]))):
        break
    time.sleep(0.1)
ours.settimeout(60)
body = random.Random(7).randbytes(5 << 20) + b"SCAN-THIS-PLEASE"
request = b"GET http://a.example/b HTTP/1.1\r\nHost: a.example\r\n\r\n"
head = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n" % len(body)
parts = len(request), len(request) + len(head)
ours.sendall(
    b"RESPMOD icap://127.0.0.1/virus_scan ICAP/1.0\r\nHost: a\r\nAllow: 204\r\n"
    b"Encapsulated: req-hdr=0, res-hdr=%d, res-body=%d\r\n\r\n" % parts + request + head
)


def send():
    for at in range(0, len(body), 65536):
        block = body[at : at + 65536]
        ours.sendall(b"%x\r\n%b\r\n" % (len(block), block))
    ours.sendall(b"0\r\n\r\n")


threading.Thread(target=send, daemon=True).start()
heard = b""
while not heard.endswith(b"\r\n0\r\n\r\n") and (data := ours.recv(1 << 20)):
    heard += data
icap, _, rest = heard.partition(b"\r\n\r\n")
status, named = icap.split()[1].decode(), b"x-infection-found" in icap.lower()
shorter = len(rest) < len(body)
print(f"{status}, named: {named}, shorter: {shorter}")
sys.exit((status, named, shorter) != ("200", False, True))
PROGRAM
