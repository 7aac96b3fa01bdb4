"""The packet filters of this host: scripts in, rules in force out."""

from __future__ import annotations

import re

from gateway.kernel import nftables
from gateway.kernel.command import CommandError, run
from gateway.kernel.ruleset import Ruleset


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
