"""C{tproxygw sessions}: which sessions run?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from gateway.cli.asking import answered, asking, control_option, filter_options, json_option
from gateway.cli.terminal import Terminal
from gateway.cli.words import SEEN, rate, seen, size
from gateway.control.client import Answer, Client

PAGE = 500
"""Sessions that are asked for at once."""

TITLES = (*SEEN, "to server", "to client", "a second", "a second")


@click.command("sessions")
@control_option
@filter_options
@click.option(
    "--sort",
    type=click.Choice(["id", "age", "idle", "bytes", "rate"]),
    default="id",
    show_default=True,
    help="The most first, but of id.",
)
@click.option(
    "--limit", type=click.IntRange(0), help="So many at most. Left out: all, or 500 if sorted."
)
@json_option
def command(path: Path, as_json: bool, sort: str, limit: int | None, **filters: Any) -> None:
    """List the sessions that run.

    All filters that are given must match.

    \b
    tproxygw sessions --service web --client 10.1.0.0/16
    tproxygw sessions --age 1h --idle 5m --sort age
    tproxygw sessions --sort rate --limit 10
    """
    with asking(path) as client:
        answer = _all(client, sort, limit, filters)
    if as_json:
        click.echo(json.dumps(answer, indent=2))
        return
    shown, found, running = len(answer["sessions"]), answer["found"], answer["running"]
    below = f"{shown} of {found} that match" if shown < found else f"{found} that match"
    below = f"{below}; {running} sessions run." if found < running else f"{running} sessions run."
    Terminal().table(TITLES, map(_row, answer["sessions"]), below)


def _all(client: Client, sort: str, limit: int | None, filters: Mapping[str, Any]) -> Answer:
    """One page after the other, if the order has pages."""
    most = PAGE if limit is None and sort != "id" else limit
    first = PAGE if most is None else min(most, PAGE)
    answer = answered(client, "sessions", sort=sort, limit=first, **filters)
    sessions, page = answer["sessions"], answer["sessions"]
    while sort == "id" and len(page) == PAGE and (most is None or len(sessions) < most):
        left = PAGE if most is None else min(PAGE, most - len(sessions))
        more = answered(client, "sessions", limit=left, after=page[-1]["id"], **filters)
        page = more["sessions"]
        sessions += page
    return answer


def _row(session: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        *seen(session),
        size(session["bytes"]["to_server"]),
        size(session["bytes"]["to_client"]),
        rate(session["rate"], "to_server"),
        rate(session["rate"], "to_client"),
    )
