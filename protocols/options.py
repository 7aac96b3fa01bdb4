"""
Options that settings of several protocols have, in the same words. Each is declared in the
settings class of its protocol, at the place where an operator looks for it.
"""

from __future__ import annotations

from typing import Any

from attrs import Factory

from gateway.inspector import option
from protocols.tls.encryption import Encryption


def implicit(port: int) -> Any:
    """Whether clients speak TLS from the first byte on, which has a port of its own."""
    return option(
        f"Clients speak TLS from the first byte on, as is usual on port {port}. It is inspected.",
        False,
        needs_root=(True,),
    )


def encryption() -> Any:
    """What must be agreed in TLS."""
    return option(
        "What must be agreed in TLS that is inspected, and whose servers are believed.",
        Factory(Encryption),
    )


def auth_bytes() -> Any:
    """How long a line of SASL may be."""
    return option(
        "The longest line of an authentication (RFC 4954, section 4).",
        12288,
        unit="bytes",
        minimum=512,
        maximum=65536,
    )
