"""Asking the gateway that runs, for the commands that do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from gateway.control.client import DEFAULT, Answer, Client

F = TypeVar("F", bound=Callable[..., Any])

control_option = click.option(
    "--control",
    "path",
    type=click.Path(readable=False, path_type=Path),
    default=DEFAULT,
    show_default=True,
    envvar="TPROXYGW_CONTROL",
    show_envvar=True,
    help="The socket that the gateway answers at.",
)

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print the answer as JSON, for programs."
)


@contextmanager
def asking(path: Path) -> Iterator[Client]:
    """
    A connection to the gateway that runs.

    @raise click.ClickException: there is none, or it ended.
    """
    try:
        with Client(path) as client:
            yield client
    except EOFError:
        raise click.ClickException("the gateway ended before it had answered") from None
    except BrokenPipeError:
        raise
    except OSError as error:
        raise click.ClickException(
            f"can't ask the gateway at {path}: {error.strerror}; is it running?"
        ) from None


def answered(client: Client, what: str, /, **more: Any) -> Answer:
    """
    The answer to a question, of which C{None} is left out.

    @raise click.ClickException: there is none, as the gateway says why.
    """
    said = {key: value for key, value in more.items() if value is not None}
    answer = client.ask(what, **said)
    if answer.get("problem"):
        raise click.ClickException(str(answer["problem"]))
    return answer


# How much, and how long


class Amount(click.ParamType):  # type: ignore[type-arg]  # older click's is not generic
    """
    A number with a unit.

    @param units: how much each is.
    """

    def __init__(self, name: str, units: dict[str, int]) -> None:
        self.name = name
        self._units = units
        self._form = re.compile(rf"([0-9]+(?:\.[0-9]+)?)([{''.join(units)}]?)")

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        """Read C{"5m"}."""
        if isinstance(value, float):
            return value
        found = self._form.fullmatch(value)
        if found is None:
            self.fail(f"{value!r} is not like 90 or 1.5{next(iter(self._units))}", param, ctx)
        return float(found[1]) * self._units.get(found[2], 1)


SECONDS = Amount("SECONDS", {"m": 60, "h": 3600, "d": 86400})
BYTES = Amount("BYTES", {"k": 1000, "M": 10**6, "G": 10**9})

_FILTERS = (
    click.option("--service", metavar="NAME", help="Of this service."),
    click.option("--client", metavar="NETWORK", help="Whose client has this address, or network."),
    click.option("--server", metavar="NETWORK", help="Whose original destination is there."),
    click.option("--zone", metavar="NAME", help="Whose client or server is in this zone."),
    click.option("--protocol", type=click.Choice(["tcp", "udp"])),
    click.option(
        "--state",
        type=click.Choice(["alone", "connecting", "open", "leaving", "kernel"]),
        help="Where in their life they stand; kernel: it forwards them alone.",
    ),
    click.option("--parent", type=int, metavar="ID", help="Announced by this one (FTP data)."),
    click.option("--age", type=SECONDS, help='At least so old: 90, "5m", "2h", "1d".'),
    click.option("--idle", type=SECONDS, help="In which nothing moved for so long."),
    click.option("--bytes", type=BYTES, help='That have carried so much: 5000, "10M", "1G".'),
    click.option("--rate", type=BYTES, help="That carry so many bytes a second."),
)


def filter_options(command: F) -> F:
    """The options that pick sessions out. All that are given must match."""
    for option in reversed(_FILTERS):
        command = option(command)
    return command
