"""C{tproxygw rules}: what exactly would be installed?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from gateway.cli.arguments import config_option
from gateway.cli.configuration import load_policy
from gateway.cli.terminal import Terminal
from gateway.kernel import routing
from gateway.kernel.filter import iptables, nftables
from gateway.kernel.filter.ruleset import make_ruleset
from gateway.kernel.filter.spans import Family
from gateway.policy.divert import Backend, WhenDown
from gateway.policy.policy import Policy


def _nft(policy: Policy) -> str:
    return nftables.install_script(make_ruleset(policy))


def _iptables(policy: Policy) -> str:
    if policy.divert.when_down is WhenDown.PASS:
        raise click.UsageError('iptables can\'t let connections pass: when_down = "pass"')
    ruleset = make_ruleset(policy)
    return "\n".join(
        f"{command} --noflush <<'END'\n{iptables.install_script(ruleset, family, '', set())}END"
        for command, family in RESTORE.items()
    )


def _ip(policy: Policy) -> str:
    return "\n".join(routing.commands(policy.divert))


RESTORE = {"iptables-restore": Family.V4, "ip6tables-restore": Family.V6}

SCRIPTS: dict[str, Callable[[Policy], str]] = {"nft": _nft, "iptables": _iptables, "ip": _ip}

OWN = {Backend.NFTABLES: "nft", Backend.IPTABLES: "iptables", Backend.NONE: "nft"}
"""Which script a policy's own packet filter takes."""


@click.command("rules")
@config_option
@click.option(
    "--as",
    "script",
    type=click.Choice(list(SCRIPTS)),
    help="The packet filter's rules, or the policy routing. By default the backend's rules.",
)
def command(directory: Path, script: str | None) -> None:
    """Print what would be installed, and install nothing.

    \b
    nft        a script for `nft -f -`
    iptables   a script for a shell, by iptables-restore and ip6tables-restore
    ip         the commands for the policy routing, for a shell
    """
    policy = load_policy(directory)
    Terminal().say(SCRIPTS[script or OWN[policy.divert.backend]](policy).rstrip("\n"))
