"""YaraInspector: bodies matched against rules."""

from __future__ import annotations

import json
import sys
from functools import partial
from hashlib import sha256
from math import ceil
from pathlib import Path

from attrs import frozen

from gateway.inspector import option
from gateway.tools import ILine, ISpool, Run
from protocols.scanners.asked import asked
from protocols.scanners.fault import ScannerFault
from protocols.scanners.judgement import Judgement
from protocols.scanners.program.talk import Talk
from protocols.scanners.scan import ScanInspector
from protocols.scanners.settings import ProcessSettings
from protocols.scanners.yara.rules import Rules, read_rules

WHERE = "yara"
"""In records, metrics and the log, as a daemon's address is."""

MATCHER = str(Path(__file__).with_name("matcher.py"))


@frozen(kw_only=True)
class YaraSettings(ProcessSettings):
    """The C{[yara]} table."""

    rules: tuple[Rules, ...] = option(
        'Files of rules, such as "yara/own.yar"; "yara/" is all files of that folder. Rules of '
        "one file don't know those of another one; `include` means nothing.",
        file=read_rules,
    )

    def __attrs_post_init__(self) -> None:
        """
        Whether there is something to be matched.

        @raise ValueError: there is not.
        """
        if not self.rules:
            raise ValueError('"rules" is empty: nothing would ever be found')


class Matchers:
    """
    What all sessions of a service share.

    @ivar run: the program.
    @ivar begin: what it is told first.
    """

    def __init__(self, settings: YaraSettings) -> None:
        rules = [[each.name, each.text] for each in settings.rules]
        told = {"rules": rules, "seconds": ceil(settings.scan_seconds)}
        self.begin = json.dumps(told).encode() + b"\n"
        # with other rules, it is another program
        command = (sys.executable, "-I", MATCHER, sha256(self.begin).hexdigest())
        at_once, memory = settings.at_once, settings.program_bytes
        self.run = Run(command, {}, at_once, 0, memory, name=WHERE)


class YaraInspector(ScanInspector):
    """One body."""

    Settings = YaraSettings
    Shared = Matchers
    settings: YaraSettings

    async def judge(self, body: ISpool) -> Judgement:
        """See L{ScanInspector.judge}."""
        session, matchers = self.session, self._matchers
        ask = partial(self._ask, body)
        return await asked(session.tools, matchers.run, self.settings.terms, ask, self.is_late)

    async def _ask(self, body: ISpool, line: ILine) -> Judgement:
        talk = Talk(line)
        if not line.uses:
            line.send(self._matchers.begin)
            await talk.greet()
        answer = await talk.ask({}, body)
        if answer.error or answer.changed:
            raise ScannerFault(answer.error or "the matcher changes a body")
        talk.leave(line.uses + 1 < self.settings.bodies)
        scanner = str(line.notes.get("scanner", ""))
        return Judgement(found=answer.found, scanner=scanner, where=WHERE)

    @property
    def _matchers(self) -> Matchers:
        matchers: Matchers = self.session.shared
        return matchers
