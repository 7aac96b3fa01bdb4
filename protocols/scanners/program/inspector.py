"""ProgramInspector: bodies judged by a program of the operator's."""

from __future__ import annotations

from functools import partial
from math import ceil

from attrs import evolve, frozen

from gateway.inspector import option
from gateway.tools import ILine, ISpool, Ran, Run
from protocols.scanners.asked import asked
from protocols.scanners.fault import ScannerFault
from protocols.scanners.held import BLOCK
from protocols.scanners.judgement import Judgement
from protocols.scanners.program.answer import LONGEST, Answer, names, read_answer
from protocols.scanners.program.environment import environment, in_json
from protocols.scanners.program.talk import Talk
from protocols.scanners.scan import ScanInspector
from protocols.scanners.settings import ProcessSettings

CLEAN = 0
FOUND = 1

ROOM = 1048576
"""Bytes that it may write more than `body_bytes`."""


def read_command(words: tuple[str, ...]) -> tuple[str, ...]:
    """
    A command line, without a shell.

    @raise ValueError: it does not begin with an absolute path.
    """
    if not words or not words[0].startswith("/"):
        raise ValueError('the first word is no absolute path, such as "/usr/local/bin/scan"')
    return words


@frozen
class ProgramSettings(ProcessSettings):
    """The C{[program]} table."""

    command: tuple[str, ...] = option(
        "The program, by its absolute path, and its arguments; no shell reads them.",
        ("/usr/local/bin/tproxygw-scan",),
        precedent="clamscan's exit statuses are those that are understood",
        read=read_command,
    )
    changes: bool = option(
        "Whether it may change bodies: what follows its line of JSON passes in place of what came.",
        False,
    )
    stays: bool = option(
        "Whether it stays, and judges one body after the other: it says when it is ready, and is "
        "told of each body in a line of JSON.",
        False,
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
        if settings.stays:
            run = Run(settings.command, {}, settings.at_once, 0, settings.program_bytes)
            ask = partial(self._ask, in_json(told), body)
            return await asked(session.tools, run, settings.terms, ask, self.is_late)
        return await self._run(told, body)

    # Once for each body

    async def _run(self, told: dict[str, str], body: ISpool) -> Judgement:
        settings, tools = self.settings, self.session.tools
        seconds, memory = ceil(settings.scan_seconds), settings.program_bytes
        run = Run(settings.command, told, settings.at_once, seconds, memory, self._most)
        output = tools.spool(settings.memory_bytes) if settings.changes else None
        ran = await tools.run(run, body, output)
        begin = ran.said if output is None else output.read(0, LONGEST)
        answer = _answer(ran, begin)
        instead = None
        if output is not None:
            if answer.changed:
                instead = self._copied(output, begin.index(b"\n") + 1)
            output.close()
        return self._judgement(answer, instead, "")

    def _copied(self, output: ISpool, at: int) -> ISpool:
        """What is behind the line."""
        copy = self._room()
        while block := output.read(at, BLOCK):
            at += len(block)
            copy.put(block)
        return copy

    # One that stays

    async def _ask(self, told: dict[str, str], body: ISpool, line: ILine) -> Judgement:
        talk = Talk(line)
        if not line.uses:
            await talk.greet()
        answer = await talk.ask(told, body)
        instead = None
        if answer.changed:
            if answer.bytes is None or answer.bytes > self._most:
                raise ScannerFault("the program does not say how long the changed body is")
            instead = self._room()
            await talk.take(answer.bytes, instead)
        talk.leave(line.uses + 1 < self.settings.bodies)
        return self._judgement(answer, instead, str(line.notes.get("scanner", "")))

    # Either way

    @property
    def _most(self) -> int:
        """Bytes that it may write."""
        return self.settings.body_bytes + ROOM

    def _room(self) -> ISpool:
        room: ISpool = self.session.tools.spool(self.settings.memory_bytes)
        return room

    def _judgement(self, answer: Answer, instead: ISpool | None, scanner: str) -> Judgement:
        """@raise ScannerFault: it can't say, or may not do that."""
        if answer.error:
            raise ScannerFault(f"the program says: {answer.error}")
        if answer.changed and not self.settings.changes:
            raise ScannerFault("the program changes a body (changes = false)")
        path = self.settings.command[0]
        return Judgement(
            found=answer.found,
            refused=answer.refused,
            words=answer.words,
            scanner=answer.scanner or scanner or path.rpartition("/")[2],
            where=path,
            instead=None if answer.found or answer.refused else instead,
        )


def _answer(ran: Ran, begin: bytes) -> Answer:
    """
    What it has said, by its end or in a line of JSON.

    @param begin: of its standard output.
    @raise ScannerFault: it can't say.
    """
    if ran.status not in (CLEAN, FOUND):
        how = "was killed" if ran.status is None else f"ended with status {ran.status}"
        why = ran.complained.decode("utf-8", "replace").strip().partition("\n")[0]
        raise ScannerFault(f"the program {how}{': ' + why if why else ''}")
    if begin.startswith(b"{"):
        line, end, _ = begin.partition(b"\n")
        answer = read_answer(line)
        if answer.bytes is not None or (answer.changed and not end):
            raise ScannerFault("the program's changed body is what follows its line, if it says so")
    else:
        answer = Answer()
    if ran.status == CLEAN or answer.found or answer.refused:
        return answer
    lines = [] if begin.startswith(b"{") else begin.decode("utf-8", "replace").splitlines()
    return evolve(answer, found=names(list(lines)) or ("something without a name",), changed=False)
