"""C{tproxygw reference}: every key of the configuration, from the classes that declare it."""

from __future__ import annotations

import click

from gateway.policy.reference import reference
from gateway.registry import makers


@click.command("reference")
def command() -> None:
    """Print the configuration reference, in Markdown."""
    click.echo(reference(makers()), nl=False)
