"""What all sessions share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from time import time
from typing import Any

from attrs import Factory, field, frozen
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime

from gateway.counts import Counts, OwnCounts
from gateway.kernel import sockets
from gateway.observe.audit import Audit
from gateway.observe.metrics import Metrics
from gateway.policy.policy import Policy
from gateway.policy.spool import SpoolSettings
from gateway.policy.tls import Tls
from gateway.release.passage import NO_PASSAGES, NoPassages
from gateway.release.passages import Passages
from gateway.scanning.tools import Room, room
from gateway.session.heed import Heed
from gateway.session.senders import Senders
from gateway.session.ticker import Ticker
from gateway.tls.credentials import Credentials
from gateway.tls.system import system_roots
from gateway.wire.connector import Connector
from gateway.wire.names import Names
from gateway.wire.poller import Poller
from gateway.wire.sockets import Sockets
from gateway.wire.turns import Turns

Compute = Callable[[Callable[[], Any]], "Deferred[Any]"]
"""
Computes what takes long; see L{gateway.session.computing}. Unless somebody
brought threads, it is computed at once, and everything waits.
"""


def no_credentials(policy: Policy) -> Credentials:
    """With defaults, and without a root: servers can be talked to, clients can't."""
    return Credentials(Tls(), system_roots(), None, time)


def _numbers(equipment: Equipment) -> Iterator[int]:
    """Unique in this process, nearly so among restarts, and exact as a JavaScript number."""
    return count(int(equipment.clock.seconds()) << 20)


def _senders(equipment: Equipment) -> Senders:
    return Senders(equipment.listener_mark)


def _heed(equipment: Equipment) -> Heed:
    return Heed(equipment.clock)


def _room(equipment: Equipment) -> Room:
    return room(equipment.reactor, SpoolSettings(), equipment.metrics.scans)


@frozen(eq=False)
class Equipment:
    """
    The tools that every session works with, made once by the composition root.

    @ivar reactor: adds and removes descriptors.
    @ivar poller: the same, for the sockets of sessions.
    @ivar clock: wall-clock time, for records.
    @ivar credentials: what the sessions of a policy need to speak TLS.
    @ivar turns: in which clients' handshakes are made.
    @ivar counts: what is limited, also by other workers.
    @ivar numbers: the ids of sessions.
    @ivar alone: whether no other worker accepts connections.
    @ivar sockets: what makes sockets.
    @ivar room: what those who judge bodies work with.
    @ivar passages: the kernel's, for sessions of which nothing is left to inspect.
    @ivar heed: looks at what inspectors did with Deferreds that had fired.
    @ivar senders: the sockets of what is answered to clients that have none of their own.
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
    credentials: Callable[[Policy], Credentials] = no_credentials
    turns: Turns = field(factory=lambda: Turns(Tls().handshakes_per_client))
    compute: Compute = maybeDeferred
    names: Names = field(factory=Names)
    counts: Counts = field(factory=OwnCounts)
    numbers: Iterator[int] = field(default=Factory(_numbers, takes_self=True))
    alone: bool = True
    sockets: Sockets = sockets
    room: Room = field(default=Factory(_room, takes_self=True))
    passages: Passages | NoPassages = NO_PASSAGES
    senders: Senders = field(default=Factory(_senders, takes_self=True))
    heed: Heed = field(default=Factory(_heed, takes_self=True))
