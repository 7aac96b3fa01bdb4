"""Judgement: what a scanner says of a body."""

from __future__ import annotations

from attrs import frozen

from gateway.tools import ISpool


@frozen
class Judgement:
    """
    What a scanner says of a body.

    @ivar found: the names of what was found; if there are any, the body does not pass.
    @ivar scanner: who has judged, for the record: program, version, signatures.
    @ivar where: its address.
    @ivar words: the scanner's own, for the receiver; empty: it has none.
    @ivar instead: what passes in place of the body; L{None}: the body itself.
    """

    found: tuple[str, ...] = ()
    scanner: str = ""
    where: str = ""
    words: str = ""
    instead: ISpool | None = None
