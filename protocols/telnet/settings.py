"""What of Telnet is allowed."""

from __future__ import annotations

import re

from attrs import frozen

from gateway.inspector import option, pattern
from protocols.telnet.numbers import NAMES, Option


def read_options(names: frozenset[str]) -> frozenset[int]:
    """
    Read the names of options; numbers are names, too.

    @raise ValueError: there is no such option.
    """
    return frozenset(_number(name) for name in names)


def _number(name: str) -> int:
    if name.isdecimal() and int(name) <= 255:
        return int(name)
    if name not in NAMES:
        raise ValueError(f"there is no option {name!r}; there are: {', '.join(NAMES)}")
    return NAMES[name]


_USUAL = frozenset(
    (
        *(Option.BINARY, Option.ECHO, Option.SGA, Option.STATUS, Option.TIMING_MARK),
        *(Option.TTYPE, Option.EOR, Option.NAWS, Option.TSPEED, Option.LFLOW),
        *(Option.LINEMODE, Option.NEW_ENVIRON, Option.CHARSET),
    )
)


@frozen
class TelnetSettings:
    """Which options, and what may be said about them."""

    options: frozenset[int] = option(
        "Options that the two sides may agree on, by name or number. Others are answered by the "
        "gateway, which does not have them: WONT and DONT.",
        _USUAL,
        read=read_options,
    )
    variables: frozenset[str] = option(
        "Variables of the environment that may be told (RFC 1572). To tell another one is denied, "
        "and to ask for one: servers have asked clients for what is none of their business "
        "(CVE-2005-0488).",
        frozenset({"USER", "TERM", "LANG", "COLUMNS", "LINES", "ACCT", "JOB"}),
    )
    value: re.Pattern[str] = option(
        "What values of variables, names of terminals and displays may be: by default nothing that "
        "a server could take for an option of a program.",
        re.compile(r"(?:[A-Za-z0-9_.:/@][A-Za-z0-9_.:/@+-]{0,127})?"),
        read=pattern,
    )
    about_bytes: int = option(
        "The most that may be said about an option at once.",
        1024,
        unit="bytes",
        minimum=16,
        precedent="GNU inetutils' telnetd: 512",
    )
