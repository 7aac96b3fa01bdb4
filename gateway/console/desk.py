"""The Desk: what a request asks for, and who answers it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import deferLater

from gateway.console.asking import Asking
from gateway.console.door import Door, Visitor
from gateway.console.files import PageFiles
from gateway.console.followed import FollowingStream
from gateway.console.origin import check_host, check_page, check_written
from gateway.console.pulse import Pulse
from gateway.console.request import Refusing, Told, Visit, answer
from gateway.console.site import Exchange
from gateway.console.stream import Stream
from gateway.control.following import MOST, MOST_AND_OPERATORS
from gateway.control.question import Asker, Misasked
from gateway.observe.log import PrintableLogger

log = PrintableLogger()

Answering = Callable[[Exchange, Visitor], object]

LONGEST_TOKEN = 1024

MOST_REST = 2.0
"""Seconds that a question waits, however much was asked before."""


class Desk:
    """
    @param names: the names of this host; asked each time.
    """

    def __init__(
        self,
        clock: Any,
        door: Door,
        questions: Asking,
        pulse: Pulse,
        names: Callable[[], tuple[str, ...]],
    ) -> None:
        self._clock = clock
        self._door = door
        self._questions = questions
        self._pulse = pulse
        self._names = names
        self._files = PageFiles()
        self._table: Mapping[tuple[str, str], Answering] = {
            ("POST", "/api/logout"): self._logout,
            ("GET", "/api/me"): self._me,
            ("GET", "/api/now"): self._now,
            ("POST", "/api/ask"): self._ask,
            ("POST", "/api/follow"): self._follow,
        }

    def answer(self, exchange: Exchange) -> None:
        """Answer one request, now or later."""
        try:
            self._answer(exchange)
        except Refusing as refusing:
            exchange.tell(refusing.told)
        except Exception:
            log.failure("console: {path} could not be answered", path=exchange.visit.path[:200])
            exchange.tell(Refusing(500, "a bug; the traceback is in the gateway's log").told)

    def _answer(self, exchange: Exchange) -> None:
        visit = exchange.visit
        check_host(visit, self._names())
        file = self._files.find(visit.path)
        if file is not None:
            exchange.tell(self._files.give(visit, file))
            return
        check_page(visit)
        if visit.method == "POST":
            check_written(visit.headers)
        if (visit.method, visit.path) == ("POST", "/api/login"):
            told = self._login(visit)
            exchange.known()
            exchange.tell(told)
            return
        answering = self._table.get((visit.method, visit.path))
        if answering is None:
            raise Refusing(404, "there is nothing here")
        visitor = self._door.visitor(visit)
        exchange.known()
        answering(exchange, visitor)

    def _login(self, visit: Visit) -> Told:
        token = visit.object().get("token")
        if not isinstance(token, str) or not token.isascii() or len(token) > LONGEST_TOKEN:
            raise Refusing(400, "a token is a text")
        login, cookie = self._door.begin(visit, token.strip())
        told = answer({"name": login.name, "right": login.right.value, "key": login.key})
        return _with(told, {"Set-Cookie": cookie})

    def _logout(self, exchange: Exchange, visitor: Visitor) -> None:
        cookie = self._door.end(exchange.visit, visitor)
        exchange.tell(_with(answer({}), {"Set-Cookie": cookie}))

    def _me(self, exchange: Exchange, visitor: Visitor) -> None:
        exchange.tell(answer({"name": visitor.name, "right": visitor.right.value}))

    def _now(self, exchange: Exchange, visitor: Visitor) -> None:
        self._pulse.join(Stream(self._clock, exchange, partial(self._door.is_in, visitor)))

    def _ask(self, exchange: Exchange, visitor: Visitor) -> None:
        """Answer, but not more often than all answers may cost."""
        question, rest = exchange.visit.object(), min(self._questions.rest, MOST_REST)
        answered: Deferred[Any] = deferLater(self._clock, rest) if rest else succeed(None)
        answered.addCallback(lambda _: self._questions.ask(question, _asker(visitor)))
        answered.addCallback(lambda answered: exchange.tell(answer(answered)))
        answered.addErrback(lambda failure: log.failure("console: an answer was lost", failure))

    def _follow(self, exchange: Exchange, visitor: Visitor) -> None:
        wanted = exchange.visit.object()
        follower = FollowingStream()
        try:
            most = MOST_AND_OPERATORS if visitor.writes else MOST
            following = self._questions.follow(wanted, follower, most)
        except Misasked as error:
            raise Refusing(400, str(error)) from None
        stays = partial(self._door.is_in, visitor)
        follower.begin(following, Stream(self._clock, exchange, stays))


def _asker(visitor: Visitor) -> Asker:
    return Asker(f"{visitor.name} (console)", visitor.writes)


def _with(told: Told, headers: Mapping[str, str]) -> Told:
    return Told(told.status, told.kind, told.body, headers)
