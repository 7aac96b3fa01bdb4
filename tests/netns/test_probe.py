"""The doctor asks the kernel: whatever drops what should be inspected is found, and named."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from gateway.kernel.doctor.finding import Severity
from tests.netns.case import SceneCase
from tests.netns.examined import examined

RULES = Path(__file__).parent / "hosts"
PORT = 4001
RULE = f'[[rule]]\nfrom = ["office"]\nto = ["internet"]\nports = [{PORT}]\n'

COUNT = """
table inet count {
    chain arrive {
        type filter hook prerouting priority -300; policy accept;
        meta l4proto { tcp, udp } counter
        icmp type { time-exceeded, destination-unreachable } counter
        icmpv6 type { time-exceeded, destination-unreachable } counter
    }
}
"""


PROBE_AGAIN = """
import sys
from pathlib import Path
from gateway.kernel.probe.probe import probe
from gateway.policy.load import load
from gateway.registry import find

policy = load(Path(sys.argv[1]), find)
print("ready", flush=True)
while True:
    probe(policy)
"""


class ProbeCase(SceneCase):
    """A gateway that inspects one port, of TCP and UDP, on a host that is yet to be spoilt."""

    services = {
        "relay": 'inspector = "relay"\n' + RULE,
        "datagrams": 'inspector = "relay"\n' + RULE + 'protocol = "udp"\n',
    }
    gateway = ""

    def tearDown(self) -> None:
        """What a test has spoilt is put right."""
        for table in self.router.run("nft", "list", "tables").splitlines():
            if "tproxygw" not in table:
                self.router.run("nft", *table.replace("table", "delete table", 1).split())
        for tool in ("iptables-legacy", "ip6tables-legacy"):
            self.router.run(tool, "-P", "INPUT", "ACCEPT")
            self.router.run(tool, "-t", "raw", "-F")

    def nft(self, rules: str) -> None:
        self.router.run("nft", "-f", "-", input=rules)

    def found(self) -> tuple[str, str]:
        """What the doctor says of the way to the gateway, and what it advises; empty if well."""
        found = examined(self.router, self.scene.config)
        if [one.severity for one in found] == [Severity.OK]:
            self.assertIn("the kernel brought 4 first packets", found[0].text)
            return "", ""
        return " ".join(one.text for one in found), found[0].mend

    def assertFound(self, *words: str) -> str:
        """Both families' packets of both protocols get lost, for that reason. Gives the advice."""
        said, mend = self.found()
        for word in words:
            self.assertIn(word, said)
        return mend

    def assertMended(self, mend: str) -> None:
        """What was advised is done; then all is well."""
        subprocess.run((*self.router.prefix, "sh", "-ec", mend), check=True, capture_output=True)
        self.assertEqual(self.found(), ("", ""))


class WellProbeTests(ProbeCase):
    """What holds whichever packet filter has the gateway's rules."""

    def test_well(self) -> None:
        """On a host that is well nothing is found. Neither client nor server sees any of it."""
        for host in (self.client, self.server):
            host.run("nft", "-f", "-", input=COUNT)
        self.assertEqual(self.found(), ("", ""))
        for host in (self.client, self.server):
            seen = host.run("nft", "list", "table", "inet", "count")
            self.assertEqual(re.findall(r"packets (\d+)", seen), ["0", "0", "0"])
        self.assertEqual(self.scene.records(), [])
        self.assertNotIn("probe", self.router.run("nft", "list", "tables"))

    def test_input(self) -> None:
        """A chain that drops input by default."""
        self.nft(
            "table inet guard {\nchain odd {\ntype filter hook input priority 5; policy drop;\n"
            "iif lo accept\nmeta l4proto icmpv6 accept\n}\n}\n"
        )
        self.assertMended(self.assertFound("the policy of the chain odd in the table inet guard"))


