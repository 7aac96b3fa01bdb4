"""Shared: what all sessions of one service know."""

from __future__ import annotations

from protocols.http.names import Names
from protocols.http.policy.settings import HttpSettings


class Shared:
    """
    See L{IInspectorMaker.share}.

    @ivar names: which addresses host names have.
    """

    def __init__(self, settings: HttpSettings) -> None:
        self.names = Names(settings.names)
