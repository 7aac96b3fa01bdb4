"""
Policy routing: packets that carry the divert mark are for this host.

For each address family there is one route in a table of its own, C{local default dev lo},
and three policy routing rules::

    1000:  fwmark 0x5/0x5 iif lo lookup 100
    1000:  fwmark 0x1/0x1 iif lo goto 1001
    1000:  fwmark 0x1/0x1 lookup 100
    1001:  fwmark 0x1/0x1 nop

The third is what it is all about. The second keeps it from look-ups of the route I{back}, which the
kernel makes as if from C{lo}: with the mark in hand (C{src_valid_mark}, C{rpfilter --validmark},
firewalld's and NixOS' C{fib saddr . mark . iif}) they would be told that every client
is this host itself, and the packet would be dropped. They go on with the rules that
follow, those of the host, whatever tables it has. The last is where they go on. The first is
for what this host itself says about the gateway's own packets
(L{gateway.kernel.filter.own_errors}): that leaves this host as if from C{lo}, and is to come back.

They are in front of whatever others have. What is added later without a priority (wg-quick's) the
kernel puts before the first that is not 0, so before ours: that is found out (L{installed}), and
ours are put in front again. (At priority 0 they would stay in front. But then the kernel gives all
that come later 0 as well, which is each behind the other instead of before it: wg-quick's
would lead the host's own networks into its tunnel.)

All have C{proto kernel}: network managers take away what they don't know, but not that. A rule that
does nothing, with a mark, is nobody's but ours; so left-overs of a gateway that was killed are
recognised, by that mark, by whoever comes next.

The interface C{lo} must be up: routes by an interface that is down do not exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from errno import EEXIST, ENOENT, EPERM, ESRCH
from pathlib import Path
from socket import AF_INET, AF_INET6
from typing import Any

from gateway.kernel.errors import KernelError, Taken
from gateway.kernel.lookup import KERNEL, Does, Lookup, arguments, read, words
from gateway.policy.divert import Divert

USUAL = 1000
"""The priority, unless somebody has a lower one."""

ROOM = 10
"""So much lower than the others'."""

_LO = 1
_RTN_LOCAL = 2
_FAMILIES: dict[int, str] = {AF_INET: "-4", AF_INET6: "-6"}


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
            if keep is not None and keep.mark == divert.mark:
                _install(kernel, family, keep)
            else:
                _remove_rules(kernel, family, _ours(lookups(kernel, family), divert))
            if keep is None or keep.table != divert.table:
                _remove_route(kernel, family, divert.table)


def installed(divert: Divert) -> bool:
    """Whether everything that L{install} did is still there, in its order and in front."""
    with netlink() as kernel:
        return all(
            _settled(lookups(kernel, family), divert)
            and any(_is_ours(route) for route in _routes(kernel, family, divert.table))
            for family in families()
        )


def remove_abandoned(divert: Divert | None, held: set[str]) -> None:
    """
    Remove what gateways left behind: those whose marks are not among the claims C{held},
    and a former one with the marks of C{divert}.
    """
    with netlink() as kernel:
        for family in families():
            there = lookups(kernel, family)
            for flag in filter(_is_flag, there):
                own = divert is not None and (flag.mark, flag.mask) == divert.mark
                if own or not _claims(flag) & held:
                    kept = _at(divert, flag.priority - 1) if divert is not None and own else ()
                    left = [rule for rule in there if _belongs(rule, flag) and rule not in kept]
                    _forget(kernel, family, left, held)


def _is_flag(rule: Lookup) -> bool:
    """Whether it tells that its mark is a gateway's."""
    return rule.does is Does.NOTHING and rule.mask > 0 and rule.protocol == KERNEL


def _belongs(rule: Lookup, flag: Lookup) -> bool:
    """Whether the gateway that put up C{flag} has made C{rule}."""
    signed = rule.protocol == KERNEL and not rule.inverted and not rule.narrow
    same = (rule.mark, rule.mask) == (flag.mark, flag.mask)
    return signed and (same or _returns(rule, flag))


def _returns(rule: Lookup, flag: Lookup) -> bool:
    """Whether it is for what comes back: C{flag}'s bits, which no other gateway has, and more."""
    bits = rule.mark & flag.mask, rule.mask & flag.mask
    return rule.incoming == "lo" and rule.does is Does.LOOK_UP and bits == (flag.mark, flag.mask)


def _claims(flag: Lookup) -> set[str]:
    """What a gateway with this mark claims; see L{gateway.kernel.claim}."""
    return {f"mark/{1 << bit:#x}" for bit in range(32) if flag.mask >> bit & 1}


def _forget(kernel: Any, family: int, rules: list[Lookup], held: set[str]) -> None:
    """Remove C{rules}, the flag last, and the routes of their tables."""
    _remove_rules(kernel, family, sorted(rules, key=lambda rule: rule.does))
    for rule in rules:
        if rule.does is Does.LOOK_UP and f"table/{rule.target}" not in held:
            _remove_route(kernel, family, rule.target)


