"""
The inspector of QUIC: it reads what a client says first, and lets the connection
pass, or refuses it.

One port of a client may have several connections with one server: by a Retry, by
another version, or since the client wants it so. Each Initial packet belongs to a
flight whose hello the policy has allowed; what is in the same datagram passes with
it. Packets with short headers are of connections that began so, and nobody but the
two ends can read them.
"""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn

from twisted.internet.defer import Deferred
from zope.interface import implementer

from gateway.agreement import Insecure
from gateway.interfaces import (
    CLIENT,
    SERVER,
    Denied,
    IDatagramInspector,
    IDatagramSession,
    ITimer,
    Outcome,
    Side,
    Unreachable,
    Verdict,
)
from protocols.quic.close import close_packet
from protocols.quic.flight import Flight, Limits
from protocols.quic.packet import SMALLEST, Kind, Packet, is_long, packets
from protocols.quic.settings import QuicSettings
from protocols.quic.story import Story
from protocols.tls.decision import Decision, Said
from protocols.tls.hello import ClientHello
from protocols.tls.ja4 import ja4
from protocols.tls.numbers import Alert
from protocols.tls.refusal import Refusal
from protocols.tls.shared import Shared

MOST_FLIGHTS = 8
"""Connections that begin on one port of a client. A Retry, or another version, makes one more."""


def decide(settings: QuicSettings, said: Said) -> Decision:
    """What becomes of a connection."""
    for rule in settings.rule:
        if rule.matches(*said):
            return Decision(rule.mode, "", rule.place or "quic.rule", rule.check_name)
    if not said.name:
        return Decision(settings.without_name, "", "quic.without_name")
    return Decision(settings.mode, "", "quic.mode")


