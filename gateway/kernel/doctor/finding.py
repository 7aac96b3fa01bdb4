"""A Finding of the doctor: something about this host that matters to interception."""

from __future__ import annotations

from enum import Enum

from attrs import frozen


class Severity(Enum):
    """How bad it is. The value is the word that the operator is shown."""

    OK = "ok"
    WARNING = "warning"
    """It may be meant so, or could not be found out."""

    TROUBLE = "trouble"
    """Connections will not be intercepted, or will break."""

    __hash__ = object.__hash__


@frozen
class Finding:
    """
    What was looked at, what was found, and what mends it.

    C{mend} is a command for a shell of root, or what to write where; it is empty if
    all is well.
    """

    topic: str
    severity: Severity
    text: str
    mend: str = ""


def ok(topic: str, text: str) -> Finding:
    """All is well."""
    return Finding(topic, Severity.OK, text)


def warning(topic: str, text: str, mend: str = "") -> Finding:
    """Something to think about."""
    return Finding(topic, Severity.WARNING, text, mend)


def trouble(topic: str, text: str, mend: str) -> Finding:
    """Something to mend."""
    return Finding(topic, Severity.TROUBLE, text, mend)
