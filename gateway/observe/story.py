"""A Story is all that there is to tell of one session that runs."""

from __future__ import annotations

from typing import NamedTuple

from attrs import frozen

from gateway.agreement import Agreed
from gateway.interfaces import Address
from gateway.observe.identity import Released, Upstream
from gateway.observe.snapshot import Snapshot
from gateway.policy.policy import Policy


class Limit(NamedTuple):
    """A time limit that is running: the setting's name, its seconds, and how many are left."""

    name: str
    seconds: float
    left: float


@frozen
class LegStory:
    """
    One side of a session.

    @ivar peer: whose address it is there, C{own} ours; C{None}: there is nobody.
    @ivar received: bytes from the peer, as they were on the wire; C{sent} those to it.
    @ivar waiting: bytes that it does not take yet.
    @ivar reasons: why it is not read, in words; none: it is.
    @ivar ended: it will say no more.
    @ivar tls: what was agreed on with it; C{None}: it speaks no TLS.
    """

    peer: Address | None = None
    own: Address | None = None
    received: int = 0
    sent: int = 0
    waiting: int = 0
    reasons: tuple[str, ...] = ()
    ended: bool = False
    tls: Agreed | None = None


@frozen
class Story:
    """
    @ivar policy: that it started with.
    @ivar client: its client's leg, C{server} its server's.
    @ivar inspector: the present one's class, and C{about}, what that says of itself.
    @ivar limits: the time limits that are running.
    @ivar denied: transactions that did not pass.
    @ivar announced: how many connections that it announced are there, or expected.
    @ivar released: where it passes, if nothing is left to inspect.
    @ivar verdict: if it is known, and only last words are on their way.
    """

    snapshot: Snapshot
    policy: Policy
    client: LegStory = LegStory()
    server: LegStory = LegStory()
    upstream: Upstream | None = None
    inspector: type | None = None
    about: str = ""
    limits: tuple[Limit, ...] = ()
    denied: int = 0
    announced: int = 0
    released: Released | None = None
    verdict: str = ""
