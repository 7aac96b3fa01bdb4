#!/bin/sh
# pyroute2 0.9.7 on Linux 6.18, seen 2026-11-30: a route of the type "local", as TPROXY wants one, can't be added for IPv4 unless scope="host" is
# said: "Invalid argument". `ip route add local …` chooses that scope itself (as it chooses "link" for a route without gateway, which
# pyroute2 leaves at "global" too). IPv6, which has no scopes there, takes it: who tests with IPv6 alone sees nothing.
# Where it matters: gateway/kernel/routing.py says the scope.
# Prints: IPv4: Invalid argument; with scope="host": added; IPv6: added; iproute2, IPv4: added
# Usage: as root (a network namespace of its own)
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" --quiet install pyroute2==0.9.7
unshare --net "$place/venv/bin/python" - <<'PROGRAM'
import os
import subprocess
import sys

from pyroute2 import IPRoute, NetlinkError

LO = 1


def outcome(**route):
    """What comes of adding it."""
    try:
        with IPRoute() as kernel:
            kernel.route("add", type="local", oif=LO, table=100, **route)
    except NetlinkError as error:
        return os.strerror(error.code)
    return "added"


with IPRoute() as kernel:
    kernel.link("set", index=LO, state="up")
seen = [
    f"IPv4: {outcome(dst='192.0.2.0/24')}",
    f"""with scope="host": {outcome(dst='192.0.2.0/24', scope='host')}""",
    f"IPv6: {outcome(dst='2001:db8::/32')}",
]
theirs = "ip route add local 198.51.100.0/24 dev lo table 100".split()
seen.append(f"iproute2, IPv4: {'refused' if subprocess.run(theirs, check=False).returncode else 'added'}")
print("; ".join(seen))
sys.exit("; ".join(seen) != 'IPv4: Invalid argument; with scope="host": added; IPv6: added; iproute2, IPv4: added')
PROGRAM
