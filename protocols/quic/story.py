"""The audit record of one client's QUIC connection."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from protocols.quic.flight import Flight
from protocols.tls.decision import Decision, Said


@frozen
class Story:
    """Which connection, what its client said, and what was decided."""

    flight: Flight
    said: Said
    decision: Decision

    @property
    def fields(self) -> dict[str, Any]:
        """What EVE has fields for. The version is hexadecimal, as Suricata's."""
        fields = {"version": f"{self.flight.first.version.number:x}", "ja4": self.said.ja4}
        return {**fields, "sni": self.said.name} if self.said.name else fields

    @property
    def own(self) -> dict[str, Any]:
        """What EVE has none for."""
        own: dict[str, Any] = {"mode": self.decision.mode, "rule": self.decision.place}
        return {**own, "client_alpns": list(self.said.alpn)} if self.said.alpn else own
