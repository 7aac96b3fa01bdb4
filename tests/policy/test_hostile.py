"""
Whatever an operator, an editor or a broken disk writes into the configuration: it is a policy,
or a PolicyError with the place. It is never another exception, nor a policy without some services.
"""

from __future__ import annotations

import os
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import registry
from gateway.policy.load import load
from gateway.policy.problem import PolicyError
from tests.policy.case import RULE, LoadCase, find

ROOT = Path(__file__).parents[2]
EXAMPLES = int(os.environ.get("POLICY_EXAMPLES", "60"))
"""Of each kind. POLICY_EXAMPLES=10000 takes some minutes."""

LISTS = b"""inspector = "http"
[[rule]]
from = ["192.0.2.1"]
[[http.request]]
lists = ["lists/urls"]
[http.authentication]
users = "lists/users"
[http.pages]
html = "lists/page.html"
"""
MAILS = b"""inspector = "smtp"
[[rule]]
from = ["192.0.2.2"]
[[smtp.senders]]
lists = ["lists/addresses"]
"""

FILES: dict[str, bytes] = {
    **{
        str(path.relative_to(ROOT / "conf")): path.read_bytes()
        for path in sorted((ROOT / "conf").rglob("*.toml"))
    },
    "services/lists.toml": LISTS,
    "services/mails.toml": MAILS,
    "lists/urls": b"# comment\r\nevil.example\nbad.example/path\nhttp://x.example/a?b\n",
    "lists/users": b"alibaba:$2y$05$sGdXTxqsDGU7Pmxle3GbIuNoZzpqAlKTLLVDIuFGmSWOQZWjIWYeW\n",
    "lists/page.html": b"<p>$message</p>\n",
    "lists/addresses": b"bob@example.net\nexample.net\n# comment\n",
}

VALUES = [
    *(b"true", b"-1", b"nan", b"inf", b"1e999", b"9" * 25, b"9" * 5000, b"0x7fffffffffffffffff"),
    *(b"1979-05-27", b"07:32:00", b"1979-05-27T07:32:00Z", b"[]", b"{}", b"[[[]]]", b"{a = 1}"),
    *(b'""', b'" "', b'"\\n"', b'["\\u0000"]', b'"\\ud800"', b'"\\U0010ffff"', b'"a" * 9'),
    *(b'"1.2.3.4/33"', b'"::ffff:1.2.3.4"', b'"[::1%eth0]:80"', b'"((("', b'"[a-"', b'"(?P<x>"'),
    *(b"[" * 300 + b"]" * 300, '"\u0661\u00b2"'.encode(), b"'''", b'"""', b'"lists/users"'),
]
PIECES = [
    *(b"\r", b"\r\r\n", b"\r\n", b"\n\r", b"\xef\xbb\xbf", b"\0", b"\xff", b"\xc3", b"\x0c"),
    *(b"\xc2\x85", b"\xe2\x80\xa8", b"\xed\xa0\x80", b"\x1b[2J", b"#", b'"', b"'", b"\\", b"="),
    *(b"[", b"]", b"[[", b"]]", b"{", b"}", b",", b".", b"\n", b"a\nb", b"*", b"@", b":"),
]


@st.composite
def damaged(draw: Any) -> tuple[str, bytes]:
    """One of the files, with a few faults."""
    name = draw(st.sampled_from(sorted(FILES)))
    data = FILES[name]
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        kind = draw(st.sampled_from(("put", "cut", "value", "twice", "end")))
        lines = data.split(b"\n")
        line = data.count(b"\n", 0, at)
        if kind == "put":
            data = data[:at] + draw(st.sampled_from(PIECES) | st.binary(max_size=3)) + data[at:]
        elif kind == "cut":
            data = data[:at] + data[at + draw(st.integers(1, 20)) :]
        elif kind == "value":
            lines[line] = lines[line].partition(b"=")[0] + b"= " + draw(st.sampled_from(VALUES))
            data = b"\n".join(lines)
        elif kind == "twice":
            data = b"\n".join([*lines[:line], lines[line], *lines[line:]])
        else:
            lines[line] += draw(st.sampled_from((b"\r", b"\r\r", b"\\", b'"', b"\0")))
            data = b"\n".join(lines)
    return name, data


class HostileTests(LoadCase):
    """Faults that nobody thought of, in the example configuration and in lists."""

    def setUp(self) -> None:
        self.folder = self.write(FILES) if (ROOT / "conf").exists() else Path()

    def write(self, files: Any) -> Path:
        folder = Path(self.mktemp())
        for name, data in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return folder

    def test_sound(self) -> None:
        """Without a fault, it is a policy: what is refused below is refused for its faults."""
        services = load(self.folder, registry.find).services
        self.assertLessEqual({"lists", "mails", "web"}, set(services))

    @settings(max_examples=EXAMPLES, deadline=None)
    @given(damaged())
    def test_damaged(self, fault: tuple[str, bytes]) -> None:
        """It is a policy with as many services, or what is wrong is told, each with its file."""
        name, data = fault
        path = self.folder / name
        path.write_bytes(data)
        try:
            policy = load(self.folder, registry.find)
        except PolicyError as error:
            self.assertTrue(error.problems)
            str(error).encode("utf-8")
            for problem in error.problems:
                self.assertIn(problem.place.file, FILES)
        else:
            services = {Path(each).stem for each in FILES if each.startswith("services/")}
            self.assertEqual(set(policy.services), services)
        finally:
            path.write_bytes(FILES[name])

    @settings(max_examples=EXAMPLES, deadline=None)
    @given(st.sampled_from(sorted(FILES)), st.binary(max_size=200) | st.text().map(str.encode))
    def test_rubbish(self, name: str, data: bytes) -> None:
        """Nor does a file that is none matter."""
        self.test_damaged.hypothesis.inner_test(self, (name, data))  # type: ignore[attr-defined]


