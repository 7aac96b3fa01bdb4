"""Inspectors are found by name, loaded only when asked for, and broken ones say why."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gateway.interfaces import CONTRACT, IInspectorMaker
from gateway.maker import InspectorMaker
from gateway.registry import find, makers
from gateway.testing import FakeSession
from protocols.finger import FingerInspector, FingerSettings

ROOT = Path(__file__).resolve().parent.parent

GOOD = """
from attrs import frozen
from gateway.inspector import Inspector, option
from gateway.maker import InspectorMaker

@frozen
class Settings:
    greeting: str = option("What is said first.", "{greeting}")

class {name}Inspector(Inspector):
    Settings = Settings

{name} = InspectorMaker("{name}", {name}Inspector, "A test")
"""

OWN = (
    "clamd",
    "dns",
    "finger",
    "ftp",
    "http",
    "icap",
    "imap",
    "lines",
    "milter",
    "pop3",
    "program",
    "quic",
    "relay",
    "smtp",
    "ssh",
    "telnet",
    "tls",
    "whois",
    "yara",
)
"""The inspectors that come with the gateway."""


class MakerTests(SynchronousTestCase):
    """What C{inspector = "finger"} stands for."""

    def test_makes(self) -> None:
        """It knows the settings, and makes inspectors."""
        maker = InspectorMaker("finger", "protocols.finger:FingerInspector", "Finger")
        verifyObject(IInspectorMaker, maker)
        self.assertIs(maker.settings(), FingerSettings)
        self.assertIsInstance(maker.make(FakeSession(FingerInspector)), FingerInspector)

    def test_lazy(self) -> None:
        """Declaring one imports nothing; a missing module shows only when it is needed."""
        maker = InspectorMaker("x", "no.such.module:X", "X")
        self.assertIn("no module 'no'", str(self.assertRaises(LookupError, maker.settings)))

    def test_own_lookup_error(self) -> None:
        """A plugin whose own code raises KeyError is not mistaken for a missing one."""
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "plugin_with_key_error.py").write_text("{}['x']\n")
        sys.path.insert(0, str(folder))
        self.addCleanup(sys.path.remove, str(folder))
        error = self.assertRaises(ImportError, find, "plugin_with_key_error:X")
        self.assertIsInstance(error.__cause__, KeyError)


class FindTests(SynchronousTestCase):
    """What a service file may say."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def put(self, name: str, text: str = GOOD, greeting: str = "hello") -> None:
        """Drop a file beside the configuration."""
        path = self.folder / f"{name}.py"
        path.write_text(text.replace("{name}", name).replace("{greeting}", greeting))

    def find(self, name: str) -> IInspectorMaker:
        """Find it, with the folder in C{plugin_path}."""
        return find(name, (self.folder,))

    def test_twisted_plugin(self) -> None:
        """The gateway's own are Twisted plugins."""
        self.assertIs(find("finger").settings(), FingerSettings)

    def test_class(self) -> None:
        """A class needs no declaration; its settings' table has a plain name."""
        maker = find("protocols.finger:FingerInspector")
        self.assertEqual((maker.name, maker.settings()), ("finger", FingerSettings))

    def test_missing_class(self) -> None:
        """A class or module that is not there is the operator's mistake."""
        for name, why in (
            ("protocols.finger:Fingr", "no class 'Fingr'"),
            ("protocols.fingr:X", "no module 'protocols.fingr'"),
            (":X", "not of the form"),
            ("protocols.finger:", "not of the form"),
        ):
            self.assertIn(why, str(self.assertRaises(LookupError, find, name)))

    def test_file(self) -> None:
        """A single file is found by its name, and loaded once."""
        self.put("redis")
        maker = self.find("redis")
        self.assertEqual(maker.settings().__name__, "Settings")  # type: ignore[union-attr]
        self.assertIs(self.find("redis"), maker)
        self.assertEqual([path.name for path in self.folder.iterdir()], ["redis.py"])

    def test_contract(self) -> None:
        """A plugin for a contract that is not kept is refused, and the way out is said."""
        major, minor = CONTRACT
        for wanted, way in (
            ((major, minor + 1), "install a newer gateway"),
            ((major + 1, 0), "install a newer gateway"),
            ((major - 1, 9), "ask its author"),
        ):
            self.put("redis", GOOD.replace('"A test"', f'"A test", contract={wanted}'))
            self.assertIn(way, str(self.assertRaises(LookupError, self.find, "redis")))
        self.put("redis", GOOD.replace('"A test"', f'"A test", contract=({major}, 0)'))
        self.assertEqual(self.find("redis").contract, (major, 0))

    def test_changed_file(self) -> None:
        """A file that was changed is loaded again, as a reload should."""
        self.put("redis")
        before = self.find("redis")
        self.put("redis", greeting="good morning")
        after = self.find("redis")
        self.assertIsNot(after, before)
        self.assertEqual(after.settings()().greeting, "good morning")  # type: ignore[misc]

    def test_only_what_is_asked_for(self) -> None:
        """A broken file that nobody asks for breaks nothing."""
        self.put("redis")
        self.put("broken", "1/0")
        self.find("redis")
        self.find("relay")

    def test_broken_file(self) -> None:
        """A broken file raises what it raised, and can be mended."""
        self.put("redis", "1/0")
        self.assertRaises(ZeroDivisionError, self.find, "redis")
        self.put("redis")
        self.find("redis")

    def test_broken_reload(self) -> None:
        """A file that was broken since leaves what runs as it was."""
        self.put("redis")
        running = self.find("redis").settings()
        self.put("redis", "1/0")
        self.assertRaises(ZeroDivisionError, self.find, "redis")
        assert running is not None
        self.assertIs(vars(sys.modules[running.__module__])["Settings"], running)

    def test_file_without_declaration(self) -> None:
        """A file that declares nothing is answered with the line that is missing."""
        self.put("redis", "x = 1")
        message = str(self.assertRaises(LookupError, self.find, "redis"))
        self.assertIn('redis = InspectorMaker("redis"', message)

    def test_two_of_a_name(self) -> None:
        """Two plugins of a name are refused; nobody guesses which one was meant."""
        self.put("finger")
        message = str(self.assertRaises(LookupError, self.find, "finger"))
        self.assertIn("2 plugins are called 'finger'", message)
        self.assertIn("protocols.finger:FingerInspector", message)
        self.assertRaises(LookupError, makers, (self.folder,))

    def test_did_you_mean(self) -> None:
        """A mistyped name is answered with the nearest one, files included."""
        self.put("redis")
        for name, near in (("figner", "finger"), ("reddis", "redis")):
            message = str(self.assertRaises(LookupError, self.find, name))
            self.assertIn(f"did you mean {near!r}?", message)
        message = str(self.assertRaises(LookupError, self.find, "xyzzy"))
        self.assertIn(", ".join(sorted([*OWN, "redis"])), message)

    def test_names_are_no_paths(self) -> None:
        """A name can't lead out of the folders."""
        (self.folder / "inner").mkdir()
        self.put("redis")
        self.assertRaises(LookupError, find, "../redis", (self.folder / "inner",))

    def test_missing_folder(self) -> None:
        """A folder that is not there is the operator's mistake."""
        error = self.assertRaises(LookupError, find, "relay", (self.folder / "none",))
        self.assertIn("is not a folder", str(error))

    def test_makers(self) -> None:
        """All are listed by name."""
        self.put("redis")
        self.assertEqual([maker.name for maker in makers((self.folder,))], sorted([*OWN, "redis"]))


