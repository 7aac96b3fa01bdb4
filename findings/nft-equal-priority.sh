#!/bin/sh
# Linux 6.18, nftables 1.0.6: of two base chains on one hook with the same priority, the one that was made LAST is asked first. (Netfilter
# inserts a hook in front of those of its priority.) So a firewall that is reloaded comes in front of what was behind it before.
# Here: all chains of ours have priorities that nobody else uses; "mangle" or "filter" would be a draw.
# Prints: "the chain that was made first saw 0 packets, the one made last 1"
set -eu
unshare --net sh -eu -c '
ip link set lo up
for name in first last; do
    nft -f - <<RULES
table ip $name { chain one { type filter hook output priority 0; icmp type echo-request counter drop
}
}
RULES
done
ping -c 1 -W 1 127.0.0.1 >/dev/null 2>&1 || true
seen() { nft list table ip "$1" | sed -n "s/.*packets \([0-9]*\).*/\1/p"; }
echo "the chain that was made first saw $(seen first) packets, the one made last $(seen last)"
[ "$(seen first) $(seen last)" = "0 1" ]
'