class LineEndTests(LoadCase):
    """Files of other systems, and of programs that mean well."""

    def told(self, services: bytes) -> list[str]:
        return self.problems({"services/a.toml": services})

    def test_windows(self) -> None:
        """CR LF ends a line as LF does; columns are the same."""
        text = RULE.encode() + b"ports = [\n0,\n'x']\n"
        unix = self.told(text)
        self.assertEqual(self.told(text.replace(b"\n", b"\r\n")), unix)
        self.assertTrue(all(each.startswith("services/a.toml:") for each in unix), unix)

    def test_lone(self) -> None:
        """A CR without a LF ends no line, wherever it is: its place is told."""
        wrong = "not TOML: a carriage return without a line feed behind it"
        for text, place in (
            (b'inspector = "relay"\r\r\n', "1:20"),
            (b"a = 1\r\n# b\r\r\n", "2:4"),
            (b'a = """\r\n\r\r\n"""', "2:1"),
            (b"\r", "1:1"),
            (b'a = "\r"', "1:6"),
        ):
            self.assertEqual(self.told(text), [f"services/a.toml:{place}: {wrong}"], text)

    def test_mark(self) -> None:
        """What some editors put in front of UTF-8 is named as what it is."""
        (said,) = self.told(b"\xef\xbb\xbf" + RULE.encode())
        self.assertTrue(said.startswith("services/a.toml:1:1: not TOML: a byte order mark"), said)

    def test_nul(self) -> None:
        """So is the place of a NUL, and of half a character."""
        (said,) = self.told(b'a = 1\nb = "\0"\n')
        self.assertTrue(said.startswith("services/a.toml:2:6: not TOML: "), said)
        self.assertEqual(self.told(b'a = 1\nb = "\xc3"\n'), ["services/a.toml:2:6: not UTF-8"])


class FolderTests(LoadCase):
    """What is not there, or can't be read, is told; it is not a policy without services."""

    def refused(self, folder: Path) -> str:
        return str(self.assertRaises(PolicyError, load, folder, find).problems[0])

    def test_no_folder(self) -> None:
        """The folder itself."""
        folder = Path(self.mktemp()).absolute()
        self.assertEqual(
            self.refused(folder), f"{folder}: can't be read: No such file or directory"
        )

    def test_services(self) -> None:
        """The folder of services is none; or leads nowhere."""
        for make in (Path.touch, lambda path: path.symlink_to("nowhere")):
            folder = self.write({})
            (folder / "services").rmdir()
            make(folder / "services")
            self.assertTrue(self.refused(folder).startswith("services: can't be read: "))

    def test_unreadable(self) -> None:
        """
        A reload by a user who may not list the services keeps the old policy: it would else be
        one that diverts nothing.
        """
        with TemporaryDirectory() as parent:
            folder = Path(parent) / "conf"
            copytree(self.write({"services/a.toml": RULE}), folder)
            Path(parent).chmod(0o755)
            (folder / "services").chmod(0)
            os.seteuid(os.getuid() or 65534)  # root may read anything
            try:
                said = self.refused(folder)
            finally:
                os.seteuid(os.getuid())
        self.assertEqual(said, "services: can't be read: Permission denied")

    def test_zones(self) -> None:
        """zones.toml may be missing, but not lead nowhere."""
        folder = self.write({})
        (folder / "zones.toml").unlink()
        load(folder, find)
        (folder / "zones.toml").symlink_to("nowhere")
        said = self.refused(folder)
        self.assertEqual(said, "zones.toml: can't be read: No such file or directory")

    def test_pipe(self) -> None:
        """Nobody waits for what comes out of a pipe."""
        folder = self.write({})
        os.mkfifo(folder / "services" / "a.toml")
        said = self.refused(folder)
        self.assertEqual(said, "services/a.toml: can't be read: it is not a file")

    def test_name(self) -> None:
        """The name of a file may be bytes that are no text; it can be shown all the same."""
        folder = self.write({})
        (folder / "services" / os.fsdecode(b"\xff.toml")).write_text(RULE)
        self.refused(folder).encode("utf-8")
        self.assertIn(r"services/\udcff.toml:1:1", self.refused(folder))

    def test_long_name(self) -> None:
        """Nor is a name that no file can have anything else than a mistake."""
        for name in ("a" * 5000, "\\u0000"):
            (said,) = self.problems({"gateway.toml": f'plugin_path = ["{name}"]'})
            self.assertTrue(said.startswith("gateway.toml:1:16: plugin_path: there is no folder "))
