"""Known: what client and server know of each other since EHLO."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import define, field


@define
class Known:
    """
    What was said when the session began, and is forgotten when TLS begins (RFC 3207, section 4.2).

    @ivar helo: what the client calls itself; empty before EHLO.
    @ivar extended: it said EHLO, not HELO.
    @ivar has: the extensions that the server has, as far as they are understood.
    @ivar offered: those that the client heard of.
    @ivar authenticated: it logged in.
    """

    helo: str = ""
    extended: bool = False
    has: Mapping[str, str] = field(factory=dict)
    offered: Mapping[str, str] = field(factory=dict)
    authenticated: bool = False

    def still(self, has: Mapping[str, str]) -> Mapping[str, str]:
        """What of the offer still holds with a server that has these."""
        return {name: value for name, value in self.offered.items() if name in has}

    def protocol(self, international: bool, encrypted: bool) -> str:
        """How a message came, in the words of RFC 3848 and RFC 6531, section 4.3."""
        name = "ESMTP" if self.extended else "SMTP"
        name = "UTF8SMTP" if international else name
        return name + "S" * encrypted + "A" * self.authenticated
