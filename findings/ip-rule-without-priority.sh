#!/bin/sh
# Linux 6.18, iproute2 6.1: "ip rule add" without a priority, beside a rule at priority 0.
#
# The kernel gives a rule that names no priority one less than the *second* rule of the list has.
# So each newcomer goes in front of the one before it, and wg-quick counts on that: it adds its tunnel
# first and "lookup main suppress_prefixlength 0" second, which must come before. But if there is a second
# rule at priority 0 (beside "lookup local"), the newcomers all get 0, and the order is that of
# addition: everything goes into the tunnel, the host's own networks too. Seen:
#
#   without: 32764 main suppress_prefixlength 0, 32765 not fwmark 0xca6c lookup 51820
#   with:    0 not fwmark 0xca6c lookup 51820, 0 main suppress_prefixlength 0
#
# Needs root and iproute2. Works in network namespaces of its own; exits non-zero if this changes.
set -eu
add='ip rule add not fwmark 51820 table 51820; ip rule add table main suppress_prefixlength 0'
order() {
    unshare --net sh -c "$1 $add; ip rule" | grep -e 51820 -e suppress |
        sed 's/.*\(51820\|suppress\).*/\1/' | tr '\n' ' '
}
without=$(order '')
with=$(order 'ip rule add priority 0 fwmark 0x1/0x1 lookup 100;')
echo "without a rule at priority 0: $without"
echo "with one:                     $with"
test "$without" = "suppress 51820 "
test "$with" = "51820 suppress "
