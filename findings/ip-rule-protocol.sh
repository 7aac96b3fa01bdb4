#!/bin/sh
# Linux 6.18, iproute2 6.1: the same policy rule with another "protocol" is another rule.
#
# Of a route, the protocol (who installed it: kernel, boot, static …) is a remark: adding the same route with another one is
# refused as "File exists". Of a rule, one would guess the same. But the kernel compares it: the rule is there twice, and a
# program that adds its rule and takes "File exists" for "is there" piles up copies beside those of another program or of its
# own former version. Deleting without a protocol takes the first copy only; with one, it must be that one. Seen:
#
#   the same route with another protocol: refused
#   the same rule with another protocol:  IPv4 2 rules, IPv6 2 rules
#   after one deletion:                   IPv4 1 rules, IPv6 1 rules
#
# Needs root and iproute2. Works in network namespaces of its own; exits non-zero if this changes.
set -eu
rule='pref 100 fwmark 0x1/0x1 lookup 100'
rules() {
    unshare --net sh -c "ip $1 rule add $rule protocol static; ip $1 rule add $rule protocol boot; $2 ip $1 rule show pref 100" | wc -l
}
route='ip route add 192.0.2.0/24 dev lo protocol'
if unshare --net sh -c "ip link set lo up; $route static; $route boot" 2>/dev/null; then second=taken; else second=refused; fi
twice="IPv4 $(rules -4 '') rules, IPv6 $(rules -6 '') rules"
once="IPv4 $(rules -4 "ip -4 rule del $rule;") rules, IPv6 $(rules -6 "ip -6 rule del $rule;") rules"
echo "the same route with another protocol: $second"
echo "the same rule with another protocol:  $twice"
echo "after one deletion:                   $once"
test "$second" = refused
test "$twice" = "IPv4 2 rules, IPv6 2 rules"
test "$once" = "IPv4 1 rules, IPv6 1 rules"