class InstalledTests(SynchronousTestCase):
    """Plugins of other distributions; each in a process of its own, since imports last."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        (self.folder / "twisted" / "plugins").mkdir(parents=True)

    def plugin(self, name: str, text: str) -> None:
        """Install a module in C{twisted/plugins}."""
        (self.folder / "twisted" / "plugins" / f"{name}.py").write_text(dedent(text))

    def run_find(self, name: str) -> str:
        """Its output, and what it ends with."""
        program = f"from gateway.registry import find; print(find({name!r}))"
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(self.folder), str(ROOT)])},
            capture_output=True,
            timeout=60,
        )
        return (done.stdout + done.stderr).decode()

    def test_found(self) -> None:
        """Two lines in twisted/plugins make an inspector known."""
        self.plugin(
            "redis_plugin",
            """
            from gateway.maker import InspectorMaker
            redis = InspectorMaker("redis", "redis_inspector:RedisInspector", "Redis")
            """,
        )
        self.assertIn("InspectorMaker('redis'", self.run_find("redis"))

    def test_broken(self) -> None:
        """A plugin module that can't be imported shows its own traceback."""
        self.plugin(
            "redis_plugin",
            """
            from gateway.maker import InspectorMaker
            1 / 0
            redis = InspectorMaker("redis", "redis_inspector:RedisInspector", "Redis")
            """,
        )
        output = self.run_find("redis")
        self.assertIn("redis_plugin.py", output)
        self.assertTrue(output.strip().endswith("ZeroDivisionError: division by zero"), output)
        self.assertIn("InspectorMaker('relay'", self.run_find("relay"))

    def test_broken_stranger(self) -> None:
        """A broken plugin of somebody else's does not hide a mistyped name."""
        self.plugin("stranger", "1 / 0")
        self.assertIn("did you mean 'relay'?", self.run_find("rely"))

    def test_read_only(self) -> None:
        """Where Twisted can't keep its cache, everything is found all the same."""
        self.plugin(
            "redis_plugin",
            """
            from gateway.maker import InspectorMaker
            redis = InspectorMaker("redis", "redis_inspector:RedisInspector", "Redis")
            """,
        )
        # Not even root can write to a folder of this name.
        (self.folder / "twisted" / "plugins" / "dropin.cache").mkdir()
        self.assertIn("InspectorMaker('redis'", self.run_find("redis"))
