"""C{tproxygw doctor} finds what is wrong with a host, and says what mends it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SkipTest

from gateway.lab.namespace import CommandFailed
from tests.netns.case import SceneCase

TPROXYGW = str(Path(sys.executable).with_name("tproxygw"))


class DoctorTests(SceneCase):
    """Each of these hosts is set up wrongly in one way."""

    def doctor(self) -> subprocess.CompletedProcess[str]:
        """Ask the doctor in the gateway's namespace."""
        command = [*self.router.prefix, TPROXYGW, "doctor", "--config", str(self.scene.config)]
        return subprocess.run(command, capture_output=True, text=True, timeout=30)

    def assertFound(self, *words: str) -> None:
        """The doctor says these words, and exits with 1."""
        asked = self.doctor()
        for word in words:
            self.assertIn(word, asked.stdout + asked.stderr)
        self.assertEqual(asked.returncode, 1, asked.stdout + asked.stderr)

    def setting(self, name: str, wrong: int, right: int) -> None:
        """Set it wrongly for this test."""
        self.router.sysctl(f"{name}={wrong}")
        self.addCleanup(self.router.sysctl, f"{name}={right}")

    def test_all_is_well(self) -> None:
        """On a host that is set up well, with the gateway running, there is nothing to mend."""
        asked = self.doctor()
        self.assertEqual(asked.returncode, 0, asked.stdout + asked.stderr)

    def test_marks_in_reverse_path_filter(self) -> None:
        """src_valid_mark with rp_filter (kernel.md row 4) is no trouble: the kernel says so."""
        self.setting("net.ipv4.conf.all.src_valid_mark", 1, 0)
        self.setting("net.ipv4.conf.lan0.rp_filter", 1, 0)
        asked = self.doctor()
        self.assertEqual(asked.returncode, 0, asked.stdout + asked.stderr)

    def test_forwarding(self) -> None:
        """A host that does not forward at all."""
        self.setting("net.ipv4.ip_forward", 0, 1)
        self.assertFound("ip_forward", "sysctl -w")

    def test_rule_before_ours(self) -> None:
        """Somebody else's policy route for the same mark comes before the gateway's (row 17)."""
        self.router.ip("rule add fwmark 0x1/0x1 table main priority 0")
        self.addCleanup(self.router.ip, "rule del fwmark 0x1/0x1 table main priority 0")
        self.assertFound("leads it elsewhere", "ip rule")

    def test_accept_inherits_marks(self) -> None:
        """tcp_fwmark_accept (row 5) is no trouble, as listeners carry a mark of their own."""
        self.setting("net.ipv4.tcp_fwmark_accept", 1, 0)
        self.assertEqual(self.doctor().returncode, 0)

    def test_conntrack_helper(self) -> None:
        """A helper of connection tracking that rewrites what is inspected (row 20)."""
        rules = (
            'table ip helping { ct helper ftp { type "ftp" protocol tcp; }\n'
            "chain first { type filter hook prerouting priority 0;\n"
            'tcp dport 21 ct helper set "ftp"; }; }'
        )
        try:
            self.router.run("nft", "-f", "-", input=rules)
        except CommandFailed as error:
            raise SkipTest(f"this kernel has no FTP helper: {error}") from error
        self.addCleanup(self.router.run, "nft", "delete", "table", "ip", "helping")
        self.assertFound("helper")

    def test_bridge_netfilter(self) -> None:
        """Bridged frames that are shown to the packet filter (row 16)."""
        name = "net.bridge.bridge-nf-call-iptables"
        try:
            self.router.sysctl(f"{name}=1")
        except CommandFailed as error:
            raise SkipTest(f"br_netfilter is not loaded here: {error}") from error
        self.addCleanup(self.router.sysctl, f"{name}=0")
        self.router.ip("link add br0 type bridge", "link set br0 up")
        self.addCleanup(self.router.ip, "link del br0")
        self.assertFound("bridge-nf-call-iptables")
