"""
An Upgrade: client and server have agreed to go over to TLS, and both are looked into.

So it is with STARTTLS (RFC 3207), STLS (RFC 2595) and AUTH TLS (RFC 4217), and where
TLS is spoken from the first byte on by a protocol in which the server greets. The
client's hello comes first, since its name is the one that the server is told, and has
to have a certificate for; then the server's side, as in L{protocols.tls.inspector}.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from gateway.agreement import Agreed, Insecure, Invalid
from gateway.inspector import Reader
from gateway.interfaces import CLIENT, SERVER, ISession, Outcome, Unreachable
from protocols.tls.decision import Decision
from protocols.tls.encryption import Encryption
from protocols.tls.hello import ClientHello
from protocols.tls.ja4 import ja4
from protocols.tls.numbers import Alert
from protocols.tls.opening import opening
from protocols.tls.records import Limits
from protocols.tls.refusal import Refusal
from protocols.tls.story import Story

Reach = Callable[[], Awaitable[Any]]
"""Connects to the server."""

ALL = frozenset(Invalid)

SHOWN_AS_IT_IS = frozenset({Invalid.EXPIRED, Invalid.NAME})
"""Flaws that a client sees for itself, in a certificate with the true dates and names."""

_NOT_TEXT = re.compile("[^ -~]")
_WORDS = 300
"""Letters of a reason that a client hears."""


def words(reason: str) -> str:
    """
    A reason, to be a part of one line that a client hears. The server may have put anything into
    the names of its certificate, such as the end of a line.
    """
    return _NOT_TEXT.sub(" ", reason)[:_WORDS]


class Pair(NamedTuple):
    """What was agreed with both."""

    client: Agreed
    server: Agreed


class Unsafe(Exception):
    """
    The client speaks TLS, with a certificate that it believes, and there is no server for it: say
    why in the protocol's own words, and end.

    @ivar outcome: DENIED, if it was the policy that did not want the server.
    @ivar by: the setting, then.
    """

    def __init__(self, reason: str, outcome: Outcome = Outcome.FAILED, by: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.outcome = outcome
        self.by = by

    @property
    def words(self) -> bytes:
        """See L{words}."""
        return words(self.reason).encode("ascii")


class Unreached(Unsafe):
    """The server can't be reached."""


class Upgrade:
    """
    One session's way to TLS.

    @param place: the setting that has it so, for the record.
    @param alpn: the protocol's names (RFC 7301). A client that asks for others was led here by
        somebody who wants two protocols to be taken for each other (ALPACA), and is turned away.
    """

    def __init__(
        self, session: ISession, settings: Encryption, place: str, alpn: tuple[str, ...]
    ) -> None:
        self._session = session
        self._settings = settings
        self._place = place
        self._names = alpn

    async def agree(self, read: Reader, reach: Reach | None = None) -> Pair:
        """
        Agree with both.

        @param read: the client's; its next byte is TLS.
        @param reach: connects to the server, if that is not there yet.
        @raise Denied: the client does not speak TLS, or there is plaintext before it.
        @raise Unsafe: there is no server that is to be believed.
        @raise Insecure: the client does not agree. It has been recorded.
        """
        hello = await self._hello(read)
        story = Story(hello, ja4(hello), Decision("inspect", "", self._place))
        offered = self._offered(story)
        try:
            server = await self._server(story, offered, reach)
        except Unsafe as unsafe:
            story.trusted = True
            await self._client(story, read, offered[:1], hello.server_name)
            story.tell(self._session, unsafe.outcome, unsafe.reason, unsafe.by)
            raise
        chosen = (server.alpn,) if server.alpn else ()
        story.trusted = {flaw.kind for flaw in server.flaws} <= SHOWN_AS_IT_IS
        client = await self._client(story, read, chosen, like=server)
        story.tell(self._session, Outcome.PASSED)
        return Pair(client, server)

    async def _hello(self, read: Reader) -> ClientHello:
        seconds = self._settings.handshake_seconds
        reason = f"time limit: handshake_seconds = {seconds:g}"
        late = self._session.after(seconds, lambda: self._session.close(reason, Outcome.FAILED))
        hello = await opening(read, Limits())
        late.cancel()
        return hello

    def _offered(self, story: Story) -> tuple[str, ...]:
        """@raise Refusal: the client wants another protocol."""
        wanted = story.hello.alpn
        offered = tuple(name for name in self._names if name.encode("ascii") in wanted)
        if wanted and not offered:
            reason = "the client asks for another protocol in its TLS (ALPN)"
            story.tell(self._session, Outcome.DENIED, reason)
            raise Refusal(reason, Alert.NO_APPLICATION_PROTOCOL)
        return offered

    async def _server(self, story: Story, alpn: tuple[str, ...], reach: Reach | None) -> Agreed:
        """@raise Unsafe: there is none that is to be believed."""
        name = story.hello.server_name
        try:
            if reach is not None:
                await reach()
            agreed = story.server = await self._session.secure(
                SERVER,
                name=name,
                alpn=alpn,
                terms=self._settings.with_server(story.hello),
                accept=ALL,
            )
        except Unreachable as error:
            raise Unreached(f"server unreachable: {error}") from None
        except Insecure as error:
            story.alert = error.alert
            raise Unsafe(error.reason) from None
        # What a client wants that says no name, it alone knows; it sees the true names.
        own = {Invalid.NAME} if not name else set()
        flaws = [flaw for flaw in agreed.flaws if flaw.kind not in own]
        if flaws and self._settings.invalid == "deny":
            reason = f"the server's certificate: {flaws[0]}"
            raise Unsafe(reason, Outcome.DENIED, "tls.invalid")
        return agreed

    async def _client(
        self,
        story: Story,
        read: Reader,
        alpn: tuple[str, ...],
        name: str = "",
        like: Agreed | None = None,
    ) -> Agreed:
        try:
            story.client = await self._session.secure(
                CLIENT,
                read.take(read.unread),
                name=name,
                alpn=alpn,
                terms=self._settings.with_client(),
                like=like,
                trusted=story.trusted is not False,
            )
        except Insecure as error:
            story.alert = error.alert
            story.tell(self._session, Outcome.FAILED, error.reason)
            raise
        return story.client
