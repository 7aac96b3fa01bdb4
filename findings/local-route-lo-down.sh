#!/bin/sh
# Linux 6.18, iproute2 6.1: the local route that TPROXY needs ("local default dev lo"), and lo that is down.
#
# The same command in both families; one would guess the same result. IPv4 takes the route while lo is down, and keeps it
# when lo goes down later. IPv6 refuses it ("Nexthop device is not up"), drops it when lo goes down, and does not bring it
# back when lo comes up again: from then on only IPv6 is no longer intercepted. Seen:
#
#   lo down     added: IPv4 yes, IPv6 no
#   lo up       added: IPv4 yes, IPv6 yes
#   down, up    left:  IPv4 1,   IPv6 0
#
# Where it matters: gateway/kernel/routing.py installs and watches the routes of both families by themselves.
# Needs root and iproute2. Works in network namespaces of its own; exits non-zero if this changes.
set -eu
add() { echo "ip $1 route add local default dev lo table 100"; }
added() { unshare --net sh -c "$1 $(add "$2")" 2>/dev/null && echo yes || echo no; }
left() {
    unshare --net sh -c "ip link set lo up; $(add "$1"); ip link set lo down; ip link set lo up; ip $1 route show table 100" | wc -l
}
down="IPv4 $(added '' -4), IPv6 $(added '' -6)"
up="IPv4 $(added 'ip link set lo up;' -4), IPv6 $(added 'ip link set lo up;' -6)"
after="IPv4 $(left -4), IPv6 $(left -6)"
echo "lo down, added:      $down"
echo "lo up, added:        $up"
echo "lo down and up, left: $after"
test "$down" = "IPv4 yes, IPv6 no"
test "$up" = "IPv4 yes, IPv6 yes"
test "$after" = "IPv4 1, IPv6 0"
