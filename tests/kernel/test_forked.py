"""Scripts that change the packet filter never run in the network of the tests themselves."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from gateway.lab.namespace import Namespace
from tests.kernel import forked
from tests.kernel.namespaces import namespace, require_namespaces

HOME = Namespace("/proc/self/ns/net")
"""Where who enters it is already."""


class ForkedTests(SynchronousTestCase):
    """L{forked.run}."""

    def setUp(self) -> None:
        require_namespaces()

    def test_elsewhere(self) -> None:
        """A script runs in the namespace that it is for, and this process remains where it is."""
        before = forked.network()
        with namespace() as host:
            there = host.python("import os; print(os.readlink('/proc/self/ns/net'))").strip()
        self.assertNotEqual(Path(there), before)
        self.assertEqual(forked.network(), before)

    def test_home(self) -> None:
        """One that would be in this process's own network does not begin."""
        made = Path(self.mktemp()).resolve()
        script = "import pathlib, sys; pathlib.Path(sys.argv[1]).touch()"
        error = self.assertRaises(AssertionError, forked.run, HOME, script, (str(made),), 60)
        self.assertIn("the network of the tests themselves", str(error))
        self.assertFalse(made.exists())
