"""
The Site: HTTP from the network's side, within limits.

One request at a time on a connection, of a bounded size, in a bounded time; so many connections.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from attrs import define
from cryptography import x509
from cryptography.x509.oid import NameOID
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.protocol import ServerFactory
from twisted.web.http import NOT_MODIFIED, HTTPChannel, Request

from gateway.console.request import HEADERS, Told, Visit

KEPT_SECONDS = 60.0
"""A connection may wait so long for its next request."""

TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Exchange(Protocol):
    """One request, and where its answer goes."""

    visit: Visit

    def known(self) -> None:
        """Who asks may come in."""

    def tell(self, told: Told) -> None:
        """The whole answer."""

    def begin(self, told: Told, producer: Any) -> None:
        """The beginning of one that goes on, by C{write}, until C{finish}."""

    def write(self, data: bytes) -> None:
        """More of it."""

    def finish(self) -> None:
        """It ends."""

    def abort(self) -> None:
        """It is broken off, with the connection."""

    def when_gone(self, call: Callable[[], object]) -> None:
        """Call when nobody is there any more to hear it, or it has ended."""


@define
class Bounds:
    """How much of everything; see L{ConsoleSettings<gateway.policy.console.ConsoleSettings>}."""

    clients: int
    request_bytes: int
    request_seconds: float


class ConsoleSite(ServerFactory):
    """
    Makes the channels.

    @param answer: answers one exchange, now or later.
    @ivar bounds: assign others when the policy changes.
    """

    noisy = False

    def __init__(self, reactor: Any, bounds: Bounds, answer: Callable[[Exchange], object]) -> None:
        self.reactor = reactor
        self.bounds = bounds
        self.answer = answer
        self.channels: dict[_Channel, None] = {}  # the oldest first

    def make_room(self) -> bool:
        """
        Whether there may be one more connection: if there are as many as may be, in place of the
        oldest of those that have not shown who they are. So strangers keep no operator out.
        """
        if len(self.channels) < self.bounds.clients:
            return True
        stranger = next((channel for channel in self.channels if not channel.known), None)
        if stranger is None:
            return False
        del self.channels[stranger]
        stranger.abort()
        return True

    def buildProtocol(self, addr: Any) -> Any:
        """One more connection."""
        channel: Any = _Channel()  # type: ignore[no-untyped-call]
        channel.factory = self
        channel.callLater = self.reactor.callLater
        self.channels[channel] = None
        return channel

    def log(self, request: object) -> None:
        """Twisted asks for a line for each access: who looks is no news."""

    def stop(self) -> None:
        """End all connections."""
        for channel in tuple(self.channels):
            channel.abort()


class _Exchange(Request):
    """Twisted's request, given to those who answer."""

    channel: Any
    content: Any

    def gotLength(self, length: int | None) -> None:
        """How long the body is. C{None}: it does not say, which no browser does."""
        super().gotLength(length)  # type: ignore[no-untyped-call]
        if length is None or length > self.channel.factory.bounds.request_bytes:
            self.channel.refuse(TOO_LARGE)

    def process(self) -> None:
        """The request is whole."""
        self.visit = self._visit()
        self.channel.factory.answer(self)

    def _visit(self) -> Visit:
        raw = self.requestHeaders.getAllRawHeaders()
        headers = {
            name.decode("latin-1").lower(): values[0].decode("latin-1")
            for name, values in raw
            if len(values) == 1
        }
        return Visit(
            self.method.decode("latin-1"),
            self.uri.decode("latin-1"),
            headers,
            self.content.read(),
            self.channel.getPeer().host,
            self.channel.getHost().host,
            self.channel.isSecure(),
            _names(self.channel.transport),
        )

    def tell(self, told: Told) -> None:
        """See L{Exchange}."""
        if self._disconnected:
            return
        if self.startedWriting:
            self.abort()
            return
        self._head(told)
        if told.status != NOT_MODIFIED:
            self.responseHeaders.setRawHeaders(b"Content-Length", [b"%d" % len(told.body)])
        if self.method != b"HEAD":
            self.write(told.body)  # type: ignore[no-untyped-call]
        self.finish()

    def known(self) -> None:
        """See L{Exchange}."""
        self.channel.known = True

    def begin(self, told: Told, producer: Any) -> None:
        """See L{Exchange}."""
        self._head(told)
        self.registerProducer(producer, True)  # type: ignore[no-untyped-call]
        self.write(told.body)  # type: ignore[no-untyped-call]

    def finish(self) -> None:
        """See L{Exchange}."""
        if self.producer:
            self.unregisterProducer()  # type: ignore[no-untyped-call]
        super().finish()  # type: ignore[no-untyped-call]

    def abort(self) -> None:
        """See L{Exchange}."""
        self.channel.abort()

    def when_gone(self, call: Callable[[], object]) -> None:
        """See L{Exchange}."""
        self.notifyFinish().addBoth(lambda _: call())

    def _head(self, told: Told) -> None:
        self.setResponseCode(told.status)
        for name, value in {**HEADERS, "Content-Type": told.kind, **told.headers}.items():
            self.responseHeaders.setRawHeaders(name.encode(), [value.encode()])


