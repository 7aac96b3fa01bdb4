"""
Download: a file that is held until it is judged, and the browser that waits for it.

After some seconds the browser gets a page (L{Progress}). The file then waits until the page asks
for it: on this very connection, once, and for some seconds. It stays where the stacked service
holds it, so that nothing is left of it when the session is over.
"""

from __future__ import annotations

from collections.abc import Callable
from hmac import compare_digest

from twisted.internet.defer import Deferred, succeed

from gateway.interfaces import CLIENT, ISession, ITimer
from protocols.http.body import Body
from protocols.http.http1.framing import of_request
from protocols.http.http1.pending import Pending
from protocols.http.malformed import Malformed
from protocols.http.message import Request
from protocols.http.progress import Progress
from protocols.http.settings import Stack
from protocols.http.transaction import Transaction

TELL_SECONDS = 2.0
"""Between two looks at how far it is."""

HELD = 1048576
"""Bytes that may have been let through before they are asked for: a scanner sends less at once."""


class Download:
    """
    One file.

    @ivar shown: the browser has the page, or some of it.
    @ivar waits: it has all of the page, which is to ask for the file.
    """

    def __init__(
        self,
        session: ISession,
        transaction: Transaction,
        progress: Progress,
        body: Body,
        pending: Pending,
        give_up: Callable[[str], None],
    ) -> None:
        """
        @param body: of the answer, as it comes.
        @param pending: in which its transaction is, alone.
        @param give_up: ends the session, as nobody asks for the file.
        """
        self.shown = self.waits = False
        self._session = session
        self._settings: Stack = session.settings.stack
        self._transaction = transaction
        self._progress = progress
        self._body = body
        self._pending = pending
        self._give_up = give_up
        self._held: list[bytes] = []
        self._size = 0
        self._asked: Deferred[None] | None = None
        self._timer: ITimer | None = session.after(self._settings.page_seconds, self._show)

    # For who sends the file

    def send(self, data: bytes) -> None:
        """
        What may pass of it.

        @raise Malformed: it is too much at once.
        """
        if not self.shown:
            self._stop()
        elif self._asked is None:
            self._end_page(self._progress.ready())
        if self.waits:
            self._hold(data)
        else:
            self._session.send(CLIENT, data)

    def flushed(self) -> Deferred[None]:
        """Fires when there is room for more of it."""
        if not self.waits:
            return self._session.flushed(CLIENT)
        return self._asking()

    async def delivered(self) -> None:
        """All of it may pass: wait until the browser has asked for it, if it has a page."""
        if self.waits:
            await self._asking()

    async def refused(self) -> bool:
        """
        Nothing of it may pass.

        @return: whether the browser is to be answered now: it has no page, or it asks for what the
            page says that is to be had.
        """
        if not self.shown:
            self._stop()
            return True
        if self._asked is not None:
            return False
        self._end_page(self._progress.refused())
        await self._asking()
        return True

    def broken(self) -> None:
        """There will be no more of it."""
        if self.shown and self._asked is None:
            self._session.send(CLIENT, self._progress.broken())
        if not self.waits:
            self._stop()

    # For who reads what the browser asks for

    def asks(self, request: Request) -> bool:
        """Whether that is what the page asks for."""
        first = self._transaction.request
        assert first is not None
        return (
            self.waits
            and request.method == "GET"
            and of_request(request).empty
            and (request.host, request.port) == (first.host, first.port)
            and compare_digest(request.target.text.encode(), self._progress.link.encode())
        )

    def fetch(self) -> None:
        """It has asked. That is the only time."""
        self.waits = False
        self._pending.spare = 0
        self._stop()
        held, self._held = self._held, []
        if held:
            self._session.send(CLIENT, b"".join(held))
        asked, self._asked = self._asked, succeed(None)
        assert asked is not None
        asked.callback(None)

    # How

    def _show(self) -> None:
        self.shown = self._transaction.answering = True
        self._transaction.paged = True
        self._session.send(CLIENT, self._progress.begin())
        self._tell()

    def _tell(self) -> None:
        self._session.send(CLIENT, self._progress.more(self._body.size))
        self._timer = self._session.after(TELL_SECONDS, self._tell)

    def _end_page(self, words: bytes) -> None:
        self._stop()
        self.waits = True
        self._asked = Deferred()
        self._session.send(CLIENT, words)
        self._timer = self._session.after(self._settings.page_wait_seconds, self._missed)
        self._session.after(0.0, self._listen)

    def _listen(self) -> None:
        """The browser may ask for more. Not at once: that may end the session."""
        if self.waits:
            self._pending.spare = 1
            self._pending.wake()

    def _missed(self) -> None:
        self._give_up("its page has not fetched it (stack.page_wait_seconds)")

    def _asking(self) -> Deferred[None]:
        assert self._asked is not None
        waiting: Deferred[None] = Deferred()
        self._asked.chainDeferred(waiting)
        return waiting

    def _hold(self, data: bytes) -> None:
        self._held.append(data)
        self._size += len(data)
        if self._size > HELD:
            raise Malformed("a stacked service lets more through than there is room for")

    def _stop(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
