"""Files that settings name."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from attrs import frozen

from gateway.interfaces import IInspectorMaker
from gateway.kernel.errors import KernelError
from gateway.kernel.fingerprint import fingerprint, load_same, with_files
from gateway.policy.files import MOST_PROBLEMS, NamedFile
from gateway.policy.load import load
from gateway.policy.policy import Policy
from gateway.policy.problem import PolicyError
from gateway.policy.reference import reference
from gateway.policy.settings import option, written_at
from tests.policy.case import LoadCase, Maker

SERVICE = 'inspector = "words"\n[words]\n'
"""Two lines."""


def read_words(file: NamedFile) -> list[bytes]:
    for number, line in enumerate(file.content.splitlines(), 1):
        if b"!" in line:
            file.complain(f"{line!r} is no word", number, line.index(b"!") + 1)
    return file.content.split()


@frozen
class Row:
    """A table in an array of tables."""

    word: str = option("A word.")
    list: object = option("More words.", None, file=read_words)
    place: str = written_at()


@frozen
class Words:
    """Settings that name files."""

    good: list[bytes] | None = option("Words.", None, file=read_words)
    more: tuple[list[bytes], ...] = option("Lists of words.", (), file=read_words)
    row: tuple[Row, ...] = option("Tables.", ())


MAKER = Maker("words", Words)


def find(name: str, plugin_path: tuple[Path, ...]) -> IInspectorMaker:
    return MAKER


class FilesTests(LoadCase):
    """What settings name is read with the policy."""

    def folder(self, text: str, **files: str | bytes) -> Path:
        return self.write({"services/web.toml": SERVICE + text, **files})

    def settings(self, text: str, **files: str | bytes) -> Words:
        made = load(self.folder(text, **files), find).services["web"].settings
        assert isinstance(made, Words)
        return made

    def said(self, text: str, **files: str | bytes) -> list[str]:
        with self.assertRaises(PolicyError) as caught:
            load(self.folder(text, **files), find)
        return [str(problem) for problem in caught.exception.problems]

    def test_read(self) -> None:
        """The name is relative to the configuration folder; the setting is what it holds."""
        settings = self.settings('good = "list.txt"', **{"list.txt": "a b"})
        self.assertEqual(settings.good, [b"a", b"b"])

    def test_left_out(self) -> None:
        """No name, no file."""
        self.assertIsNone(self.settings("").good)

    def test_several(self) -> None:
        """An array of names is a tuple of what the files hold, in order."""
        settings = self.settings('more = ["b", "a"]', a="1", b="2")
        self.assertEqual(settings.more, ([b"2"], [b"1"]))

    def test_shared(self) -> None:
        """A file that is named twice is held once."""
        settings = self.settings('good = "a"\nmore = ["a"]', a="1")
        self.assertIs(settings.good, settings.more[0])

    def test_missing(self) -> None:
        """A file that is not there is said where it is named."""
        said = self.said('good = "list.txt"')
        self.assertEqual(
            said,
            [
                'services/web.toml:3:1: words.good: "list.txt" can\'t be read: '
                "No such file or directory"
            ],
        )

    def test_no_file(self) -> None:
        """Folders and devices are no lists; nor is what has no name."""
        self.assertIn("is not a file", self.said('good = "services"')[0])
        self.assertIn("is not a file", self.said('good = "/dev/zero"')[0])
        self.assertIn("embedded null", self.said('good = "\\u0000"')[0])
        self.assertIn("must be the name of a file", self.said('good = ""')[0])
        self.assertIn("must be the name of a file", self.said("good = 1")[0])
        self.assertIn("must be an array", self.said('more = "a"', a="")[0])
        self.assertIn("must be the name of a file", self.said("more = [1]")[0])

    def test_wrong_inside(self) -> None:
        """What is wrong in the file is said with its place in the file, once."""
        said = self.said('good = "a"\nmore = ["a", "b"]', a="good\nba!d", b="!")
        self.assertEqual(
            said,
            ["a:2:3: words.good: b'ba!d' is no word", "b:1:1: words.more: b'!' is no word"],
        )

    def test_very_wrong(self) -> None:
        """A file of another format does not flood the terminal."""
        said = self.said('good = "a"', a="!\n" * 1000)
        self.assertEqual(len(said), MOST_PROBLEMS)
        self.assertIn(f"and {1000 - MOST_PROBLEMS} more", said[-1])

    def test_in_tables(self) -> None:
        """Tables in arrays name files too, and know where they are written."""
        settings = self.settings('[[words.row]]\nword = "a"\nlist = "l"', l="x")
        self.assertEqual(settings.row[0].list, [b"x"])
        self.assertEqual(settings.row[0].place, "services/web.toml:3:1")

    def test_place_is_no_key(self) -> None:
        """Nobody can write where something is written."""
        said = self.said('[[words.row]]\nword = "a"\nplace = "here"')
        self.assertIn("unknown key", said[0])

    def test_reference(self) -> None:
        """The reference knows of files, and of arrays of tables."""
        text = reference([MAKER])
        self.assertIn("| `good` | the name of a file | (none) | Words. |", text)
        self.assertIn("### `[[words.row]]`", text)
        self.assertNotIn("`place`", text)


class FingerprintTests(LoadCase):
    """The gateway and its keeper have read the same."""

    def setUp(self) -> None:
        self.folder = self.write({"services/web.toml": SERVICE + 'good = "a"', "a": "one"})
        self.loaded = 0

    def load(self, folder: Path) -> Policy:
        self.loaded += 1
        return load(folder, find)

    def taken(self) -> str:
        return with_files(fingerprint(self.folder), load(self.folder, find).files)

    def test_digests(self) -> None:
        """The policy knows the digest of what was loaded."""
        self.assertEqual(load(self.folder, find).files, {"a": sha256(b"one").hexdigest()})

    def test_without_files(self) -> None:
        """A folder without such files has the fingerprint that it always had."""
        self.assertEqual(with_files("abc", {}), "abc")

    def test_same(self) -> None:
        """Nobody edits: the keeper has the same policy."""
        policy = load_same(self.folder, self.taken(), self.load)
        self.assertEqual(list(policy.services), ["web"])

    def test_edited(self) -> None:
        """Somebody edits a list between the two: the keeper has no policy to install."""
        taken = self.taken()
        (self.folder / "a").write_text("two")
        with self.assertRaises(KernelError):
            load_same(self.folder, taken, self.load)

    def test_names_count(self) -> None:
        """Contents that are exchanged are a change."""
        one, other = {"a": "1", "b": "2"}, {"a": "2", "b": "1"}
        self.assertNotEqual(with_files("f", one), with_files("f", other))

    def test_folder_edited(self) -> None:
        """Somebody edits a service, and the lists stay: the keeper does not even load."""
        taken = self.taken()
        (self.folder / "services/web.toml").write_text("broken")
        with self.assertRaises(KernelError):
            load_same(self.folder, taken, self.load)
        self.assertEqual(self.loaded, 0)
