"""Refused: what a client reads of a message that may not pass, and what refused it."""

from __future__ import annotations

from protocols.mime.objection import Objection
from protocols.mime.unfit import Rejected, Unfit


def words(error: Objection | Unfit) -> str:
    """Of the message, as "It"."""
    if isinstance(error, Objection):
        return error.summary or "It has something that is not allowed here"
    if not isinstance(error, Rejected):
        return "It has lines that are not allowed here"
    if later(error):
        return "The message can't be examined now; try again later"
    return "It was refused by an examination"


def later(error: Exception) -> bool:
    """Whether it may be fetched again, and pass: it is no fault of the message."""
    return isinstance(error, Rejected) and error.later


def refused_by(error: Objection | Unfit) -> str:
    """See L{ISession.record<gateway.interfaces.ISession.record>}."""
    return "stack" if isinstance(error, Rejected) else error.by
