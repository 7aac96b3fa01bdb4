"""Heads: what is remembered of them, and what is not."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from protocols.http import head
from protocols.http.limits import Limits

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
        head._known.cache_clear()
        self.addCleanup(head._known.cache_clear)

    def read(self, *lines: str) -> None:
        """They are understood, and in their order."""
        text = "".join(f"{line}\r\n" for line in lines)
        self.assertEqual(
            head.parse(text, Limits(), 0).fields,
            tuple(tuple(line.split(": ", 1)) for line in lines),
        )

    def test_secrets(self) -> None:
        """What somebody proves with who they are does not stay in memory after their session."""
        self.read(*SECRETS, *PLAIN)
        self.assertEqual(head._known.cache_info().currsize, len(PLAIN))

    def test_secrets_among_much(self) -> None:
        """Nor if there is so much else that only short lines are remembered."""
        self.read(*SECRETS, *PLAIN, f"X-Long: {'x' * head.SMALL}")
        self.assertEqual(head._known.cache_info().currsize, len(PLAIN))

    def test_others(self) -> None:
        """All else is, also beside a secret."""
        self.read(PLAIN[0], SECRETS[0], *PLAIN[1:])
        misses = head._known.cache_info().misses
        self.read(*PLAIN)
        self.assertEqual(head._known.cache_info().misses, misses)
