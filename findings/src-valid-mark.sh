#!/bin/sh
# Linux 6.18: with net.ipv4.conf.*.src_valid_mark=1 the way back to a packet's source is looked up with the packet's mark, also where rp_filter is 0
# everywhere, as soon as the host has a policy routing rule: 0 does not mean "no check", it means that any interface will do for the answer.
# So where marked packets are led to a table with "local default" (TPROXY), the source itself is found to be local, and all are dropped as martians,
# without a counter that moves. wg-quick, Tailscale and some container networks set that sysctl.
# Here: a rule in front of ours, for look-ups that come "from lo", as those of the way back do: gateway/kernel/routing.py.
# Prints: what the kernel says of such a packet without and with the sysctl, and with the sysctl and that rule
set -eu
unshare --net sh -eu -c '
sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
ip link set lo up
ip link add lan0 type veth peer name client0
ip link set client0 up
ip link set lan0 up
ip address add 10.1.0.1/16 dev lan0
ip rule add priority 100 fwmark 1/1 lookup 100
ip route add local default dev lo table 100
sysctl -qw net.ipv4.ip_forward=1
get() { ip route get 203.0.113.1 from 10.1.2.3 iif lan0 mark 1 2>&1 | head -1; }
without=$(get)
sysctl -qw net.ipv4.conf.all.src_valid_mark=1
with=$(get)
ip rule add priority 50 iif lo fwmark 1/1 lookup main
mended=$(get)
printf "%s\n" "without: $without" "with: $with" "with a rule for the way back: $mended"
case $without in local*) ;; *) exit 1 ;; esac
case $with in local*) exit 1 ;; esac
case $mended in local*) ;; *) exit 1 ;; esac
'
