"""A table that nobody else can change: the same as nft would install, and hard to lose."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from errno import EINVAL, EOPNOTSUPP
from itertools import count
from random import Random
from typing import Any

from hypothesis import given, settings
from twisted.trial.unittest import SynchronousTestCase

from gateway.kernel.errors import KernelError
from gateway.kernel.filter import nftables
from gateway.kernel.filter.ruleset import make_ruleset
from gateway.kernel.netfilter import NftablesFilter
from gateway.kernel.netlink import NFT_MSG_NEWTABLE, Message, Netfilter, attributes
from gateway.lab.namespace import Namespace
from gateway.policy.policy import Policy
from tests.kernel.forked import network
from tests.kernel.namespaces import require_namespaces
from tests.kernel.policies import SAMPLE, policies, policy
from tests.kernel.test_ruleset import random_rule

TABLE = "tproxygw_50080"

TABLE_FLAGS = 2
NFT_MSG_DELFLOWTABLE = 24
"""The last message of Linux 6.1."""

REST = 0.05
"""Seconds between two changes by somebody who makes them all the time."""

_numbers = count()


def kernel_can() -> bool:
    """
    Whether this machine's kernel knows owned tables that outlive their owner. Under CI nothing may
    be left out for want of that.
    """
    if os.environ.get("CI"):
        return True
    release = tuple(map(int, re.findall(r"\d+", os.uname().release)[:2]))
    return release >= (6, 9)


class OwnedCase(SynchronousTestCase):
    """One namespace, which this very process is in."""

    def setUp(self) -> None:
        require_namespaces()
        self.name = f"tproxygw-owned-{os.getpid()}-{next(_numbers)}"
        host = Namespace(self.name)
        host.create()
        self.addCleanup(host.remove)
        self.home = network()
        stack = ExitStack()
        self.addCleanup(stack.close)
        stack.enter_context(host.entered())
        self.assertNotEqual(network(), self.home)

    def socket(self) -> Netfilter:
        """One more socket to the kernel."""
        made = Netfilter()
        self.addCleanup(made.close)
        return made

    def nft(self, *arguments: str, script: str = "", check: bool = True) -> str:
        """What nft says."""
        self.assertNotEqual(network(), self.home)
        done = subprocess.run(["nft", *arguments], input=script, capture_output=True, text=True)
        self.assertFalse(check and done.returncode, done.stderr)
        return done.stdout + done.stderr

    def listed(self) -> list[str]:
        """The table as nft shows it, without what tells whose it is."""
        lines = self.nft("list", "table", "inet", TABLE).splitlines()
        shown = (one.partition(" # ")[0] for one in lines)
        return [one for one in shown if one.strip() not in ("", "flags", "flags owner")]

    def protected(self) -> bool:
        """Whether neither a flush nor a deletion by somebody else takes the table away."""
        self.nft("flush", "ruleset", check=False)
        refused = "not permitted" in self.nft("delete", "table", "inet", TABLE, check=False)
        return refused and f"table inet {TABLE}" in self.nft("list", "tables")


class SameTests(OwnedCase):
    """What the keeper puts into its table by messages of its own."""

    def setUp(self) -> None:
        super().setUp()
        self.filter = NftablesFilter(self.socket())

    def assertSame(self, policy_: Policy) -> None:
        """The table is what nft makes of the script that `tproxygw rules` shows."""
        ruleset = make_ruleset(policy_)
        self.filter.install(ruleset, set())
        ours = self.listed()
        self.filter.remove(ruleset.divert.port)
        self.nft("-f", "-", script=nftables.install_script(ruleset))
        self.assertEqual(ours, self.listed())
        self.nft("delete", "table", "inet", TABLE)
        self.assertEqual(self.nft("list", "tables"), "")

    def test_any_policy(self) -> None:
        """The same, whatever the policy is."""

        @settings(max_examples=40, deadline=None)
        @given(policies())
        def same(policy_: Policy) -> None:
            self.assertSame(policy_)

        same()

    def test_large_policy(self) -> None:
        """The same with thousands of rules: large maps, whose intervals touch each other."""
        random = Random(3)
        self.assertSame(policy(tuple(random_rule(random) for _ in range(2000))))


class OwnerTests(OwnedCase):
    """Whose the table is, on a kernel that knows this (Linux 6.9)."""

    if not kernel_can():
        skip = "this kernel knows no tables that are owned"

    def setUp(self) -> None:
        super().setUp()
        self.ruleset = make_ruleset(policy(SAMPLE))
        self.script = nftables.install_script(self.ruleset)

    def test_protected(self) -> None:
        """Nobody else can flush or delete it, its owner can replace and remove it."""
        mine = NftablesFilter(self.socket())
        mine.install(self.ruleset, set())
        before = self.listed()
        self.assertTrue(self.protected())
        mine.install(self.ruleset, set())
        self.assertEqual(self.listed(), before)
        self.assertTrue(self.protected())
        mine.remove(50080)
        self.assertEqual(self.nft("list", "tables"), "")

    def test_outlives_its_owner(self) -> None:
        """The rules stay when the owner is killed, and the next one takes the table over."""
        first = Netfilter()
        NftablesFilter(first).install(self.ruleset, set())
        before = self.listed()
        first.close()
        self.assertEqual(self.listed(), before)
        NftablesFilter(self.socket()).install(self.ruleset, set())
        self.assertEqual(self.listed(), before)
        self.assertTrue(self.protected())

    def test_guard_is_taken_over(self) -> None:
        """A table that nft loaded at boot is replaced by an owned one: there is always one."""
        self.nft("-f", "-", script=self.script)
        NftablesFilter(self.socket()).install(self.ruleset, set())
        self.assertTrue(self.protected())

    def test_somebody_elses(self) -> None:
        """The table of a keeper that runs is not taken from it, and the message says so."""
        mine = NftablesFilter(self.socket())
        mine.install(self.ruleset, set())
        with self.assertRaisesRegex(KernelError, "keeper"):
            NftablesFilter(self.socket()).install(self.ruleset, set())
        self.assertTrue(self.protected())

    def test_given_back(self) -> None:
        """With owned = false it becomes everybody's again."""
        mine = NftablesFilter(self.socket())
        mine.install(self.ruleset, set())
        mine.install(make_ruleset(policy(SAMPLE, owned=False)), set())
        self.assertFalse(self.protected())

    def test_left_over_of_another_gateway(self) -> None:
        """What a killed gateway on another port has left goes in the same step."""
        former = Netfilter()
        NftablesFilter(former).install(make_ruleset(policy(SAMPLE, port=50090)), set())
        former.close()
        NftablesFilter(self.socket()).install(self.ruleset, {50090})
        self.assertEqual(self.nft("list", "tables"), f"table inet {TABLE}\n")