class _Channel(HTTPChannel):
    """A connection."""

    requestFactory = _Exchange
    factory: Any
    transport: Any
    _timer: Any = None
    _more = True
    _deaf = False
    known = False
    """Whether a visitor has come by it."""

    def connectionMade(self) -> None:
        """The time for its first request runs."""
        super().connectionMade()  # type: ignore[no-untyped-call]
        self._allow(self.factory.bounds.request_seconds)

    def dataReceived(self, data: bytes) -> None:
        """One request at a time: browsers don't send more, and the answers would pile up."""
        self._more = True
        if not self._deaf:
            super().dataReceived(data)  # type: ignore[no-untyped-call]

    def rawDataReceived(self, data: bytes) -> None:
        """A part of a request's body."""
        if not self._deaf:
            super().rawDataReceived(data)

    def allContentReceived(self) -> None:
        """A request is whole."""
        self._forget()
        if not self._more:
            self.abort()
            return
        self._more = False
        super().allContentReceived()  # type: ignore[no-untyped-call]

    def requestDone(self, request: Any) -> None:
        """It is answered: the time for the next one runs."""
        self._allow(KEPT_SECONDS)
        super().requestDone(request)  # type: ignore[no-untyped-call]

    def connectionLost(self, reason: Any = None) -> None:
        """It is over."""
        self._forget()
        self.factory.channels.pop(self, None)
        super().connectionLost(reason)  # type: ignore[no-untyped-call]

    def refuse(self, said: bytes) -> None:
        """Say this, and hear no more."""
        self._deaf = True
        self.transport.write(said)
        self.loseConnection()  # type: ignore[no-untyped-call]

    def abort(self) -> None:
        """End it, whatever is not sent yet."""
        self.transport.abortConnection()

    def _allow(self, seconds: float) -> None:
        self._forget()
        self._timer = self.callLater(seconds, self.abort)  # type: ignore[no-untyped-call]

    def _forget(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()


def _names(transport: Any) -> frozenset[str]:
    """The names in the peer's certificate, if it has shown one."""
    if not ISSLTransport.providedBy(transport):
        return frozenset()
    shown: Any = transport.getPeerCertificate()
    return frozenset() if shown is None else names_in(shown.to_cryptography())


def names_in(certificate: x509.Certificate) -> frozenset[str]:
    """Common name, mail addresses and DNS names."""
    common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    found = {str(each.value) for each in common}
    try:
        others = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset(found)
    for kind in (x509.RFC822Name, x509.DNSName):
        found.update(others.get_values_for_type(kind))
    return frozenset(found)