def commands(divert: Divert) -> list[str]:
    """The same as L{install} for a person at a shell."""
    return ["ip link set lo up"] + [
        f"ip {option} {command}"
        for option in _FAMILIES.values()
        for command in (
            f"route add local default dev lo table {divert.table} proto kernel",
            *(f"rule add {words(rule)}" for rule in _at(divert, divert.rule_priority or USUAL)),
        )
    ]


def lookups(kernel: Any, family: int) -> list[Lookup]:
    """The policy routing rules of C{family}, in the order in which they are tried."""
    rules = (read(message) for message in kernel.get_rules(family=family))
    return sorted(rules, key=lambda rule: rule.priority)


def _at(divert: Divert, first: int) -> tuple[Lookup, ...]:
    """Our rules, in their order, from the priority C{first} on."""
    mark = divert.mark
    return (
        Lookup(first, Does.LOOK_UP, divert.table, *divert.returning_mark, incoming="lo"),
        Lookup(first, Does.GO_TO, first + 1, *mark, incoming="lo"),
        Lookup(first, Does.LOOK_UP, divert.table, *mark),
        Lookup(first + 1, Does.NOTHING, 0, *mark),
    )


def _ours(there: list[Lookup], divert: Divert) -> list[Lookup]:
    """Those rules that are signed, and have our mark."""
    flag = _at(divert, USUAL)[-1]
    return [rule for rule in there if _belongs(rule, flag)]


def _place(there: list[Lookup], divert: Divert) -> int:
    """The priority that our rules should have."""
    if divert.rule_priority:
        return divert.rule_priority
    ours = _ours(there, divert)
    others = [rule.priority for rule in there if rule.priority and rule not in ours]
    return max(0, min(USUAL, *(number - ROOM for number in others)))


def _settled(there: list[Lookup], divert: Divert) -> bool:
    """Whether our rules, and nothing else of ours, are there, in order and where they can be."""
    ours = _ours(there, divert)
    if not ours or tuple(ours) != _at(divert, ours[0].priority):
        return False
    if divert.rule_priority:
        return ours[0].priority == divert.rule_priority
    between = ours[0].priority, ours[0].priority + 1
    strangers = [rule for rule in there if rule.priority in between and rule not in ours]
    return not strangers and not any(rule.priority for rule in in_front(there, divert))


def in_front(there: list[Lookup], divert: Divert) -> list[Lookup]:
    """Rules of others that are tried before ours, or would be, and may take diverted packets."""
    ours = _ours(there, divert)
    last = ours[0].priority if ours else divert.rule_priority
    found = []
    for rule in there:
        if rule in ours or rule.priority > last:
            break
        if rule.takes(divert.mark.value):
            found.append(rule)
    return found


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
    """Do not mix with what others have in our table, nor come behind what takes everything."""
    for rule in in_front(lookups(kernel, family), divert):
        fixed = divert.rule_priority or not rule.priority
        if fixed and not rule.narrow and not rule.incoming:
            raise Taken(_explained_rule(rule, family, divert))
    if not all(_is_ours(route) for route in _routes(kernel, family, divert.table)):
        raise Taken(
            f"the routing table {divert.table} holds routes that are not the gateway's; "
            f'set divert.table to a free number, see "ip {_FAMILIES[family]} route show '
            f'table {divert.table}"'
        )


def _explained_rule(rule: Lookup, family: int, divert: Divert) -> str:
    """What to do about a rule in front of ours."""
    option = _FAMILIES[family]
    taken = (
        f"another policy routing rule ({rule}) comes before the gateway's and takes what is "
        "diverted elsewhere"
    )
    if divert.rule_priority:
        return f'{taken}; set divert.rule_priority = 0, or take it away, see "ip {option} rule"'
    return f'{taken}; give it another priority than 0, see "ip {option} rule"'


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
    """
    The route first: a rule that finds none sends packets on. Then the new rules, then away with
    the old ones: there is no moment without any.
    """
    with _ignored(EEXIST):
        kernel.route("add", **_route_arguments(family, divert.table))
    there = lookups(kernel, family)
    if _settled(there, divert):
        return
    old, new = _ours(there, divert), _at(divert, _place(there, divert))
    former = {rule.target for rule in old if rule.does is Does.LOOK_UP} - {divert.table}
    if set(old) & set(new):
        # some are at the right place already, but the kernel adds behind those of its priority
        _remove_rules(kernel, family, old)
        old = []
    for rule in new:
        with _ignored(EEXIST):
            kernel.rule("add", **arguments(family, rule))
    _remove_rules(kernel, family, old)
    for table in former:
        _remove_route(kernel, family, table)


def _remove_rules(kernel: Any, family: int, rules: Iterable[Lookup]) -> None:
    for rule in rules:
        with _ignored(ENOENT, ESRCH):
            kernel.rule("del", **arguments(family, rule))


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


def _route_arguments(family: int, table: int) -> dict[str, Any]:
    arguments = {
        "family": family,
        "dst": "default",
        "type": "local",
        "oif": _LO,
        "table": table,
        "proto": KERNEL,
    }
    return arguments | ({"scope": 254} if family == AF_INET else {})