class ProbeTests(ProbeCase):
    """Firewalls that are known, and some that are not."""

    def test_subchain(self) -> None:
        """A rule in a chain that others lead to."""
        self.nft(
            "table inet guard {\nset known { type inet_service; elements = { 22, 4002 }; }\n"
            "chain strict {\nmeta l4proto { tcp, udp } th dport != @known drop\n}\n"
            "chain odd {\ntype filter hook input priority 5;\njump strict\n}\n}\n"
        )
        mend = self.assertFound("chain strict in the table inet guard", "th dport != @known drop")
        self.assertIn("insert rule inet guard odd", mend)
        self.assertMended(mend)

    def test_prerouting(self) -> None:
        """A rule that comes before the gateway's mark: what to do is the operator's to know."""
        self.nft(
            "table ip guard {\nchain odd {\ntype filter hook prerouting priority 200;\n"
            f"tcp dport {PORT} reject with tcp reset\n}}\n}}\n"
        )
        mend = self.assertFound("IPv4, tcp", "reject with tcp reset")
        self.assertIn("nft -a list chain ip guard odd", mend)

    def test_iptables(self) -> None:
        """Chains of iptables that drop by default, in both families."""
        for tool in ("iptables", "ip6tables"):
            self.router.run(tool, "-P", "INPUT", "DROP")
        said, mend = self.found()
        self.assertIn("chain INPUT in the table ip filter", said)
        subprocess.run((*self.router.prefix, "sh", "-ec", mend), check=True)
        self.assertMended(self.assertFound("chain INPUT in the table ip6 filter"))

    def test_legacy(self) -> None:
        """The same by the legacy variant, which is found where the packet was seen last."""
        for tool in ("iptables-legacy", "ip6tables-legacy"):
            self.router.run(tool, "-P", "INPUT", "DROP")
        self.assertMended(self.assertFound("rules that nft does not show", "INPUT"))

    def test_legacy_prerouting(self) -> None:
        """The same before routing."""
        drop = f"-t raw -I PREROUTING -p udp --dport {PORT} -j DROP"
        self.router.run("ip6tables-legacy", *drop.split())
        self.assertFound("IPv6, udp", "rules that nft does not show", "PREROUTING")

    def test_interface(self) -> None:
        """Rules of an interface itself, where no packet filter is asked yet."""
        self.nft(
            "table netdev guard {\nchain odd {\ntype filter hook ingress device lan0 priority 0;\n"
            f"tcp dport {PORT} drop\n}}\n}}\n"
        )
        self.assertFound("before the packet filter sees it")

    def test_at_once(self) -> None:
        """Somebody else, such as the keeper, probes all the time: each sees its own packets."""
        self.nft(
            "table netdev guard {\nchain odd {\ntype filter hook ingress device lan0 priority 0;\n"
            f"tcp dport {PORT} drop\n}}\n}}\n"
        )
        again = (sys.executable, "-c", PROBE_AGAIN, self.scene.config)
        with subprocess.Popen((*self.router.prefix, *again), stdout=subprocess.PIPE) as other:
            self.addCleanup(other.kill)
            assert other.stdout is not None
            other.stdout.readline()
            found = {self.found()[0] for _ in range(20)}
            other.kill()
        (said,) = found
        self.assertIn("before the packet filter sees it", said)
        self.assertNotIn("udp", said)

    def test_routing(self) -> None:
        """Policy routing that leads what is diverted elsewhere."""
        self.router.ip("rule add priority 0 fwmark 0x1/0x1 lookup main")
        self.addCleanup(self.router.ip, "rule del priority 0 fwmark 0x1/0x1 lookup main")
        self.assertFound("leads it elsewhere")

    def test_firewalld(self) -> None:
        """firewalld's rejects can't be overruled: what to open is said, in its own words."""
        self.nft((RULES / "firewalld.nft").read_text())
        mend = self.assertFound("chain filter_IN_public in the table inet firewalld")
        self.assertIn("--get-zone-of-interface=lan0", mend)
        for protocol in ("tcp", "udp"):
            self.assertIn(f" --add-port={PORT}/{protocol} ", mend)
            self.nft(
                f"add rule inet firewalld filter_IN_public_allow {protocol} dport {PORT} accept\n"
            )
        self.assertEqual(self.found(), ("", ""))

    def test_ufw(self) -> None:
        """ufw drops what is for no address of this host before its own rules are asked."""
        self.router.run("iptables-restore", input=(RULES / "ufw.rules").read_text())
        mend = self.assertFound("chain ufw-not-local in the table ip filter")
        self.assertIn("/etc/ufw/before.rules", mend)
        accept = "-I ufw-before-input -m mark --mark 0x1/0x1 -j ACCEPT"
        self.router.run("iptables", *accept.split())
        self.assertEqual(self.found(), ("", ""))


class IptablesProbeTests(WellProbeTests):
    """The same with rules of iptables, of which nothing may be deleted."""

    gateway = 'backend = "iptables"\n'
    fresh = True

    def tearDown(self) -> None:
        """Everything is new for each test."""
