"""Rules and routes come and go in real network namespaces, and nothing else does."""

from __future__ import annotations

from contextlib import ExitStack

from twisted.trial.unittest import SynchronousTestCase

from tests.kernel.namespaces import Namespace, namespace

SETUP = """
import os, re, sys
from gateway.policy.divert import Backend, Mark, WhenDown
from gateway.kernel.claim import Claim
from gateway.kernel.divert import KernelDivert, Part
from gateway.kernel.errors import KernelError, Taken
from gateway.kernel.netfilter import IptablesFilter, NftablesFilter
from gateway.kernel import netfilter
from gateway.kernel.filter.ruleset import make_ruleset
from tests.kernel.policies import SAMPLE, policy
LONG = ("much-too-long-a-name",)
NFT = {"backend": Backend.NFTABLES}
IPTABLES = {"backend": Backend.IPTABLES}
def divert(variant=""):
    return KernelDivert({
        Backend.NFTABLES: NftablesFilter,
        Backend.IPTABLES: lambda: IptablesFilter(variant),
    })
"""


class HostCase(SynchronousTestCase):
    """One namespace."""

    def setUp(self) -> None:
        stack = ExitStack()
        self.addCleanup(stack.close)
        self.host: Namespace = stack.enter_context(namespace())

    def do(self, script: str) -> str:
        """Run a script with the names above inside."""
        return self.host.python(SETUP + script).strip()

    def everything(self) -> str:
        """All rules and routes that there are."""
        commands = (
            "nft list ruleset",
            "ip rule",
            "ip -6 rule",
            "ip route show table all",
            "ip -6 route show table all",
        )
        return "".join(self.host.run(command) for command in commands)

    def saved(self, variant: str) -> str:
        """All rules of iptables, without comments and counters."""
        lines = "".join(
            self.host.run(f"{tool}-{variant}-save") for tool in ("iptables", "ip6tables")
        ).splitlines()
        return "\n".join(line.partition(" [")[0] for line in lines if line[:1] != "#")


