#!/bin/sh
# nftables 1.0.6 (Debian 12) on Linux 6.9 and later: a table with the flags owner and persist outlives its owner, and is listed then
# with the line "flags" and no word behind it, which nft itself can't read. So a ruleset that somebody saves at that moment
# (`nft list ruleset >/etc/nftables.conf`) is refused as a whole at the next boot: the host has no firewall.
# Here: the operator's guide says to save tables by their names; the keeper's socket is held by systemd, so that the table is nobody's for moments only.
# Prints: the listing, and "read back: no"
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
unshare --net sh -eu -c '
python3 - <<PROGRAM
import socket, struct

def attribute(kind, data):
    size = 4 + len(data)
    return struct.pack("=HH", size, kind) + data + bytes(-size % 4)

def message(kind, flags, family, number, data=b""):
    return struct.pack("=IHHIIBBH", 20 + len(data), kind, flags, number, 0, family, 0, socket.htons(10 if kind < 32 else 0)) + data

owner_persist = attribute(2, struct.pack(">I", 2 | 4))
batch = (message(16, 1, 0, 1)                                              # NFNL_MSG_BATCH_BEGIN
         + message(10 << 8, 5 | 0x400, 1, 2, attribute(1, b"kept\0") + owner_persist)  # NFT_MSG_NEWTABLE, inet
         + message(17, 1, 0, 3))                                           # NFNL_MSG_BATCH_END
netfilter = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
netfilter.bind((0, 0))
netfilter.sendto(batch, (0, 0))
code = struct.unpack_from("=i", netfilter.recv(4096), 16)[0]
raise SystemExit(code and f"this kernel knows no such tables: {code}")
PROGRAM
nft list ruleset >"$1/saved"
cat "$1/saved"
if nft --check -f "$1/saved" 2>"$1/said"; then echo "read back: yes"; exit 1; fi
echo "read back: no"
' sh "$place"
