"""The doctor finds each thing that was set up wrongly on purpose, and what it says mends it."""

from __future__ import annotations

import json
from contextlib import ExitStack

from twisted.trial.unittest import SynchronousTestCase

from tests.kernel.namespaces import ROOT, Namespace, Route, namespace, route

EXAMINE = """
import json, sys
from ipaddress import ip_network
from gateway.interfaces import Address
from gateway.kernel import sockets
from gateway.kernel.doctor.examine import examine
from gateway.kernel.divert import KernelDivert
from gateway.policy.connection import Protocol
from gateway.policy.divert import Backend
from gateway.policy.rule import Rule
from tests.kernel.policies import SAMPLE, policy
rules = SAMPLE + (Rule("inspect", destinations=(ip_network("10.77.1.9/32"),)),)
divert = json.loads(sys.argv[1])
divert["interfaces"] = tuple(divert.get("interfaces", ()))
if "backend" in divert:
    divert["backend"] = Backend(divert["backend"])
made = policy(rules, **divert)
running = KernelDivert()
listeners = []

def run():
    # as the gateway does: install, then listen
    running.install(made)
    for host in ("0.0.0.0", "::"):
        address, mark = Address(host, made.divert.port), made.divert.listener_mark.value
        listeners.append(sockets.listen(address, mark, 10))
        listeners.append(sockets.listen_datagrams(address, mark))

exec(sys.argv[2])
print(json.dumps([(f.topic, f.severity.value, f.text, f.mend) for f in examine(made)]))
"""

HOSTS = ROOT / "tests" / "netns" / "hosts"

ELSEWHERE = ("descriptors", "UDP answers")
"""Tested on their own: they depend on the machine, or on this policy, which names no interface."""

RELEASING = (
    "from attrs import evolve; from gateway.policy.release import Release; "
    "made = evolve(made, release=Release(kernel=True))"
)
SHAKING = (
    "from attrs import evolve; from gateway.policy.handshake import Handshake; "
    "made = evolve(made, services={name: evolve(one, handshake=Handshake.THROUGH) "
    "for name, one in made.services.items()})"
)
CLOSED = """
table inet fw {
    chain forward {
        type filter hook forward priority 0; policy drop;
        ct state established,related accept
        icmp type echo-request accept
    }
}
"""
SPOILED = "elf.Object.programs = lambda *_: [elf.Program('nothing', bytes(8), ())]"

Said = list[tuple[str, str, str, str]]


class DoctorCase(SynchronousTestCase):
    """A host to examine."""

    host: Namespace

    def ask(self, first: str = "", **divert: object) -> Said:
        """All findings."""
        said: Said = json.loads(self.host.python(EXAMINE, json.dumps(divert), first))
        return said

    def bad(self, first: str = "", **divert: object) -> dict[str, tuple[str, str, str]]:
        """What is not as it should be, by topic."""
        said = self.ask(first, **divert)
        return {f[0]: (f[1], f[2], f[3]) for f in said if f[1] != "ok" and f[0] not in ELSEWHERE}

    def assertFound(self, topic: str, severity: str, *words: str, **divert: object) -> None:
        """This is found, and nothing else is."""
        bad = self.bad(**divert)
        self.assertEqual(list(bad), [topic])
        self.assertEqual(bad[topic][0], severity)
        for word in words:
            self.assertIn(word, bad[topic][1] + bad[topic][2])

    def assertMended(self, **divert: object) -> None:
        """What the doctor recommends is done; then all is well."""
        for topic, severity, _, mend in self.ask(**divert):
            if severity != "ok" and topic not in ELSEWHERE:
                self.host.run("sh -s", mend)
        self.assertEqual(self.bad(**divert), {})


