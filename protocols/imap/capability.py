"""Capabilities: what a client may hear that the server can (RFC 9051, section 7.2.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from protocols.imap.settings import ImapSettings

_NAME = re.compile(rb"[!#-$&'*-\[\]-z|}~]{1,100}")

_NEEDS: Mapping[str, tuple[str, ...]] = {
    "IMAP4REV2": ("ENABLE", "IDLE", "NAMESPACE", "UNSELECT", "MOVE", "STATUS", "LIST"),
    "ACL": ("GETACL",),
    "AUTH": ("AUTHENTICATE",),
    "CREATE-SPECIAL-USE": ("CREATE",),
    "ENABLE": ("ENABLE",),
    "ID": ("ID",),
    "IDLE": ("IDLE",),
    "METADATA": ("GETMETADATA",),
    "MOVE": ("MOVE",),
    "NAMESPACE": ("NAMESPACE",),
    "QUOTA": ("GETQUOTA",),
    "SASL-IR": ("AUTHENTICATE",),
    "SORT": ("SORT",),
    "THREAD": ("THREAD",),
    "UNSELECT": ("UNSELECT",),
}
"""What of these is refused takes the capability with it."""

_UNEXAMINED = frozenset({"BINARY", "IMAP4REV2", "PREVIEW", "PREVIEW=FUZZY"})
"""By which bodies come in ways that are not examined."""

_LOGIN = frozenset({"AUTH", "SASL-IR"})


def named(words: Iterable[bytes]) -> list[str]:
    """Capabilities, in capitals; what can't be one is left out."""
    return [word.decode("ascii").upper() for word in words if _NAME.fullmatch(word)]


class Filter:
    """
    What is told of a server's.

    @ivar secured: TLS is spoken.
    """

    def __init__(self, settings: ImapSettings) -> None:
        self._settings = settings
        self.secured = False

    def shown(self, words: Iterable[bytes]) -> bytes:
        """Those that the client hears of."""
        kept = [word for word in words if _NAME.fullmatch(word) and self.has(word)]
        forbidden = self.forbids_login or self._settings.commands.get("LOGIN", "pass") != "pass"
        if forbidden and b"LOGINDISABLED" not in kept:
            kept.append(b"LOGINDISABLED")
        return b" ".join(kept)

    @property
    def forbids_login(self) -> bool:
        """Whether a login waits for TLS."""
        return self._settings.starttls == "require" and not self.secured

    def has(self, word: bytes) -> bool:
        """Whether the client may hear of one, and use it."""
        settings = self._settings
        name = word.decode("ascii").upper()
        family, equals, value = name.partition("=")
        if not {name, family + equals} & settings.capabilities:
            return False
        if name == "STARTTLS":
            return settings.speaks_tls and not self.secured
        if family in _LOGIN and self.forbids_login:
            return False
        if family == "AUTH" and value not in settings.mechanisms:
            return False
        if settings.examines and name in _UNEXAMINED:
            return False
        needed = _NEEDS.get(name, _NEEDS.get(family, ()))
        return all(settings.commands.get(each, "pass") == "pass" for each in needed)
