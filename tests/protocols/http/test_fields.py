"""Fields: what is remembered of them, and what is not."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from protocols.http import fields
from protocols.http.limits import Limits
from protocols.http.malformed import Malformed

PLAIN = ("Host: example.org", "Accept: */*", "User-Agent: a browser")
SECRETS = (
    "Authorization: Basic dXNlcjpwYXNzd29yZA==",
    "cookie: id=1234",
    "Set-Cookie: id=1234; HttpOnly",
    "Proxy-Authorization: Bearer abc",
    "X-Api-Key: abc",
    "X-CSRF-Token: abc",
)


class RememberedTests(SynchronousTestCase):
    """Header lines that come again and again are read once in the life of the process."""

    def setUp(self) -> None:
        fields._known.clear()
        self.addCleanup(fields._known.clear)

    def read(self, *lines: str) -> None:
        """They are understood, and in their order."""
        text = "".join(f"{line}\r\n" for line in lines)
        self.assertEqual(
            fields.parse(text, Limits(), 0).fields,
            tuple(tuple(line.split(": ", 1)) for line in lines),
        )

    def test_secrets(self) -> None:
        """What somebody proves with who they are does not stay in memory after their session."""
        self.read(PLAIN[0], *SECRETS, *PLAIN[1:])
        self.assertEqual(set(fields._known), set(PLAIN))

    def test_long(self) -> None:
        """Nor does what is long, so that nobody can fill the memory."""
        self.read(*PLAIN, f"X-Long: {'x' * fields.SHORT}")
        self.assertEqual(set(fields._known), set(PLAIN))

    def test_many(self) -> None:
        """Nor more than a certain number of lines; and all are still understood."""
        for number in range(fields.REMEMBERED + 1):
            self.read(f"X-Number: {number}")
        self.assertEqual(set(fields._known), {f"X-Number: {fields.REMEMBERED}"})

    def test_wrong(self) -> None:
        """What is no header is not remembered as one."""
        with self.assertRaises(Malformed):
            self.read("no header")
        self.assertEqual(set(fields._known), set())
