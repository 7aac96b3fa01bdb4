"""What all DNS sessions of a service know from each other."""

from __future__ import annotations

from protocols.dns.decision import Decisions
from protocols.dns.private import Private
from protocols.dns.settings import DnsSettings
from protocols.dns.tunnel import Watch


class Shared:
    """
    What is remembered.

    @ivar watch: who has asked for how much.
    @ivar private: which addresses are private.
    @ivar decisions: what the policy says of a name.
    """

    def __init__(self, settings: DnsSettings) -> None:
        self.watch = Watch(settings.tunnel)
        self.private = Private(settings.rebinding.addresses)
        self.decisions = Decisions(settings)
