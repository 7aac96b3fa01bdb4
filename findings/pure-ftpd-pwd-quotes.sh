#!/bin/sh
# Pure-FTPd 1.0.50 (Debian 12), seen 2026-11-30: PWD (and MKD) in a folder named a"b answers 257 "/a"b" is your current location. RFC 959, appendix II, has a
# quote in the name doubled, so that its end can be found, as vsftpd 3.0.3 and ProFTPD 1.3.8 do. (Its FEAT also has UTF8, and OPTS UTF8 ON is
# "Unknown command".)
# Where it matters: protocols/ftp/path.py takes no working directory whose name has a quote for known.
# Prints: 257 "/a"b" is your current location
# Usage: as root (a network namespace of its own)
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
chmod 755 "$place"
(cd "$place" && apt-get -qq -o APT::Sandbox::User=root download pure-ftpd pure-ftpd-common && for each in ./*.deb; do dpkg-deb --extract "$each" .; done)
mkdir "$place/home"
chown 65534:65534 "$place/home"
cat > "$place/ask.py" <<'PROGRAM'
import socket
import sys
import time

for _ in range(100):
    ours = socket.socket()
    if not ours.connect_ex(("127.0.0.1", 21)):
        break
    time.sleep(0.1)
ours.settimeout(20)
lines = ours.makefile("rb")


def reply():
    while True:
        line = lines.readline()
        if line[3:4] != b"-" and line[:1] not in b" ":
            return line.decode().rstrip()


reply()
for command in (b"USER joe", b"PASS sesame", b'MKD a"b', b'CWD a"b', b"PWD"):
    ours.sendall(command + b"\r\n")
    said = reply()
print(said)
sys.exit(said != '257 "/a"b" is your current location')
PROGRAM
secret=$(openssl passwd -5 sesame)
echo "joe:$secret:65534:65534::$place/home/./::::::::::::" > "$place/passwords"
"$place/usr/bin/pure-pw" mkdb "$place/database" -f "$place/passwords"
export place
unshare --net --pid --fork --mount-proc sh -eu <<'END_OF_WORLD'
ip link set lo up
"$place/usr/sbin/pure-ftpd" -l "puredb:$place/database" -A -E -H -u 1 -4 -S 127.0.0.1,21 -g "$place/pid" > /dev/null 2>&1 &
python3 "$place/ask.py"
END_OF_WORLD
