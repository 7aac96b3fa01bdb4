"""The settings of a protocol whose clients and servers go over to TLS, and are looked into."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from gateway.inspector import Terms, option


@frozen
class Encryption(Terms):
    """What must be agreed with client and server: the table C{tls} in the protocol's own."""

    invalid: Literal["show", "deny"] = option(
        'What becomes of a server whose certificate is not to be believed. "show": the client gets '
        'one with the same fault, and judges itself. "deny": the session ends, and the client '
        "reads why.",
        "show",
    )