class MeanwhileTests(OwnedCase):
    """Others change the packet filter, too."""

    def test_changes_all_the_time(self) -> None:
        """While somebody flushes everything again and again, it is installed, and whole."""
        ruleset = make_ruleset(policy(SAMPLE))
        self.nft("-f", "-", script=nftables.install_script(ruleset))
        whole = self.listed()
        mine = NftablesFilter(self.socket())
        done = threading.Event()
        busy = threading.Thread(target=self.disturb, args=(done,))
        busy.start()
        try:
            for _ in range(20):
                mine.install(ruleset, set())
                if kernel_can():
                    self.assertEqual(self.listed(), whole)
        finally:
            done.set()
            busy.join()

    def disturb(self, done: threading.Event) -> None:
        """
        Flush everything, again and again, with as much rest as a slow machine needs to read the
        rules in. A namespace is a thread's, so this one enters it.
        """
        with Namespace(self.name).entered():
            while not done.wait(REST):
                self.nft("-f", "-", script="flush ruleset\ntable ip theirs {}\n")


class OldKernel(Netfilter):
    """Linux 6.1: it knows neither the flags nor what messages came later."""

    def commit(self, messages: Sequence[Message], generation: int) -> None:
        for one in messages:
            if one.kind > NFT_MSG_DELFLOWTABLE:
                raise OSError(EINVAL, "Invalid argument")
            if one.kind == NFT_MSG_NEWTABLE and any(dict(attributes(one.body))[TABLE_FLAGS]):
                raise OSError(EOPNOTSUPP, "Operation not supported")
        super().commit(messages, generation)


class OldKernelTests(OwnedCase):
    """A kernel that can't."""

    def test_installed_all_the_same(self) -> None:
        """The rules are those of the script, and no draft is left."""
        kernel: Any = OldKernel()
        self.addCleanup(kernel.close)
        ruleset = make_ruleset(policy(SAMPLE))
        mine = NftablesFilter(kernel)
        for _ in range(2):
            mine.install(ruleset, set())
        ours = self.listed()
        self.nft("-f", "-", script=nftables.install_script(ruleset))
        self.assertEqual(ours, self.listed())
        self.assertEqual(self.nft("list", "tables"), f"table inet {TABLE}\n")
