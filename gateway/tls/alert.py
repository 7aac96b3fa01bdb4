"""Alerts of TLS that a peer sent, by their names in RFC 8446, section 6."""

from __future__ import annotations

import re

# "tls alert handshake failure", "tlsv1 unrecognized name"; before OpenSSL 4 "sslv3 alert …"
_RECEIVED = re.compile(r"(?:tls|tlsv1|tlsv13|sslv3|ssl/tls) (?:alert )?(?P<name>.+)")


def received(reason: str) -> str:
    """
    The alert that a reason of OpenSSL's stands for, such as C{unknown_ca}; empty
    if the reason is not that the peer sent an alert.
    """
    found = _RECEIVED.fullmatch(reason)
    return found["name"].replace(" ", "_") if found else ""
