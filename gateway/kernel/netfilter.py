"""The packet filters of this host: scripts in, rules in force out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property

from gateway.kernel import tables
from gateway.kernel.command import run
from gateway.kernel.errors import KernelError
from gateway.kernel.filter import iptables, nftables
from gateway.kernel.filter.ruleset import Ruleset
from gateway.kernel.filter.xtables import TABLES
from gateway.kernel.netlink import Answer, Message, Netfilter, steadily
from gateway.kernel.owned import NotOwnable, again, replace
from gateway.kernel.queueing import queues_natively
from gateway.policy.divert import WhenDown
from gateway.policy.spans import Family


class NftablesFilter:
    """
    nftables, by the C{nft} command, into a table that nobody else can change where the kernel
    knows such tables.

    @param kernel: the socket that the tables belong to.
    """

    def __init__(self, kernel: Netfilter | None = None) -> None:
        self._kernel = kernel or Netfilter()
        self._ownable = True
        self._queues_natively: bool | None = None
        self._known: dict[int, tuple[int, str]] = {}
        self._content: tuple[Ruleset | None, list[Message]] = None, []

    def install(self, ruleset: Ruleset, left_over: set[int]) -> None:
        """
        Install C{ruleset} in one transaction, in the place of its former self
        and of the instances C{left_over}.

        @raise KernelError: nothing was changed.
        """
        if ruleset.divert.owned and self._ownable:
            try:
                self._copy(ruleset, left_over, owned=True)
                return
            except NotOwnable:
                self._ownable = False
        self._content = ruleset, self._copy(ruleset, left_over, owned=False)

    def restore(self, ruleset: Ruleset, imprint: str) -> str | None:
        """
        Install C{ruleset} again, if what is there is not as C{imprint} tells.

        @return: the imprint then; C{None}: nothing was to be done.
        @raise KernelError: nothing was changed.
        """
        port = ruleset.divert.port
        if self.imprint(port) == imprint != "":
            return None
        of, content = self._content
        if of is ruleset:
            steadily(lambda: again(self._kernel, nftables.table_name(port), content))
        else:
            self.install(ruleset, set())
        return self.imprint(port)

    def _queues(self, ruleset: Ruleset) -> bool:
        """Whether C{nft} can say all of C{ruleset}."""
        if ruleset.through and self._queues_natively is None:
            self._queues_natively = queues_natively()
        return not ruleset.through or bool(self._queues_natively)

    def _copy(self, ruleset: Ruleset, left_over: set[int], owned: bool) -> list[Message]:
        """By way of a draft, see L{gateway.kernel.owned}. What is in the table then."""
        port = ruleset.divert.port
        draft, name = nftables.draft_name(port), nftables.table_name(port)
        gone = [nftables.table_name(one) for one in left_over]
        queues = self._queues(ruleset)
        script, queue = nftables.draft_script(ruleset, queues), None if queues else port

        def copying() -> list[Message]:
            if draft not in tables.names(self._kernel):
                run(("nft", "-f", "-"), script)
            return replace(self._kernel, draft, name, gone, owned, queue)

        # what a crash has left is not what is wanted
        self._remove(draft)
        try:
            return steadily(copying)
        except BaseException:
            self._remove(draft)
            raise

    def remove(self, port: int) -> None:
        """Remove the table of the instance on C{port}."""
        self._remove(nftables.table_name(port))

    def _remove(self, name: str) -> None:
        with _explained():
            tables.remove(self._kernel, name)

    def imprint(self, port: int) -> str:
        """
        What is there of the instance on C{port}, as a text that is another if somebody has
        changed it; empty, if nothing works any more.
        """
        with _explained():
            generation = self._kernel.generation()
            known, imprint = self._known.get(port, (None, ""))
            if known != generation:
                imprint = self._look(nftables.table_name(port))
                self._known[port] = generation, imprint
            return imprint

    def _look(self, name: str) -> str:
        """Nobody can change what is ours, so there is no need to look into it."""
        return "ours" if tables.is_mine(self._kernel, name) else tables.imprint(self._kernel, name)

    def tables(self, port: int) -> frozenset[str]:
        """The table whose changes concern the instance on C{port}."""
        return frozenset({f"inet {nftables.table_name(port)}"})

    def ports(self) -> set[int]:
        """The ports in the names of all our tables."""
        with _explained():
            names = tables.names(self._kernel)
        found = (re.fullmatch(rf"{nftables.PREFIX}(\d+)", name) for name in names)
        return {int(match[1]) for match in found if match}


@contextmanager
def _explained() -> Iterator[None]:
    """What the kernel refuses, in the operator's words."""
    try:
        yield
    except PermissionError as error:
        raise KernelError(
            "the packet filter can't be changed or read: CAP_NET_ADMIN is missing, or a keeper "
            "that still runs owns the table; start as root, stop the other one"
        ) from error
    except OSError as error:
        raise KernelError(f"the kernel's packet filter (nf_tables) refused: {error}") from error


