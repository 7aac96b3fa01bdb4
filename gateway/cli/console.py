"""C{tproxygw console}: tokens for those who may use the console."""

from __future__ import annotations

from hashlib import sha256
from secrets import token_urlsafe

import click

from gateway.cli.terminal import Terminal
from gateway.policy.holders import Right
from gateway.policy.notation import NAME

BYTES = 32


@click.group("console")
def command() -> None:
    """The page for the operator's browser."""


@command.command("token")
@click.argument("name")
@click.option("--write", is_flag=True, help="The holder may end sessions and reload, too.")
def token(name: str, write: bool) -> None:
    """Make a token for NAME.

    The token is shown once, on standard error, for its holder. The line for the file that
    `console.tokens` names goes to standard output: it holds only a hash, so that
    whoever reads the file can't log in.

    \b
    tproxygw console token anna --write >> /etc/tproxygw/console.tokens
    """
    if not NAME.fullmatch(name):
        raise click.BadParameter(f'"{name}" is no name: letters, digits, "_", "-" and "."')
    made = token_urlsafe(BYTES)
    right = Right.WRITE if write else Right.READ
    Terminal(error=True).say(f"The token of {name}, which is shown only now: {made}")
    click.echo(f"{name} {right.value} sha256:{sha256(made.encode()).hexdigest()}")
