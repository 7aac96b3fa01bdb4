"""The arguments that several commands have in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from gateway.interfaces import Address
from gateway.policy.notation import read_client

DEFAULT_DIRECTORY = Path("/etc/tproxygw")

DIRECTORY = click.Path(exists=True, file_okay=False, path_type=Path)

config_option = click.option(
    "--config",
    "directory",
    type=DIRECTORY,
    default=DEFAULT_DIRECTORY,
    show_default=True,
    help="The folder with gateway.toml.",
)

state_option = click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("/var/lib/tproxygw"),
    show_default=True,
    help="The folder where the last good rules are kept.",
)


class Notation(click.ParamType):  # type: ignore[type-arg]  # older click's is not generic
    """
    An argument that is written as in the configuration.

    @param read: reads it, or raises C{ValueError} with a sentence for the operator.
    """

    name = "text"

    def __init__(self, read: Callable[[str], Address]) -> None:
        self._read = read

    def convert(self, value: Any, param: Any, ctx: Any) -> Address:
        try:
            return self._read(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


CLIENT = Notation(read_client)
SERVER = Notation(read_client)
