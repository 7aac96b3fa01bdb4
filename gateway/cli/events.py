"""C{tproxygw events}: what happens now?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import click

from gateway.cli.asking import answered, asking, control_option
from gateway.cli.terminal import Terminal
from gateway.cli.words import address
from gateway.control.client import Answer, Client
from gateway.observe.log import printable

LONGEST = 200
"""Characters of one value that are shown."""


@click.command("events")
@control_option
@click.option(
    "--type", "types", multiple=True, metavar="TYPE", help="Of this event_type; several times."
)
@click.option("--service", metavar="NAME", help="Of this service.")
@click.option("--client", metavar="NETWORK", help="Whose client has this address, or network.")
@click.option("--server", metavar="NETWORK", help="Whose original destination is there.")
@click.option("--verdict", metavar="VERDICT", help="passed, denied, reset, failed, closed, broken.")
@click.option("--id", "number", type=int, metavar="ID", help="Of this session.")
@click.option("--denied", is_flag=True, help="Only what was not let pass.")
@click.option("--count", type=click.IntRange(1), help="End after so many.")
@click.option("--json", "as_json", is_flag=True, help="Print the records as they are.")
def command(
    path: Path,
    types: tuple[str, ...],
    number: int | None,
    denied: bool,
    count: int | None,
    as_json: bool,
    **filters: str | None,
) -> None:
    """Follow the audit records, as they are written.

    All filters that are given must match. If the records come faster than this
    command takes them, it says how many it has missed. Ends with Ctrl-C.

    \b
    tproxygw events --denied
    tproxygw events --type http --client 10.1.2.3
    """
    terminal = Terminal()
    try:
        with asking(path) as client:
            wanted = {"type": list(types) or None, "id": number, "denied": denied or None}
            answered(client, "follow", **wanted, **filters)
            for record in islice(_records(client), count):
                terminal.say(json.dumps(record) if as_json else _line(record))
    except KeyboardInterrupt:
        pass


def _records(client: Client) -> Iterator[Answer]:
    """What comes; of what was missed, how many."""
    for heard in client.hear():
        if "missed" in heard:
            Terminal(error=True).say(f"(missed {heard['missed']})", "yellow")
        elif "record" in heard:
            yield heard["record"]
    raise EOFError


def _line(record: Mapping[str, Any]) -> str:
    """One line for people."""
    event = record["event_type"]
    own = record.get("gateway", {})
    words = [record["timestamp"][11:23], event, own.get("service", "-")]
    if "src_ip" in record:
        words.append(f"{_end(record, 'src')} -> {_end(record, 'dest')}")
    said = {**record.get(event, {}), **{key: own.get(key) for key in _OWN}}
    words += [f"{key}={_value(value)}" for key, value in said.items() if _is_told(value)]
    return printable(" ".join(words))


_OWN = ("verdict", "reason", "denied_by", "answer")


def _end(record: Mapping[str, Any], which: str) -> str:
    return address({"ip": record[f"{which}_ip"], "port": record[f"{which}_port"]})


def _is_told(value: Any) -> bool:
    return isinstance(value, str | int | float) and value != ""


def _value(value: Any) -> str:
    text = str(value)
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    return json.dumps(text, ensure_ascii=False) if " " in text else text
