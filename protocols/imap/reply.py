"""A Reply: what the server says of a command, or by itself (RFC 9051, section 7.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from attrs import evolve, frozen

_STATUS = re.compile(rb"(OK|NO|BAD|BYE|PREAUTH)(?: +(.*))?", re.DOTALL | re.IGNORECASE)
_CODE = re.compile(
    rb"\[([A-Za-z][A-Za-z0-9._-]{0,39})(?: ([^\]\x00-\x1f\x7f]*))?\] *(.*)", re.DOTALL
)
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_LITERAL = re.compile(rb"\{([0-9]+\+?)\}\Z")


def _code(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern, re.IGNORECASE)


_NOTHING = _code(rb"")
_NUMBER = _code(rb"[0-9]{1,19}")
_SET = rb"[0-9*:,]{1,65536}"
_FLAG = rb"\\?[!#-'*-\[\]-z|}~]+"
_FLAGS = _code(rb"\((?:" + _FLAG + rb"(?: " + _FLAG + rb")*)? ?\)")

CODES: Mapping[str, re.Pattern[bytes]] = {
    **dict.fromkeys(
        (
            *("ALERT", "ALREADYEXISTS", "AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "CANNOT"),
            *("CLIENTBUG", "CLOSED", "CONTACTADMIN", "CORRUPTION", "EXPIRED", "EXPUNGEISSUED"),
            *("HASCHILDREN", "INUSE", "LIMIT", "NOMODSEQ", "NONEXISTENT", "NOPERM", "NOTSAVED"),
            *("OVERQUOTA", "PARSE", "PRIVACYREQUIRED", "READ-ONLY", "READ-WRITE", "SERVERBUG"),
            *("TOOBIG", "TRYCREATE", "UIDNOTSTICKY", "UNAVAILABLE", "UNKNOWN-CTE", "USEATTR"),
        ),
        _NOTHING,
    ),
    **dict.fromkeys(("HIGHESTMODSEQ", "UIDNEXT", "UIDVALIDITY", "UNSEEN"), _NUMBER),
    "APPENDUID": _code(rb"[0-9]{1,10} " + _SET),
    "BADCHARSET": _code(rb"(?:\([A-Za-z0-9 \"._:+-]*\))?"),
    "CAPABILITY": _code(rb"[!-~ ]+"),
    "COPYUID": _code(rb"[0-9]{1,10} " + _SET + b" " + _SET),
    "INPROGRESS": _code(rb"(?:\([ -~]*\))?"),
    "MAILBOXID": _code(rb"\([A-Za-z0-9_-]{1,255}\)"),
    "METADATA": _code(rb"(?:LONGENTRIES|MAXSIZE) [0-9]{1,19}|TOOMANY|NOPRIVATE"),
    "MODIFIED": _code(_SET),
    "PERMANENTFLAGS": _FLAGS,
}
"""Those that are understood (IANA's registry), and what may follow them. Others are left out."""


@frozen
class Reply:
    """
    What a server says.

    @ivar status: C{OK}, C{NO}, C{BAD}, C{BYE} or C{PREAUTH}; C{+}: the client is to go on.
    @ivar code: what it says to programs, in capitals; empty: nothing.
    @ivar value: what follows the code.
    @ivar text: what it says to people.
    """

    status: str
    text: bytes = b""
    code: str = ""
    value: bytes = b""

    @property
    def positive(self) -> bool:
        """Whether the server did it."""
        return self.status == "OK"

    @property
    def goes_on(self) -> bool:
        """Whether it is no answer, but wants to hear more."""
        return self.status == "+"

    def written(self, tag: bytes = b"*") -> bytes:
        """As it is sent; C{tag} is that of the command."""
        value = b" " + self.value if self.value else b""
        code = b"[%s%s] " % (self.code.encode("ascii"), value) if self.code else b""
        if self.goes_on:
            return b"+ %s%s\r\n" % (code, self.text)
        return b"%s %s %s%s\r\n" % (tag, self.status.encode("ascii"), code, self.text or b"-")

    def saying(self, text: str) -> Reply:
        """The same with other words."""
        return evolve(self, text=plain(text.encode("utf-8", "replace")))

    @classmethod
    def parse(cls, line: bytes) -> Reply | None:
        """Read what follows the tag; C{None} if it is no such answer."""
        found = _STATUS.fullmatch(line)
        if found is None:
            return None
        return cls._said(found[1].decode("ascii").upper(), found[2] or b"")

    @classmethod
    def going_on(cls, text: bytes) -> Reply:
        """What follows the plus sign."""
        return cls._said("+", text)

    @classmethod
    def _said(cls, status: str, text: bytes) -> Reply:
        found = _CODE.fullmatch(text)
        if found is None:
            return cls(status, plain(text.removeprefix(b"[")))
        code, value, text = found[1].decode("ascii").upper(), found[2] or b"", plain(found[3])
        known = CODES.get(code)
        if known is None or not known.fullmatch(value):
            return cls(status, text)
        return cls(status, text, code, value)


def told(status: str, text: str, code: str = "") -> Reply:
    """An answer of the gateway's own."""
    return Reply(status, plain(text.encode("utf-8", "replace")), code)


def plain(text: bytes) -> bytes:
    """
    Without what drives a terminal, and without what looks like the announcement of a literal: many
    a client would take the lines that follow for it.
    """
    return _LITERAL.sub(rb"(\1)", _CONTROL.sub(b"?", text))
