"""What all sessions share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import field, frozen
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime

from gateway.interfaces import Side
from gateway.observe.audit import Audit
from gateway.observe.metrics import Metrics
from gateway.policy.service import Service
from gateway.session.connector import Connector
from gateway.session.names import Names
from gateway.session.poller import Poller
from gateway.session.ticker import Ticker

Credentials = Callable[[Service, Side], Any]
"""
Gives what Twisted takes as a TLS context factory: for the CLIENT's side an
C{IOpenSSLServerConnectionCreator} or an old-style context factory, for the
SERVER's an C{IOpenSSLClientConnectionCreator}.
"""


Compute = Callable[[Callable[[], Any]], "Deferred[Any]"]
"""
Computes what takes long; see L{gateway.session.computing}. Unless somebody
brought threads, it is computed at once, and everything waits.
"""


class NoCredentials(Exception):
    """A session was asked to speak TLS, and nobody gave it certificates."""


def no_credentials(service: Service, side: Side) -> Any:
    """
    TLS is not configured.

    @raise NoCredentials: always.
    """
    raise NoCredentials(f"{service.name}: there are no TLS credentials for the {side.value}'s side")


@frozen(eq=False)
class Equipment:
    """
    The tools that every session works with, made once by the composition root.

    @ivar reactor: adds and removes descriptors.
    @ivar poller: the same, for the sockets of sessions.
    @ivar clock: wall-clock time, for records.
    """

    reactor: Any
    clock: IReactorTime
    ticker: Ticker
    connector: Connector
    audit: Audit
    metrics: Metrics
    poller: Poller
    listener_mark: int = 0
    upstream_mark: int = 0
    credentials: Credentials = no_credentials
    compute: Compute = maybeDeferred
    names: Names = field(factory=Names)
