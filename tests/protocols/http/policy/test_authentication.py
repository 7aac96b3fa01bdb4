"""Who asks: Basic authentication."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable

import bcrypt
from twisted.internet.defer import Deferred

from gateway.policy.files import NamedFile
from protocols.http.decision import Decision, Pass
from protocols.http.message import Request
from protocols.http.policy.authentication import read_credentials
from protocols.http.policy.decisions import Decisions
from protocols.http.policy.htpasswd import Passwords, read_passwords
from tests.protocols.http.policy.case import CLIENT, SERVER, PolicyCase, asks

HASH = bcrypt.hashpw(b"sesame", bcrypt.gensalt(4)).replace(b"$2b$", b"$2y$")
"""As htpasswd -B writes it."""

USERS = b"# users\n\nalibaba:" + HASH + b"\ncassim:" + HASH + b":comment\n"

TEXT = '[http.authentication]\nusers = "users"\nrealm = "the cave"\n'


def basic(user: bytes, password: bytes) -> str:
    return f"Basic {b64encode(user + b':' + password).decode()}"


def says(*values: str) -> Request:
    return asks("/", "GET", "h", *(("Authorization", value) for value in values))


RIGHT = says(basic(b"alibaba", b"sesame"))
WRONG = says(basic(b"alibaba", b"barley"))


class Computer:
    """Computes when it is told to."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Deferred[bool], Callable[[], bool]]] = []
        self.count = 0

    def compute(self, function: Callable[[], bool]) -> Deferred[bool]:
        self.count += 1
        deferred: Deferred[bool] = Deferred()
        self.waiting.append((deferred, function))
        return deferred

    def run(self) -> None:
        while self.waiting:
            deferred, function = self.waiting.pop()
            deferred.callback(function())


