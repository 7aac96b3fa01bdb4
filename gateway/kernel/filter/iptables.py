"""
The ruleset as scripts for iptables-restore, and what C{iptables-save} says of it.

L{Tables} writes the rules. Here they are put into scripts that change one table in one
step: the old chains out, the new ones in, everybody else's rules left alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from gateway.kernel.filter.ruleset import Ruleset
from gateway.kernel.filter.xtables import PREFIX, TABLES, Tables
from gateway.policy.spans import Family


def install_script(
    ruleset: Ruleset,
    family: Family,
    saved: str,
    left_over: set[int],
    names: Sequence[str] = TABLES,
) -> str:
    """
    The script that installs C{ruleset}, and removes its former self and the
    instances on the ports C{left_over}. For C{iptables-restore --noflush}.

    @param saved: what C{iptables-save} says now.
    @param names: which of its tables; empty if there are none.
    """
    tables = Tables(ruleset, family)
    ports = left_over | {ruleset.divert.port}
    return "".join(_table(name, tables.rules[name], saved, ports) for name in names)


def shell_script(ruleset: Ruleset) -> str:
    """The same for both families, for a person at a shell of a host that has none of it yet."""
    commands = {Family.V4: "iptables-restore", Family.V6: "ip6tables-restore"}
    return "".join(
        f"{command} --noflush <<'END'\n{install_script(ruleset, family, '', set())}END\n"
        for family, command in commands.items()
    )


def remove_script(saved: str, ports: set[int]) -> str:
    """The script that removes the instances on C{ports}; empty if there is nothing of them."""
    tables = [name for name in reversed(TABLES) if ports & ports_in(_section(saved, name))]
    return "".join(_table(name, {}, saved, ports) for name in tables)


def restored_script(before: str, now: str, port: int) -> str:
    """The script that makes the instance on C{port} again what it was C{before}."""
    own = f"{PREFIX}{port}_"
    return "".join(
        _table(name, _rules_in(_section(before, name), own), now, {port})
        for name in TABLES
        if own in _section(before, name) + _section(now, name)
    )


def _rules_in(section: str, own: str) -> dict[str, list[str]]:
    """The chains whose names start with C{own}, and the jumps to them."""
    rules: dict[str, list[str]] = {
        chain: [] for chain in re.findall(rf"^:({own}\S+)", section, re.MULTILINE)
    }
    for chain, rule in re.findall(r"^-A (\S+) (.+)$", section, re.MULTILINE):
        if own in f"{chain} {rule}":
            rules.setdefault(chain, []).append(rule)
    return rules


def ports_in(saved: str) -> set[int]:
    """The ports in the names of all our chains."""
    return {int(port) for port in re.findall(rf"^:{PREFIX}(\d+)_", saved, re.MULTILINE)}


def entrances(port: int) -> list[str]:
    """The chains that the system's own must lead to for the instance on C{port} to work."""
    return [f"{PREFIX}{port}_{role}" for role in ("RAW", "PRE")]


def hooked(saved: str, port: int) -> bool:
    """Whether the chains of the instance on C{port} are there and are jumped to."""
    return all(
        re.search(rf"^-A [A-Z]+ .*{chain}$", saved, re.MULTILINE) for chain in entrances(port)
    )


def lines_of(saved: str, port: int) -> dict[str, str]:
    """Everything that there is of the instance on C{port} in each table, without counters."""
    own = f"{PREFIX}{port}_"
    return {
        name: "".join(
            f"{line.partition(' [')[0]}\n"
            for line in _section(saved, name).splitlines()
            if own in line
        )
        for name in TABLES
    }


def _table(name: str, rules: dict[str, list[str]], saved: str, ports: set[int]) -> str:
    """One table's part: the old chains of C{ports} out, the new C{rules} in, in one commit."""
    section = _section(saved, name)
    ours = "|".join(f"{PREFIX}{port}_" for port in sorted(ports))
    old = re.findall(rf"^:((?:{ours})\S+)", section, re.MULTILINE)
    jumps = re.findall(rf"^-A ([A-Z]+ .*-[jg] (?:{ours})\S+)$", section, re.MULTILINE)
    chains = [chain for chain in rules if chain.startswith(PREFIX)]
    lines = [
        f"*{name}",
        *(f":{chain} - [0:0]" for chain in chains),
        *(f"-D {jump}" for jump in jumps),
        *(f"-F {chain}" for chain in old if chain not in chains),
        *(f"-X {chain}" for chain in old if chain not in chains),
        *(
            f"{'-A' if chain in chains else '-I'} {chain} {rule}"
            for chain, content in rules.items()
            for rule in content
        ),
        "COMMIT",
    ]
    return "\n".join(lines) + "\n"


def _section(saved: str, table: str) -> str:
    """The part of C{saved} about C{table}."""
    return saved.partition(f"*{table}\n")[2].partition("COMMIT\n")[0]
