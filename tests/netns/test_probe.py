"""The doctor asks the kernel: whatever drops what should be inspected is found, and named."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from gateway.kernel.doctor.finding import Severity
from gateway.kernel.probe.stages import watched
from gateway.policy.divert import Mark
from tests.netns.case import SceneCase
from tests.netns.commands import TPROXYGW, command
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


NO_NFT = "mount --bind /dev/null /usr/sbin/nft"

TOKEN = 0xDECAFBAD

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


def made_by_nft(name: str) -> str:
    """What C{nft} is told to make the table of a probe with L{TOKEN}, for the mark 0x10/0xf0."""
    kinds = [
        f"{hops} 1 {carried} {TOKEN:#x}"
        for hops in ("ip ttl", "ip6 hoplimit")
        for carried in ("meta l4proto tcp @th,32,32", "meta l4proto udp @th,64,32")
    ]
    sets = "".join(
        f"set {stage} {{\ntype inet_service\nflags dynamic\nsize 1024\n}}\n"
        for stage in ("received", "diverted", "passed_by", "arrived")
    )
    chains = (
        ("first", "prerouting", -(1 << 31) + 1, ("add @received { th sport } meta nftrace set 1",)),
        (
            *("last", "prerouting", (1 << 31) - 2),
            (
                "meta mark & 0xf0 == 0x10 add @diverted { th sport } accept",
                "add @passed_by { th sport } drop",
            ),
        ),
        ("end", "input", (1 << 31) - 2, ("add @arrived { th sport } drop",)),
    )
    made = "".join(
        f"chain {chain} {{\ntype filter hook {hook} priority {priority}; policy accept;\n"
        + "".join(f"{kind} {action}\n" for action in actions for kind in kinds)
        + "}\n"
        for chain, hook, priority, actions in chains
    )
    return f"table inet {name} {{\n{sets}{made}}}\n"


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


class FreshProbeCase(ProbeCase):
    """Whose host has rules of ours of which nothing may be deleted."""

    fresh = True

    def tearDown(self) -> None:
        """Everything is new for each test."""


class IptablesProbeTests(FreshProbeCase, WellProbeTests):
    """The same with rules of iptables."""

    gateway = 'backend = "iptables"\n'

    def test_nobody_listens(self) -> None:
        """The gateway's own rules block what nobody is there for."""
        self.scene.daemon.kill()
        self.assertFound("the gateway's own rules block it, as nobody listens on its port")


class WithoutNftTests(FreshProbeCase):
    """A host that has iptables, and no C{nft}: neither the doctor nor the keeper needs it."""

    gateway = 'backend = "iptables"\n'

    def prepare(self) -> None:
        """For its own commands and for the gateway."""
        self.without = ("unshare", "--mount", "sh", "-c", f'{NO_NFT} && exec "$@"', "sh")
        self.scene.daemon.before = self.without

    def found(self) -> tuple[str, str]:
        """By the command: this process has C{nft}."""
        command = (*self.without, TPROXYGW, "doctor", "--config", str(self.scene.config))
        done = subprocess.run((*self.router.prefix, *command), capture_output=True, text=True)
        said = done.stdout + done.stderr
        if not done.returncode:
            self.assertIn("the kernel brought 4 first packets", said)
            return "", ""
        found = re.search(r"way to the gateway: (.*)\n +-> (.*)", said)
        assert found is not None, said
        return found[1], found[2]

    def test_well(self) -> None:
        """On a host that is well nothing is found; the keeper has no complaint."""
        self.assertEqual(self.found(), ("", ""))
        self.wait(lambda: "started with" in self.scene.daemon.said, "it does not start")
        self.assertNotIn("can't be asked", self.scene.daemon.said)

    def test_input(self) -> None:
        """A chain of iptables that drops by default is named, and the advice works here."""
        for tool in ("iptables", "ip6tables"):
            self.router.run(tool, "-P", "INPUT", "DROP")
        said, mend = self.found()
        self.assertIn("chain INPUT in the table ip filter", said)
        self.router.run(*mend.split())
        mend = self.assertFound("chain INPUT in the table ip6 filter")
        self.router.run(*mend.split())
        self.assertEqual(self.found(), ("", ""))

    def test_prerouting(self) -> None:
        """What comes before the gateway's mark is shown by iptables."""
        drop = f"-t raw -I PREROUTING -p tcp --dport {PORT} -j DROP"
        self.router.run("iptables", *drop.split())
        mend = self.assertFound("chain PREROUTING in the table ip raw")
        self.assertIn("iptables -t raw -S PREROUTING", mend)


class OperatorsProbeTests(FreshProbeCase):
    """C{backend = "none"}: the operator has installed what C{tproxygw rules} prints."""

    gateway = 'backend = "none"\n'

    def test_installed(self) -> None:
        """Such rules are tried out as the gateway's own are, and missed when they are gone."""
        self.assertFound("it is not diverted")
        for form, program in (("nft", ("nft", "-f", "-")), ("ip", ("sh", "-e"))):
            told = command(self.router, "rules", "--config", str(self.scene.config), "--as", form)
            self.assertEqual(told.returncode, 0, told.stderr)
            self.router.run(*program, input=told.stdout)
        self.assertEqual(self.found(), ("", ""))
        self.nft(
            "table inet guard {\nchain odd {\n"
            "type filter hook input priority 5; policy drop;\n}\n}\n"
        )
        self.assertMended(self.assertFound("the policy of the chain odd in the table inet guard"))


class StagesTests(ProbeCase):
    """What watches a probe's packets."""

    started = False

    def test_same_as_nft(self) -> None:
        """The table is what C{nft} makes of these words."""
        with self.router.entered(), watched(Mark(0x10, 0xF0), TOKEN) as stages:
            made = self.router.run("nft", "list", "table", "inet", stages.table)
            script = made_by_nft(stages.table)
        self.router.run("nft", "-f", "-", input=script)
        self.assertEqual(self.router.run("nft", "list", "table", "inet", stages.table), made)
