"""The packet filters of this host: scripts in, rules in force out."""

from __future__ import annotations

import re

from gateway.kernel.command import CommandError, run
from gateway.kernel.errors import KernelError
from gateway.kernel.filter import iptables, nftables
from gateway.kernel.filter.ruleset import Ruleset
from gateway.policy.divert import WhenDown
from gateway.policy.spans import Family


class NftablesFilter:
    """nftables, by the C{nft} command."""

    def install(self, ruleset: Ruleset, left_over: set[int]) -> None:
        """
        Install C{ruleset} in one transaction, in the place of its former self
        and of the instances C{left_over}.

        @raise KernelError: nothing was changed.
        """
        tables = sorted(nftables.table_name(port) for port in left_over)
        run(("nft", "-f", "-"), nftables.install_script(ruleset, tables))

    def remove(self, port: int) -> None:
        """Remove the table of the instance on C{port}."""
        run(("nft", "-f", "-"), nftables.remove_script(nftables.table_name(port)))

    def installed(self, port: int) -> bool:
        """Whether the table is there and its first chain is not empty."""
        try:
            text = run(("nft", "list", "chain", "inet", nftables.table_name(port), "arrive"))
        except CommandError:
            return False
        return "goto first" in text

    def ports(self) -> set[int]:
        """The ports in the names of all our tables."""
        names = re.findall(rf"^table inet {nftables.PREFIX}(\d+)$", _tables(), re.MULTILINE)
        return {int(port) for port in names}


def _tables() -> str:
    return run(("nft", "list", "tables"))


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
        before = {family: self._save(family) for family in Family}
        try:
            for family, saved in before.items():
                script = iptables.install_script(ruleset, family, saved, left_over)
                self._restore(family, script)
        except KernelError:
            self._go_back(before, ruleset.divert.port)
            raise

    def remove(self, port: int) -> None:
        """Remove the chains of the instance on C{port}, and the jumps to them."""
        for family in Family:
            self._restore(family, iptables.remove_script(self._save(family), {port}))

    def installed(self, port: int) -> bool:
        """Whether the chains are hooked in, in both families."""
        return all(iptables.hooked(self._save(family), port) for family in Family)

    def ports(self) -> set[int]:
        """The ports in the names of all our chains."""
        return set().union(*(iptables.ports_in(self._save(family)) for family in Family))

    def _go_back(self, before: dict[Family, str], port: int) -> None:
        """Put back the chains on C{port} as they were C{before}."""
        for family, saved in before.items():
            script = iptables.restored_script(saved, self._save(family), port)
            self._restore(family, script)

    def _save(self, family: Family) -> str:
        return run((f"{self._commands[family]}-save",))

    def _restore(self, family: Family, script: str) -> None:
        if script:
            run((f"{self._commands[family]}-restore", "--noflush", "-w", "10"), script)
