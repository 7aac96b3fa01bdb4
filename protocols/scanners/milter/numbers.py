"""Commands, steps and actions, by the names that libmilter's mfdef.h and mfapi.h have for them."""

from __future__ import annotations

from enum import Enum, IntFlag

VERSION = 6
OLDEST = 2
"""Older filters don't work; it is libmilter's own choice (SMFI_PROT_VERSION_MIN)."""


class Command(Enum):
    """What a filter is told."""

    OPTNEG = b"O"
    MACRO = b"D"
    CONNECT = b"C"
    HELO = b"H"
    MAIL = b"M"
    RCPT = b"R"
    DATA = b"T"
    HEADER = b"L"
    EOH = b"N"
    BODY = b"B"
    BODYEOB = b"E"
    QUIT = b"Q"


class Reply(Enum):
    """What it answers; the first of them end a step."""

    CONTINUE = b"c"
    ACCEPT = b"a"
    REJECT = b"r"
    TEMPFAIL = b"t"
    DISCARD = b"d"
    REPLYCODE = b"y"
    SKIP = b"s"
    CONN_FAIL = b"f"
    SHUTDOWN = b"4"
    OPTNEG = b"O"
    PROGRESS = b"p"
    ADDRCPT = b"+"
    ADDRCPT_PAR = b"2"
    DELRCPT = b"-"
    CHGFROM = b"e"
    REPLBODY = b"b"
    ADDHEADER = b"h"
    CHGHEADER = b"m"
    INSHEADER = b"i"
    QUARANTINE = b"q"


class Step(IntFlag):
    """Steps that a filter does not want to be told (NO…), or will not answer (NR_…)."""

    NOCONNECT = 0x1
    NOHELO = 0x2
    NOMAIL = 0x4
    NORCPT = 0x8
    NOBODY = 0x10
    NOHDRS = 0x20
    NOEOH = 0x40
    NR_HDR = 0x80
    NOUNKNOWN = 0x100
    NODATA = 0x200
    SKIP = 0x400
    RCPT_REJ = 0x800
    NR_CONN = 0x1000
    NR_HELO = 0x2000
    NR_MAIL = 0x4000
    NR_RCPT = 0x8000
    NR_DATA = 0x10000
    NR_UNKN = 0x20000
    NR_EOH = 0x40000
    NR_BODY = 0x80000
    HDR_LEADSPC = 0x100000


ACTIONS = 0x1FF
"""
All that a filter may want to do. Nothing is held back: a filter that misses one of them closes
without a word. What can't be done is said when it is asked for.
"""

STEPS = 0x1FFFFF
"""All that a filter may leave out; likewise."""

OMITS: dict[Command, tuple[Step, Step]] = {
    Command.CONNECT: (Step.NOCONNECT, Step.NR_CONN),
    Command.HELO: (Step.NOHELO, Step.NR_HELO),
    Command.MAIL: (Step.NOMAIL, Step.NR_MAIL),
    Command.RCPT: (Step.NORCPT, Step.NR_RCPT),
    Command.DATA: (Step.NODATA, Step.NR_DATA),
    Command.HEADER: (Step.NOHDRS, Step.NR_HDR),
    Command.EOH: (Step.NOEOH, Step.NR_EOH),
    Command.BODY: (Step.NOBODY, Step.NR_BODY),
}
"""By which a filter leaves out a step, or its answer to it."""
