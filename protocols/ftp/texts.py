"""Texts: what the client gets to read of the server's replies."""

from __future__ import annotations

from protocols.ftp.exchange import GREETED
from protocols.ftp.reply import Reply
from protocols.ftp.rights import Rights
from protocols.ftp.settings import FtpSettings

# Where the text is the answer.
_TELLING = frozenset({211, 212, 213, 214, 215, 227, 229, 257})
_TELLING_VERBS = frozenset({"MLST", "HELP", "SITE", "STAT", "FEAT"})

_LOGIN = frozenset({"USER", "PASS", "ACCT"})


class Texts:
    """Texts of the operator's in place of the server's, or none at all."""

    def __init__(self, settings: FtpSettings, rights: Rights) -> None:
        self._settings = settings
        self._rights = rights

    def shown(self, verb: str, reply: Reply) -> Reply:
        """What the client gets for this reply to a command."""
        if verb == "FEAT" and reply.completed:
            return self._rights.features(reply)
        ours = self._ours(verb) if reply.completed else None
        if ours is not None:
            return _reply(reply.code, ours)
        return reply if self._kept(verb, reply) else reply.stripped()

    def greeting(self, text: str) -> Reply:
        """The gateway's own greeting, where there is no server yet."""
        return _reply(220, text if self._settings.banner is None else self._settings.banner)

    def _ours(self, verb: str) -> str | None:
        if verb == GREETED:
            return self._settings.banner
        return self._settings.welcome if verb in _LOGIN else None

    def _kept(self, verb: str, reply: Reply) -> bool:
        if self._settings.reply_texts == "keep" or reply.code in _TELLING:
            return True
        return verb in _TELLING_VERBS and reply.completed


def _reply(code: int, text: str) -> Reply:
    *before, last = text.splitlines() or [""]
    return Reply(code, last.encode("utf-8"), tuple(f" {line}".encode() for line in before))
