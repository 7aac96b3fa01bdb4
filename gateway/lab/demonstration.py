"""What C{make lab} shows: real connections through the real gateway, at a glance."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from attrs import frozen
from rich import box
from rich.console import Console
from rich.json import JSON
from rich.table import Table
from rich.text import Text

from gateway import registry
from gateway.lab import network
from gateway.lab.attempts import ATTEMPTS, SECONDS, Attempt, Outcome, attempt
from gateway.lab.laboratory import DEMONSTRATION, Laboratory, check_able, kept_records, remove
from gateway.policy.connection import Protocol
from gateway.policy.load import load
from gateway.policy.policy import Policy
from gateway.policy.rule import Rule
from gateway.policy.service import Action, Service, Source

PICTURE = """\
 [bold]client[/]              [bold]gateway[/]                           [bold]server[/]
 10.1.2.3       ──▶  lan0  twistd tproxygw  wan0  ──▶  198.51.100.7
 fd00:1::2:3         10.1.0.1       198.51.100.1       2001:db8:100::7
 10.1.200.9 (a printer)                                203.0.113.9 (the bank)
 10.2.0.9   (a guest)                                  192.0.2.10 (the mirror)
"""

UDP = " (UDP)"

WIDTH = 100
"""Columns, where nobody's terminal says how many."""

QUICK = 6.0
"""Seconds that it takes to build the laboratory on a machine for which all time limits do."""

SHOWN = ("tls", "http", "ftp", "smtp", "flow")
"""Kinds of audit records of which one is shown; all of them are in a file."""

OWN = frozenset({network.GATEWAY_LAN})

Record = dict[str, Any]


@frozen
class Row:
    """One attempt as the table shows it: what came of it, and who decided that."""

    outcome: Outcome
    policy: Policy
    record: Record | None
    interface: str

    @property
    def decided(self) -> Text:
        """What became of it, in one word: by the gateway, or by the kernel alone."""
        if self._own:
            return Text("refused by the gateway", style="yellow")
        if self.record is not None:
            verdict = str(self.record["gateway"]["verdict"])
            return Text(f"intercepted, {verdict}", style=STYLES.get(verdict, "red"))
        return Text(*KERNEL[self._action])

    @property
    def _action(self) -> Action | None:
        return self._service.action if self._service is not None else None

    @property
    def _service(self) -> Service | None:
        rule = self._winner
        return self.policy.services[rule.service] if rule is not None else None

    @property
    def _winner(self) -> Rule | None:
        """What goes to the gateway's own addresses is not its business."""
        return None if self._own else self.policy.decide(self.outcome.connection(self.interface))

    @property
    def _own(self) -> bool:
        """Whether it was made to the gateway itself."""
        return self.outcome.attempt.destination.host in OWN

    @property
    def rule(self) -> str:
        """Where the rule is written, in the service's file."""
        if self.record is not None and not self._own:
            return str(self.record["gateway"].get("rule", "-"))
        rule = self._winner
        return f"{rule.place.file}:{rule.place.line}" if rule is not None else "-"

    @property
    def as_decided(self) -> bool:
        """Intercepted exactly if the policy says so, and seen from where it says."""
        intercepted = self._action is Action.INSPECT
        faithful = self.outcome.seen is None or self.outcome.kept or not self._as_client
        return faithful and (self._own or intercepted == (self.record is not None))

    @property
    def _as_client(self) -> bool:
        """Whether the server is to see the client's own address and port."""
        service = self._service
        return service is None or service.source in (Source.CLIENT, Source.CLIENT_STRICT)

    @property
    def seen(self) -> Text:
        """How the server saw the client, and whether that is what the client is."""
        seen = self.outcome.seen
        if seen is None:
            return Text("-", style="dim")
        if self.outcome.kept:
            return Text(f"✓ {seen}", style="green")
        return Text(f"✗ {seen}", style="red")


STYLES = {"passed": "green", "closed": "green", "denied": "yellow", "failed": "yellow"}

