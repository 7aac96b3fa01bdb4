"""
The guard: rules in force although no gateway is there.

What would be inspected is blocked, for nobody listens; what is denied is denied. It
needs nothing but files and the system's own tools, so that a shell script can
load it before there is a network (C{conf/tproxygw-guard}, which knows these names).
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.kernel import routing
from gateway.kernel.filter import iptables, nftables
from gateway.kernel.filter.ruleset import Ruleset
from gateway.policy.divert import Backend
from gateway.policy.spans import Family

NFT = "nft"
"""For C{nft -f}. Its first line is a comment with the name of the table."""

IPTABLES = {Family.V4: "iptables", Family.V6: "ip6tables"}
"""For the restore command of each. The first line is a comment with the chains to be jumped to."""

ROUTES = {"ip -4 ": "ip-4", "ip -6 ": "ip-6", "ip ": "ip"}
"""For C{ip -batch}, by how the commands begin."""


def files(ruleset: Ruleset) -> dict[str, str]:
    """The content of each file, by its name."""
    divert = ruleset.divert
    if divert.backend is Backend.NONE:
        return {}
    return {**dict(_RULES[divert.backend](ruleset)), **_routes(routing.commands(divert))}


def _nftables(ruleset: Ruleset) -> Iterator[tuple[str, str]]:
    table = nftables.table_name(ruleset.divert.port)
    yield NFT, f"# inet {table}\n{nftables.install_script(ruleset, queues=False)}"


def _iptables(ruleset: Ruleset) -> Iterator[tuple[str, str]]:
    for family, name in IPTABLES.items():
        script = iptables.install_script(ruleset, family, "", set())
        yield name, f"# {' '.join(iptables.entrances(ruleset.divert.port))}\n{script}"


_RULES = {Backend.NFTABLES: _nftables, Backend.IPTABLES: _iptables}


def _routes(commands: list[str]) -> dict[str, str]:
    """Commands for a shell as batches, each by its beginning."""
    batches = dict.fromkeys(ROUTES.values(), "")
    for command in commands:
        start = next(start for start in ROUTES if command.startswith(start))
        batches[ROUTES[start]] += f"{command.removeprefix(start)}\n"
    return batches
