"""Refusal: a TLS client is told why it may not go on."""

from __future__ import annotations

from gateway.interfaces import Denied
from protocols.tls.numbers import Alert, ContentType, Version

_FATAL = 2


class Refusal(Denied):
    """
    What a client sent is refused before anything is encrypted.

    C{reply} is the alert as a record, for clients that came by TCP.

    @ivar alert: what the client is told.
    """

    def __init__(self, reason: str, alert: Alert = Alert.DECODE_ERROR) -> None:
        super().__init__(reason, alert_record(alert))
        self.alert = alert


def alert_record(alert: Alert) -> bytes:
    """A fatal alert in plaintext (RFC 8446, sections 5.1 and 6)."""
    version = Version.TLS_1_2.to_bytes(2, "big")
    return bytes((ContentType.ALERT, *version, 0, 2, _FATAL, alert))
