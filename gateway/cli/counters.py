"""What each rule, test and list of the running gateway has brought."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from gateway.cli.asking import answered, asking
from gateway.cli.configuration import counted
from gateway.cli.terminal import Terminal
from gateway.kernel.counted import counted as counted_packets
from gateway.kernel.errors import KernelError

TITLES = ("count", "service", "written at", "what it is")

BELOW = (
    "Sessions and hits since the gateway was started; packets without a connection, such as first "
    "ones, since the rules were installed, the gateway's own probes among them."
)

Row = tuple[str, str, str, str]


def show_counters(path: Path, unused: bool, as_json: bool) -> None:
    """
    Ask the gateway, and print its answer.

    @param unused: only what has brought nothing.
    """
    with asking(path) as client:
        answer = answered(client, "rules")
    packets = _packets(answer["port"])
    for rule in answer["rules"]:
        found = [packets.get(number, 0) for number in rule["numbers"]]
        rule["packets"] = sum(found) if packets else None
    if unused:
        answer["rules"] = [each for each in answer["rules"] if _is_unused(each)]
        answer["tests"] = [each for each in answer["tests"] if each["hits"] == 0]
    if as_json:
        click.echo(json.dumps(answer, indent=2))
    else:
        Terminal().table(TITLES, _rows(answer), BELOW)


def _packets(port: int) -> Mapping[int, int]:
    """What the kernel has counted; empty if it does not say so, or not to us."""
    try:
        return counted_packets(port)
    except (OSError, KernelError):
        return {}


def _is_unused(rule: Mapping[str, Any]) -> bool:
    """Whether a rule has brought nothing. Where sessions are counted, packets may be probes."""
    count = rule["packets"] if rule["sessions"] is None else rule["sessions"]
    return bool(count == 0)


def _rows(answer: Mapping[str, Any]) -> Iterator[Row]:
    for rule in answer["rules"]:
        says = "; ".join(rule["says"])
        yield _count(rule), rule["service"], rule["place"], f"rule, {rule['action']}: {says}"
    for test in answer["tests"]:
        yield counted(test["hits"], "hit"), test["service"], test["place"], "test, list or setting"


def _count(rule: Mapping[str, Any]) -> str:
    """C{3 sessions, 5 packets}."""
    counts = ((rule[f"{word}s"], word) for word in ("session", "packet"))
    return ", ".join(counted(count, word) for count, word in counts if count is not None) or "-"
