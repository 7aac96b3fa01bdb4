"""Malformed: a peer's message is refused for what it is, whatever it asks for."""

from __future__ import annotations

from gateway.interfaces import PROTOCOL, Denied
from protocols.http.status import BAD_REQUEST


class Malformed(Denied):
    """
    A message that is no HTTP, or that two readers could understand differently.

    @ivar offset: of the offending bytes, from the beginning of the message; C{None} if
        it is not about a place.
    @ivar status: of the answer to the client. For what a server sent it is always 502.
    @ivar line: the first line of the message, if that could be read.
    """

    def __init__(
        self,
        reason: str,
        offset: int | None = None,
        status: int = BAD_REQUEST,
        line: str = "",
        by: str = PROTOCOL,
    ) -> None:
        super().__init__(reason, by=by)
        self.line = line
        self.offset = offset
        self.status = status