KERNEL: dict[Action | None, tuple[str, str]] = {
    Action.INSPECT: ("not intercepted", "red"),
    Action.FORWARD: ("forwarded by the kernel", "cyan"),
    Action.DENY: ("denied by the kernel", "yellow"),
    None: ("no rule: left alone", "dim"),
}


def demonstrate(config: Path, console: Console | None = None, prefix: str = DEMONSTRATION) -> bool:
    """
    Build a laboratory, send connections through the gateway, show what
    happened, and clean up whatever happens.

    @return: whether every connection fared as the policy says.
    @raise LabError: it can't be built; the message says why.
    """
    console = console or Console(width=None if sys.stdout.isatty() else WIDTH)
    check_able("curl")
    policy = load(config, registry.find)
    laboratory = Laboratory(config, prefix)
    with _cleaned_up(prefix):
        begun = time.monotonic()
        laboratory.build()
        seconds = SECONDS * max(1.0, (time.monotonic() - begun) / QUICK)
        console.print(PICTURE)
        outcomes = [_attempt(console, laboratory, one, seconds) for one in ATTEMPTS]
        laboratory.daemon.stop()
        records = laboratory.records()
    rows = [Row(one, policy, _record_of(one, records), laboratory.network.lan) for one in outcomes]
    console.print(_table(rows))
    _print_records(console, records, kept_records(prefix))
    return _summed_up(console, rows)


@contextmanager
def _cleaned_up(prefix: str) -> Iterator[None]:
    """Remove the laboratory at the end, also on Ctrl-C and on SIGTERM."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
        remove(prefix)
        signal.signal(signal.SIGINT, interrupt)
        signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _attempt(console: Console, laboratory: Laboratory, one: Attempt, seconds: float) -> Outcome:
    with console.status(f"{one.title}: {one.source} to {one.destination}"):
        return attempt(one, laboratory.network.client, laboratory.believed, seconds)


def _record_of(outcome: Outcome, records: list[Record]) -> Record | None:
    """The one flow record of a session."""
    for record in records:
        if record["event_type"] == "flow" and _who(record) == _expected(outcome):
            return record
    return None


def _who(record: Record) -> tuple[object, ...]:
    return (record["src_ip"], record["src_port"], record["proto"].lower())


def _expected(outcome: Outcome) -> tuple[object, ...]:
    return (*outcome.source, outcome.attempt.protocol.value)


def _table(rows: list[Row]) -> Table:
    """Two lines for each connection, so that it fits a terminal."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("connection\n  to", "decided\n  by the rule", "server saw\n  client heard"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*_cells(row))
    return table


def _cells(row: Row) -> tuple[Text, ...]:
    one = row.outcome.attempt
    to = f"{one.destination}{UDP if one.protocol is Protocol.UDP else ''}"
    return (
        _two_lines(Text(one.title), to),
        _two_lines(row.decided, row.rule),
        _two_lines(row.seen, row.outcome.words),
    )


def _two_lines(first: Text, second: str) -> Text:
    return Text.assemble(first, "\n  ", (second, "dim"))


def _summed_up(console: Console, rows: list[Row]) -> bool:
    """Whether every connection fared as the policy says."""
    wrong = [row.outcome.attempt.title for row in rows if not row.as_decided]
    if wrong:
        console.print(f"\n[bold red]Not as the policy says:[/] {', '.join(wrong)}")
    else:
        console.print(f"\n[bold green]All {len(rows)} connections fared as the policy says.[/]")
    return not wrong


def _print_records(console: Console, records: list[Record], kept: Path) -> None:
    """One of each kind; the others are in a file that outlives the laboratory."""
    kept.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    console.print("\n[bold]The audit[/] has one record for each exchange and each session, such as")
    for kind in SHOWN:
        record = next((one for one in records if one["event_type"] == kind), None)
        if record is not None:
            console.print()
            console.print(JSON.from_data(record, indent=None), soft_wrap=True)
    console.print(f"\nAll {len(records)} of them: less {kept}")
