"""What would become of commands: for the operator who asks before they are sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.interfaces import PROTOCOL, Denied
from protocols.ftp.command import Command
from protocols.ftp.rights import Refused, Rights
from protocols.ftp.settings import FtpSettings
from protocols.ftp.verbs import VERBS

Judged = tuple[str, str, str]

ROOT = b"/"
"""The directory that somebody is in after the login, as far as anybody knows."""


def judge(settings: FtpSettings, asks: Any) -> Iterable[Judged] | None:
    """What becomes of commands, one after the other; C{None} if none are asked about."""
    if not asks.commands:
        return None
    rights = Rights(settings)
    rights.directory = ROOT
    return [_judged(rights, line) for line in asks.commands]


def _judged(rights: Rights, line: str) -> Judged:
    try:
        command = Command.parse(line.encode())
        if command is None or command.verb not in VERBS:
            return line, "refused: no command of FTP that is known", ""
        rights.check(command)
    except Refused as refused:
        return line, f"refused, {refused.reply.code}: {refused.reason}", _setting(refused.by)
    except Denied as denied:
        return line, f"ends the session: {denied.reason}", _setting(denied.by)
    return line, "goes to the server", ""


def _setting(by: str) -> str:
    return "" if by == PROTOCOL else by
