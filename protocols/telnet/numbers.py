"""Numbers of Telnet, by their RFC names."""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """What follows IAC (RFC 854; RFC 885; RFC 1184, section 2.5)."""

    EOF = 236
    SUSP = 237
    ABORT = 238
    EOR = 239
    SE = 240
    NOP = 241
    DM = 242
    BRK = 243
    IP = 244
    AO = 245
    AYT = 246
    EC = 247
    EL = 248
    GA = 249
    SB = 250
    WILL = 251
    WONT = 252
    DO = 253
    DONT = 254
    IAC = 255


class Option(IntEnum):
    """What two sides may agree on (IANA, "Telnet Options")."""

    BINARY = 0
    ECHO = 1
    SGA = 3
    STATUS = 5
    TIMING_MARK = 6
    TTYPE = 24
    EOR = 25
    NAWS = 31
    TSPEED = 32
    LFLOW = 33
    LINEMODE = 34
    XDISPLOC = 35
    ENVIRON = 36
    AUTHENTICATION = 37
    ENCRYPT = 38
    NEW_ENVIRON = 39
    CHARSET = 42
    COM_PORT = 44
    START_TLS = 46


NAMES = {option.name.lower().replace("_", "-"): option for option in Option}
"""Options by the names that settings have for them."""

NEGOTIATION = frozenset({Code.WILL, Code.WONT, Code.DO, Code.DONT})
ALONE = frozenset(
    (
        *(Code.EOF, Code.SUSP, Code.ABORT, Code.EOR, Code.NOP, Code.DM, Code.BRK, Code.IP),
        *(Code.AO, Code.AYT, Code.EC, Code.EL, Code.GA),
    )
)
"""Commands that are complete by themselves."""
