#!/bin/sh
# glibc 2.36 (Debian 12), seen 2026-11-30: getaddrinfo() finds an address behind a CNAME only if the CNAME stands in front of it in the answer, and the
# CNAMEs of a chain in order. Otherwise there is none, although the answer has it all. DNS has no order within a section
# (RFC 1034, section 3.6), only an example that has; musl 1.2.3, c-ares (pycares 5.2.1), dnspython 2.9.2 and Java 17 put the pieces together.
# Where it matters: protocols/dns writes the records that it lets pass in the order that the server had.
# Prints, for three orders: what glibc and dnspython find
# Usage: as root (a network namespace and a mount namespace of its own, for port 53 and /etc/resolv.conf)
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" --quiet install dnspython==2.9.2
cat > "$place/server.py" <<'PROGRAM'
import socket

import dns.message
import dns.rrset

RECORDS = {
    "C": "{name} 60 IN CNAME one.example.",
    "1": "one.example. 60 IN CNAME two.example.",
    "A": "two.example. 60 IN A 192.0.2.7",
}
ours = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
ours.bind(("127.0.0.1", 53))
print("ready", flush=True)
while True:
    query, whose = ours.recvfrom(4096)
    asked = dns.message.from_wire(query)
    name = asked.question[0].name.to_text()
    said = dns.message.make_response(asked)
    if asked.question[0].rdtype == 1:
        for each in name.partition(".")[0].upper():
            owner, ttl, class_, kind, data = RECORDS[each].format(name=name).split()
            said.answer.append(dns.rrset.from_text(owner, int(ttl), class_, kind, data))
    ours.sendto(said.to_wire(), whose)
PROGRAM
cat > "$place/client.py" <<'PROGRAM'
import socket
import sys

import dns.resolver


def by_glibc(name):
    try:
        return socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)[0][4][0]
    except socket.gaierror:
        return "nothing"


amiss = 0
for order in ("c1a", "ca1", "ac1"):
    name = f"{order}.example."
    seen = by_glibc(name), dns.resolver.resolve(name, "A", lifetime=10)[0].to_text()
    print(f"{order}: glibc {seen[0]}, dnspython {seen[1]}")
    amiss += seen != ("192.0.2.7" if order == "c1a" else "nothing", "192.0.2.7")
sys.exit(amiss)
PROGRAM
echo 'nameserver 127.0.0.1' > "$place/resolv.conf"
echo 'hosts: dns' > "$place/nsswitch.conf"
export place
unshare --net --mount sh -eu <<'END_OF_WORLD'
ip link set lo up
mount --bind "$place/resolv.conf" /etc/resolv.conf
mount --bind "$place/nsswitch.conf" /etc/nsswitch.conf
"$place/venv/bin/python" "$place/server.py" > "$place/ready" & server=$!
trap 'kill $server' EXIT
for _ in $(seq 100); do [ -s "$place/ready" ] && break; sleep 0.1; done
"$place/venv/bin/python" "$place/client.py"
END_OF_WORLD
