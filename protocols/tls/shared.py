"""What all TLS, or QUIC, sessions of a service know from each other."""

from __future__ import annotations

from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from gateway.agreement import Agreed
from gateway.interfaces import IDatagramSession, ISession
from protocols.tls.recent import Recent

HOUR = 3600.0

TRIES_SECONDS = 10.0
"""Browsers try up to eight times, within a second or two, what they were refused once."""

MOST = 10_000

_Server = tuple[str, int, str]
"""Address, port, and the name that was asked for."""


class Remembering(Protocol):
    """Settings that say how long something is remembered."""

    @property
    def probe_seconds(self) -> float:
        """What certificate a server has."""


class Shared:
    """
    What is remembered.

    @ivar asking: servers that ask for their clients' certificates.
    @ivar refused: clients that were refused a name, and were recorded.
    """

    def __init__(self, settings: Remembering) -> None:
        self.asking: Recent[bool] = Recent(HOUR, MOST)
        self.refused: Recent[bool] = Recent(TRIES_SECONDS, MOST)
        self._probed: Recent[Agreed] = Recent(settings.probe_seconds, MOST)
        self._asked: dict[_Server, list[Deferred[Agreed]]] = {}

    def probe(
        self, session: ISession | IDatagramSession, name: str, alpn: tuple[str, ...]
    ) -> Deferred[Agreed]:
        """
        What a server says of itself: remembered, or asked by one of those who want to know.

        @return: fires with it, or fails with L{Unreachable} or L{Insecure}.
        """
        server = (*session.server, name)
        answer: Deferred[Agreed] = Deferred()
        known = self._probed.get(server, session.now)
        if known is not None:
            answer.callback(known)
        elif server in self._asked:
            self._asked[server].append(answer)
        else:
            self._asked[server] = [answer]
            asked = session.probe(name=name, alpn=alpn)
            asked.addCallback(self._answered, server, session.now)
            asked.addErrback(self._failed, server)
        return answer

    def _answered(self, agreed: Agreed, server: _Server, now: float) -> None:
        self._probed.put(server, agreed, now)
        for answer in self._asked.pop(server):
            answer.callback(agreed)

    def _failed(self, failure: Failure, server: _Server) -> None:
        for answer in self._asked.pop(server, ()):
            answer.errback(failure)
