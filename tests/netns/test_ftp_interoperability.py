"""
What real clients do with the habits of servers that are out there, through the gateway:
interoperability.md has them in a table.
"""

from __future__ import annotations

import ftplib
import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

from gateway.lab.namespace import CommandFailed, Namespace
from gateway.lab.waiting import wait_until
from tests.netns.case import SERVER, family
from tests.netns.ftp_case import FtpCase
from tests.netns.ftp_clients import SECONDS
from tests.netns.programs.server_odd_ftp import CONTENT

HARMLESS = ("plain", "nat", "blanks", "naked", "at-once", "rude")
BREAKING = ("hangs-up", "leaves", "forgets")

Fetch = Callable[[Namespace, str, Path], str]


def by_curl(client: Namespace, user: str, got: Path) -> str:
    common = ("curl", "-sS", "--max-time", str(SECONDS), "-u", f"{user}:x")
    return client.run(*common, "-o", str(got), f"ftp://{SERVER}/file", seconds=SECONDS)


def by_wget(client: Namespace, user: str, got: Path) -> str:
    common = ("wget", "-q", "-t", "1", "-T", str(SECONDS), f"--user={user}", "--password=x")
    return client.run(*common, "-O", str(got), f"ftp://{SERVER}/file", seconds=SECONDS)


def by_lftp(client: Namespace, user: str, got: Path) -> str:
    script = (
        f"set cmd:fail-exit yes; set net:max-retries 1; set net:timeout {SECONDS}; "
        f"open -u {user},x ftp://{SERVER}; get file -o {got}; bye"
    )
    return client.run("lftp", "--norc", "-c", script, seconds=2 * SECONDS)


def by_ncftp(client: Namespace, user: str, got: Path) -> str:
    common = ("ncftpget", "-u", user, "-p", "x", "-F", "-t", str(SECONDS), "-r", "0", "-V", "-C")
    return client.run(*common, SERVER, "file", str(got), seconds=SECONDS)


def by_tnftp(client: Namespace, user: str, got: Path) -> str:
    commands = f"user {user} x\nbinary\nget file {got}\nquit\n"
    return client.run("ftp", "-n", "-i", "-p", SERVER, input=commands, seconds=SECONDS)


def by_ftplib(client: Namespace, user: str, got: Path) -> str:
    file = io.BytesIO()
    with client.entered(), ftplib.FTP(timeout=SECONDS) as session:
        session.connect(SERVER)
        session.login(user, "x")
        session.retrbinary("RETR file", file.write)
        session.quit()
    got.write_bytes(file.getvalue())
    return ""


CLIENTS: dict[str, Fetch] = {
    "curl": by_curl,
    "wget": by_wget,
    "lftp": by_lftp,
    "ncftp": by_ncftp,
    "tnftp": by_tnftp,
    "ftplib": by_ftplib,
}


class HabitTests(FtpCase):
    """One file, fetched by each client from a server with each habit."""

    def prepare(self) -> None:
        program = "tests.netns.programs.server_odd_ftp"
        self.server.start(sys.executable, "-m", program, SERVER)

        def listens() -> bool:
            with self.server.socket(family(SERVER)) as probe:
                return probe.connect_ex((SERVER, 21)) == 0

        if not wait_until(listens, seconds=20):
            raise AssertionError("the server does not listen")

    def works(self, client: str, habit: str) -> None:
        """One row that works."""
        got = self.scene.folder / f"{client}-{habit}"
        with self.session("passed"):
            CLIENTS[client](self.client, habit, got)
        self.assertEqual(got.read_bytes(), CONTENT)

    def fails(self, client: str, habit: str) -> None:
        """One row that can't: the client says so, and does not wait for its own time limit."""
        with self.session("failed"):
            try:
                CLIENTS[client](self.client, habit, self.scene.folder / f"{client}-{habit}")
            except (CommandFailed, ftplib.Error, EOFError):
                return
            self.assertEqual(client, "tnftp")  # which goes on with the next command

    @contextmanager
    def session(self, verdict: str) -> Iterator[None]:
        """What is done here is over soon, in that way."""
        before = len(self.ended())
        yield
        self.wait(lambda: len(self.ended()) > before, "the session goes on")
        gateway = self.ended()[-1]["gateway"]
        self.assertEqual(gateway["verdict"], verdict)
        self.assertLess(gateway["seconds"], SECONDS)

    def ended(self) -> list[dict[str, Any]]:
        """The flow records of control connections."""
        records = self.scene.records()
        return [one for one in records if one["event_type"] == "flow" and "parent_id" not in one]


def _add_row(client: str, habit: str) -> None:
    def test(self: HabitTests) -> None:
        (self.works if habit in HARMLESS else self.fails)(client, habit)

    test.__name__ = f"test_{client}_{habit.replace('-', '_')}"
    test.__qualname__ = f"HabitTests.{test.__name__}"
    test.__doc__ = f"{client}, and a server that is {habit}."
    setattr(HabitTests, test.__name__, test)


for _row in product(CLIENTS, (*HARMLESS, *BREAKING)):
    _add_row(*_row)
