"""ProgramInspector: bodies judged by a program of the operator's."""

from __future__ import annotations

from math import ceil

from attrs import frozen

from gateway.inspector import option
from gateway.tools import ISpool, Ran, Run
from protocols.scanners.fault import ScannerFault
from protocols.scanners.judgement import Judgement
from protocols.scanners.program.environment import environment
from protocols.scanners.report import MOST_FOUND
from protocols.scanners.scan import ScanInspector
from protocols.scanners.settings import ScanSettings

CLEAN = 0
FOUND = 1

NAME = 200
"""Letters of the name of something that was found."""


def read_command(words: tuple[str, ...]) -> tuple[str, ...]:
    """
    A command line, without a shell.

    @raise ValueError: it does not begin with an absolute path.
    """
    if not words or not words[0].startswith("/"):
        raise ValueError('the first word is no absolute path, such as "/usr/local/bin/scan"')
    return words


@frozen
class ProgramSettings(ScanSettings):
    """The C{[program]} table."""

    command: tuple[str, ...] = option(
        "The program, by its absolute path, and its arguments; no shell reads them.",
        ("/usr/local/bin/tproxygw-scan",),
        precedent="clamscan's exit statuses are those that are understood",
        read=read_command,
    )
    at_once: int = option(
        "So many run at a time; bodies that come then wait.", 4, unit="processes", minimum=1
    )
    program_bytes: int = option(
        "Bytes of a program's address space; one that wants more fails.",
        1073741824,
        unit="bytes",
        minimum=1048576,
    )

    @property
    def needs(self) -> tuple[str, ...]:
        """For the doctor."""
        return self.command[:1]


class ProgramInspector(ScanInspector):
    """One body."""

    Settings = ProgramSettings
    settings: ProgramSettings

    async def judge(self, body: ISpool) -> Judgement:
        """See L{ScanInspector.judge}."""
        session, settings = self.session, self.settings
        told = environment(session.service, session.client, session.server, session.envelope)
        seconds, memory = ceil(settings.scan_seconds), settings.program_bytes
        run = Run(settings.command, told, settings.at_once, seconds, memory)
        found = _found(await session.tools.run(run, body))
        path = settings.command[0]
        return Judgement(found=found, scanner=path.rpartition("/")[2], where=path)


def _found(ran: Ran) -> tuple[str, ...]:
    """
    The lines that it has said, if it says that there is something.

    @raise ScannerFault: it can't say.
    """
    if ran.status == CLEAN:
        return ()
    if ran.status == FOUND:
        lines = ran.said.decode("utf-8", "replace").splitlines()
        names = (line.strip()[:NAME] for line in lines)
        return tuple(filter(None, names))[:MOST_FOUND] or ("something without a name",)
    how = "was killed" if ran.status is None else f"ended with status {ran.status}"
    why = ran.complained.decode("utf-8", "replace").strip().partition("\n")[0]
    raise ScannerFault(f"the program {how}{': ' + why if why else ''}")
