#!/bin/sh
# musl 1.2.3 (Debian 12; Alpine's C library), seen 2026-11-30: getaddrinfo() asks for A and AAAA at once, and fails as a whole (EAI_AGAIN,
# after all its attempts) if one of the two is answered with REFUSED, NOTIMP, FORMERR or SERVFAIL, whatever the other one was answered. glibc
# 2.36, in the same place, gives the address that it got. So who refuses AAAA queries takes the network from every container with musl;
# an answer without records (NODATA) is understood by both.
# Where it matters: docs/dns.md, "action": for A and AAAA "nodata", never "refused".
# Prints, for each kind of answer to AAAA: what glibc and musl make of it
# Usage: as root (a network namespace and a mount namespace of its own, for port 53 and /etc/resolv.conf)
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
(cd "$place" && apt-get -qq -o APT::Sandbox::User=root download musl-dev && dpkg-deb --extract ./*.deb .)
cat > "$place/look.c" <<'PROGRAM'
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>

int main(int count, char **names) {
    for (int at = 1; at < count; at++) {
        struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = 0;
        int error = getaddrinfo(names[at], 0, &hints, &found);
        char text[64] = "";
        if (!error) getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof text, 0, 0, NI_NUMERICHOST);
        puts(error == EAI_AGAIN ? "EAI_AGAIN" : error ? "failed" : text);
    }
}
PROGRAM
gcc "$place/look.c" -o "$place/glibc"
libc=$(echo "$place"/usr/lib/*-linux-musl)
gcc -static -nostdlib -nostdinc -isystem "$place/usr/include/$(basename "$libc")" "$libc/crt1.o" "$libc/crti.o" "$place/look.c" \
    "$libc/libc.a" -lgcc "$libc/crtn.o" -o "$place/musl"
cat > "$place/server.py" <<'PROGRAM'
import socket, struct, sys

CODES = {b"refused": 5, b"notimp": 4, b"formerr": 1, b"servfail": 2, b"nodata": 0}
A, AAAA = 1, 28
ours = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
ours.bind(("127.0.0.1", 53))
print("ready", flush=True)
while True:
    query, whose = ours.recvfrom(512)
    name = query[13 : 13 + query[12]]
    kind, = struct.unpack_from("!H", query, query.index(b"\0", 12) + 1)
    question = query[12 : query.index(b"\0", 12) + 5]
    record = b"\xc0\x0c" + struct.pack("!2HIH4B", A, 1, 60, 4, 192, 0, 2, 7) if kind == A else b""
    code = CODES[name] if kind == AAAA else 0
    ours.sendto(query[:2] + struct.pack("!5H", 0x8180 | code, 1, bool(record), 0, 0) + question + record, whose)
PROGRAM
printf 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n' > "$place/resolv.conf"
echo 'hosts: dns' > "$place/nsswitch.conf"
export place
unshare --net --mount sh -eu <<'END_OF_WORLD'
ip link set lo up
mount --bind "$place/resolv.conf" /etc/resolv.conf
mount --bind "$place/nsswitch.conf" /etc/nsswitch.conf
python3 "$place/server.py" > "$place/ready" & server=$!
trap 'kill $server' EXIT
for _ in $(seq 100); do [ -s "$place/ready" ] && break; sleep 0.1; done
for kind in refused notimp formerr servfail nodata; do
    echo "$kind: glibc $("$place/glibc" $kind.example.), musl $("$place/musl" $kind.example.)"
done | tee "$place/seen"
END_OF_WORLD
for kind in refused notimp formerr servfail; do echo "$kind: glibc 192.0.2.7, musl EAI_AGAIN"; done > "$place/expected"
echo "nodata: glibc 192.0.2.7, musl 192.0.2.7" >> "$place/expected"
diff "$place/expected" "$place/seen"