class RouterTests(DoctorCase):
    """A router with two interfaces."""

    def setUp(self) -> None:
        stack = ExitStack()
        self.addCleanup(stack.close)
        made: Route = stack.enter_context(route())
        self.host = made.gateway

    def test_well(self) -> None:
        """Nothing is found on a host that is set up well, nor while a gateway runs on it."""
        self.assertEqual(self.bad(), {})
        self.assertEqual(self.bad("run()"), {})
        self.assertEqual(self.bad(backend="iptables"), {})

    def test_forwarding(self) -> None:
        """Forwarding is off."""
        self.host.sysctl("net.ipv4.ip_forward", 0)
        self.host.sysctl("net.ipv6.conf.all.forwarding", 0)
        self.assertFound("forwarding", "trouble", "sysctl -w net.ipv6.conf.all.forwarding=1")
        self.assertMended()

    def test_way(self) -> None:
        """Row 4: the kernel looks the way back up with the mark, which our rules cure."""
        self.host.sysctl("net.ipv4.conf.all.src_valid_mark", 1)
        self.host.sysctl("net.ipv4.conf.all.rp_filter", 1)
        run = "run(); import os; "
        self.assertEqual(self.bad(run), {})
        found = self.bad(f"{run}os.system('ip rule del iif lo fwmark 1/1 goto 1001')")
        self.assertEqual(found["way to the gateway"][0], "trouble")
        self.assertIn("IPv4", found["way to the gateway"][1])

    def test_way_taken(self) -> None:
        """Row 17, for IPv6, by a rule for some packets only."""
        rule = "ip -6 rule add priority 7 from fd77:1::/64 blackhole"
        found = self.bad(f"run(); import os; os.system('{rule}')")
        self.assertEqual(found["way to the gateway"][0], "trouble")

    def test_strict(self) -> None:
        """Strict reverse path filtering with two ways out."""
        self.host.sysctl("net.ipv4.conf.all.rp_filter", 1)
        self.assertEqual(self.bad(), {})
        self.host.run("ip route add default via 10.77.1.2")
        self.host.run("ip route add default via 10.77.2.2 metric 5")
        self.assertFound("strict reverse path filter", "warning", "lan0, wan0")
        self.assertMended()

    def test_helpers(self) -> None:
        """Row 20."""
        self.host.run(
            "nft -f -",
            'table ip helping {\nct helper ftp {\ntype "ftp" protocol tcp;\n}\n'
            "chain first {\ntype filter hook prerouting priority 0;\n"
            'tcp dport 21 ct helper set "ftp"\n}\n}\n',
        )
        self.assertFound("connection tracking helpers", "trouble", "ip helping")

    def test_legacy_helpers(self) -> None:
        """Row 20, by iptables."""
        self.host.run("iptables-legacy -t raw -A PREROUTING -p tcp -j CT --helper ftp")
        self.assertFound("connection tracking helpers", "trouble", "iptables")

    def test_interface_names(self) -> None:
        """A misspelt name."""
        self.assertFound("interfaces", "trouble", "lan9", interfaces=["lan9"])

    def test_policy_routing(self) -> None:
        """The table is somebody else's."""
        self.host.run("ip route add 192.0.2.0/24 dev lo table 100")
        self.assertFound("policy routing", "trouble", "divert.table")

    def test_order(self) -> None:
        """Row 17: a VPN's rule comes first."""
        self.host.run("ip rule add not fwmark 0xca6c lookup 51820 priority 80")
        bad = self.bad(rule_priority=90)
        self.assertIn("rule_priority = 0", bad["policy routing order"][2])
        self.assertEqual(self.bad(), {})

    def test_harmless_order(self) -> None:
        """A rule before ours, for packets that are not ours."""
        self.host.run("ip rule add fwmark 0x10/0x10 lookup 77 priority 80")
        self.assertEqual(self.bad(), {})

    def test_same_segment(self) -> None:
        """Row 21."""
        self.assertFound(
            "servers on the client's segment", "warning", "10.77.1.9/32", interfaces=["lan0"]
        )

    def test_flushed(self) -> None:
        """A gateway runs, and its rules are gone."""
        flushed = "run(); import os; os.system('nft flush ruleset')"
        bad = self.bad(flushed, owned=False)
        self.assertEqual(bad["installed rules"][0], "trouble")

    def test_others(self) -> None:
        """Somebody else's TPROXY rules."""
        self.host.run("iptables -t mangle -A PREROUTING -p tcp --dport 9 -j TPROXY --on-port 9")
        self.assertFound("other interception", "warning", "in iptables")

    def test_firewall(self) -> None:
        """The host's own firewall drops what is diverted."""
        self.host.run(
            "nft -f -",
            "table inet fw {\nchain in {\ntype filter hook input priority 0; policy drop;\n"
            "iif lo accept\n}\n}\n",
        )
        self.assertFound("firewall", "warning", "chain in of table inet fw")
        self.assertMended()

    def test_firewalld(self) -> None:
        """firewalld rejects at its end, whatever is accepted elsewhere: a port is to be opened."""
        self.host.run("nft -f -", (HOSTS / "firewalld.nft").read_text())
        self.assertFound("firewall", "warning", "firewall-cmd", "--add-port=80/tcp")

    def test_ufw(self) -> None:
        """ufw drops what is for no address of this host before its own rules are asked."""
        self.host.run("iptables-restore", (HOSTS / "ufw.rules").read_text())
        self.assertIn("before.rules", self.bad()["firewall"][2])
        self.host.run("iptables -I ufw-before-input -m mark --mark 0x1/0x1 -j ACCEPT")
        self.assertEqual(self.bad(), {})

    def test_iptables_firewall(self) -> None:
        """The same by iptables."""
        self.host.run("iptables -P INPUT DROP")
        self.assertFound("firewall", "warning", "ip filter")
        self.assertMended()

    def test_legacy_firewall(self) -> None:
        """The same by the legacy variant."""
        self.host.run("iptables-legacy -P INPUT DROP")
        self.assertFound("firewall", "warning", "iptables-legacy")
        self.assertMended()

    def test_port_in_use(self) -> None:
        """Another program has the port."""
        bad = self.bad("import socket; s = socket.create_server(('', 50080))")
        self.assertEqual((list(bad), bad["listeners"][0]), (["listeners"], "trouble"))

    def test_udp_service(self) -> None:
        """Row 18: a local program takes all datagrams to a port that is inspected."""
        bad = self.bad("import socket; s = socket.socket(2, 2); s.bind(('', 80))")
        self.assertEqual(
            (list(bad), bad["local UDP services"][0]), (["local UDP services"], "warning")
        )

    def test_queue(self) -> None:
        """The kernel's limit of queues is lower than the gateway's."""
        self.host.sysctl("net.core.somaxconn", 128)
        self.assertFound("queue", "warning", "128", "4096")
        self.assertMended()

    def test_privileges(self) -> None:
        """Without root's privileges it says what it could not see."""
        bad = self.bad("from gateway.kernel.capabilities import drop_to; drop_to({'CAP_NET_RAW'})")
        self.assertIn("CAP_NET_ADMIN", bad["privileges"][1])

    def test_released_sessions(self) -> None:
        """Whether the kernel takes them over, if it is to: the program is tried."""
        self.assertNotIn("released sessions", [finding[0] for finding in self.ask()])
        found = {finding[0]: finding for finding in self.ask(RELEASING)}
        self.assertEqual(found["released sessions"][1], "ok", found)
        # an object that the kernel refuses, as an older one refuses ours
        bad = self.bad(f"{RELEASING}; from gateway.kernel.release import elf; {SPOILED}")
        self.assertIn("the kernel refuses the program", bad["released sessions"][1])

    def test_handshakes(self) -> None:
        """If clients shake hands with servers: the queues are tried; the host has to forward."""
        self.assertNotIn("handshakes", [finding[0] for finding in self.ask()])
        found = {finding[0]: finding for finding in self.ask(SHAKING)}
        self.assertEqual(found["handshakes"][1], "ok", found)
        self.host.run("nft -f -", CLOSED)
        severity, text, mend = self.bad(SHAKING)["handshakes"]
        self.assertEqual(severity, "warning")
        self.assertIn("chain forward of table inet fw", text)
        self.host.run("sh -s", mend)
        self.assertEqual(self.bad(SHAKING), {})
        self.assertEqual(self.bad(), {})


class LoTests(DoctorCase):
    """A host with nothing but lo."""

    def setUp(self) -> None:
        stack = ExitStack()
        self.addCleanup(stack.close)
        self.host = stack.enter_context(namespace())

    def test_only_lo(self) -> None:
        """If only lo is diverted, the host need not forward."""
        self.assertEqual(self.bad(interfaces=["lo"]), {})

    def test_lo_down(self) -> None:
        """With lo down, nothing can be delivered."""
        self.host.run("ip link set lo down")
        self.assertFound("policy routing", "trouble", "ip link set lo up", interfaces=["lo"])
        self.assertMended(interfaces=["lo"])
