"""
The Divert: everything that makes the kernel bring connections to the gateway.

Needs CAP_NET_ADMIN, so it runs in the keeper (L{gateway.kernel.keeper}), not in
the process that handles traffic.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import Protocol

from gateway.kernel import claim, routing
from gateway.kernel.claim import Claim
from gateway.kernel.command import NotInstalled
from gateway.kernel.errors import KernelError
from gateway.kernel.filter.ruleset import Ruleset, make_ruleset
from gateway.kernel.netfilter import IptablesFilter, NftablesFilter
from gateway.policy.divert import Backend
from gateway.policy.policy import Policy


class State(Enum):
    """Whether the kernel still does what it was told. The value is for metrics."""

    INSTALLED = "installed"
    MISSING = "missing"
    """Somebody removed rules or routes of ours: connections pass uninspected."""

    NOT_INSTALLED = "not installed"
    """By us: before the start, after the stop, or with backend none."""

    __hash__ = object.__hash__


class Part(Enum):
    """What is installed, by who tells of changes."""

    FILTER = "packet filter"
    ROUTING = "routing"

    __hash__ = object.__hash__


class PacketFilter(Protocol):
    """One way to install a ruleset."""

    def install(self, ruleset: Ruleset, left_over: set[int]) -> None:
        """Install it in one step, in the place of its former self and of the C{left_over} ones."""

    def restore(self, ruleset: Ruleset, imprint: str) -> str | None:
        """
        Install again what of C{ruleset} is not any more as C{imprint} tells, and nothing else:
        every millisecond counts.

        @return: the imprint then; C{None}: nothing was to be done.
        """

    def remove(self, port: int) -> None:
        """Remove the rules of the instance on C{port}; harmless if there are none."""

    def imprint(self, port: int) -> str:
        """
        What is there of the instance on C{port}, as a text that is another if somebody has
        changed it; empty, if nothing works any more.
        """

    def tables(self, port: int) -> frozenset[str]:
        """
        The tables of nftables whose changes concern the instance on C{port}. Empty: nobody tells
        of changes.
        """

    def ports(self) -> set[int]:
        """The ports of all instances whose rules are there, running or not."""


FILTERS: dict[Backend, Callable[[], PacketFilter]] = {
    Backend.NFTABLES: NftablesFilter,
    Backend.IPTABLES: IptablesFilter,
}


class KernelDivert:
    """
    What one gateway has installed in this network namespace.

    @param filters: how to make the packet filter of each backend.
    """

    def __init__(self, filters: dict[Backend, Callable[[], PacketFilter]] | None = None) -> None:
        self._filters = {kind: make() for kind, make in (filters or FILTERS).items()}
        self._claim = Claim()
        self._installed: Ruleset | None = None
        self._imprint = ""

    def install(self, policy: Policy) -> None:
        """
        Claim and install everything, in the place of what is installed, or nothing. What a killed
        gateway left behind is removed.

        @raise KernelError: it could not be done; what was there before is still in force.
        """
        self._put(make_ruleset(policy))

    def stopped(self) -> bool:
        """
        The gateway stops: take the rules back, unless the policy says that they stay.

        @return: whether they stay.
        @raise KernelError: they could not be taken back.
        """
        ruleset = self._installed
        if ruleset is None or ruleset.divert.backend is Backend.NONE:
            self._installed = None
            self._claim.release()
            return False
        if not ruleset.divert.stays:
            self.remove()
        return ruleset.divert.stays

    def remove(self) -> None:
        """
        Take everything back and give up the claim.

        @raise KernelError: something could not be taken back; the rest was.
        """
        ruleset, self._installed = self._installed, None
        try:
            if ruleset is not None and ruleset.divert.backend is not Backend.NONE:
                self._take_back(ruleset)
        finally:
            self._claim.release()

    def remove_abandoned(self) -> set[int]:
        """
        Remove what nobody claims: a former gateway's, or the guard's.

        @return: the ports of the instances whose rules are still there, for they are claimed.
        @raise KernelError: it could not be removed.
        """
        left = set()
        for packet_filter in self._filters.values():
            # where its tools are not, there are no rules that they could have made
            with suppress(NotInstalled):
                for port in self._abandoned(packet_filter):
                    packet_filter.remove(port)
                left |= packet_filter.ports()
        routing.remove_abandoned(None, claim.held())
        return left

    def release(self) -> None:
        """Give up the claim, and leave what is installed to whoever takes it over."""
        self._claim.release()

    def state(self) -> State:
        """Whether our rules and routes are still as they were. Takes some milliseconds."""
        ruleset = self._installed
        if ruleset is None or ruleset.divert.backend is Backend.NONE:
            return State.NOT_INSTALLED
        found = self._filters[ruleset.divert.backend].imprint(ruleset.divert.port)
        as_they_were = found == self._imprint != "" and routing.installed(ruleset.divert)
        return State.INSTALLED if as_they_were else State.MISSING

    def restore(self, part: Part) -> bool:
        """
        Install again what somebody else removed or changed, and nothing else.

        @return: whether that was needed.
        @raise KernelError: it could not be done.
        """
        ruleset = self._installed
        if ruleset is None or not self.is_installed:
            return False
        if part is Part.ROUTING:
            gone = not routing.installed(ruleset.divert)
            if gone:
                routing.install(ruleset.divert)
            return gone
        imprint = self._filters[ruleset.divert.backend].restore(ruleset, self._imprint)
        if imprint is not None:
            self._imprint = imprint
        return imprint is not None

    @property
    def is_asked(self) -> bool:
        """Whether a policy was installed, be it one that leaves the kernel to the operator."""
        return self._installed is not None

    @property
    def is_installed(self) -> bool:
        """Whether rules and routes of ours should be in force."""
        return self._installed is not None and self._installed.divert.backend is not Backend.NONE

    def in_force(self, policy: Policy) -> bool:
        """Whether rules with the port of C{policy} are there, whoever has put them there."""
        packet_filter = self._filters.get(policy.divert.backend)
        return packet_filter is not None and policy.divert.port in packet_filter.ports()

    def concerned(self, table: str | None) -> set[Part]:
        """
        What a change may be about.

        @param table: the table of nftables that was changed; C{None}: routing, or anything.
        """
        if not self.is_installed:
            return set()
        if table is None:
            return set(Part)
        return {Part.FILTER} if table in self._told else set()

    def is_shared(self, part: Part) -> bool:
        """Whether others have reason to change things there, too."""
        nftables = self._installed and self._installed.divert.backend is Backend.NFTABLES
        return part is Part.ROUTING or not nftables

    @property
    def is_told(self) -> bool:
        """Whether the kernel tells of all changes that concern what is installed."""
        return not self.is_installed or bool(self._told)

    @property
    def _told(self) -> frozenset[str]:
        assert self._installed is not None
        divert = self._installed.divert
        return self._filters[divert.backend].tables(divert.port)

    def _put(self, ruleset: Ruleset) -> None:
        """Claim, install, then remove what isn't needed any more."""
        former = self._installed
        self._claim.take(ruleset)
        try:
            self._install(ruleset, former)
        except BaseException:
            self._claim.restore(former)
            raise
        self._installed = ruleset
        if ruleset.divert.backend is not Backend.NONE:
            self._imprint = self._filters[ruleset.divert.backend].imprint(ruleset.divert.port)
        self._forget(ruleset, former)

    def _install(self, ruleset: Ruleset, former: Ruleset | None) -> None:
        """Routes first: a mark without a route would send packets past the gateway."""
        divert = ruleset.divert
        if divert.backend is Backend.NONE:
            return
        had_routes = former is None and routing.installed(divert)
        try:
            routing.install(divert)
            packet_filter = self._filters[divert.backend]
            packet_filter.install(ruleset, self._abandoned(packet_filter))
        except BaseException:
            if not had_routes:
                routing.remove(divert, keep=former.divert if former else None)
            raise

    def _forget(self, ruleset: Ruleset, former: Ruleset | None) -> None:
        """Remove what is neither ours now nor another running instance's."""
        for kind, packet_filter in self._filters.items():
            # what a backend left over that can't be asked does not matter now
            with suppress(KernelError):
                keep = {ruleset.divert.port} if kind is ruleset.divert.backend else set()
                for port in self._stale(packet_filter, ruleset.divert.port) - keep:
                    packet_filter.remove(port)
        if former is not None and former.divert.backend is not Backend.NONE:
            unused = ruleset.divert.backend is Backend.NONE
            routing.remove(former.divert, keep=None if unused else ruleset.divert)
        if ruleset.divert.backend is not Backend.NONE:
            routing.remove_abandoned(ruleset.divert, claim.held())

    def _stale(self, packet_filter: PacketFilter, own: int) -> set[int]:
        """Abandoned ones, and all on our own port: for a backend that isn't the one in use."""
        return self._abandoned(packet_filter) | (packet_filter.ports() & {own})

    def _abandoned(self, packet_filter: PacketFilter) -> set[int]:
        """The ports of instances whose rules are there and that nobody claims."""
        held = claim.held()
        return {port for port in packet_filter.ports() if f"port/{port}" not in held}

    def _take_back(self, ruleset: Ruleset) -> None:
        """The packet filter first, then the routes."""
        try:
            self._filters[ruleset.divert.backend].remove(ruleset.divert.port)
        finally:
            routing.remove(ruleset.divert)
