#!/bin/sh
# nftables 1.0.6 (Debian 12), seen 2026-11-30: what `nft -j list ruleset` prints can't be loaded by `nft -j -f` again if a verdict map of it names a
# chain: "No such file or directory". It prints maps before chains, and loads in the order that it finds, each map with its elements. The
# text of the same rules, in which the map also comes first, loads.
# Where it matters: rules are kept, and given back, as text (gateway/kernel/filter).
# Prints: text: loads / json: No such file or directory
# Usage: as root (a network namespace of its own)
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
(cd "$place" && apt-get -qq -o APT::Sandbox::User=root download nftables libnftables1 &&
    for each in ./*.deb; do dpkg-deb --extract "$each" .; done)
cat > "$place/rules.nft" <<'END_OF_RULES'
table inet example {
    chain web {
        accept
    }
    map services {
        type inet_service : verdict
        elements = { 80 : goto web }
    }
    chain arriving {
        type filter hook prerouting priority mangle; policy accept;
        tcp dport vmap @services
    }
}
END_OF_RULES
export place
unshare --net sh -eu <<'END_OF_WORLD'
LD_LIBRARY_PATH=$(echo "$place"/usr/lib/*-linux-gnu)
export LD_LIBRARY_PATH
nft="$place/usr/sbin/nft"
$nft -f "$place/rules.nft"
$nft list ruleset > "$place/text"
$nft -j list ruleset > "$place/json"
$nft flush ruleset
$nft -f "$place/text" && echo "text: loads"
$nft flush ruleset
if $nft -j -f "$place/json" 2> "$place/why"; then echo "json: loads"; exit 1; fi
grep -o "No such file or directory" "$place/why" | sed 's/^/json: /'
END_OF_WORLD