_IPTABLES_NFT = frozenset(f"{family} {name}" for family in ("ip", "ip6") for name in TABLES)
"""What is of interest among nftables' tables if C{iptables} is a front-end to them."""


class IptablesFilter:
    """
    iptables and ip6tables, by their C{-save} and C{-restore} commands.

    Each table of each family is replaced in one step, but not all at once. What
    comes last is what decides; if one fails, all are removed.

    @param variant: C{""} for whatever C{iptables} is here, or C{"-nft"}, C{"-legacy"}.
    """

    def __init__(self, variant: str = "") -> None:
        self._commands = {Family.V4: f"iptables{variant}", Family.V6: f"ip6tables{variant}"}

    def install(self, ruleset: Ruleset, left_over: set[int]) -> None:
        """
        Install C{ruleset} in the place of its former self and of the instances C{left_over}.

        @raise KernelError: what was there before is in force.
        """
        if ruleset.divert.when_down is WhenDown.PASS:
            raise KernelError(
                "iptables can't let connections pass while the gateway is down: set when_down = "
                '"block", or backend = "nftables"'
            )
        self._put(ruleset, self._saved(), dict.fromkeys(Family, TABLES), left_over)

    def restore(self, ruleset: Ruleset, imprint: str) -> str | None:
        """
        Install those tables again in which not all of C{ruleset} is as C{imprint} tells: each
        costs the kernel some ten milliseconds, whatever is in it.

        @return: the imprint then; C{None}: nothing was to be done.
        @raise KernelError: what was there before is in force.
        """
        before, port = self._saved(), ruleset.divert.port
        known = json.loads(imprint or "{}")
        changed = {
            family: tuple(
                name for name in TABLES if known.get(f"{family.name} {name}") != found[name]
            )
            for family, found in ((each, iptables.lines_of(before[each], port)) for each in Family)
        }
        if not any(changed.values()):
            return None
        self._put(ruleset, before, changed, set())
        return self.imprint(port)

    def _put(
        self,
        ruleset: Ruleset,
        before: dict[Family, str],
        names: Mapping[Family, Sequence[str]],
        left_over: set[int],
    ) -> None:
        """Some tables of each family, all in one script; if that fails, as it was C{before}."""

        def put(family: Family) -> None:
            saved = before[family]
            script = iptables.install_script(ruleset, family, saved, left_over, names[family])
            self._restore(family, script)

        try:
            self._at_once(put)
        except KernelError:
            self._go_back(before, ruleset.divert.port)
            raise

    def remove(self, port: int) -> None:
        """Remove the chains of the instance on C{port}, and the jumps to them."""
        for family in Family:
            self._restore(family, iptables.remove_script(self._save(family), {port}))

    def imprint(self, port: int) -> str:
        """
        What is there of the instance on C{port}, as a text that is another if somebody has
        changed it; empty, if nothing works any more.
        """
        saved = self._saved()
        if not all(iptables.hooked(one, port) for one in saved.values()):
            return ""
        return json.dumps(
            {
                f"{family.name} {table}": lines
                for family, one in saved.items()
                for table, lines in iptables.lines_of(one, port).items()
            }
        )

    def tables(self, port: int) -> frozenset[str]:
        """The tables whose changes may concern the instance on C{port}; none, if legacy."""
        return _IPTABLES_NFT if self._is_nft else frozenset()

    @cached_property
    def _is_nft(self) -> bool:
        return "nf_tables" in run((self._commands[Family.V4], "--version"))

    def ports(self) -> set[int]:
        """The ports in the names of all our chains."""
        return set().union(*map(iptables.ports_in, self._saved().values()))

    def _go_back(self, before: dict[Family, str], port: int) -> None:
        """Put back the chains on C{port} as they were C{before}."""
        for family, saved in before.items():
            script = iptables.restored_script(saved, self._save(family), port)
            self._restore(family, script)

    def _at_once(self, do: Callable[[Family], Answer]) -> list[Answer]:
        """C{do} for both families side by side: what was removed should be back soon."""
        with ThreadPoolExecutor(len(Family)) as threads:
            return list(threads.map(do, Family))

    def _saved(self) -> dict[Family, str]:
        """The rules of each family."""
        return dict(zip(Family, self._at_once(self._save), strict=True))

    def _save(self, family: Family) -> str:
        return run((f"{self._commands[family]}-save",))

    def _restore(self, family: Family, script: str) -> None:
        if script:
            run((f"{self._commands[family]}-restore", "--noflush", "-w", "10"), script)
