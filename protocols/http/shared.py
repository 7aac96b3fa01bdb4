"""Shared: what all sessions of one service know."""

from __future__ import annotations

from protocols.http.http1.tables import Tables
from protocols.http.names import Names
from protocols.http.policy.plans import plans_of
from protocols.http.policy.settings import HttpSettings


class Shared:
    """
    See L{IInspectorMaker.share}.

    @ivar names: which addresses host names have.
    @ivar plans: what the policy says of many messages at once, if it does.
    @ivar tables: what is known of plain messages; C{None}: there are none.
    """

    def __init__(self, settings: HttpSettings) -> None:
        self.names = Names(settings.names)
        self.plans = plans_of(settings)
        self.tables = None if self.plans is None else Tables(settings.limits, self.plans)
