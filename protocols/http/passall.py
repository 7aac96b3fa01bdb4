"""PassAll: the decisions of a service whose operator set no policy."""

from __future__ import annotations

from gateway.interfaces import Address
from protocols.http.decision import Page, Pass, Refuse
from protocols.http.message import Headers, Request, Response
from protocols.http.reply import plain_page


class PassAll:
    """Whatever is well-formed may pass."""

    def request(self, request: Request, server: Address, client: Address) -> Pass:
        """It may be asked."""
        return Pass(request)

    def response(self, response: Response) -> Pass:
        """It may be answered."""
        return Pass(response)

    def content(self, message: Request | Response, beginning: bytes) -> Refuse | None:
        """Nobody asked to see it."""
        return None

    def further_asked(self, headers: Headers) -> Headers:
        """All pass."""
        return headers

    def further_answered(self, headers: Headers) -> Headers:
        """All pass."""
        return headers

    def page(self, status: int, reason: str, request: Request | None, about: int = 0) -> Page:
        """A plain one."""
        return plain_page(status, reason)
