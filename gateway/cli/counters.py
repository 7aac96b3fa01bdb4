"""What each rule, test and list of the running gateway has brought."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from gateway.cli.asking import answered, asking
from gateway.cli.terminal import Terminal

TITLES = ("count", "service", "written at", "what it is")

Row = tuple[str, str, str, str]


def show_counters(path: Path, unused: bool, as_json: bool) -> None:
    """
    Ask the gateway, and print its answer.

    @param unused: only what has brought nothing.
    """
    with asking(path) as client:
        answer = answered(client, "rules")
    if unused:
        answer = {
            "rules": [each for each in answer["rules"] if each["sessions"] == 0],
            "tests": [each for each in answer["tests"] if each["hits"] == 0],
        }
    if as_json:
        click.echo(json.dumps(answer, indent=2))
    else:
        below = "Since the gateway was started. What the kernel decides alone is not counted here."
        Terminal().table(TITLES, _rows(answer), below)


def _rows(answer: Mapping[str, Any]) -> Iterator[Row]:
    for rule in answer["rules"]:
        count = "-" if rule["sessions"] is None else f"{rule['sessions']} sessions"
        says = "; ".join(rule["says"])
        yield count, rule["service"], rule["place"], f"rule, {rule['action']}: {says}"
    for test in answer["tests"]:
        yield f"{test['hits']} hits", test["service"], test["place"], "test, list or setting"
