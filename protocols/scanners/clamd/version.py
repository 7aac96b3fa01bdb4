"""Version: which program, and which signatures, have judged."""

from __future__ import annotations

import re

from attrs import frozen

_VERSION = re.compile(r"ClamAV ([^/]{1,60})(?:/([0-9]{1,9})(?:/(.{1,60}))?)?")


@frozen
class Version:
    """
    What VERSION answers: C{ClamAV 1.4.6/27456/Sun Nov 29 08:30:04 2026}.

    @ivar signatures: the number of the daily database; empty without one.
    @ivar date: when that was made, as the daemon writes it.
    """

    program: str
    signatures: str = ""
    date: str = ""

    def __str__(self) -> str:
        return "/".join(filter(None, (f"ClamAV {self.program}", self.signatures, self.date)))


def version(text: str) -> Version | None:
    """What a reply of L{Said.OTHER<protocols.scanners.clamd.reply.Said>} says; or nothing of it."""
    found = _VERSION.fullmatch(text)
    return None if found is None else Version(*(each or "" for each in found.groups()))
