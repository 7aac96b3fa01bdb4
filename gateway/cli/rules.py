"""C{tproxygw rules}: what exactly would be installed?"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import click

from gateway.cli.arguments import DEFAULT_DIRECTORY
from gateway.cli.asking import control_option, json_option
from gateway.cli.configuration import load_policy
from gateway.cli.counters import show_counters
from gateway.cli.terminal import Terminal
from gateway.kernel import routing
from gateway.kernel.filter import iptables, nftables
from gateway.kernel.filter.ruleset import make_ruleset
from gateway.policy.divert import Backend, WhenDown
from gateway.policy.explain import clients_of, ports_of, servers_of
from gateway.policy.policy import Policy
from gateway.policy.rule import Rule
from gateway.policy.service import Action
from gateway.policy.spans import Family


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


TABLE = "table"


@click.command("rules")
@click.option(
    "--config",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=DEFAULT_DIRECTORY,
    show_default=True,
    help="The folder with gateway.toml.",
)
@click.option(
    "--as",
    "script",
    type=click.Choice([*SCRIPTS, TABLE]),
    help="The packet filter's rules, or the policy routing. By default the backend's rules.",
)
@click.option(
    "--counters", is_flag=True, help="What each rule, test and list of the running gateway brought."
)
@click.option("--unused", is_flag=True, help="With --counters: only what has brought nothing.")
@control_option
@json_option
def command(
    directory: Path, script: str | None, counters: bool, unused: bool, path: Path, as_json: bool
) -> None:
    """Print what would be installed, and install nothing.

    With --counters it asks the running gateway instead: which rules have brought how
    many sessions, and how often tests and lists have matched, since it was started.

    \b
    nft        a script for `nft -f -`
    iptables   a script for a shell, by iptables-restore and ip6tables-restore
    ip         the commands for the policy routing, for a shell
    table      the same for people: who gets what where; the first one that matches wins
    """
    if counters:
        show_counters(path, unused, as_json)
        return
    if not directory.is_dir():
        raise click.BadParameter(f"{directory} does not exist", param_hint="--config")
    policy = load_policy(directory)
    if script == TABLE:
        Terminal().table(TITLES, map(partial(_row, policy), policy.rules), _below(policy))
    else:
        Terminal().say(SCRIPTS[script or OWN[policy.divert.backend]](policy).rstrip("\n"))


SERVICES = "services/"
"""Where all rules are: a column of it is too much for a terminal of 80 columns."""

TITLES = ("from", "to", "ports", "treated by", f"rule in {SERVICES}")

TREATED = {
    Action.INSPECT: "{maker.name}",
    Action.FORWARD: "kernel: forwarded",
    Action.DENY: "kernel: {reply.value}",
}


def _row(policy: Policy, rule: Rule) -> tuple[str, ...]:
    """One rule of the table."""
    service = policy.services[rule.service]
    on = f" on {', '.join(sorted(rule.interfaces))}" if rule.interfaces else ""
    priority = f" (priority {rule.priority})" if rule.priority else ""
    return (
        f"{clients_of(rule)}{on}",
        servers_of(rule),
        f"{rule.protocol.value} {ports_of(rule)}",
        TREATED[service.action].format(maker=service.maker, reply=service.reply),
        f"{rule.place.file.removeprefix(SERVICES)}:{rule.place.line}{priority}",
    )


def _below(policy: Policy) -> str:
    """What the table can't say."""
    interfaces = ", ".join(policy.divert.interfaces)
    only = f", and what comes in by other interfaces than {interfaces}," if interfaces else ""
    return (
        "Of the rules that match a connection, the first one here wins. What no rule matches"
        f"{only} is left to the kernel."
    )
