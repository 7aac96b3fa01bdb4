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

    def test_set_several(self) -> None:
        """They can be there several times, in this order, instead of what was there."""
        passing = self.passing('set = {Via = ["1", "2"]}', ("Via", "a"), ("Via", "b"))
        self.assertEqual(passing, (FIELDS[0], ("Via", "1"), ("Via", "2")))

    def test_add(self) -> None:
        """One more of a name, or several, leaves those that are there."""
        passing = self.passing('add = {Via = "1", X = ["2", "3"]}', ("Via", "a"))
        added = (("Via", "a"), ("Via", "1"), ("X", "2"), ("X", "3"))
        self.assertEqual(passing, (FIELDS[0], *added))

    def replaced(self, table: str, *values: str) -> list[str]:
        """What becomes of these values of X."""
        text = f"[[http.request_headers.replace]]\n{table}"
        request = asks("/", "GET", "h", *(("X", value) for value in values))
        decided = self.decide(self.decisions(text), request)
        return self.passed(decided).headers.every("x")

    def test_replace(self) -> None:
        """Parts of values become others, in each header of the name, as often as they are there."""
        for table, value, made in (
            ('name = "x"\npattern = "b"\nwith = "c"', "abab", ["acac"]),
            ('name = "x"\npattern = "(a)(z)?b"\nwith = "<$1$2${0}$$>"', "ab", ["<aab$>"]),
            ('name = "x"\npattern = "secret=[^;]*"', "secret=1; a=2", ["; a=2"]),
            ('name = "x"\npattern = ".*"', "all of it", []),
            ('name = "x"\npattern = ".*"\nwith = "once"', "all of it", ["once"]),
            ('name = "x"\npattern = "$"\nwith = "; end"', "a", ["a; end"]),
            ('name = "x"\npattern = "^"\nwith = "b"', "a", ["ba"]),
            ('name = "x"\npattern = "b*"\nwith = "-"', "abc", ["-a-c-"]),
            ('name = "x"\npattern = "^a"\nwith = " "', "ab", ["b"]),
            ('name = "Y"\npattern = "a"', "ab", ["ab"]),
            ('name = "x"\npattern = "a"', "", [""]),
        ):
            self.assertEqual(self.replaced(table, value), made, table)
        twice = self.replaced('name = "X"\npattern = "a"\nwith = "b"', "a", "ca")
        self.assertEqual(twice, ["b", "cb"])

    def test_replace_in_order(self) -> None:
        """Each takes what the one before has made."""
        one = 'name = "X"\npattern = "%s"\nwith = "%s"\n'
        tables = one % ("a", "b") + "[[http.request_headers.replace]]\n" + one % ("b", "c")
        self.assertEqual(self.replaced(tables, "ab"), ["cc"])

    def test_wrong_replacements(self) -> None:
        """What could not be written is refused when the policy is loaded."""
        for table, said in {
            'name = "Host"\npattern = "a"': "can't be changed",
            'name = "a"\npattern = "("': "not a regular expression",
            'name = "a"\npattern = "(a)"\nwith = "$2"': "no group",
            'name = "a"\npattern = "a"\nwith = "$x"': "no group",
            'name = "a"\npattern = "a"\nwith = "b\\nc"': "can't be the value",
            'pattern = "a"': "missing",
        }.items():
            problems = self.problems(f"[[http.response_headers.replace]]\n{table}")
            self.assertEqual(len(problems), 1, (table, problems))
            self.assertIn(said, problems[0])

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
            "set = {a = []}": "no value",
            'add = {a = ["b", "c\\r"]}': "can't be the value",
            'add = {Host = "b"}': "can't be changed",
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
        st.dictionaries(FREE, st.tuples(st.sampled_from("56")), max_size=2),
    )
    @settings(max_examples=200, deadline=None)
    def test_model(
        self,
        fields: list[Field],
        only: frozenset[str],
        remove: frozenset[str],
        values: dict[str, str],
        more: dict[str, tuple[str, ...]],
    ) -> None:
        """What frames them passes, what is removed does not, what is set or added is there."""
        once = {name: (value,) for name, value in values.items()}
        policy = HeaderPolicy(only=only, remove=remove, set=once, add=more)
        made = policy.apply(Headers(fields))
        kept = {*OURS, "host"}

        def framing(headers: Headers) -> list[Field]:
            return [field for field in headers if field[0].lower() in kept]

        self.assertEqual(framing(made), framing(Headers(fields)))
        for name in ("a", "b", "x"):
            gone = name in remove or bool(only and name not in only)
            before = [] if gone else Headers(fields).every(name)
            after = [values[name]] if name in values else before
            self.assertEqual(made.every(name), [*after, *more.get(name, ())])
