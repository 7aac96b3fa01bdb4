#!/bin/sh
# ufw 0.36.2 (Debian 12): "ufw allow" can't open a port for packets that TPROXY delivers.
#
# Its IPv4 rules drop what is for no address of this host (ufw-not-local) before they jump to the chain with
# the operator's own rules (ufw-user-input). IPv6 has no such rule. So a packet that policy routing delivers
# here, though its destination is elsewhere, is dropped whatever "ufw allow" says. Seen: lines 51 and 64 of before.rules.
#
# Needs apt-get and dpkg; unpacks the package in a temporary folder and installs nothing.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq ufw=0.36.2-1 2>/dev/null
dpkg -x ufw_*.deb .
rules=$(find . -name before.rules | head -1)
drop=$(grep -n -- '-A ufw-not-local .*-j DROP' "$rules" | tail -1 | cut -d: -f1)
jump=$(grep -n -- '-A ufw-before-input -j ufw-not-local' "$rules" | cut -d: -f1)
six=$(find . -name before6.rules | head -1)
echo "IPv4: before-input jumps to not-local in line $jump, which drops in line $drop; IPv6: $(grep -c not-local "$six" || true) such lines"
grep -n 'ufw-user-input' "$rules" || echo "before.rules itself never leads to ufw-user-input: that comes behind it"
test -n "$drop" && test -n "$jump"
