"""C{tproxygw status}: what runs, since when, and how much?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from gateway.cli.asking import answered, asking, control_option, json_option
from gateway.cli.terminal import Terminal
from gateway.cli.words import duration, moment, size

Row = tuple[str, str]


@click.command("status")
@control_option
@json_option
@click.pass_context
def command(ctx: click.Context, path: Path, as_json: bool) -> None:
    """Show what the running gateway does.

    Exits with 1 if it does not run, does not inspect, or runs another policy than
    the configuration says.
    """
    with asking(path) as client:
        answer = answered(client, "status")
    terminal = Terminal()
    if as_json:
        click.echo(json.dumps(answer, indent=2))
    else:
        rows = list(_rows(answer))
        width = max(len(heading) for heading, _ in rows)
        for heading, words in rows:
            terminal.say(f"{heading:{width}}  {words}".rstrip())
    if answer["policy"]["broken"] or not answer["divert"]["installed"]:
        ctx.exit(1)


def _rows(answer: Mapping[str, Any]) -> Iterator[Row]:
    seconds = answer["now"] - answer["started"]
    since = f"since {moment(answer['started'])} ({duration(max(0.0, seconds))})"
    yield "gateway", f"{answer['state']} {since}, version {answer['version']}"
    yield from _policy(answer["policy"])
    yield from _divert(answer["divert"])
    yield from _sessions(answer["sessions"])
    yield from _services(answer["services"])
    refused = ", ".join(f"{count} {why}" for why, count in answer["refused"].items())
    yield "refused", refused or "none"
    audit = answer["audit"]
    yield "audit", f"{size(audit['waiting'])} bytes wait, {audit['dropped']} records dropped"
    for worker in answer["workers"]:
        yield "process", f"{worker['pid']}: {worker['running']} sessions"


def _policy(policy: Mapping[str, Any]) -> Iterator[Row]:
    yield (
        "policy",
        f"{policy['directory']}: {policy['services']} services, {policy['rules']} rules, "
        f"loaded {moment(policy['loaded'])}",
    )
    for number, line in enumerate(policy["broken"].splitlines()):
        yield ("" if number else "BROKEN", line)


def _divert(divert: Mapping[str, Any]) -> Iterator[Row]:
    yield "divert", "installed" if divert["installed"] else "NOT INSTALLED"
    if divert["lost"]:
        yield "", f"{divert['lost']} kinds of first packets are lost: see tproxygw doctor"


def _sessions(sessions: Mapping[str, Any]) -> Iterator[Row]:
    kernel = f", {sessions['in_kernel']} of them in the kernel" if sessions["in_kernel"] else ""
    waits = "" if sessions["room"] else "; new connections wait"
    yield "sessions", f"{sessions['running']} of at most {sessions['most']}{kernel}{waits}"


def _services(services: Mapping[str, Any]) -> Iterator[Row]:
    for number, (name, counts) in enumerate(sorted(services.items())):
        ended = ", ".join(f"{count} {verdict}" for verdict, count in counts["ended"].items())
        carried = counts["bytes"]["to_server"] + counts["bytes"]["to_client"]
        yield (
            "" if number else "services",
            f"{name}: {counts['running']} running; ended: {ended or 'none'}; {size(carried)} bytes",
        )