class NftablesTests(HostCase):
    """The nftables backend."""

    def test_comes_and_goes(self) -> None:
        """After the removal all is as it was before."""
        self.host.run("nft -f -", "table inet theirs {\nchain first {\n}\n}\n")
        before = self.everything()
        self.assertEqual(
            self.do(
                "d = divert(); p = policy(SAMPLE, **NFT); d.install(p); print(d.state().value);"
                "d.install(p); print(d.state().value);"
                "print(os.popen('nft list tables').read().strip());"
                "d.remove(); print(d.state().value)"
            ).split("\n"),
            [
                "installed",
                "installed",
                "table inet theirs",
                "table inet tproxygw_50080",
                "not installed",
            ],
        )
        self.assertEqual(self.everything(), before)

    def test_broken_replacement(self) -> None:
        """What the kernel doesn't take changes nothing: the former rules stay in force."""
        said = self.do(
            "d = divert(); d.install(policy(SAMPLE, **NFT));\n"
            "before = os.popen('nft list ruleset; ip rule').read()\n"
            "try: d.install(policy(SAMPLE, interfaces=LONG, table=101, **NFT))\n"
            "except KernelError as error: print('refused')\n"
            "print(before == os.popen('nft list ruleset; ip rule').read(), d.state().value)"
        )
        self.assertEqual(said, "refused\nTrue installed")

    def test_flushed(self) -> None:
        """Somebody flushed the packet filter: that is noticed."""
        said = self.do(
            "d = divert(); d.install(policy(SAMPLE, owned=False, **NFT));"
            "os.system('nft flush ruleset'); print(d.state().value)"
        )
        self.assertEqual(said, "missing")

    def test_restored(self) -> None:
        """What was flushed is put back by no program, and is the same as it was before."""
        said = self.do(
            "d = divert(); d.install(policy(SAMPLE, owned=False, **NFT))\n"
            "def listed(): return os.popen('nft list ruleset').read()\n"
            "before = listed()\n"
            "netfilter.run = None\n"
            "for flush in 'flush ruleset', 'flush table inet tproxygw_50080', '-v':\n"
            "    os.system(f'nft {flush} >/dev/null')\n"
            "    print(listed() == before, d.restore(Part.FILTER), listed() == before)"
        )
        self.assertEqual(said, "False True True\nFalse True True\nTrue False True")

    def test_abandoned(self) -> None:
        """All of it goes, by an operator's command, on a host that has no iptables, too."""
        before = self.everything()
        self.do("divert().install(policy(SAMPLE, **NFT)); os._exit(0)")
        self.assertNotEqual(self.everything(), before)
        self.assertEqual(self.do("print(divert('-nonesuch').remove_abandoned())"), "set()")
        self.assertEqual(self.everything(), before)

    def test_left_over(self) -> None:
        """A killed gateway's rules and routes give way to the next one's, whatever its numbers."""
        self.do(
            "divert().install(policy(SAMPLE, port=50090, table=109, rule_priority=89, **NFT));"
            "os._exit(0)"
        )
        self.assertIn("tproxygw_50090", self.everything())
        self.do("d = divert(); d.install(policy(SAMPLE, **NFT)); os._exit(0)")
        self.assertNotIn("tproxygw_50090", self.everything())
        self.assertNotIn("109", self.host.run("ip rule"))
        self.assertEqual(self.host.run("ip route show table 109", check=False).count("local"), 0)
        self.assertIn("lookup 100", self.host.run("ip -6 rule"))

    def test_left_over_with_the_same_table(self) -> None:
        """The same for another mark, also if the next gateway has its table."""
        self.do("divert().install(policy(SAMPLE, mark=Mark(8, 8), **NFT)); os._exit(0)")
        self.do("d = divert(); d.install(policy(SAMPLE, **NFT)); os._exit(0)")
        self.assertNotIn("0x8", self.host.run("ip rule") + self.host.run("ip -6 rule"))
        self.assertIn("local default", self.host.run("ip route show table 100"))

    def test_other_rules_of_the_kernel(self) -> None:
        """Rules and routes of others stay, though they are signed as ours are."""
        self.host.run("ip rule add priority 7 fwmark 0x40/0x40 lookup 40 protocol kernel")
        self.host.run("ip rule add priority 8 nop protocol kernel")
        self.host.run("ip route add local default dev lo table 40 proto kernel")
        before = self.everything()
        self.do("d = divert(); d.install(policy(SAMPLE, **NFT)); d.remove()")
        self.assertEqual(self.everything(), before)

    def test_what_comes_later_goes_behind(self) -> None:
        """A rule that somebody adds in front, as wg-quick does, is noticed and overtaken."""
        said = self.do(
            "d = divert(); d.install(policy(SAMPLE, **NFT))\n"
            "os.system('ip rule add not fwmark 51820 table 51820')\n"
            "os.system('ip rule add table main suppress_prefixlength 0')\n"
            "print(d.state().value); d.restore(Part.ROUTING); print(d.state().value)"
        )
        self.assertEqual(said.split(), ["missing", "installed"])
        rules = self.host.run("ip rule")
        order = [rules.index(w) for w in ("lookup 100", "lookup main suppress", "lookup 51820")]
        self.assertEqual(order, sorted(order))
        self.assertEqual(rules.count("0x1/0x1"), 3)

    def test_out_of_order(self) -> None:
        """A rule of ours that somebody deletes is missed, and comes back to its place."""
        said = self.do(
            "d = divert(); d.install(policy(SAMPLE, **NFT))\n"
            "os.system('ip rule del iif lo fwmark 1/1 goto 1001'); print(d.state().value)\n"
            "d.restore(Part.ROUTING); print(d.state().value)"
        )
        self.assertEqual(said.split(), ["missing", "installed"])
        rules = self.host.run("ip rule")
        self.assertLess(rules.index("goto"), rules.index("0x1/0x1 lookup 100"))

    def test_other_backend_left_over(self) -> None:
        """After a change from iptables to nftables, nothing is left of iptables' rules."""
        self.do(
            "d = divert(); d.install(policy(SAMPLE, **IPTABLES)); d.install(policy(SAMPLE, **NFT));"
            "assert d.state().value == 'installed'; os._exit(0)"
        )
        self.assertNotIn("TPROXYGW", self.saved("nft"))

    def test_second_instance(self) -> None:
        """A second gateway with the same table is refused; one with everything its own is not."""
        said = self.do(
            "d = divert(); d.install(policy(SAMPLE, **NFT))\n"
            "other = {'port': 50090, 'mark': Mark(8, 8), **NFT}\n"
            "try: divert().install(policy(SAMPLE, **other))\n"
            "except Taken as error: print(error)\n"
            "e = divert(); e.install(policy(SAMPLE, port=50090, table=101,"
            " mark=Mark(8, 8), **NFT))\n"
            "print(d.state().value, e.state().value)\n"
            "d.remove(); print(e.state().value)"
        ).split("\n")
        self.assertIn("another gateway", said[0])
        self.assertIn("divert.table 100", said[0])
        self.assertEqual(said[1:], ["installed installed", "installed"])

    def test_foreign_routes(self) -> None:
        """A table that somebody uses for something else is not touched."""
        self.host.run("ip route add 192.0.2.0/24 dev lo table 100")
        before = self.everything()
        said = self.do(
            "try: divert().install(policy(SAMPLE, **NFT))\nexcept Taken as error: print(error)"
        )
        self.assertIn("divert.table", said)
        self.assertEqual(self.everything(), before)

    def test_foreign_priority(self) -> None:
        """Nor is it gone behind a policy routing rule that takes everything elsewhere."""
        self.host.run("ip rule add not fwmark 0x70 lookup 77 priority 80")
        before = self.everything()
        said = self.do(
            "try: divert().install(policy(SAMPLE, rule_priority=90, **NFT))\n"
            "except Taken as error: print(error)"
        )
        self.assertIn("divert.rule_priority", said)
        self.assertEqual(self.everything(), before)

    def test_lo_down(self) -> None:
        """With lo down nothing could be diverted, so the start says so."""
        self.host.run("ip link set lo down")
        said = self.do(
            "try: divert().install(policy(SAMPLE, **NFT))\n"
            "except KernelError as error: print(error)"
        )
        self.assertIn("ip link set lo up", said)


