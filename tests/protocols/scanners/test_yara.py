"""Bodies that are matched against YARA rules, by the real YARA-X."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER
from gateway.policy.load import load
from gateway.policy.problem import PolicyError
from gateway.registry import find
from gateway.testing import END, Conversation, FakeSession, InspectorSuite
from gateway.testing.tools import FakeLine, FakeTools
from protocols.scanners.report import MOST_FOUND
from protocols.scanners.yara.inspector import MATCHER, Matchers, YaraInspector, YaraSettings
from protocols.scanners.yara.matcher import serve
from protocols.scanners.yara.rules import Rules

VIRUS = b"SCAN-THIS-PLEASE"

RULE = 'rule %s { strings: $a = "%s" condition: $a }\n'
RULES = (
    Rules("yara/one.yar", RULE % ("One", VIRUS.decode()) + RULE % ("Other", "never")),
    Rules("yara/two.yar", RULE % ("One", "PLEASE")),
)
SETTINGS = YaraSettings(rules=RULES)


class Matcher:
    """The real one, which a test asks without a process."""

    def __init__(self) -> None:
        self.told: dict[FakeLine, bytes] = {}

    def __call__(self, line: FakeLine, data: bytes) -> None:
        before = self.said(line)
        self.told[line] = self.told.get(line, b"") + data
        more = self.said(line)[len(before) :]
        if more:
            line.says(more)

    def said(self, line: FakeLine) -> bytes:
        """What it says to all that it was told, as far as that is complete."""
        told = self.told.get(line, b"")
        first, end, rest = told.partition(b"\n")
        head, line_end, body = rest.partition(b"\n")
        if not line_end or len(body) < json.loads(head)["bytes"]:
            told = first + end
        said = io.BytesIO()
        if end:
            serve(io.BytesIO(told), said)
        return said.getvalue()


def scan(body: bytes, **how: Any) -> FakeSession:
    """A body, judged."""
    tools = FakeTools(Matcher())
    session = FakeSession(YaraInspector, evolve(SETTINGS, **how), tools=tools).start()
    session.says(CLIENT, body)
    session.hangs_up(CLIENT)
    return session


class YaraTests(SynchronousTestCase):
    """One body."""

    def record(self, session: FakeSession) -> dict[str, Any]:
        """Of it."""
        (record,) = session.records_of("fileinfo")
        return record

    def test_found(self) -> None:
        """Each rule that matches is a name; files have names of their own."""
        session = scan(b"please: " + VIRUS)
        self.assertEqual(session.sent[SERVER], b"")
        record = self.record(session)
        self.assertEqual(record["scan"]["found"], ["One", "One"])
        self.assertRegex(record["scan"]["scanner"], r"YARA-X [0-9.]+, 2 files of rules")
        (line,) = session.tools.lines
        self.assertTrue(line.kept)
        self.assertEqual((line.address, record["scan"]["address"]), ("yara", "yara"))

    def test_much_found(self) -> None:
        """However many rules match, and however long their names are: it was found."""
        many = "".join(RULE % (f"R{number:0127}", "a") for number in range(2000))
        session = scan(b"a", rules=(Rules("a", many),), on_error="pass")
        self.assertEqual(session.sent[SERVER], b"")
        self.assertEqual(len(self.record(session)["scan"]["found"]), MOST_FOUND)

    def test_clean(self) -> None:
        """What no rule matches passes as it came."""
        for body in (b"some bytes", b"x" * 300_000):
            session = scan(body)
            self.assertEqual(session.sent[SERVER], body)
            self.assertEqual(self.record(session)["scan"]["result"], "clean")

    def test_other_rules(self) -> None:
        """With other rules after a reload another process is asked."""
        other = evolve(SETTINGS, rules=RULES[:1])
        commands = [Matchers(each).run.command for each in (SETTINGS, SETTINGS, other)]
        self.assertEqual(commands[0], commands[1])
        self.assertNotEqual(commands[0], commands[2])

    def test_broken_rules(self) -> None:
        """A matcher that can't begin says so, and nothing passes."""
        session = scan(b"x", rules=(Rules("a", "rule"),))
        self.assertEqual(session.sent[SERVER], b"")
        self.assertFalse(session.tools.lines[0].worked)

    def test_process(self) -> None:
        """The program itself, run as the gateway runs it."""
        matchers = Matchers(SETTINGS)
        body = b"a" + VIRUS
        told = matchers.begin + b'{"bytes": %d}\n%b{"bytes": 0}\n' % (len(body), body)
        command = (sys.executable, "-I", MATCHER, "x")
        done = subprocess.run(command, input=told, capture_output=True, check=True, cwd="/")
        greeting, found, clean = map(json.loads, done.stdout.splitlines())
        self.assertIn("scanner", greeting)
        self.assertEqual((found, clean), ({"found": ["One", "One"]}, {"found": []}))


class RulesTests(SynchronousTestCase):
    """What an operator writes."""

    def problems(self, files: dict[str, str], rules: str = '["yara/"]') -> list[str]:
        folder = Path(self.mktemp())
        text = f'inspector = "yara"\n[yara]\nrules = {rules}\n'
        for name, content in {"gateway.toml": "", "services/scan.toml": text, **files}.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content)
        try:
            policy = load(folder, find)
        except PolicyError as error:
            return [str(problem) for problem in error.problems if not problem.warning]
        self.settings = policy.services["scan"].settings
        return []

    def test_good(self) -> None:
        """All files of a folder, and single ones; what editors leave is none."""
        files = {"yara/b.yar": RULE % ("B", "b"), "yara/a.yara": RULE % ("A", "a")}
        files |= {"yara/a.yar~": "rule", "yara/README.md": "Rules", "c.yar": RULE % ("C", "c")}
        self.assertEqual(self.problems(files, '["yara/", "c.yar"]'), [])
        names = [each.name for each in self.settings.rules]
        self.assertEqual(names, ["yara/a.yara", "yara/b.yar", "c.yar"])

    def test_wrong(self) -> None:
        """A rule that does not compile has its place; other files are looked at too."""
        bad = 'rule A {\n strings: $a = "x\n condition: $a }\n'
        include = 'include "/etc/passwd"\n' + RULE % ("A", "a")
        files = {"yara/a.yar": bad, "yara/b.yar": "\nrule B { condition: foo }\n"}
        found = self.problems({**files, "yara/c.yar": include})
        self.assertEqual(len(found), 3, found)
        self.assertTrue(found[0].startswith("yara/a.yar:2:16: yara.rules: syntax error: "), found)
        self.assertTrue(found[1].startswith("yara/b.yar:2:21: yara.rules: "), found)
        self.assertTrue(found[2].startswith("yara/c.yar:1:1: yara.rules: include"), found)

    def test_nothing(self) -> None:
        """Without rules nothing would ever be found, which is nobody's wish."""
        (found,) = self.problems({}, '["yara/"]')
        self.assertIn('there is no folder "yara/"', found)
        (found,) = self.problems({"yara/x.bak": ""}, '["yara/"]')
        self.assertIn('"yara/" has no files', found)
        (found,) = self.problems({}, "[]")
        self.assertIn('"rules" is empty', found)


class YaraSuite(InspectorSuite, SynchronousTestCase):
    """The generic promises, where there is no matcher, and the policy lets pass."""

    inspector = YaraInspector
    conversations = (
        Conversation(
            "passed unseen",
            ((CLIENT, b"some bytes"), (CLIENT, END), (SERVER, END)),
            settings=evolve(SETTINGS, on_error="pass", body_bytes=4, larger="pass"),
        ),
    )
