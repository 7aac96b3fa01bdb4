#!/bin/sh
# Linux 6.18: TCP_TIMESTAMP and the size of segments of a socket in repair mode.
#
# A socket is put into the midst of a connection, as CRIU does: TCP_REPAIR, connect, TCP_REPAIR_OPTIONS, TCP_TIMESTAMP.
#
#   - The lowest bit of what TCP_TIMESTAMP is set to is not a part of the number: since Linux 6.7 an odd one puts
#     the socket's timestamps into microseconds, so that they run a thousand times as fast as the ones that the peer
#     has seen. Whoever goes on with a peer's timestamp, of which half are odd, has to make it even.
#   - The size of segments (tcpi_snd_mss) is computed when it connects, for 536 bytes, and not again for the MSS of
#     TCP_REPAIR_OPTIONS: full segments are a third as large as they could be. TCP_MAXSEG before connect cures it.
#
# Here: gateway/kernel/repair.py makes the number even, and sets TCP_MAXSEG before it connects.
#
# Seen: microseconds False for 1000, True for 1001; 524 bytes without TCP_MAXSEG, 1448 with it.
#
# Needs root and python3. Works in a network namespace of its own; exits non-zero if this changes.
set -eu
unshare --net sh -c 'ip link set lo mtu 1500 up; exec python3 -' <<'END'
import socket
import struct

TCP, REPAIR, OPTIONS, TIMESTAMP, USEC = socket.IPPROTO_TCP, 19, 22, 24, 64


def middle(port, stamp, maxseg):
    sock = socket.socket()
    sock.setsockopt(TCP, REPAIR, 1)
    if maxseg:
        sock.setsockopt(TCP, socket.TCP_MAXSEG, 1460)
    sock.bind(("127.0.0.1", port))
    sock.connect(("127.0.0.2", 7))
    sock.setsockopt(TCP, OPTIONS, struct.pack("=IIII", 2, 1460, 8, 0))
    sock.setsockopt(TCP, TIMESTAMP, stamp)
    info = sock.getsockopt(TCP, socket.TCP_INFO, 104)
    microseconds, size = bool(info[5] & USEC), struct.unpack_from("=I", info, 16)[0]
    print(f"timestamp {stamp}, TCP_MAXSEG {maxseg}: microseconds {microseconds}, {size} bytes")
    return microseconds, size


assert middle(4000, 1000, False) == (False, 524)
assert middle(4001, 1001, False) == (True, 524)
assert middle(4002, 1000, True) == (False, 1448)
END
