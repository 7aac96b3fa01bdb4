#!/bin/bash
# nft knows `icmpv6` by itself, and looks `ipv6-icmp`, which is the name that `nft list` and IANA have, up in
# /etc/protocols. A minimal Debian has no such file (package netbase): there a ruleset that another host prints is
# refused whole, with "Could not resolve protocol name".
#
# Seen: nft 1.0.6 (Debian 12). Where it matters: gateway/kernel/filter/nftables.py says icmpv6.
#
# Needs root, nft and unshare: /etc/protocols is hidden in a mount namespace of its own, and nothing is installed.

set -uo pipefail
nft --version
loads() {
    unshare --mount --net bash -c '
        [ ! -e /etc/protocols ] || mount --bind /dev/null /etc/protocols
        nft --check --file -
    ' <<<"table inet t { chain c { meta l4proto $1 accept; }; }" 2>&1 | head -1
}
short=$(loads icmpv6) long=$(loads ipv6-icmp)
echo "without /etc/protocols, icmpv6: ${short:-loaded}"
echo "without /etc/protocols, ipv6-icmp: ${long:-loaded}"
[ -z "$short" ] && [[ $long == *"resolve protocol name"* ]]
