"""C{tproxygw check}: is this policy good?"""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.arguments import DEFAULT_DIRECTORY, DIRECTORY
from gateway.cli.configuration import load_policy
from gateway.cli.terminal import Terminal


@click.command("check")
@click.argument("directory", type=DIRECTORY, default=DEFAULT_DIRECTORY)
def command(directory: Path) -> None:
    """Check a policy, as a start or a reload would.

    DIRECTORY holds gateway.toml; by default /etc/tproxygw. Every problem is
    shown, with its file, line and column. Unknown keys, dangling names,
    ambiguous rules and broken [[expect]] entries are problems.
    """
    policy = load_policy(directory)
    counts = (
        _count(len(policy.services), "service"),
        _count(len(policy.rules), "rule"),
        _count(len(policy.zones), "zone"),
    )
    Terminal().say(f"{directory}: good. {', '.join(counts)}.", "green")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
