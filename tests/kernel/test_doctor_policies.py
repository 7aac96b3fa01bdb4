"""What the doctor says of a policy itself."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from gateway.kernel.doctor.finding import Severity
from gateway.kernel.doctor.policies import datagram_replies, plugins
from gateway.policy.connection import Protocol
from gateway.policy.divert import Divert
from gateway.policy.policy import Policy
from gateway.policy.rule import Rule
from gateway.policy.service import Action, Service


class PluginTests(SynchronousTestCase):
    """Plugin code runs with privileges, so who may write it matters."""

    def found(self, mode: int, folder_mode: int = 0o755) -> list[Severity]:
        folder = Path(self.mktemp())
        folder.mkdir(mode=folder_mode)
        folder.chmod(folder_mode)
        (folder / "redis.py").touch()
        (folder / "redis.py").chmod(mode)
        return [one.severity for one in plugins(None, Policy(plugin_path=(str(folder),)))]

    def test_safe(self) -> None:
        """A plugin that only its owner can write is fine."""
        self.assertEqual(self.found(0o644), [Severity.OK])

    def test_file(self) -> None:
        """A file that everybody, or a group, can write is found."""
        self.assertEqual(self.found(0o666), [Severity.TROUBLE])
        self.assertEqual(self.found(0o664), [Severity.TROUBLE])

    def test_folder(self) -> None:
        """So is a folder in which others can put a file."""
        self.assertEqual(self.found(0o644, 0o777), [Severity.TROUBLE])


class DatagramTests(SynchronousTestCase):
    """Answers that look like questions."""

    def found(self, rule: Rule, action: Action = Action.INSPECT, **divert: object) -> Severity:
        policy = Policy(
            divert=Divert(**divert),
            rules=(rule,),
            services={rule.service: Service(rule.service, action)},
        )
        (finding,) = datagram_replies(None, policy)
        return finding.severity

    def test_any_interface(self) -> None:
        """A UDP rule for any interface, with none named at all, deserves a warning."""
        rule = Rule("dns", protocol=Protocol.UDP)
        self.assertEqual(self.found(rule), Severity.WARNING)

    def test_harmless(self) -> None:
        """Not so with interfaces, for TCP, or where the kernel only forwards."""
        udp = Rule("dns", protocol=Protocol.UDP)
        self.assertEqual(self.found(udp, interfaces=("lan0",)), Severity.OK)
        self.assertEqual(self.found(udp, Action.FORWARD), Severity.OK)
        self.assertEqual(self.found(Rule("web")), Severity.OK)
        named = Rule("dns", protocol=Protocol.UDP, interfaces=frozenset({"lan0"}))
        self.assertEqual(self.found(named), Severity.OK)
