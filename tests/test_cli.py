"""The C{tproxygw} command, as an operator uses it."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import termios
from pathlib import Path

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from gateway import cli
from gateway.cli import lab
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


class LabShellTests(CommandCase):
    """C{tproxygw lab shell}"""

    def test_options(self) -> None:
        """What stands behind the program's name is the program's, also C{-h}."""
        ran: list[object] = []

        def shell(name: str, command: object) -> int:
            ran.append((name, command))
            return 3

        self.patch(lab, "shell", shell)
        result = self.tproxygw("lab", "shell", "client", "redis-cli", "-h", "198.51.100.7", "--x")
        self.assertEqual(result.exit_code, 3, result.output)
        self.assertEqual(ran, [("client", ("redis-cli", "-h", "198.51.100.7", "--x"))])
        self.assertIn("PROGRAM", self.tproxygw("lab", "shell", "-h").output)


class CheckTests(CommandCase):
    """C{tproxygw check}"""

    def test_example(self) -> None:
        """The example configuration is good, but for the interface that only the lab has."""
        result = self.tproxygw("check", CONF)
        self.assertEqual(result.exit_code, 0)
        self.assertIn("good", result.stdout)
        for line in result.stderr.splitlines():
            self.assertIn('this host has no interface "lan0"', line)

    def test_warnings(self) -> None:
        """What is surely a mistake is told, and does not refuse the policy; unless asked to."""
        folder = self.policy(web=RULE)
        (folder / "services" / "mail.tml").write_text(RULE)
        result = self.tproxygw("check", folder)
        self.assertEqual(result.exit_code, 0)
        self.assertIn("services/mail.tml: warning: is no service", result.stderr)
        self.assertIn("good, with 1 warning. 1 service,", result.stdout)
        result = self.tproxygw("check", "--strict", folder)
        self.assertEqual((result.exit_code, result.stdout), (3, ""))
        self.assertIn("services/mail.tml: is no service", result.stderr)

    def test_interface(self) -> None:
        """An interface that this host has not got is told, with those that it has."""
        folder = self.policy('[divert]\ninterfaces = ["nonesuch0"]\n', web=RULE)
        result = self.tproxygw("check", folder)
        self.assertEqual(result.exit_code, 0)
        self.assertIn("gateway.toml:2:15: warning: divert.interfaces: this host", result.stderr)
        self.assertIn("(it has ", result.stderr)

    def test_for_programs(self) -> None:
        """The same as JSON, whether the policy is good or not."""
        folder = self.policy(web=RULE)
        (folder / "services" / "mail.tml").write_text(RULE)
        result = self.tproxygw("check", "--json", folder)
        self.assertEqual((result.exit_code, result.stderr), (0, ""))
        answer = json.loads(result.stdout)
        self.assertEqual((answer["good"], answer["services"], answer["problems"]), (True, 1, []))
        (warning,) = answer["warnings"]
        self.assertEqual((warning["file"], warning["line"]), ("services/mail.tml", 0))
        (folder / "gateway.toml").write_text("[divert]\nprot = 50080\n")
        result = self.tproxygw("check", "--json", folder)
        self.assertEqual((result.exit_code, result.stderr), (3, ""))
        answer = json.loads(result.stdout)
        self.assertEqual((answer["good"], len(answer["warnings"])), (False, 1))
        (problem,) = answer["problems"]
        self.assertEqual(
            (problem["file"], problem["line"], problem["column"], problem["key"]),
            ("gateway.toml", 2, 1, "divert.prot"),
        )

    def test_every_problem(self) -> None:
        """All problems are told at once, each with its place; the exit status is 3."""
        folder = self.policy(
            "[divert]\nprot = 50080\n", web='inspector = "relai"\n', mail='action = "dney"\n'
        )
        result = self.tproxygw("check", folder)
        self.assertEqual((result.exit_code, result.stdout), (3, ""))
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
        self.assertEqual(result.exit_code, 3)
        self.assertNotIn("\x1b", result.output)
        self.assertNotIn("\x1b", self.tproxygw("check", "--json", folder).output)

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
        for form, word in (("nft", "tproxy"), ("iptables", "TPROXY"), ("ip", "rule add")):
            result = self.tproxygw("rules", "--config", CONF, "--as", form)
            self.assertEqual(result.exit_code, 0, result.output)
            self.assertIn(word, result.stdout)

    def test_table(self) -> None:
        """Who gets which inspector where, the rule that wins first, one a line in a pipe."""
        result = self.tproxygw("rules", "--config", CONF, "--as", "table")
        self.assertEqual(result.exit_code, 0, result.output)
        rows = [line.split("\t") for line in result.stdout.splitlines()]
        self.assertIn(["office", "internet", "tcp 80 8080-8089", "http", "web.toml:9"], rows)
        self.assertIn(["office", "bank", "tcp 443", "kernel: forwarded", "bank.toml:5"], rows)
        names = [row[-1].partition(".")[0] for row in rows]
        self.assertLess(names.index("mirror"), names.index("web"))
        self.assertLess(names.index("web"), names.index("rest"))

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

    def test_table_fits(self) -> None:
        """On a terminal of 80 columns, a table of the example's rules has no line beyond them."""
        shown = in_terminal(80, "tproxygw", "rules", "--config", CONF, "--as", "table")
        self.assertIn("web.toml:9", shown)
        self.assertIn("the first one here wins", shown)
        self.assertLessEqual(max(map(len, shown.splitlines())), 80, shown)

    def test_escapes(self) -> None:
        """Control characters are shown, not obeyed."""
        self.assertEqual(CliRunner().invoke(_printing("a\x1b[2Jb\n")).stdout, "a\\x1b[2Jb\n\n")


COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def in_terminal(columns: int, program: str, *arguments: str | Path) -> str:
    """What one of our programs prints on a terminal of this width, without the colours."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (50, columns))
    command = [Path(sys.executable).with_name(program), *arguments]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while data := os.read(ours, 65536):
            shown += data
    except OSError:  # EIO: the program has ended, and its terminal with it
        pass
    finally:
        os.close(ours)
        process.wait(10)
    return COLOURS.sub("", shown.decode()).replace("\r\n", "\n")


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
