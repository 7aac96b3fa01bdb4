"""C{tproxygw show}: the whole story of one session."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from gateway.cli.asking import answered, asking, control_option, json_option
from gateway.cli.configuration import counted
from gateway.cli.terminal import Terminal
from gateway.cli.words import address, duration, moment, rate, size
from gateway.observe.log import printable

Row = tuple[str, str]


@click.command("show")
@control_option
@json_option
@click.argument("number", type=int, metavar="ID")
@click.pass_context
def command(ctx: click.Context, path: Path, as_json: bool, number: int) -> None:
    """Tell all that there is to tell of one session.

    ID is what `tproxygw sessions` says, and the records' flow_id. Exits with 1 if it
    does not run (any more).
    """
    with asking(path) as client:
        session = answered(client, "show", id=number)["session"]
    if as_json:
        click.echo(json.dumps(session, indent=2))
    elif session is None:
        Terminal(error=True).say(f"No session {number} runs. Its records have that flow_id.")
    else:
        rows = list(_rows(session))
        width = max(len(heading) for heading, _ in rows)
        for heading, words in rows:
            Terminal().say(f"{heading:{width}}  {printable(words)}".rstrip())
    if session is None:
        ctx.exit(1)


def _rows(session: Mapping[str, Any]) -> Iterator[Row]:
    ends = f"{address(session['client'])} -> {address(session['server'])}"
    yield "session", f"{session['id']}, {session['protocol']} {ends}"
    if session["parent"]:
        yield "", f"announced by session {session['parent']}"
    since = f"since {moment(session['started'])} ({duration(session['age'])})"
    verdict = f", {session['verdict']}" if session["verdict"] else ""
    yield "state", f"{session['state']}{verdict} {since}, idle for {duration(session['idle'])}"
    yield from _rule(session)
    yield from _inspector(session)
    yield from _leg("client", session["legs"]["client"])
    yield from _leg("server", session["legs"]["server"])
    yield from _upstream(session["upstream"])
    for number, way in enumerate(("to_server", "to_client")):
        carried = f"{size(session['bytes'][way])} {way.replace('_', ' ')}"
        yield "" if number else "bytes", f"{carried}, {rate(session['rate'], way)}"
    yield from _limits(session["limits"])


def _rule(session: Mapping[str, Any]) -> Iterator[Row]:
    yield "service", session["service"]
    rule = session["rule"]
    if rule is None:
        return
    yield "rule", f"{rule['place']}: {rule['says']}"
    for number, reason in enumerate(rule["because"]):
        yield "" if number else "because", reason


def _inspector(session: Mapping[str, Any]) -> Iterator[Row]:
    inspector = session["inspector"]
    yield "inspector", ": ".join(filter(None, (inspector["name"], inspector["about"])))
    if session["denied"]:
        yield "", f"denied: {counted(session['denied'], 'transaction')}"
    if session["announced"]:
        yield "", f"announced: {counted(session['announced'], 'connection')}"
    released = session["released"]
    if released is not None:
        why = f", as {released['why']}" if released["why"] else ""
        yield "", f"nothing is left to inspect; passes in {released['in']}{why}"


def _leg(name: str, leg: Mapping[str, Any]) -> Iterator[Row]:
    if leg["peer"] is None:
        yield name, "not there"
    else:
        yield name, f"{address(leg['peer'])}, who sees {address(leg['own'])}"
        yield "", f"{size(leg['received'])} bytes received, {size(leg['sent'])} sent"
    if leg["waiting"]:
        yield "", f"{size(leg['waiting'])} bytes wait to be sent"
    if leg["ended"]:
        yield "", "has said all that it will"
    for reason in leg["waits_for"]:
        yield "", f"waits for {reason}"
    if leg["tls"] is not None:
        yield from _tls(leg["tls"])


def _tls(tls: Mapping[str, Any]) -> Iterator[Row]:
    agreed = [tls["version"], tls["cipher"], tls["group"], tls["alpn"]]
    yield "", f"{', '.join(filter(None, agreed))}{', resumed' if tls['resumed'] else ''}"
    if tls["subject"] or tls["names"]:
        yield "", f"certificate: {tls['subject']}; for {', '.join(tls['names']) or 'no name'}"


def _upstream(upstream: Mapping[str, Any] | None) -> Iterator[Row]:
    if upstream is None:
        return
    took = (
        f"{upstream['connect_seconds'] * 1000:.1f} ms, {counted(upstream['attempts'], 'attempt')}"
    )
    kept = "" if upstream["port_kept"] else ", not from the client's port"
    yield "", f"reached in {took}{kept}"


def _limits(limits: list[Mapping[str, Any]]) -> Iterator[Row]:
    for number, each in enumerate(limits):
        yield (
            "" if number else "limits",
            f"{each['name']} = {each['seconds']:g}: {duration(each['left'])} left",
        )
