"""Judgement: what a scanner says of a body."""

from __future__ import annotations

from attrs import frozen

from gateway.envelope import Readdressed
from gateway.tools import ISpool


@frozen(kw_only=True)
class Judgement:
    """
    What a scanner says of a body.

    @ivar found: the names of what was found; if there are any, the body does not pass.
    @ivar refused: why it does not pass though nothing has a name.
    @ivar aside: under which name it was set aside; it does not pass then, and its sender is told
        that it was taken.
    @ivar scanner: who has judged, for the record: program, version, signatures.
    @ivar where: its address.
    @ivar words: the scanner's own, for the receiver; empty: it has none.
    @ivar instead: what passes in place of the body; C{None}: the body itself.
    @ivar to: the envelope that a mail gets; C{None}: it stays as it is.
    """

    found: tuple[str, ...] = ()
    refused: str = ""
    aside: str = ""
    scanner: str = ""
    where: str = ""
    words: str = ""
    instead: ISpool | None = None
    to: Readdressed | None = None

    @property
    def reason(self) -> str:
        """Why it does not pass; empty if it does."""
        return f"found: {', '.join(self.found)}" if self.found else self.refused
