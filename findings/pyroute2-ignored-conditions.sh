#!/bin/sh
# pyroute2 0.9.7, seen 2026-11-30 on Python 3.11.7: IPRoute.rule("add", …) says nothing to conditions whose names it does not know, and leaves them
# out, also where they are iproute2's own words (iif, ipproto, dport, uidrange, suppress_prefixlength): the rule is then about *all*
# packets. Its own words are iifname, ip_proto, dport_range="80:80", uid_range="0:10", suppress_prefixlen. One would guess that it raises a
# TypeError, as a function does.
# Where it matters: gateway/kernel/routing.py writes rules with these names only, and reads back what is there.
# Prints, for each pair: the rule that came of iproute2's word, and of pyroute2's
# Usage: as root (a network namespace of its own)
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" --quiet install pyroute2==0.9.7
unshare --net "$place/venv/bin/python" - <<'PROGRAM'
import subprocess
import sys

from pyroute2 import IPRoute

PAIRS = [
    ({"iif": "lo"}, {"iifname": "lo"}),
    ({"ipproto": 6}, {"ip_proto": 6}),
    ({"dport": "80"}, {"dport_range": "80:80"}),
    ({"uidrange": "0-10"}, {"uid_range": "0:10"}),
    ({"suppress_prefixlength": 0}, {"suppress_prefixlen": 0}),
]


def added(condition):
    """The rule that comes of it, as iproute2 shows it."""
    with IPRoute() as kernel:
        kernel.rule("add", priority=100, table=100, **condition)
        shown = subprocess.run(["ip", "rule", "show", "pref", "100"], capture_output=True, text=True, check=True).stdout
        kernel.rule("del", priority=100, table=100, **condition)
    return shown.partition("\t")[2].strip()


alike = 0
for theirs, own in PAIRS:
    first, second = added(theirs), added(own)
    print(f"{theirs}: {first}   {own}: {second}")
    alike += first != "from all lookup 100" or second == first
sys.exit(alike)
PROGRAM
