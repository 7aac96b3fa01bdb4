"""Alerts, in the words of OpenSSL and in those of the RFC."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.tls.alert import received


class ReceivedTests(SynchronousTestCase):
    """L{received}."""

    def test_names(self) -> None:
        """Whatever OpenSSL writes in front of it, an alert has its name of RFC 8446."""
        for reason, alert in (
            ("tls alert handshake failure", "handshake_failure"),  # OpenSSL 4
            ("sslv3 alert handshake failure", "handshake_failure"),  # OpenSSL 3.0
            ("ssl/tls alert bad certificate", "bad_certificate"),  # OpenSSL 3.2
            ("tlsv1 unrecognized name", "unrecognized_name"),
            ("tlsv1 alert unknown ca", "unknown_ca"),
            ("tlsv13 alert certificate required", "certificate_required"),
        ):
            self.assertEqual(received(reason), alert)

    def test_no_alert(self) -> None:
        """What we refused ourselves is no alert of the peer's."""
        for reason in ("wrong version number", "no shared cipher", "unexpected message", ""):
            self.assertEqual(received(reason), "")
