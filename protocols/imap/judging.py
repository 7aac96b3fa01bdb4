"""What would become of commands: for the operator who asks before they are sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.interfaces import PROTOCOL, Denied
from protocols.imap.command import begun
from protocols.imap.refusal import Refusal, bad
from protocols.imap.rights import Rights
from protocols.imap.settings import ImapSettings
from protocols.imap.standing import Standing
from protocols.imap.state import State
from protocols.imap.value import Malformed, Sentence

Judged = tuple[str, str, str]


def judge(settings: ImapSettings, asks: Any) -> Iterable[Judged] | None:
    """
    What becomes of commands without their tags, one after the other, in a mailbox that may be
    written to, or in one that they select; C{None} if none are asked about.
    """
    if not asks.commands:
        return None
    rights = Rights(settings, Standing(State.SELECTED))
    return [_judged(rights, settings, line) for line in asks.commands]


def _judged(rights: Rights, settings: ImapSettings, line: str) -> Judged:
    try:
        asked, passed = _checked(rights, settings, line)
    except Refusal as refused:
        code = f" [{refused.code}]" if refused.code else ""
        return line, f"refused, {refused.status}{code}: {refused.reason}", _setting(refused.by)
    except Denied as denied:
        return line, f"ends the session: {denied.reason}", _setting(denied.by)
    if asked != passed:
        return line, f"goes to the server as {passed}", "mailboxes"
    return line, "goes to the server", ""


def _checked(rights: Rights, settings: ImapSettings, line: str) -> tuple[str, str]:
    """
    The command's name, and the one with which it passes.

    @raise Refusal: it does not pass.
    """
    found = begun(b"a " + line.encode())
    if found is None:
        raise bad("That is no command")
    command, text = found
    rights.check_kind(command)
    sentence = Sentence(settings.depth, settings.values)
    try:
        sentence.words(text, most=len(text) + 1)
        command.values = sentence.end()
    except Malformed as error:
        raise bad("That is no command", str(error)) from None
    command.read(rights.standing.utf8)
    asked = command.name
    rights.check(command)
    if settings.examines and command.fetch is not None:
        command.fetch.examined()
    if asked in ("SELECT", "EXAMINE"):
        rights.standing.read_only = rights.only_read(command)
    return asked, command.name


def _setting(by: str) -> str:
    return "" if by == PROTOCOL else by
