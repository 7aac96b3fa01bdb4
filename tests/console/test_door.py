"""Who may come in, and who may not any more."""

from __future__ import annotations

from gateway.policy.holders import Right
from tests.console.case import HOST, ORIGIN, ConsoleCase, holder

STATUS = {"ask": "status"}
KILL = {"ask": "kill", "id": 7}


class TokenTests(ConsoleCase):
    """Programs, that come with a token."""

    def test_may_look(self) -> None:
        """A reader's token answers questions, and changes nothing."""
        bearer = "Authorization: Bearer screen's"
        status, _, answer = self.ask("POST /api/ask", bearer, value=STATUS)
        self.assertEqual((status, answer["services"]["web"]["running"]), (200, 2))
        status, _, answer = self.ask("POST /api/ask", bearer, value=KILL)
        self.assertEqual(status, 200)
        self.assertIn("screen (console) may look, and not change anything", answer["problem"])
        self.assertEqual(self.kill.asked, [])

    def test_may_change(self) -> None:
        """A writer's token ends sessions, in its holder's name."""
        status, _, answer = self.ask("POST /api/ask", "authorization: bearer anna's", value=KILL)
        self.assertEqual((status, answer["killed"]), (200, 1))
        ((_, asker),) = self.kill.asked
        self.assertEqual((asker.name, asker.may_change), ("anna (console)", True))

    def test_rest(self) -> None:
        """When answers have cost too much time, the next one comes later; but it comes."""
        with self.budget.spending():
            self.reactor.rightNow += 10.0
        connection = self.connect()
        body = '{"ask": "kill", "id": 7}'
        fields = (f"Content-Length: {len(body)}", "Content-Type: application/json")
        asked = ("POST /api/ask HTTP/1.1", f"Host: {HOST}", "Authorization: Bearer anna's", *fields)
        connection.say(*asked, body=body)
        self.reactor.advance(1.9)
        self.assertEqual((connection.value(), self.kill.asked), (b"", []))
        self.reactor.advance(0.2)
        self.assertEqual(connection.heard()[0], 200)

    def test_wrong(self) -> None:
        """What is not exactly a token is none: a part, more than one, another way to send it."""
        for header in (
            *("Bearer anna", "Bearer anna's2", "Bearer", "Bearer  ", "Basic anna's", "anna's"),
            "Bearer anna's, Bearer anna's",
        ):
            self.adopt(attempts_per_minute=1000)
            status, _, _ = self.ask("POST /api/ask", f"Authorization: {header}", value=STATUS)
            self.assertEqual(status, 401, header)
        double = ("Authorization: Bearer anna's", "Authorization: Bearer anna's")
        self.assertEqual(self.ask("POST /api/ask", *double, value=STATUS)[0], 403)
        self.assertEqual(self.ask("POST /api/ask?token=anna's", value=STATUS)[0], 403)
        self.assertEqual(len(self.status.asked), 1)  # the console's own

    def test_attempts(self) -> None:
        """
        Three are wrong, and for a minute none from there is looked at; from elsewhere it is. Who
        has logged in from there before does not notice.
        """
        wrong, right = "Authorization: Bearer x", "Authorization: Bearer anna's"
        login = self.log_in(peer="10.0.0.9")
        for _ in range(3):
            self.assertEqual(self.ask("GET /api/me", wrong, peer="10.0.0.9")[0], 401)
        status, headers, _ = self.ask("GET /api/me", right, peer="10.0.0.9")
        self.assertEqual((status, headers["retry-after"]), (429, "61"))
        self.assertEqual(self.ask("GET /api/me", *login, peer="10.0.0.9")[0], 200)
        self.assertEqual(self.ask("GET /api/me", right)[0], 200)
        self.reactor.advance(61)
        self.assertEqual(self.ask("GET /api/me", right, peer="10.0.0.9")[0], 200)

    def test_attempts_are_bounded(self) -> None:
        """However many addresses guess, no more than a thousand are remembered."""
        for number in range(1100):
            peer = f"10.0.{number // 256}.{number % 256}"
            self.ask("GET /api/me", "Authorization: Bearer x", peer=peer)
        self.assertEqual(len(self.console._door._attempts._wrong), 1000)
        self.flushLoggedErrors()


class LoginTests(ConsoleCase):
    """Browsers."""

    def test_login(self) -> None:
        """A browser that has shown a token gets a cookie that no script reads, and a key."""
        status, headers, told = self.ask(
            "POST /api/login", f"Origin: {ORIGIN}", "X-Tproxygw: x", value={"token": " anna's\n"}
        )
        self.assertEqual(status, 200)
        self.assertEqual(told, {"name": "anna", "right": "write", "key": "secret-2"})
        cookie = "tproxygw=secret-1; path=/; httponly; samesite=strict"
        self.assertEqual(headers["set-cookie"], cookie)

    def test_both_halves(self) -> None:
        """The cookie alone, which goes to every port of the host, is nothing; nor is the key."""
        cookie, key = self.log_in()
        self.assertEqual(self.ask("GET /api/me", cookie, key)[2]["name"], "anna")
        for fields in (
            (cookie, "X-Tproxygw: x"),
            ("Cookie: tproxygw=x", key),
            (key,),
            (f"{cookie}; {cookie[8:]}", key),
        ):
            self.assertEqual(self.ask("GET /api/me", *fields)[0], 401, fields)

    def test_logout(self) -> None:
        """It is over at once, and the browser is told to forget it."""
        login = self.log_in()
        status, headers, _ = self.ask("POST /api/logout", *login, f"Origin: {ORIGIN}", value={})
        self.assertEqual(status, 200)
        self.assertIn("max-age=0", headers["set-cookie"])
        self.assertEqual(self.ask("GET /api/me", *login)[0], 401)

    def test_idle(self) -> None:
        """A login that nobody uses is over; one that is used lasts, but no longer than a day."""
        self.adopt(idle_seconds=100, login_seconds=250)
        login = self.log_in()
        for _ in range(3):
            self.reactor.advance(80)
            self.assertEqual(self.ask("GET /api/me", *login)[0], 200)
        self.reactor.advance(20)
        self.assertEqual(self.ask("GET /api/me", *login)[0], 401)
        login = self.log_in()
        self.reactor.advance(101)
        self.assertEqual(self.ask("GET /api/me", *login)[0], 401)

    def test_taken_away(self) -> None:
        """Whose token is not in the policy any more, or has another right now, is out."""
        for tokens in ((), (holder("anna", Right.READ, "anna's"),)):
            login = self.log_in()
            self.adopt(tokens=tokens)
            self.assertEqual(self.ask("GET /api/me", *login)[0], 401)
            self.adopt()

    def test_other_token_stays(self) -> None:
        """A reload leaves those in whose tokens stay."""
        login = self.log_in()
        self.adopt(tokens=(holder("anna", Right.WRITE, "anna's"),))
        self.assertEqual(self.ask("GET /api/me", *login)[0], 200)

    def test_many(self) -> None:
        """Of very many logins the oldest are over."""
        first = self.log_in()
        for _ in range(200):
            self.log_in()
        self.assertEqual(self.ask("GET /api/me", *first)[0], 401)

    def test_no_token(self) -> None:
        """What is no token is told so."""
        fields = (f"Origin: {ORIGIN}", "X-Tproxygw: x")
        for value in ({}, {"token": 7}, {"token": "x" * 2000}, {"token": "\ud800"}, [], "anna's"):
            self.assertEqual(self.ask("POST /api/login", *fields, value=value)[0], 400, value)
