#!/bin/sh
# BIND 9.18 (Debian 12), seen 2026-11-30: names in the data of NSEC records are not compressed (RFC 3597, section 4, and RFC 4034, section 4.1.1,
# forbid that), but pointers of later names lead into that data. Who takes such data for bytes of no meaning, and lets pointers lead to names only,
# refuses its answers.
# Here: protocols/dns/record.py reads the names in the data of these types too, before it leaves the rest to dnspython.
# Prints: a pointer to 209 leads into the data of an NSEC record
set -eu
place=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || true; sleep 1; rm -rf "$place"' EXIT
(cd "$place" && apt-get -qq -o APT::Sandbox::User=root download bind9 bind9-libs libuv1 libmaxminddb0 liblmdb0 libfstrm0 libprotobuf-c1 \
    libjemalloc2 libjson-c5 libnghttp2-14 libxml2 && for each in *.deb; do dpkg-deb --extract "$each" .; done)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$place/conf" <<CONF
options {
  directory "$place"; listen-on port $port { 127.0.0.1; }; listen-on-v6 { none; };
  recursion no; pid-file none; session-keyfile "$place/session.key"; notify no;
};
controls { };
zone "signed.example" { type primary; file "zone"; dnssec-policy default; inline-signing yes; };
CONF
cat >"$place/zone" <<'ZONE'
$TTL 300
@ SOA ns admin 1 3600 600 86400 60
@ NS ns
ns A 192.0.2.7
ZONE
libraries=$(dirname "$(find "$place" -name 'libuv.so.1')")
LD_LIBRARY_PATH=$libraries "$place/usr/sbin/named" -g -n 1 -c "$place/conf" 2>/dev/null &
pid=$!
python3 - "$port" <<'PROGRAM'
import socket, struct, sys, time

NSEC = 47
QUERY = (
    struct.pack("!6H", 7, 0x100, 1, 0, 0, 1)
    + b"\6nobody\6signed\7example\0\0\1\0\1"
    + b"\0\0\x29\x10\0\0\0\x80\0\0\0"
)
ours = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
ours.settimeout(1)
ours.connect(("127.0.0.1", int(sys.argv[1])))


def asked():
    """The answer, once it is signed."""
    for _ in range(60):
        try:
            ours.send(QUERY)
            heard = ours.recv(4096)
            if heard[3] & 0xF == 3 and int.from_bytes(heard[8:10], "big") >= 4:
                return heard
        except OSError:
            pass
        time.sleep(0.5)
    sys.exit("no signed answer")


def name(data, at, pointers):
    """Where it ends."""
    while data[at]:
        if data[at] >= 0xC0:
            pointers.append((data[at] << 8 | data[at + 1]) & 0x3FFF)
            return at + 2
        at += 1 + data[at]
    return at + 1


data, pointers, spans = asked(), [], []
at = name(data, 12, pointers) + 4
for _ in range(sum(struct.unpack_from("!3H", data, 6))):
    at = name(data, at, pointers)
    kind, _, _, length = struct.unpack_from("!HHIH", data, at)
    at += 10
    if kind == NSEC:
        spans.append(range(at, at + length))
    at += length
found = [each for each in pointers if any(each in span for span in spans)]
print(f"a pointer to {found[0]} leads into the data of an NSEC record" if found else "no such pointer")
sys.exit(not found)
PROGRAM
