"""The Policy: all of the configuration, checked, frozen, and able to decide."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from gateway.policy.audit import AuditSettings, MetricsSettings
from gateway.policy.classifier import Classifier
from gateway.policy.connection import Connection
from gateway.policy.console import ConsoleSettings
from gateway.policy.control import ControlSettings
from gateway.policy.divert import Divert
from gateway.policy.handshake import Handshake, HandshakeSettings
from gateway.policy.limits import Limits
from gateway.policy.problem import Problem
from gateway.policy.release import Release
from gateway.policy.rule import Rule
from gateway.policy.service import Action, Service
from gateway.policy.spool import SpoolSettings
from gateway.policy.tls import Tls
from gateway.policy.workers import Workers
from gateway.policy.zone import Zone


@frozen(eq=False)
class Policy:
    """
    The configuration as one object, handed down to whoever needs a part of it.

    C{rules} is in deciding order: of the rules that match a connection, the
    first one wins. L{gateway.policy.narrower} made that order and proved that it
    depends on nothing but what the rules say.

    A session keeps the policy that it started with.
    """

    divert: Divert = field(factory=Divert)
    limits: Limits = field(factory=Limits)
    audit: AuditSettings = field(factory=AuditSettings)
    metrics: MetricsSettings = field(factory=MetricsSettings)
    control: ControlSettings = field(factory=ControlSettings)
    console: ConsoleSettings = field(factory=ConsoleSettings)
    release: Release = field(factory=Release)
    handshake: HandshakeSettings = field(factory=HandshakeSettings)
    spool: SpoolSettings = field(factory=SpoolSettings)
    tls: Tls = field(factory=Tls)
    workers: Workers = field(factory=Workers)
    plugin_path: tuple[str, ...] = ()
    zones: Mapping[str, Zone] = field(factory=dict)
    services: Mapping[str, Service] = field(factory=dict)
    rules: tuple[Rule, ...] = ()
    files: Mapping[str, str] = field(factory=dict)
    """The SHA-256 of each file that settings name, as it was read."""
    warnings: tuple[Problem, ...] = ()
    """What is surely a mistake in it, and yet can be done."""
    classifier: Classifier = field(init=False, repr=False)

    @classifier.default
    def _classify(self) -> Classifier:
        return Classifier(self.rules)

    @property
    def interfaces(self) -> tuple[str, ...]:
        """
        The interfaces that rules name, sorted. Listener I{n + 1} (port
        C{divert.port + n + 1}) gets what comes in by interface I{n}, listener
        0 everything else, so that deciding again in user space knows the
        interface that the kernel decided by.
        """
        named: set[str] = set()
        for rule in self.rules:
            named |= rule.interfaces
        return tuple(sorted(named))

    @property
    def shakes_hands_through(self) -> bool:
        """Whether there is a service whose clients shake hands with their servers."""
        return any(
            service.handshake is Handshake.THROUGH and service.action is Action.INSPECT
            for service in self.services.values()
        )

    def decide(self, connection: Connection) -> Rule | None:
        """
        The rule that wins, or C{None}: the gateway is not concerned, and the
        kernel does with the connection what it would do without the gateway.
        """
        if (
            connection.interface is not None
            and self.divert.interfaces
            and connection.interface not in self.divert.interfaces
        ):
            return None
        return self.classifier.first(connection)
