"""A Lookup: one policy routing rule of the kernel (C{ip rule}), as far as it concerns us."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

KERNEL = 2
"""C{proto kernel}: what network managers (systemd-networkd) leave alone."""

LOCAL = 255
"""The table of this host's own addresses."""

_INVERTED = 2
_NARROWING = (
    "FRA_SRC", "FRA_DST", "FRA_OIFNAME", "FRA_L3MDEV", "FRA_UID_RANGE", "FRA_IP_PROTO",
    "FRA_SPORT_RANGE", "FRA_DPORT_RANGE", "FRA_TUN_ID", "FRA_DSCP", "FRA_FLOW",
)  # fmt: skip


class Does(IntEnum):
    """What a rule does with the packets that it is for, by the kernel's numbers."""

    LOOK_UP = 1
    """Look for a route in a table; if there is none, go on with the next rule."""

    GO_TO = 2
    """Go on with the first rule of another priority."""

    NOTHING = 3
    OTHER = 0
    """Refuse the packet, in one of several ways."""


class Lookup(NamedTuple):
    """A policy routing rule."""

    priority: int
    does: Does
    target: int
    """The table that is looked in, or the priority that is gone on with."""

    mark: int = 0
    mask: int = 0
    incoming: str = ""
    """The interface that packets come in by; C{lo} for what this host sends or looks up itself."""

    protocol: int = KERNEL
    inverted: bool = False
    """Whether it is for packets to which all of the above does I{not} apply."""

    narrow: bool = False
    """Whether it is for some packets only, by anything else."""

    def __str__(self) -> str:
        no = "not " if self.inverted else ""
        mark = f" {no}fwmark {self.mark:#x}/{self.mask:#x}" if self.mark else ""
        incoming = f" iif {self.incoming}" if self.incoming else ""
        does = {Does.LOOK_UP: f" lookup {self.target}", Does.GO_TO: f" goto {self.target}"}
        doing = does.get(self.does, " nop" if self.does is Does.NOTHING else "")
        return f"priority {self.priority}{mark}{incoming}{doing}"

    def same(self, other: Lookup) -> bool:
        """Whether they do the same with the same packets, whoever made them."""
        return self._replace(protocol=0) == other._replace(protocol=0)

    def takes(self, mark: int) -> bool:
        """
        Whether it may take a packet with C{mark}, that comes in, somewhere else.

        Not what looks among this host's own addresses, or is for what leaves this host.
        """
        if self.does is Does.NOTHING or self.target == LOCAL or self.incoming == "lo":
            return False
        return (mark & self.mask == self.mark) != self.inverted


def read(message: Any) -> Lookup:
    """A rule as the kernel tells it by netlink."""
    known = Does(message["action"]) if message["action"] in list(Does) else Does.OTHER
    table = message.get_attr("FRA_TABLE") or message["table"]
    return Lookup(
        message.get_attr("FRA_PRIORITY") or 0,
        known,
        (message.get_attr("FRA_GOTO") or 0) if known is Does.GO_TO else table,
        message.get_attr("FRA_FWMARK") or 0,
        message.get_attr("FRA_FWMASK") or 0,
        message.get_attr("FRA_IIFNAME") or "",
        message.get_attr("FRA_PROTOCOL") or 0,
        bool(message["flags"] & _INVERTED),
        any(message.get_attr(name) is not None for name in _NARROWING) or bool(message["tos"]),
    )


def arguments(family: int, rule: Lookup) -> dict[str, Any]:
    """The same as the netlink library wants it."""
    made: dict[str, Any] = {
        "family": family,
        "priority": rule.priority,
        "action": int(rule.does),
        "fwmark": rule.mark,
        "fwmask": rule.mask,
        "protocol": rule.protocol,
    }
    if rule.does is Does.LOOK_UP:
        made["table"] = rule.target
    if rule.does is Does.GO_TO:
        made["goto"] = rule.target
    return made | ({"iifname": rule.incoming} if rule.incoming else {})


def words(rule: Lookup) -> str:
    """The same in C{ip rule add}'s words."""
    incoming = f"iif {rule.incoming} " if rule.incoming else ""
    does = {Does.LOOK_UP: f"lookup {rule.target}", Does.GO_TO: f"goto {rule.target}"}
    return (
        f"priority {rule.priority} {incoming}fwmark {rule.mark:#x}/{rule.mask:#x} "
        f"{does.get(rule.does, 'nop')} protocol kernel"
    )
