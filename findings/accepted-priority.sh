#!/bin/sh
# Linux 6.18, seen 2026-11-30: an accepted socket has nearly all options of its listener (also SO_MARK, IP_TOS, IP_TTL, IP_TRANSPARENT, IP_RECVERR,
# TCP_USER_TIMEOUT …), but its SO_PRIORITY is 0, also where the listener's came from an IP_TOS that the socket does inherit. To set that same
# IP_TOS again does not help: it is what the socket has already, so nothing is done. Queueing by skb priority (pfifo_fast, prio, mqprio,
# VLAN's egress map) treats answers as if they had no TOS.
# Where it matters: gateway/kernel/sockets.py: whoever wants to pass on a class of service has to set SO_PRIORITY itself, on each socket.
# Prints: listener: TOS 16, priority 6; accepted: TOS 16, priority 0; after setting TOS 16: priority 0; after TOS 0 and 16: priority 6
set -eu
python3 - <<'PROGRAM'
import socket
import sys
from socket import IP_TOS, IPPROTO_IP, SO_PRIORITY, SOL_SOCKET


def told(which):
    return f"TOS {which.getsockopt(IPPROTO_IP, IP_TOS)}, priority {which.getsockopt(SOL_SOCKET, SO_PRIORITY)}"


with socket.socket() as listener:
    listener.setsockopt(IPPROTO_IP, IP_TOS, 16)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    with socket.create_connection(listener.getsockname()), listener.accept()[0] as accepted:
        seen = [f"listener: {told(listener)}", f"accepted: {told(accepted)}"]
        accepted.setsockopt(IPPROTO_IP, IP_TOS, 16)
        seen.append(f"after setting TOS 16: priority {accepted.getsockopt(SOL_SOCKET, SO_PRIORITY)}")
        accepted.setsockopt(IPPROTO_IP, IP_TOS, 0)
        accepted.setsockopt(IPPROTO_IP, IP_TOS, 16)
        seen.append(f"after TOS 0 and 16: priority {accepted.getsockopt(SOL_SOCKET, SO_PRIORITY)}")
print("; ".join(seen))
expected = "listener: TOS 16, priority 6; accepted: TOS 16, priority 0; after setting TOS 16: priority 0; after TOS 0 and 16: priority 6"
sys.exit("; ".join(seen) != expected)
PROGRAM
