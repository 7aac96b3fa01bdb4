"""An inspector's own time limits, and the service's C{idle_seconds}, fit each other."""

from __future__ import annotations

from importlib import import_module

from twisted.trial.unittest import SynchronousTestCase

from gateway.policy.idle import LATE
from gateway.policy.limits import ServiceLimits
from tests.policy.case import RELAY, LoadCase

PATIENT = 'inspector = "patient"\n'


class IdleTests(LoadCase):
    """What an operator writes about time is what comes true."""

    def idle(self, text: str) -> float:
        return self.load(web=text).services["web"].limits.idle_seconds

    def told(self, text: str) -> list[str]:
        return self.problems({"services/web.toml": text})

    def test_left_out(self) -> None:
        """With no C{idle_seconds}, it is as much as any limit needs, and a little."""
        usual = ServiceLimits().idle_seconds
        self.assertEqual(self.idle(RELAY), usual)
        self.assertEqual(self.idle(PATIENT), 400 + LATE)
        self.assertEqual(self.idle(f"{PATIENT}[patient]\nslow = 5"), usual)
        self.assertEqual(self.idle(f"{PATIENT}[patient]\nhost.waits = 500"), 500 + LATE)
        self.assertEqual(self.idle(f"{PATIENT}[[patient.guests]]\nwaits = 600"), 600 + LATE)
        self.assertEqual(self.idle(f"{PATIENT}[patient.by_name.joe]\nwaits = 700"), 700 + LATE)

    def test_enough(self) -> None:
        """What was set is as it was set, if it fits; never fits everything."""
        self.assertEqual(self.idle(f"{PATIENT}[limits]\nidle_seconds = 401"), 401)
        self.assertEqual(self.idle(f"{PATIENT}[limits]\nidle_seconds = 0"), 0)

    def test_written(self) -> None:
        """A limit that could never run out is told where it is written."""
        text = f"""{PATIENT}[limits]
idle_seconds = 60
[patient]
slow = 60
never = 61
host.waits = 59.9
[[patient.guests]]
waits = 59.9
[[patient.guests]]
waits = 90.0
"""
        told = (
            "limits.idle_seconds = 60 ends a session before {} seconds are over: set that to "
            "more than this, leave it out, or lower this"
        )
        self.assertEqual(
            self.told(text),
            [
                f"services/web.toml:5:1: patient.slow: {told.format(60)}",
                f"services/web.toml:6:1: patient.never: {told.format(61)}",
                f"services/web.toml:11:1: patient.guests.waits: {told.format(90)}",
            ],
        )

    def test_default(self) -> None:
        """Limits that nobody wrote are told where C{idle_seconds} is written."""
        self.assertEqual(
            self.told(f"{PATIENT}[limits]\nidle_seconds = 20"),
            [
                "services/web.toml:3:1: limits.idle_seconds: 20 ends a session before these "
                "limits run out, which are as by default: patient.quick = 20, "
                "patient.slow = 400. Set this to more, leave it out, or lower those"
            ],
        )


class OursTests(SynchronousTestCase):
    """The limits of the inspectors that come with the gateway are declared."""

    def declared(self, module: str, kind: str) -> set[str]:
        settings = getattr(import_module(module), kind)
        return {each.name for each in settings.__attrs_attrs__ if each.metadata.get("in_silence")}

    def test_declared(self) -> None:
        """All limits that run while somebody is waited for who says nothing."""
        self.assertEqual(
            self.declared("protocols.smtp.settings", "SMTPSettings"),
            {"command_seconds", "data_seconds", "reply_seconds", "message_seconds"},
        )
        self.assertEqual(
            self.declared("protocols.ftp.settings", "FtpSettings"),
            {"command_seconds", "reply_seconds"},
        )
        self.assertEqual(
            self.declared("protocols.http.times", "Times"),
            {"response_seconds", "silence_seconds", "take_seconds", "keepalive_seconds"},
        )
        self.assertEqual(self.declared("protocols.http.policy.test", "RequestTest"), {"seconds"})