@implementer(IDatagramInspector)
class QuicInspector:
    """The QUIC connections between one port of a client and one of a server."""

    Settings: ClassVar[type] = QuicSettings
    Shared: ClassVar[type] = Shared

    def __init__(self, session: IDatagramSession) -> None:
        self.session = session
        self._settings: QuicSettings = session.settings
        self._shared: Shared = session.shared
        self._limits = Limits(self._settings.hello_bytes, self._settings.hello_packets)
        self._flights: list[Flight] = []
        self._allowed: set[int] = set()
        self._kept: list[bytes] = []
        self._timer: ITimer | None = None
        self._over = False

    @staticmethod
    def foretell(settings: QuicSettings, connection: Any, said: Any) -> tuple[str, str, str]:
        """
        What would become of a connection, for C{tproxygw explain}; see
        L{gateway.policy.foretelling}.
        """
        client, server = connection.source.host, connection.destination.host
        decision = decide(settings, Said(said.sni.lower(), said.alpn, "", client, server))
        return decision.mode, "", decision.place

    def started(self) -> None:
        """Nothing is connected before the client has said what it wants."""
        self._timer = self.session.after(self._settings.hello_seconds, self._slow)

    def _slow(self) -> None:
        seconds = self._settings.hello_seconds
        self.session.close(f"time limit: hello_seconds = {seconds:g}", Outcome.FAILED)

    def closed(self, verdict: Verdict) -> None:
        """What is being judged does not matter any more."""
        self._over = True

    def received(self, side: Side, datagram: bytes) -> Deferred[None] | None:
        """Look at what makes connections. Everything else is of one that was made."""
        if side is SERVER:
            self.session.send(CLIENT, datagram)
        elif is_long(datagram):
            return self._look(datagram)
        elif self._allowed:
            self.session.send(SERVER, datagram)
        else:
            raise Denied("a QUIC connection that did not begin here")
        return None

    def _look(self, datagram: bytes) -> Deferred[None] | None:
        """A connection is being made."""
        try:
            fresh, understood = self._read(datagram)
        except Refusal as refusal:
            raise self._turned_away(refusal.reason, refusal.alert) from None
        if understood and len(self._kept) < self._settings.hello_packets:
            self._kept.append(understood)
        if not fresh:
            self._go_on()
            return None
        return Deferred.fromCoroutine(self._judge(fresh))

    def _read(self, datagram: bytes) -> tuple[list[Flight], bytes]:
        """
        The flights whose hello has become whole, and the datagram without what nobody can open.

        @raise Refusal: this is not what a client sends.
        """
        fresh, understood, size = [], [], len(datagram)
        for packet in packets(datagram):
            datagram = datagram[len(packet.data) :]
            if packet.kind is Kind.INITIAL:
                if size < SMALLEST:
                    raise Refusal(f"a QUIC Initial packet in {size} bytes")
                known = {flight for flight in self._flights if flight.hello is not None}
                flight = self._flight(packet)
                if flight is None:
                    continue
                if flight.hello is not None and flight not in known:
                    fresh.append(flight)
            elif not self._flights:
                raise Refusal(f"a QUIC {packet.kind.value} packet before any Initial one")
            understood.append(packet.data)
        return fresh, b"".join(understood) + datagram

    def _flight(self, packet: Packet) -> Flight | None:
        """
        The flight that an Initial packet belongs to: one of those that there are, or a new one.
        C{None} for a packet that has not the keys of any: a server would not read it (RFC 9001,
        section 5.2).
        """
        for flight in self._flights:
            if flight.takes(packet):
                return flight
        flight = Flight(packet, self._limits)
        self._flights.append(flight)
        if not flight.takes(packet):
            self._flights.pop()
            if not self._flights:
                raise Refusal("a QUIC Initial packet that can't be opened")
            return None
        if len(self._flights) > MOST_FLIGHTS:
            raise Refusal(f"more than {MOST_FLIGHTS} QUIC connections begin on one port")
        return flight

    async def _judge(self, flights: list[Flight]) -> None:
        for flight in flights:
            if self._over:  # nobody would be told of a probe, nor those who wait for the same one
                return
            assert flight.hello is not None
            await self._allow(flight, flight.hello)
            self._allowed.add(id(flight))
        self._go_on()

    def _go_on(self) -> None:
        """Send what was kept, if all that has begun is allowed."""
        if len(self._allowed) < len(self._flights):
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self.session.connect()
        kept, self._kept = self._kept, []
        for datagram in kept:
            self.session.send(SERVER, datagram)

    async def _allow(self, flight: Flight, hello: ClientHello) -> None:
        """
        Let a connection be.

        @raise Denied: the policy does not have it.
        """
        session = self.session
        alpn = tuple(name.decode("latin-1") for name in hello.alpn)
        where = session.client.host, session.server.host
        said = Said(hello.server_name, alpn, ja4(hello, "q"), *where)
        decision = decide(self._settings, said)
        story = Story(flight, said, decision)
        if decision.mode == "refuse":
            who = hello.server_name or hello.address or "a client that says no name"
            self._deny(story, f"{who} is refused")
        if decision.check_name:
            flaw = await self._flaw(said.name)
            if flaw:
                self._deny(story, flaw)
        self._record(story, Outcome.PASSED)

    async def _flaw(self, name: str) -> str:
        """What is wrong with the server's certificate; empty if it proves the name."""
        try:
            agreed = await self._shared.probe(self.session, name, ())
        except (Insecure, Unreachable) as error:
            return f"the server could not be asked for its certificate by TCP: {error}"
        return f"the server's certificate: {agreed.flaws[0]}" if agreed.flaws else ""

    def _deny(self, story: Story, reason: str) -> NoReturn:
        """Turn the client away. It is recorded once, however often it tries."""
        key = (self.session.client.host, story.said.name, reason)
        if self._shared.refused.get(key, self.session.now) is None:
            self._shared.refused.put(key, True, self.session.now)
            self._record(story, Outcome.DENIED, reason)
        raise self._turned_away(reason, Alert.ACCESS_DENIED, story.flight)

    def _turned_away(self, reason: str, alert: Alert, flight: Flight | None = None) -> Denied:
        """The client is told so by QUIC, if it has begun to speak it."""
        flight = flight or (self._flights[-1] if self._flights else None)
        reply = b"" if flight is None else close_packet(flight.first, alert, reason)
        return Denied(reason, reply)

    def _record(self, story: Story, outcome: Outcome, reason: str = "") -> None:
        own = {"verdict": outcome.value, "quic": story.own}
        if reason:
            own["reason"] = reason
        by = story.decision.place if reason else ""
        self.session.record("quic", own, by, **story.fields)
