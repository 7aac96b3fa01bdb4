"""Which headers pass."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from protocols.http.message import OURS, Field, Headers
from protocols.http.policy.headers import HeaderPolicy
from tests.protocols.http.policy.case import PolicyCase, answers, asks

FIELDS = (("Host", "h"), ("Cookie", "c"), ("User-Agent", "ua"), ("Content-Length", "0"))

NAMES = st.sampled_from(["a", "B", "Host", "Content-Length", "x", "Upgrade"])
FREE = st.sampled_from(["a", "b", "x"])


class HeaderPolicyTests(PolicyCase):
    """The tables C{[http.request_headers]} and C{[http.response_headers]}."""

    def passing(self, text: str, *fields: Field) -> tuple[Field, ...]:
        decisions = self.decisions(f"[http.request_headers]\n{text}")
        request = asks("/", "GET", "h", *(fields or FIELDS[1:]))
        return self.passed(self.decide(decisions, request)).headers.fields

    def test_remove(self) -> None:
        """Some do not pass."""
        self.assertEqual(self.passing('remove = ["cookie", "X-None"]'), (FIELDS[0], *FIELDS[2:]))

    def test_only(self) -> None:
        """Only some pass, besides what frames the message."""
        self.assertEqual(self.passing('only = ["cookie"]'), (*FIELDS[:2], FIELDS[3]))

    def test_rename(self) -> None:
        """They can have other names."""
        self.assertIn(("X-Agent", "ua"), self.passing('rename = {user-agent = "X-Agent"}'))

    def test_set(self) -> None:
        """They can have other values, once."""
        twice = (("Via", "a"), ("DNT", "0"), ("dnt", "0"))
        self.assertEqual(
            self.passing('set = {DNT = "1"}', *twice), (FIELDS[0], twice[0], ("DNT", "1"))
        )

    def test_limit(self) -> None:
        """A header that is too long is refused, in both directions."""
        decisions = self.decisions("[http.request_headers]\nlimit = {Cookie = 3}")
        self.passed(self.decide(decisions, asks("/", "GET", "h", ("cookie", "123"))))
        refused = self.refused(self.decide(decisions, asks("/", "GET", "h", ("cookie", "1234"))))
        self.assertEqual(refused.status, 431)
        decisions = self.decisions("[http.response_headers]\nlimit = {Set-Cookie = 3}")
        response = answers(200, None, ("Set-Cookie", "1"), ("Set-Cookie", "1234"))
        self.assertEqual(self.refused(decisions.response(response)).status, 502)

    def test_response(self) -> None:
        """Responses have a table of their own."""
        decisions = self.decisions('[http.response_headers]\nremove = ["Server"]')
        passed = self.passed(decisions.response(answers(200, None, ("Server", "x"))))
        self.assertEqual(len(passed.headers), 0)

    def test_wrong(self) -> None:
        """What frames a message can't be changed, and what is no header can't be set."""
        for text, said in {
            'remove = ["Host"]': "can't be changed",
            'only = ["Transfer-Encoding"]': "can't be changed",
            'rename = {a = "Connection"}': "can't be changed",
            'rename = {Upgrade = "a"}': "can't be changed",
            'set = {Content-Length = "5"}': "can't be changed",
            'set = {a = "b\\nc"}': "can't be the value",
            'remove = ["a b"]': "not the name",
            "limit = {a = -1}": "shorter than 0",
        }.items():
            problems = self.problems(f"[http.request_headers]\n{text}")
            self.assertEqual(len(problems), 1, (text, problems))
            self.assertTrue(problems[0].startswith("services/web.toml:4:"), problems)
            self.assertIn(said, problems[0])


class HeaderPolicyProperties(SynchronousTestCase):
    """Whatever an operator writes, messages stay what they were."""

    @given(
        st.lists(st.tuples(NAMES, st.sampled_from("12")), max_size=8),
        st.frozensets(FREE),
        st.frozensets(FREE),
        st.dictionaries(FREE, st.sampled_from("34"), max_size=2),
    )
    @settings(max_examples=200, deadline=None)
    def test_model(
        self,
        fields: list[Field],
        only: frozenset[str],
        remove: frozenset[str],
        values: dict[str, str],
    ) -> None:
        """What frames them passes, what is removed does not, what is set is there once."""
        made = HeaderPolicy(only=only, remove=remove, set=values).apply(Headers(fields))
        kept = {*OURS, "host"}

        def framing(headers: Headers) -> list[Field]:
            return [field for field in headers if field[0].lower() in kept]

        self.assertEqual(framing(made), framing(Headers(fields)))
        for name in ("a", "b", "x"):
            gone = name in remove or bool(only and name not in only)
            before = [] if gone else Headers(fields).every(name)
            after = [values[name]] if name in values else before
            self.assertEqual(made.every(name), after)
