"""
Policy routing: packets that carry the divert mark are for this host.

For each address family one rule, C{fwmark MARK lookup TABLE}, and one route in
a table of its own, C{local default dev lo}. Both are signed with a routing
protocol number, so that left-overs of a gateway that was killed are recognised
by whoever comes next.

The interface C{lo} must be up: routes by an interface that is down do not exist.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from errno import EEXIST, ENOENT, EPERM, ESRCH
from pathlib import Path
from socket import AF_INET, AF_INET6
from typing import Any, NamedTuple

from gateway.kernel.errors import KernelError, Taken
from gateway.policy.divert import Divert

PROTOCOL = 84
"""Our signature on rules and routes. Not in use by iproute2's rt_protos."""

_LO = 1
_RTN_LOCAL = 2
_INVERTED = 2
_FAMILIES: dict[int, str] = {AF_INET: "-4", AF_INET6: "-6"}


class Lookup(NamedTuple):
    """A policy routing rule, as far as it concerns us."""

    priority: int
    table: int
    mark: int
    mask: int
    protocol: int
    inverted: bool = False
    """Whether it is for packets that do I{not} have the mark."""

    def __str__(self) -> str:
        no = "not " if self.inverted else ""
        mark = f" {no}fwmark {self.mark:#x}/{self.mask:#x}" if self.mark else ""
        return f"priority {self.priority}{mark} lookup {self.table}"


def install(divert: Divert) -> None:
    """
    Make marked packets local. Harmless if that is so already.

    @raise Taken: the table or the priority is in use for something else.
    @raise KernelError: C{lo} is down, or the kernel refuses.
    """
    with netlink() as kernel:
        _refuse_if_down(kernel)
        for family in families():
            _refuse_if_taken(kernel, family, divert)
            _install(kernel, family, divert)


def check(divert: Divert) -> None:
    """
    Whether L{install} would be in nobody's way. Changes nothing.

    @raise KernelError: as L{install}.
    """
    with netlink() as kernel:
        _refuse_if_down(kernel)
        for family in families():
            _refuse_if_taken(kernel, family, divert)


def remove(divert: Divert, keep: Divert | None = None) -> None:
    """
    Take back what L{install} did for C{divert}, apart from what C{keep} needs
    too. Harmless if it is gone already.
    """
    with netlink() as kernel:
        for family in families():
            if keep is None or _wanted(keep) != _wanted(divert):
                _remove_rule(kernel, family, _wanted(divert))
            if keep is None or keep.table != divert.table:
                _remove_route(kernel, family, divert.table)


def installed(divert: Divert) -> bool:
    """Whether everything that L{install} did is still there."""
    with netlink() as kernel:
        return all(
            any(_same(rule, _wanted(divert)) for rule in lookups(kernel, family))
            and any(_is_ours(route) for route in _routes(kernel, family, divert.table))
            for family in families()
        )


def remove_abandoned(held: set[str]) -> None:
    """Remove what gateways left behind whose claims are not among those C{held}."""
    with netlink() as kernel:
        for family in families():
            for rule in lookups(kernel, family):
                if rule.protocol == PROTOCOL:
                    _remove_unclaimed(kernel, family, rule, held)


def _remove_unclaimed(kernel: Any, family: int, rule: Lookup, held: set[str]) -> None:
    """Remove C{rule} and its route, each unless somebody claims it."""
    if not {f"rule_priority/{rule.priority}", f"table/{rule.table}"} <= held:
        _remove_rule(kernel, family, rule)
    if f"table/{rule.table}" not in held:
        _remove_route(kernel, family, rule.table)


def commands(divert: Divert) -> list[str]:
    """The same as L{install} for a person at a shell."""
    return ["ip link set lo up"] + [
        f"ip {option} {command}"
        for option in _FAMILIES.values()
        for command in (
            f"rule add fwmark {divert.mark} lookup {divert.table}"
            f" priority {divert.rule_priority} protocol {PROTOCOL}",
            f"route add local default dev lo table {divert.table} proto {PROTOCOL}",
        )
    ]


def lookups(kernel: Any, family: int) -> list[Lookup]:
    """The policy routing rules of C{family}, in the order in which they are tried."""
    rules = (_lookup(message) for message in kernel.get_rules(family=family))
    return sorted(rules, key=lambda rule: rule.priority)


def _lookup(message: Any) -> Lookup:
    return Lookup(
        message.get_attr("FRA_PRIORITY") or 0,
        message.get_attr("FRA_TABLE") or message["table"],
        message.get_attr("FRA_FWMARK") or 0,
        message.get_attr("FRA_FWMASK") or 0,
        message.get_attr("FRA_PROTOCOL") or 0,
        bool(message["flags"] & _INVERTED),
    )