class IptablesTests(HostCase):
    """The iptables backend, in both variants."""

    def _comes_and_goes(self, variant: str) -> None:
        """Prior rules are untouched; a replacement leaves nothing behind."""
        self.host.run(f"iptables-{variant} -t mangle -A PREROUTING -p udp -j MARK --set-mark 7")
        self.host.run(f"iptables-{variant} -A FORWARD -p icmp -j ACCEPT")
        for table in ("raw", "mangle", "filter"):
            for tool in ("iptables", "ip6tables"):
                self.host.run(f"{tool}-{variant} -t {table} -S")
                self.host.run(f"{tool}-{variant} -t {table} -N THEIRS")
        before = self.saved(variant)
        install = (
            f"d = divert('-{variant}'); d.install(policy(SAMPLE, **IPTABLES));"
            "assert d.state().value == 'installed';"
        )
        self.do(install + "os._exit(0)")
        once = self.saved(variant)
        self.do(install + "d.install(policy(SAMPLE, **IPTABLES)); os._exit(0)")
        self.assertEqual(sorted(self.saved(variant).split("\n")), sorted(once.split("\n")))
        self.do(install + "d.remove(); assert d.state().value == 'not installed'")
        self.assertEqual(self.saved(variant), before)

    def test_nft_variant(self) -> None:
        """iptables-nft."""
        self._comes_and_goes("nft")

    def test_legacy_variant(self) -> None:
        """iptables-legacy."""
        self._comes_and_goes("legacy")

    def test_cannot_pass(self) -> None:
        """when_down = "pass" is beyond it, and it says so."""
        said = self.do(
            "try: divert().install(policy(SAMPLE, when_down=WhenDown.PASS, **IPTABLES))\n"
            "except KernelError as error: print(error)"
        )
        self.assertIn("nftables", said)

    def _broken(self, variant: str) -> None:
        """The former rules stay in force when the new ones aren't taken."""
        said = self.do(
            f"d = divert('-{variant}'); d.install(policy(SAMPLE, **IPTABLES))\n"
            f"save = 'iptables-{variant}-save | grep -v ^# | cut -d[ -f1 | sort'\n"
            "before = os.popen(save).read()\n"
            "try: d.install(policy(SAMPLE, interfaces=LONG, **IPTABLES))\n"
            "except KernelError as error: print('refused')\n"
            "print(before == os.popen(save).read(), d.state().value)"
        )
        self.assertEqual(said, "refused\nTrue installed")

    def test_broken_replacement_nft(self) -> None:
        """In the nft variant."""
        self._broken("nft")

    def test_broken_replacement_legacy(self) -> None:
        """In the legacy variant."""
        self._broken("legacy")

    def test_restored(self) -> None:
        """
        Those tables that somebody has changed are put back, and no other, by one program for
        each family, all at once.
        """
        said = self.do(
            "ruleset = make_ruleset(policy(SAMPLE, **IPTABLES)); mine = IptablesFilter()\n"
            "mine.install(ruleset, set()); known = mine.imprint(50080); run = netfilter.run\n"
            "def told(command, script=''):\n"
            "    if script: ran.append((command[0], *re.findall(r'(?m)^[*]\\w+', script)))\n"
            "    return run(command, script)\n"
            "netfilter.run = told\n"
            "v4, v6 = (f'ip{six}tables -t {{}} -F'.format for six in ('', '6'))\n"
            "for flush in [v4('mangle')], [], [v4('mangle'), v4('raw'), v6('filter')]:\n"
            "    for command in flush: os.system(command)\n"
            "    ran = []\n"
            "    restored = mine.restore(ruleset, known)\n"
            "    print(restored == (known if flush else None), *sorted(ran))"
        )
        self.assertEqual(
            said.split("\n"),
            [
                "True ('iptables-restore', '*mangle')",
                "True",
                "True ('ip6tables-restore', '*filter') ('iptables-restore', '*mangle', '*raw')",
            ],
        )
