"""The laboratory: what C{make lab} and C{tproxygw lab} do."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

from rich.console import Console
from twisted.trial.unittest import SynchronousTestCase

from gateway.lab import LabError, configuration, laboratory
from gateway.lab.demonstration import demonstrate
from gateway.lab.namespace import Namespace
from gateway.lab.network import SERVER, Network
from gateway.lab.waiting import wait_until, work_done
from tests.netns.scene import unable

OWN_SERVICE = """
inspector = "relay"
[[rule]]
from = ["192.168.7.0/24"]
[[expect]]
from = "192.168.7.7"
to = "192.0.2.77:80"
"""
CONF = Path(__file__).parents[2] / "conf"


class LabTests(SynchronousTestCase):
    """With the example configuration."""

    skip = unable()

    def setUp(self) -> None:
        self.prefix = f"tproxygw-test-{os.getpid()}-lab-"
        self.addCleanup(laboratory.remove, self.prefix)

    def names(self) -> list[str]:
        return [one.name for one in Network(self.prefix).namespaces if one.exists]

    def test_up_and_down(self) -> None:
        """It can be opened, entered and closed; nothing is left, and closing twice is harmless."""
        opened = laboratory.up(CONF, self.prefix)
        curl = ("curl", "-sS", "-o", f"{opened.folder}/page", f"http://{SERVER}/")
        self.assertEqual(laboratory.shell("client", self.prefix, curl), 0)
        self.assertIn("you are 10.1.2.3:", (opened.folder / "page").read_text())
        laboratory.down(self.prefix)
        self.assertEqual(self.names(), [])
        self.assertFalse(opened.folder.exists())
        laboratory.down(self.prefix)

    def test_own_configuration(self) -> None:
        """It takes any configuration: has its interface, and the addresses of its expectations."""
        config = Path(self.mktemp())
        (config / "services").mkdir(parents=True)
        (config / "gateway.toml").write_text('[divert]\ninterfaces = ["eth7"]\n')
        (config / "services" / "web.toml").write_text(OWN_SERVICE)
        opened = laboratory.up(config, self.prefix)
        page = opened.folder / "page"
        curl = ("curl", "-sS", "-o", str(page), "--interface", "192.168.7.7")
        url = "http://192.0.2.77/"
        self.assertEqual(laboratory.shell("client", self.prefix, (*curl, url)), 0)
        self.assertIn("you are 192.168.7.7:", page.read_text())
        self.assertTrue(wait_until(opened.records, seconds=5))
        self.assertEqual(opened.records()[0]["gateway"]["service"], "web")

    def test_left_overs(self) -> None:
        """What a crashed laboratory has left is replaced."""
        Namespace(f"{self.prefix}client").create()
        laboratory.run_folder(self.prefix).mkdir()
        laboratory.up(CONF, self.prefix)
        self.assertEqual(len(self.names()), 3)

    def test_broken_configuration(self) -> None:
        """A configuration that the gateway refuses is shown as that, and nothing is left."""
        broken = Path(self.mktemp())
        (broken / "services").mkdir(parents=True)
        (broken / "services" / "web.toml").write_text("nonsense = 1\n")
        error = self.assertRaises(LabError, laboratory.up, broken, self.prefix)
        self.assertIn("web.toml:1:1", str(error))
        self.assertEqual(self.names(), [])

    def test_closed(self) -> None:
        """There is no shell in a laboratory that is not open, and none elsewhere."""
        error = self.assertRaises(LabError, laboratory.shell, "client", self.prefix)
        self.assertIn("tproxygw lab up", str(error))
        error = self.assertRaises(LabError, laboratory.shell, "kitchen", self.prefix)
        self.assertIn("client, gateway, server", str(error))

    def test_demonstration(self) -> None:
        """
        Every connection of the demonstration fares as the example configuration says, it fits
        a terminal, and all records can be read when it is over.
        """
        shown = io.StringIO()
        as_decided = demonstrate(CONF, Console(file=shown, width=120), self.prefix)
        self.assertTrue(as_decided, shown.getvalue())
        for service in (path.stem for path in (CONF / "services").glob("*.toml")):
            self.assertIn(f" services/{service}.toml:", shown.getvalue())
        for heard in (
            "That is for nobody. Ask extension 42.",
            "The gateway could not understand what your program sent.",
            "502 That command is not allowed here.",
            "221 Goodbye",
            "550 5.7.1 Relaying denied",
            "550 5.7.1 No programs",
        ):
            self.assertIn(heard, shown.getvalue())
        lines = [line for line in shown.getvalue().splitlines() if not line.startswith("{")]
        self.assertLessEqual(max(map(len, lines)), 120)
        kept = laboratory.kept_records(self.prefix)
        records = kept.read_text().splitlines()
        self.assertIn(f"All {len(records)} of them: less {kept}", shown.getvalue())
        self.assertEqual(self.names(), [])

    def test_interrupted(self) -> None:
        """Ctrl-C or SIGTERM in the middle of the demonstration leaves nothing behind."""
        # A job in a shell's background ignores SIGINT, and so would what is started here.
        code = "import signal, sys, pathlib, gateway.lab as l; "
        code += "signal.signal(signal.SIGINT, signal.default_int_handler); "
        code += "l.demonstrate(pathlib.Path(sys.argv[1]), None, sys.argv[2])"
        for number in (signal.SIGINT, signal.SIGTERM):
            shown = subprocess.Popen(
                [sys.executable, "-c", code, str(CONF), self.prefix],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            self.addCleanup(shown.kill)
            audit = laboratory.run_folder(self.prefix) / "eve.json"
            progress = partial(work_done, shown.pid)
            self.assertTrue(wait_until(audit.exists, seconds=10, progress=progress))
            shown.send_signal(number)
            self.assertNotEqual(shown.wait(60), 0)
            self.assertEqual(self.names(), [])
            self.assertFalse(audit.parent.exists())


class ConfigurationTests(SynchronousTestCase):
    """The laboratory's view of a configuration."""

    def test_audit_is_redirected(self) -> None:
        """Audit records go to the laboratory's file, and no line moves."""
        for text, wanted in (
            ('[audit]\nfile = "/x"  # here\nbuffer = 1\n', '[audit]\nfile = "/y"\nbuffer = 1\n'),
            ("[audit]\nbuffer = 1\n", '[audit]\nfile = "/y"\nbuffer = 1\n'),
            ("[divert]\n", '[divert]\n\n[audit]\nfile = "/y"\n'),
            ("", '[audit]\nfile = "/y"\n'),
        ):
            self.assertEqual(configuration.with_audit(text, Path("/y")), wanted)

    def test_expected_addresses(self) -> None:
        """The addresses of expectations are those that the laboratory has to have."""
        clients, servers = configuration.expected_addresses(CONF)
        self.assertIn("10.1.200.9", clients)
        self.assertIn("fd00:1::2:3", clients)
        self.assertIn("2001:db8:100::7", servers)
        self.assertIn("203.0.113.9", servers)

    def test_interface(self) -> None:
        """The laboratory's inner interface is called as the configuration wants."""
        self.assertEqual(configuration.first_interface(CONF), "lan0")
