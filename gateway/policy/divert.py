"""What the kernel is to bring to the gateway, and how."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from attrs import frozen

from gateway.policy.notation import read_interfaces
from gateway.policy.settings import option


class Backend(Enum):
    """Which packet filter holds the divert rules."""

    NFTABLES = "nftables"
    IPTABLES = "iptables"
    """Whatever C{iptables} is on this host: the nft or the legacy variant."""

    NONE = "none"
    """Somebody else installs them; see C{tproxygw rules}."""


class WhenDown(Enum):
    """What becomes of connections that were to be diverted and can't be."""

    BLOCK = "block"
    PASS = "pass"


class WhenBroken(Enum):
    """What becomes of a start with a broken policy."""

    BLOCK = "block"
    """There is none. The rules of the last good policy block what it would have inspected."""

    LAST = "last"
    """The last good policy runs."""


class Mark(NamedTuple):
    """Bits of the packet mark: C{value} under C{mask}."""

    value: int
    mask: int

    def __str__(self) -> str:
        return f"{self.value:#x}/{self.mask:#x}"


def read_mark(text: str) -> Mark:
    """
    Read C{"0x1/0x1"}.

    @raise ValueError: it is not of that form, or the value has bits outside
        of the mask, or is zero.
    """
    value_text, slash, mask_text = text.partition("/")
    try:
        value = int(value_text, 0)
        mask = int(mask_text, 0) if slash else value
    except ValueError:
        raise ValueError(f'{text!r} is not a mark like "0x1/0x1"') from None
    if not 0 < value <= mask <= 0xFFFFFFFF or value & ~mask:
        raise ValueError(f"{text!r} must have 0 < value <= mask and no bits outside of the mask")
    return Mark(value, mask)


SYSTEM_TABLES = {253: "default", 254: "main", 255: "local"}
"""See C{/etc/iproute2/rt_tables}."""


def read_table(number: int) -> int:
    """
    Refuse the tables that the host itself lives by.

    @raise ValueError: it is one of those.
    """
    if number in SYSTEM_TABLES:
        raise ValueError(f"{number} is the system's table {SYSTEM_TABLES[number]!r}")
    return number


@frozen
class Divert:
    """The C{[divert]} table of gateway.toml."""

    interfaces: tuple[str, ...] = option(
        "Take connections that come in by these interfaces only. Empty: by any.",
        (),
        read=read_interfaces,
    )
    port: int = option(
        "The listeners' port. If rules name interfaces, the ports after it are used too, "
        "one for each interface named.",
        50080,
        unit="port",
        minimum=1,
        maximum=65535,
    )
    mark: Mark = option(
        "Packets for the gateway carry this mark; the policy route goes by it.",
        Mark(0x1, 0x1),
        read=read_mark,
    )
    listener_mark: Mark = option(
        "Packets from the gateway to whoever connected to it, usually a client, carry this mark. "
        "Its own bits.",
        Mark(0x2, 0x2),
        read=read_mark,
    )
    upstream_mark: Mark = option(
        "Packets from the gateway to whom it connects to, usually a server, carry this mark. Its "
        "own bits.",
        Mark(0x4, 0x4),
        read=read_mark,
    )
    table: int = option(
        "The number of the routing table for diverted packets. Its own, not one in use.",
        100,
        minimum=1,
        maximum=0xFFFFFFFF,
        read=read_table,
    )
    rule_priority: int = option(
        "The priority of the policy routing rules; they use the next number, too. 0: in front of "
        "those of others, also of those that come later (VPNs').",
        0,
        minimum=0,
        maximum=32764,
    )
    conntrack_zone: int = option(
        "Connection tracking keeps the client's leg apart in this zone, since both legs may "
        "have the same addresses and ports. 0: the host does not track connections, so that rules "
        "hold for what clients answer in connections that servers opened, too.",
        1,
        minimum=0,
        maximum=65535,
    )
    backend: Backend = option("The packet filter that holds the rules.", Backend.NFTABLES)
    when_down: WhenDown = option(
        "What becomes of connections that should be inspected while the gateway is not "
        "running: block them or let them pass uninspected.",
        WhenDown.BLOCK,
    )
    when_stopped: WhenDown | None = option(
        "What becomes of such connections after a clean stop, until the next start: the rules stay "
        "and block them, or they go and let them pass uninspected. Left out: as `when_down`.",
        None,
    )
    when_broken: WhenBroken = option(
        "What becomes of a start with a broken policy: the gateway does not start, and what should "
        "be inspected stays blocked; or the last good policy runs, which the log, the metrics and "
        "the status say until a good one is loaded. It goes by what the last good policy says "
        "here.",
        WhenBroken.BLOCK,
    )
    owned: bool = option(
        "Where the kernel knows how (nftables, Linux 6.9 and later), nobody else can change, "
        "flush or delete the gateway's table. Elsewhere, and with false, it is put back at once "
        "when somebody does.",
        True,
    )

    @property
    def returning_mark(self) -> Mark:
        """
        Of what this host says about the gateway's own packets: for the gateway, and seen by it as
        its own. Nothing else has both.
        """
        one, other = self.mark, self.upstream_mark
        return Mark(one.value | other.value, one.mask | other.mask)

    @property
    def stays(self) -> bool:
        """Whether the rules stay after a clean stop."""
        return (self.when_stopped or self.when_down) is WhenDown.BLOCK