class AuthenticationTests(PolicyCase):
    """Only who is known may pass."""

    def setUp(self) -> None:
        self.computer = Computer()

    def begin(self, text: str = "") -> Decisions:
        """A new session."""
        settings = self.settings(TEXT + text, {"users": USERS})
        return Decisions(settings, SERVER, self.computer.compute)

    def decide(self, decisions: Decisions, request: Request) -> Decision:
        decision = decisions.request(request, SERVER, CLIENT)
        self.computer.run()
        return self.successResultOf(decision) if isinstance(decision, Deferred) else decision

    def test_asked(self) -> None:
        """Who does not say is asked."""
        refused = self.refused(self.decide(self.begin(), asks()))
        self.assertEqual(refused.status, 401)
        self.assertEqual(
            refused.headers, (("WWW-Authenticate", 'Basic realm="the cave", charset="UTF-8"'),)
        )

    def test_right(self) -> None:
        """Who is known passes, and the server does not learn the password."""
        passed = self.passed(self.decide(self.begin(), RIGHT))
        self.assertNotIn("authorization", passed.headers)

    def test_forwarded(self) -> None:
        """The server learns it if it should."""
        passed = self.passed(self.decide(self.begin("forward = true"), RIGHT))
        self.assertIn("authorization", passed.headers)

    def test_named(self) -> None:
        """The audit record says who it was; what is no text stays readable."""
        decision = self.decide(self.begin(), RIGHT)
        assert isinstance(decision, Pass)
        self.assertEqual(decision.user, "alibaba")
        settings = self.settings(TEXT, {"users": b"ali\xe9:" + HASH})
        decisions = Decisions(settings, SERVER, self.computer.compute)
        decision = self.decide(decisions, says(basic(b"ali\xe9", b"sesame")))
        assert isinstance(decision, Pass)
        self.assertEqual(decision.user, "ali\\xe9")

    def test_waits(self) -> None:
        """The decision is awaited."""
        decision = self.begin().request(RIGHT, SERVER, CLIENT)
        assert isinstance(decision, Deferred)
        self.assertNoResult(decision)
        self.computer.run()
        self.assertIsInstance(self.successResultOf(decision), Pass)

    def test_wrong(self) -> None:
        """Who is not known, or wrong in any way, does not pass."""
        for request in (
            WRONG,
            says(basic(b"morgiana", b"sesame")),
            says(basic(b"", b"")),
            says(basic(b"alibaba", b"")),
            says(basic(b"alibaba", b"sesame\0")),
            says(basic(b"alibaba", b"s" * 100)),
            says("Basic"),
            says("Basic ?"),
            says("Basic " + b64encode(b"alibaba").decode()),
            says("Bearer " + b64encode(b"alibaba:sesame").decode()),
            says(basic(b"alibaba", b"sesame"), basic(b"alibaba", b"sesame")),
        ):
            self.assertEqual(self.refused(self.decide(self.begin(), request)).status, 401)

    def test_cached(self) -> None:
        """A password that was right is computed once in a session; another one is again."""
        decisions = self.begin()
        for _ in range(5):
            self.passed(self.decide(decisions, RIGHT))
        self.assertEqual(self.computer.count, 1)
        self.refused(self.decide(decisions, WRONG))
        self.assertEqual(self.computer.count, 2)
        self.refused(self.decide(decisions, asks()))

    def test_wrong_is_not_cached(self) -> None:
        """Nor does a wrong password become right by trying it again."""
        decisions = self.begin()
        self.refused(self.decide(decisions, WRONG))
        self.refused(self.decide(decisions, WRONG))

    def test_attempts(self) -> None:
        """Who goes on guessing is cut off."""
        decisions = self.begin("attempts = 2")
        self.assertFalse(self.refused(self.decide(decisions, WRONG)).close)
        self.assertTrue(self.refused(self.decide(decisions, WRONG)).close)

    def test_last(self) -> None:
        """Nobody's password is computed for what is not allowed anyway."""
        decisions = self.begin("[http.content]\n[[http.request]]\n")
        self.assertEqual(self.refused(self.decide(decisions, RIGHT)).status, 403)
        self.assertEqual(self.computer.count, 0)

    def test_nobody_by_mistake(self) -> None:
        """A table that does not say who is known is an error, and does not let everybody in."""
        said = self.problems("[http.authentication]\n")
        self.assertEqual(said, ["services/web.toml:3:1: http.authentication.users: is missing"])

    def test_nobody(self) -> None:
        """A file without users lets nobody in."""
        settings = self.settings(TEXT, {"users": "# nobody yet\n"})
        decisions = Decisions(settings, SERVER, self.computer.compute)
        self.assertEqual(self.refused(self.decide(decisions, RIGHT)).status, 401)

    def test_strangers_take_as_long(self) -> None:
        """For who is not there, a hash of the same cost is compared."""
        passwords = Passwords({b"a": HASH})
        self.assertEqual(passwords.stranger, HASH)
        self.assertFalse(passwords.verify(b"b", b"sesame"))
        self.assertFalse(Passwords({}).verify(b"b", b"sesame"))

    def test_longer_than_bcrypt_reads(self) -> None:
        """A password that bcrypt would cut off is not compared with what is left of it."""
        hashed = bcrypt.hashpw(b"unusable", bcrypt.gensalt(4))
        self.assertTrue(Passwords({b"a": hashed}).verify(b"a", b"unusable"))
        self.assertFalse(Passwords({b"a": hashed}).verify(b"a", b"x" * 73))
        hashed = bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4))
        self.assertTrue(Passwords({b"a": hashed}).verify(b"a", b"x" * 72))
        self.assertFalse(Passwords({b"a": hashed}).verify(b"a", b"x" * 73))

    def test_secrets_are_not_shown(self) -> None:
        """Hashes appear in no representation."""
        self.assertNotIn("$2", repr(Passwords({b"a": HASH})))

    def test_credentials(self) -> None:
        """The scheme is in any case; a password may have colons."""
        self.assertEqual(read_credentials("bAsIc " + b64encode(b"a:b:c").decode()), (b"a", b"b:c"))


class HtpasswdTests(PolicyCase):
    """Files that htpasswd writes."""

    def said(self, content: bytes) -> list[str]:
        file = NamedFile("users", "http.authentication.users", content)
        read_passwords(file)
        return [str(problem) for problem in file.told()]

    def test_right(self) -> None:
        """Comments, empty lines and further fields don't matter."""
        self.assertEqual(self.said(USERS), [])

    def test_wrong(self) -> None:
        """What is wrong is said with its line, and no hash is ever shown."""
        costly = HASH.replace(b"$04$", b"$31$")
        for line, said in {
            b"alibaba": "not of the form",
            b":" + HASH: "not of the form",
            b"a:$apr1$secret$secret": "htpasswd -B",
            b"a:{SHA}secret": "htpasswd -B",
            b"a:" + costly: "cost 31",
            b"b:" + HASH + b"\nb:" + HASH: "there twice",
        }.items():
            problems = self.said(b"\n" + line)
            self.assertEqual(len(problems), 1, line)
            self.assertTrue(problems[0].startswith("users:"), problems)
            self.assertIn(said, problems[0])
            self.assertNotIn("secret", problems[0])
            self.assertNotIn("$2", problems[0])
