"""What passes the rules has nothing in it that five other programs would find against them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from twisted.trial.unittest import SynchronousTestCase

from protocols.mime.attachment import extensions
from protocols.mime.objection import Objection
from protocols.mime.rules import AttachmentRule
from protocols.mime.settings import ContentSettings
from tests.protocols.mime import broken, ways
from tests.protocols.mime.mails import passed
from tests.protocols.mime.readers import READERS, File

EXE = AttachmentRule(extensions=frozenset({"exe"}))
PROGRAM = AttachmentRule(detected=re.compile("application/x-executable"))
ZIP = AttachmentRule(extensions=frozenset({"zip"}))
ARCHIVE = AttachmentRule(detected=re.compile("application/zip"))

STRICT = ContentSettings(malformed="deny")
MENDING = ContentSettings(malformed="repair")

Mails = Iterable[tuple[str, bytes]]


def is_called(extension: str) -> Callable[[File], bool]:
    """Whether a file is called so, by a program that leaves quotes off."""
    return lambda file: extension in extensions(file.name.strip("\"' \t"))


def begins_with(signature: bytes) -> Callable[[File], bool]:
    """Whether a file begins so."""
    return lambda file: file.beginning.startswith(signature)


class ReadersTests(SynchronousTestCase):
    """Python's email, ripMIME, munpack, reformime and MIME-tools read what has passed."""

    def found(
        self, mails: Mails, rule: AttachmentRule, mode: ContentSettings, bad: Callable[[File], bool]
    ) -> list[tuple[str, str]]:
        """Who finds what in which mail."""
        settings = ContentSettings(attachments=(rule,), malformed=mode.malformed)
        out: list[tuple[str, bytes]] = []
        for what, data in mails:
            try:
                out.append((what, passed(data, settings)[0]))
            except Objection:
                continue
        return [
            (name, out[number][0])
            for name, read in READERS.items()
            for number, files in read([data for _, data in out]).items()
            if any(bad(file) for file in files)
        ]

    def test_sound(self) -> None:
        """They are able to: each of them finds the name and the program in a sound message."""
        data = ways.part("Content-Disposition: attachment; filename=x.exe")
        for name, read in READERS.items():
            files = read([data])[0]
            self.assertTrue(any(is_called("exe")(file) for file in files), name)
            self.assertTrue(any(begins_with(b"MZ\x90\0")(file) for file in files), name)

    def test_names(self) -> None:
        """However the name is written, and wherever the attachment stands."""
        for mode in (STRICT, MENDING):
            self.assertEqual(self.found(ways.all_ways(), EXE, mode, is_called("exe")), [])

    def test_contents(self) -> None:
        """Whatever it is called."""
        for mode in (STRICT, MENDING):
            bad = begins_with(b"MZ\x90\0")
            self.assertEqual(self.found(ways.all_ways(), PROGRAM, mode, bad), [])

    def test_broken(self) -> None:
        """In mails of which something has been lost, doubled, moved or cut."""
        mails = [(repr(data), data) for data in broken.mails(160, seed=12)]
        for mode in (STRICT, MENDING):
            self.assertEqual(self.found(mails, ARCHIVE, mode, begins_with(b"PK\3\4")), [])
            self.assertEqual(self.found(mails, ZIP, mode, is_called("zip")), [])

    def test_fine(self) -> None:
        """A rule about something else refuses none of them that can be mended."""
        never = ContentSettings(attachments=(AttachmentRule(extensions=frozenset({"never"})),))
        refused = 0
        for _, data in ways.names():
            try:
                passed(data, never)
            except Objection:
                refused += 1
        self.assertEqual(refused, 0)
