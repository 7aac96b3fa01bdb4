"""
The Verbs: which commands there are, and what each may look like.

RFC 959 and 1123, and what was added: 775 (X…), 2228 and 4217 (security), 2389
(FEAT, OPTS), 2428 (EPRT, EPSV), 2640 (LANG), 3659 (MDTM, SIZE, MLST, MLSD),
7151 (HOST), draft-somers-ftp-mfxx (MFMT), and CLNT, which many clients send.
"""

from __future__ import annotations

import re
from enum import Enum

from attrs import frozen


class Access(Enum):
    """What a command does with the path in its argument, or with the server's files at all."""

    NONE = "none"
    READ = "read"
    WRITE = "write"

    __hash__ = object.__hash__


class Flow(Enum):
    """Which way a transfer goes."""

    DOWNLOAD = "download"
    LISTING = "listing"
    UPLOAD = "upload"

    __hash__ = object.__hash__


@frozen
class Verb:
    """
    One kind of command.

    @ivar argument: what may stand behind it; C{None}: nothing may.
    @ivar optional: whether there may be no argument.
    @ivar replies: first digits of the replies that may end it.
    @ivar early: whether it may come before the login.
    @ivar path: whether the argument is a path.
    @ivar flow: of a transfer.
    @ivar secret: whether the argument must not be written down.
    """

    argument: re.Pattern[bytes] | None = None
    optional: bool = False
    replies: str = "245"
    early: bool = False
    access: Access = Access.NONE
    path: bool = False
    flow: Flow | None = None
    secret: bool = False

    def fits(self, argument: bytes | None) -> bool:
        """Whether this may be its argument."""
        if argument is None:
            return self.argument is None or self.optional
        return self.argument is not None and self.argument.fullmatch(argument) is not None


def _any(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern, re.DOTALL | re.IGNORECASE)


_TEXT = _any(rb".+")
_NUMBER = _any(rb"[0-9]{1,18}")

_READ, _WRITE = Access.READ, Access.WRITE

VERBS: dict[str, Verb] = {
    # Who
    "USER": Verb(_TEXT, replies="2345", early=True),
    "PASS": Verb(_any(rb".*"), optional=True, replies="2345", early=True, secret=True),
    "ACCT": Verb(_TEXT, replies="2345", early=True, secret=True),
    "HOST": Verb(_any(rb"[A-Za-z0-9.:\[\]-]{1,255}"), early=True),
    "REIN": Verb(early=True),
    "QUIT": Verb(early=True),
    # What the two can do
    "FEAT": Verb(early=True),
    "OPTS": Verb(
        _any(rb"UTF-?8(?: (?:ON|OFF|NLST))?|(?:MLST|MLSD)(?: [A-Za-z0-9.;_-]*)?"), early=True
    ),
    "CLNT": Verb(_TEXT, early=True),
    "LANG": Verb(_any(rb"[A-Za-z0-9-]{1,40}"), optional=True, early=True),
    "SYST": Verb(early=True),
    "HELP": Verb(_any(rb"[A-Za-z ]{1,40}"), optional=True, early=True),
    "NOOP": Verb(early=True),
    # How. Types, structures and modes are those that leave the data as they are on the way.
    "TYPE": Verb(_any(rb"A(?: [NTC])?|I|L 8"), early=True),
    "STRU": Verb(_any(rb"F"), early=True),
    "MODE": Verb(_any(rb"S"), early=True),
    "PASV": Verb(),
    "EPSV": Verb(_any(rb"[12]|ALL"), optional=True),
    "PORT": Verb(_any(rb"[0-9,]{11,23}")),
    "EPRT": Verb(_any(rb"[!-~]{7,60}")),
    "REST": Verb(_any(rb"[0-9]{1,20}"), replies="345"),
    "ALLO": Verb(_any(rb"[0-9]{1,18}(?: R [0-9]{1,18})?")),
    "ABOR": Verb(),
    # Where
    "PWD": Verb(),
    "XPWD": Verb(),
    "CWD": Verb(_TEXT, path=True),
    "XCWD": Verb(_TEXT, path=True),
    "CDUP": Verb(),
    "XCUP": Verb(),
    # Reading
    "RETR": Verb(_TEXT, access=_READ, path=True, flow=Flow.DOWNLOAD),
    "LIST": Verb(_TEXT, optional=True, access=_READ, path=True, flow=Flow.LISTING),
    "NLST": Verb(_TEXT, optional=True, access=_READ, path=True, flow=Flow.LISTING),
    "MLSD": Verb(_TEXT, optional=True, access=_READ, path=True, flow=Flow.LISTING),
    "MLST": Verb(_TEXT, optional=True, access=_READ, path=True),
    "STAT": Verb(_TEXT, optional=True, access=_READ, path=True),
    "SIZE": Verb(_TEXT, access=_READ, path=True),
    "MDTM": Verb(_TEXT, access=_READ, path=True),
    # Writing
    "STOR": Verb(_TEXT, access=_WRITE, path=True, flow=Flow.UPLOAD),
    "STOU": Verb(_TEXT, optional=True, access=_WRITE, path=True, flow=Flow.UPLOAD),
    "APPE": Verb(_TEXT, access=_WRITE, path=True, flow=Flow.UPLOAD),
    "DELE": Verb(_TEXT, access=_WRITE, path=True),
    "RNFR": Verb(_TEXT, replies="345", access=_WRITE, path=True),
    "RNTO": Verb(_TEXT, access=_WRITE, path=True),
    "MKD": Verb(_TEXT, access=_WRITE, path=True),
    "XMKD": Verb(_TEXT, access=_WRITE, path=True),
    "RMD": Verb(_TEXT, access=_WRITE, path=True),
    "XRMD": Verb(_TEXT, access=_WRITE, path=True),
    "MFMT": Verb(_any(rb"[0-9]{14} .+"), access=_WRITE, path=True),
    "SITE": Verb(_TEXT, access=_WRITE),
}
"""Commands that are understood."""

SECURITY = frozenset({"AUTH", "ADAT", "PROT", "PBSZ", "CCC", "MIC", "CONF", "ENC"})
"""RFC 2228."""

SECURE = {
    "AUTH": Verb(_any(rb"TLS(?:-[CP])?|SSL"), early=True),
    "PBSZ": Verb(_any(rb"[0-9]{1,10}"), early=True),
    "PROT": Verb(_any(rb"[CSEP]"), early=True),
}
"""Of those, what can be let through (C{auth}): as RFC 4217 has it, and some before it."""

REFUSED = frozenset(
    {
        *SECURITY,
        *("LPRT", "LPSV"),  # RFC 1639: addresses of any kind
        *("SMNT", "MLFL", "MAIL", "MSND", "MSOM", "MSAM", "MRSQ", "MRCP"),
        *("XRSQ", "XRCP", "XSEM", "XSEN", "XCRC", "MDCA", "AVBL", "CSID", "MFCT", "MFF"),
        *("COMB", "DSIZ", "RMDA", "THMB", "SPSV", "OPEN"),
    }
)
"""Commands that FTP has, and that never pass."""

GREETING = Verb(replies="245")
"""What the server's first reply answers: that somebody connected."""
