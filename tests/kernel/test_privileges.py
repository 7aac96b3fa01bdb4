"""What the process keeps when it stops being root."""

from __future__ import annotations

from contextlib import ExitStack

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from gateway.kernel.descriptors import needed
from gateway.policy.limits import Limits
from tests.kernel.namespaces import Namespace, namespace


class PrivilegesCase(SynchronousTestCase):
    """Privileges are tried in a process of its own."""

    def setUp(self) -> None:
        stack = ExitStack()
        self.addCleanup(stack.close)
        self.host: Namespace = stack.enter_context(namespace())


class CapabilitiesTests(PrivilegesCase):
    """Two capabilities survive, and no more."""

    def test_through_setuid(self) -> None:
        """After the change of user foreign addresses and low ports work, changing rules doesn't."""
        said = self.host.python(
            "import os, socket\n"
            "from gateway.kernel.capabilities import *\n"
            "keep_through_setuid(); os.setgid(65534); os.setuid(65534); drop_to(TRAFFIC)\n"
            "s = socket.socket(); s.setsockopt(0, 19, 1); s.bind(('192.0.2.1', 20))\n"
            "s.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 1)\n"
            "refused = os.system('nft add table x 2>/dev/null') != 0\n"
            "print(missing(), missing({'CAP_NET_ADMIN'}), refused)"
        )
        self.assertEqual(said.strip(), "[] ['CAP_NET_ADMIN'] True")

    def test_root(self) -> None:
        """A root process that dropped them can't get them back by starting programs."""
        said = self.host.python(
            "import os\nfrom gateway.kernel.capabilities import TRAFFIC, drop_to\n"
            "drop_to(TRAFFIC)\nprint(os.system('nft add table x 2>/dev/null') != 0)"
        )
        self.assertEqual(said.strip(), "True")

    def test_missing(self) -> None:
        """What isn't there can't be kept, and that is said."""
        said = self.host.python(
            "from gateway.kernel.capabilities import TRAFFIC, drop_to\n"
            "drop_to({'CAP_NET_RAW'})\n"
            "try: drop_to(TRAFFIC)\nexcept PermissionError as e: print(e)"
        )
        self.assertIn("CAP_NET_BIND_SERVICE", said)


class DescriptorsTests(PrivilegesCase):
    """Room for both sides of every session."""

    def test_raised(self) -> None:
        """The soft limit is raised to what the limits need."""
        said = self.host.python(
            "import resource\nfrom gateway.kernel.descriptors import raise_limit\n"
            "from gateway.policy.limits import Limits\n"
            "resource.setrlimit(resource.RLIMIT_NOFILE, (100, 5000))\n"
            "raise_limit(Limits(sessions=1000))\n"
            "print(resource.getrlimit(resource.RLIMIT_NOFILE))"
        )
        self.assertEqual(said.strip(), "(2256, 5000)")

    def test_refused(self) -> None:
        """If it can't be, the operator is told what to set; as many as there are can be used."""
        said = self.host.python(
            "import resource\nfrom gateway.kernel.descriptors import raise_limit\n"
            "from gateway.kernel.capabilities import drop_to\n"
            "from gateway.policy.limits import Limits\n"
            "resource.setrlimit(resource.RLIMIT_NOFILE, (100, 1000)); drop_to(set())\n"
            "print(raise_limit(Limits(sessions=1000)))\n"
            "print(resource.getrlimit(resource.RLIMIT_NOFILE))"
        )
        self.assertIn("LimitNOFILE=2256", said)
        self.assertIn("limits.sessions to 372", said)
        self.assertIn("(1000, 1000)", said)

    def test_needed(self) -> None:
        """Two for each session, and a reserve."""
        one = needed(Limits())
        self.assertEqual(needed(evolve(Limits(), sessions=Limits().sessions + 10)), one + 20)
