"""The C{tproxygw} command, as an operator uses it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from gateway import cli
from gateway.cli.terminal import Terminal

ROOT = Path(__file__).resolve().parent.parent
CONF = ROOT / "conf"
"""The example configuration."""

RULE = """\
inspector = "relay"
[[rule]]
ports = [80]
"""


class CommandCase(SynchronousTestCase):
    """Runs commands, and makes policies to run them on."""

    def tproxygw(self, *arguments: str | Path) -> Result:
        """Run the command in this process; a bug's traceback fails the test."""
        result = CliRunner().invoke(cli.main, [str(one) for one in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def policy(self, gateway: str = "", **services: str) -> Path:
        """A new configuration folder."""
        folder = Path(self.mktemp())
        (folder / "services").mkdir(parents=True)
        (folder / "gateway.toml").write_text(gateway)
        for name, text in services.items():
            (folder / "services" / f"{name}.toml").write_text(text)
        return folder


class CheckTests(CommandCase):
    """C{tproxygw check}"""

    def test_example(self) -> None:
        """The example configuration is good."""
        result = self.tproxygw("check", CONF)
        self.assertEqual((result.exit_code, result.stderr), (0, ""))
        self.assertIn("good", result.stdout)

    def test_every_problem(self) -> None:
        """All problems are told at once, each with its place; the exit status is 2."""
        folder = self.policy(
            "[divert]\nprot = 50080\n", web='inspector = "relai"\n', mail='action = "dney"\n'
        )
        result = self.tproxygw("check", folder)
        self.assertEqual((result.exit_code, result.stdout), (2, ""))
        for word in ("gateway.toml:2:1", "services/web.toml:1:", "services/mail.toml:1:"):
            self.assertIn(word, result.stderr)
        self.assertIn('did you mean "port"?', result.stderr)

    def test_no_such_folder(self) -> None:
        """A folder that is not there is a bad argument, not a traceback."""
        result = self.tproxygw("check", "/nonexistent")
        self.assertEqual(result.exit_code, 2)
        self.assertIn("does not exist", result.stderr)

    def test_control_characters(self) -> None:
        """What stands in a file cannot steer the terminal that shows it."""
        folder = self.policy(web='inspector = "\\u001b]0;owned\\u0007"\n')
        result = self.tproxygw("check", folder)
        self.assertEqual(result.exit_code, 2)
        self.assertNotIn("\x1b", result.output)

    def test_broken_plugin(self) -> None:
        """A plugin's bug is shown as what it is: a traceback into the plugin."""
        folder = self.policy('plugin_path = ["plugins"]\n', web='inspector = "broken"\n')
        (folder / "plugins").mkdir()
        (folder / "plugins" / "broken.py").write_text("1 / 0\n")
        self.assertRaises(ZeroDivisionError, self.tproxygw, "check", folder)


class ExplainTests(CommandCase):
    """C{tproxygw explain}"""

    def explain(self, *arguments: str) -> Result:
        """Ask about the example configuration."""
        return self.tproxygw("explain", "--config", CONF, *arguments)

    def test_winner(self) -> None:
        """The rule that wins is named with its place."""
        result = self.explain("--from", "10.1.2.3", "--to", "198.51.100.7:80")
        self.assertEqual(result.exit_code, 0)
        self.assertIn("services/web.toml:9", result.stdout)

    def test_udp_and_ipv6(self) -> None:
        """UDP and IPv6 are asked about in the same way."""
        result = self.explain("--from", "10.1.2.3:9", "--to", "198.51.100.7:7", "--protocol", "udp")
        self.assertIn("echo", result.stdout)
        result = self.explain("--from", "fd00:1::2:3", "--to", "[2001:db8:100::7]:8080")
        self.assertIn("services/web.toml:9", result.stdout)

    def test_bad_addresses(self) -> None:
        """A wrong address is a bad argument that says what is wrong."""
        for wrong in (
            ("--from", "10.1.2", "--to", "198.51.100.7:80"),
            ("--from", "10.1.2.3", "--to", "198.51.100.7"),
            ("--from", "10.1.2.3", "--to", "198.51.100.7:99999"),
            ("--from", "10.1.2.3", "--to", "[2001:db8::1]:80"),
        ):
            result = self.explain(*wrong)
            self.assertEqual(result.exit_code, 2, result.output)
            self.assertIn("Error:", result.stderr)


class RulesTests(CommandCase):
    """C{tproxygw rules}"""

    def test_each_form(self) -> None:
        """The rules come as an nft script, an iptables script or ip commands."""
        for form, word in (("nft", "tproxy"), ("iptables", "TPROXY"), ("ip", "rule add fwmark")):
            result = self.tproxygw("rules", "--config", CONF, "--as", form)
            self.assertEqual(result.exit_code, 0, result.output)
            self.assertIn(word, result.stdout)

    def test_backend(self) -> None:
        """Without C{--as}, the rules are those of the policy's own backend."""
        folder = self.policy('[divert]\nbackend = "iptables"\n', web=RULE)
        self.assertIn("iptables-restore", self.tproxygw("rules", "--config", folder).stdout)

    def test_impossible(self) -> None:
        """What iptables can't do is refused, not printed wrongly."""
        folder = self.policy('[divert]\nwhen_down = "pass"\n', web=RULE)
        result = self.tproxygw("rules", "--config", folder, "--as", "iptables")
        self.assertEqual((result.exit_code, result.stdout), (2, ""))


class InspectorsTests(CommandCase):
    """C{tproxygw inspectors}"""

    def test_plugin_path(self) -> None:
        """An operator's own inspector is listed, even while the policy is not good."""
        folder = self.policy('plugin_path = ["plugins"]\nnonsense = 1\n')
        (folder / "plugins").mkdir()
        (folder / "plugins" / "redis.py").write_text(
            "from gateway.maker import InspectorMaker\n"
            'redis = InspectorMaker("redis", "nowhere:Redis", "Redis")\n'
        )
        result = self.tproxygw("inspectors", "--config", folder)
        self.assertIn("redis\tRedis\n", result.stdout)
        self.assertIn("relay\t", result.stdout)

    def test_bad_plugin_path(self) -> None:
        """A folder that is missing is said so."""
        result = self.tproxygw("inspectors", "--config", self.policy('plugin_path = ["no"]\n'))
        self.assertEqual(result.exit_code, 2)
        self.assertIn("not a folder", result.stderr)


class ReferenceTests(CommandCase):
    """C{tproxygw reference}"""

    def test_document_is_current(self) -> None:
        """docs/configuration.md is what the classes say: if this fails, run C{make docs}."""
        written = (ROOT / "docs" / "configuration.md").read_text()
        self.assertEqual(self.tproxygw("reference").stdout, written)


class TerminalTests(SynchronousTestCase):
    """What is printed is for people, or for programs, and harmless to both."""

    def test_lines_stay_whole(self) -> None:
        """In a pipe, nothing is wrapped, cut, coloured or read as markup."""
        text = "[red]" + "word " * 100
        result = CliRunner().invoke(_printing(text))
        self.assertEqual(result.stdout, text + "\n")

    def test_escapes(self) -> None:
        """Control characters are shown, not obeyed."""
        self.assertEqual(CliRunner().invoke(_printing("a\x1b[2Jb\n")).stdout, "a\\x1b[2Jb\n\n")


def _printing(text: str) -> cli.Commands:
    """A command that prints C{text}."""
    group = cli.Commands("print", invoke_without_command=True)
    group.callback = lambda: Terminal().say(text)
    return group


class ProcessTests(SynchronousTestCase):
    """The command as a process."""

    def test_reader_goes_away(self) -> None:
        """C{tproxygw rules | head -1} ends without a traceback."""
        command = f"{Path(sys.executable).with_name('tproxygw')} rules --config {CONF} | head -1"
        done = subprocess.run(
            ["bash", "-c", command], capture_output=True, timeout=60, env={**os.environ}
        )
        self.assertEqual(done.stderr, b"")
        self.assertEqual(len(done.stdout.splitlines()), 1)