def _wanted(divert: Divert) -> Lookup:
    mark = divert.mark
    return Lookup(divert.rule_priority, divert.table, mark.value, mark.mask, PROTOCOL)


def _same(one: Lookup, other: Lookup) -> bool:
    """Whether they do the same, whoever made them."""
    return one[:4] == other[:4] and one.inverted == other.inverted


@contextmanager
def netlink() -> Iterator[Any]:
    """The kernel's routing socket."""
    # the library takes a quarter of a second to import, and most commands don't need it
    from pyroute2 import IPRoute, NetlinkError

    try:
        with IPRoute(strict_check=True) as kernel:
            yield kernel
    except NetlinkError as error:
        raise KernelError(_explained(error.code, str(error))) from error


def _explained(code: int, text: str) -> str:
    if code == EPERM:
        return "changing the policy routing needs CAP_NET_ADMIN: start the gateway as root"
    return f"the kernel refused to change the policy routing: {text}"


def families() -> list[int]:
    """The address families that this host has."""
    disabled = Path("/proc/sys/net/ipv6/conf/lo/disable_ipv6")
    has_ipv6 = disabled.exists() and disabled.read_text().strip() == "0"
    return [AF_INET, AF_INET6] if has_ipv6 else [AF_INET]


def _refuse_if_down(kernel: Any) -> None:
    (link,) = kernel.get_links(_LO)
    if not link["flags"] & 1:
        raise KernelError(
            "the interface lo is down, so no packet can be routed to the gateway; "
            "run: ip link set lo up"
        )


def _refuse_if_taken(kernel: Any, family: int, divert: Divert) -> None:
    """Do not mix with what others have in our table or at our priority."""
    wanted = _wanted(divert)
    for rule in lookups(kernel, family):
        foreign = rule.protocol != PROTOCOL and not _same(rule, wanted)
        if rule.priority == wanted.priority and foreign:
            raise Taken(
                f"the policy routing priority {wanted.priority} is in use by another rule "
                f"({rule}); set divert.rule_priority to a free number, "
                f'see "ip {_FAMILIES[family]} rule"'
            )
    if not all(_is_ours(route) for route in _routes(kernel, family, divert.table)):
        raise Taken(
            f"the routing table {divert.table} holds routes that are not the gateway's; "
            f'set divert.table to a free number, see "ip {_FAMILIES[family]} route show '
            f'table {divert.table}"'
        )


def _routes(kernel: Any, family: int, table: int) -> list[Any]:
    """The routes in C{table}. A table that never had any does not exist, which is the same."""
    from pyroute2 import NetlinkError

    try:
        return list(kernel.get_routes(family=family, table=table))
    except NetlinkError as error:
        if error.code in (ENOENT, ESRCH):
            return []
        raise


def _is_ours(route: Any) -> bool:
    """Whether it is C{local default dev lo}."""
    return bool(
        route["type"] == _RTN_LOCAL and route["dst_len"] == 0 and route.get_attr("RTA_OIF") == _LO
    )


def _install(kernel: Any, family: int, divert: Divert) -> None:
    wanted = _wanted(divert)
    if not any(_same(rule, wanted) for rule in lookups(kernel, family)):
        kernel.rule("add", **_rule_arguments(family, wanted))
    with _ignored(EEXIST):
        kernel.route("add", **_route_arguments(family, divert.table))


def _remove_rule(kernel: Any, family: int, rule: Lookup) -> None:
    with _ignored(ENOENT, ESRCH):
        kernel.rule("del", **_rule_arguments(family, rule))


def _remove_route(kernel: Any, family: int, table: int) -> None:
    with _ignored(ENOENT, ESRCH):
        kernel.route("del", **_route_arguments(family, table))


@contextmanager
def _ignored(*codes: int) -> Iterator[None]:
    """Errors that say that all is already as it should be."""
    from pyroute2 import NetlinkError

    try:
        yield
    except NetlinkError as error:
        if error.code not in codes:
            raise


def _rule_arguments(family: int, rule: Lookup) -> dict[str, Any]:
    return {
        "family": family,
        "priority": rule.priority,
        "table": rule.table,
        "fwmark": rule.mark,
        "fwmask": rule.mask,
        "protocol": PROTOCOL,
    }


def _route_arguments(family: int, table: int) -> dict[str, Any]:
    arguments = {
        "family": family,
        "dst": "default",
        "type": "local",
        "oif": _LO,
        "table": table,
        "proto": PROTOCOL,
    }
    return arguments | ({"scope": 254} if family == AF_INET else {})
