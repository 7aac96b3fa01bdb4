"""Tests of requests and responses, in the order of the file."""

from __future__ import annotations

from protocols.http.decision import Decision, Pass, Redirect
from tests.protocols.http.policy.case import PolicyCase, answers, asks

POST = asks("/form?a=b", "POST", "x.example", ("Content-Length", "10"), ("X-Tag", "one"))


class RequestTests(PolicyCase):
    """C{[[http.request]]}."""

    def denies(self, condition: str, request: object = POST) -> bool:
        decisions = self.decisions(f"[[http.request]]\n{condition}")
        assert isinstance(request, type(POST))
        return not self.passes(decisions, request)

    def test_conditions(self) -> None:
        """Each condition matches what it says, and only that."""
        for condition in (
            "",
            'method = ["POST"]',
            'host = [".example"]',
            'path = ["/f*"]',
            'query = ["a=*"]',
            'header = {X-Tag = "o*"}',
            'version = ["1.0", "1.1"]',
            'header = {x-other = ""}',
            "longer_than = 9",
            'host = ["x.example"]\nmethod = ["POST", "PUT"]',
        ):
            self.assertTrue(self.denies(condition), condition)
        for condition in (
            'method = ["GET"]',
            'host = ["example"]',
            'path = ["/"]',
            'query = ["b=*"]',
            'header = {X-Tag = "o"}',
            'version = ["1.0"]',
            'header = {x-other = "~.+"}',
            "longer_than = 10",
            'content_type = ["text/*"]',
            'host = ["x.example"]\nmethod = ["GET"]',
        ):
            self.assertFalse(self.denies(condition), condition)

    def test_paths_in_disguise(self) -> None:
        """A path that is written in another way is still that path."""
        condition = 'path = ["/admin*"]'
        for path in ("/admin", "/%61dmin/", "/x/../admin", "//admin", "/x/..%2fadmin"):
            self.assertTrue(self.denies(condition, asks(path)), path)

    def test_length_unknown(self) -> None:
        """A body whose length nobody says may be too long."""
        chunked = asks("/", "POST", "h", ("Transfer-Encoding", "chunked"))
        self.assertTrue(self.denies("longer_than = 1000000", chunked))
        self.assertFalse(self.denies("longer_than = 0", asks()))

    def test_content_type(self) -> None:
        """By the header, without its parameters."""
        request = asks("/", "POST", "h", ("Content-Type", "Application/X-PHP; a=b"))
        self.assertTrue(self.denies('content_type = ["application/x-php"]', request))

    def test_no_type(self) -> None:
        """What is of no type, or of several, can't be told by it: who may be meant is refused."""
        for action in ("allow", "deny", "redirect", "drop-header", "stack"):
            keys = {
                "redirect": 'location = "http://a/"',
                "drop-header": 'name = "X"',
                "stack": 'service = "other"',
            }
            text = f'content_type = ["text/html"]\naction = "{action}"\n{keys.get(action, "")}'
            files = {"services/other.toml": 'inspector = "http"\n'}
            for type in ("text/plain, text/html", "?"):
                request = asks("/", "POST", "h", ("Content-Type", type), ("Content-Length", "1"))
                for condition in ("", 'method = ["POST"]\nhost = ["h"]\nlonger_than = 0\n'):
                    decisions = self.decisions(f"[[http.request]]\n{condition}{text}", files)
                    refused = self.refused(self.decide(decisions, request))
                    self.assertEqual(refused.status, 415)
                    self.assertRegex(refused.reason, "^services/web.toml:3:1: .*no media type")
                for condition in ('method = ["PUT"]\n', "longer_than = 1\n"):
                    decisions = self.decisions(f"[[http.request]]\n{condition}{text}", files)
                    self.assertTrue(self.passes(decisions, request), condition)

    def test_order(self) -> None:
        """The first test that matches decides."""
        allow = '[[http.request]]\nhost = ["good.example.com"]\naction = "allow"\n'
        deny = '[[http.request]]\nhost = [".example.com"]\n'
        request = asks(host="good.example.com")
        self.assertTrue(self.passes(self.decisions(allow + deny), request))
        self.assertFalse(self.passes(self.decisions(deny + allow), request))
        self.assertFalse(self.passes(self.decisions(allow + deny), asks()))
        self.assertTrue(self.passes(self.decisions(allow + deny), asks(host="other")))

    def test_deny(self) -> None:
        """With its status, its reason and its page."""
        decisions = self.decisions(
            '[[http.request]]\nanswer = 451\nreason = "by law"\nmessage = "No & no."\npage = "p"',
            {"p": "<b>$message</b>"},
        )
        refused = self.refused(
            self.decide(decisions, asks("/", "GET", "h", ("Accept", "text/html")))
        )
        self.assertEqual((refused.status, refused.reason), (451, "services/web.toml:3:1: by law"))
        assert refused.page is not None
        self.assertEqual(refused.page.content, b"<b>No &amp; no.</b>")
        refused = self.refused(self.decide(decisions, asks()))
        assert refused.page is not None
        self.assertIn(b"No & no.", refused.page.content)

    def test_redirect(self) -> None:
        """To the same place elsewhere."""
        decisions = self.decisions(
            '[[http.request]]\naction = "redirect"\nanswer = 308\nlocation = "https://$host$target"'
        )
        decision = self.decide(decisions, asks("/a?b", host="h.example"))
        assert isinstance(decision, Redirect)
        self.assertEqual((decision.location, decision.status), ("https://h.example/a?b", 308))

    def test_close(self) -> None:
        """Without a word."""
        refused = self.refused(
            self.decide(self.decisions('[[http.request]]\naction = "close"'), asks())
        )
        self.assertTrue(refused.silent and refused.close)

    def test_headers(self) -> None:
        """Tests that change headers don't end the list, but an allowed request keeps them."""
        decisions = self.decisions(
            '[[http.request]]\naction = "drop-header"\nname = "Cookie"\n'
            '[[http.request]]\naction = "set-header"\nname = "X-Via"\nvalue = "us"\n'
            '[[http.request]]\naction = "allow"\n'
            "[[http.request]]\n"
        )
        request = asks("/", "GET", "h", ("Cookie", "c"), ("Accept", "*/*"))
        passed = self.passed(self.decide(decisions, request))
        self.assertEqual(passed.headers.fields, (("Host", "h"), ("Accept", "*/*"), ("X-Via", "us")))

    def test_stack(self) -> None:
        """Which service inspects the body; the list goes on, and the first one counts."""
        files = {f"services/{name}.toml": 'inspector = "http"\n' for name in ("one", "two")}
        stack = '[[http.%s]]\npath = ["/%s*"]\naction = "stack"\nservice = "%s"\n'
        for kind in ("request", "response"):
            text = stack % (kind, "a", "one") + stack % (kind, "", "two")
            text += f'[[http.{kind}]]\npath = ["/no"]\n'
            decisions = self.decisions(text, files)
            for path, service in (("/a", "one"), ("/b", "two"), ("/no", None)):
                request = asks(path)
                decided = self.decide(decisions, request)
                if kind == "response":
                    decided = decisions.response(answers(request=request))
                chosen = decided.stack if isinstance(decided, Pass) else None
                self.assertEqual(chosen.service if chosen else None, service)
        (problem,) = self.problems(stack % ("response", "", "three"), files)
        self.assertIn('http.response.service: no service "three"', problem)

    def test_wrong(self) -> None:
        """What can't be meant is refused, where it is written."""
        for text, said in {
            'action = "redirect"': 'needs "location"',
            'action = "redirect"\nlocation = "a b"': "is not a URL",
            'action = "redirect"\nlocation = "/"\nanswer = 403': "no redirection",
            'location = "/"': "means nothing",
            'name = "Cookie"': "means nothing",
            'action = "set-header"\nname = "A"': 'needs "value"',
            'action = "drop-header"\nname = "Host"': "can't be changed",
            'action = "drop-header"\nname = "Content-Length"': "can't be changed",
            'action = "set-header"\nname = "A"\nvalue = "a\\r\\nb: c"': "can't be the value",
            'action = "allow"\nmessage = "x"': "mean nothing",
            'action = "close"\nanswer = 403': "means nothing",
            "answer = 302": "no refusal",
            'action = "alow"': 'did you mean "allow"?',
            'method = ["GET"]\nhosts = ["a"]': 'did you mean "host"?',
            'path = ["~("]': "not a regular expression",
        }.items():
            problems = self.problems(f"[[http.request]]\n{text}")
            self.assertEqual(len(problems), 1, (text, problems))
            self.assertTrue(problems[0].startswith("services/web.toml:"), problems)
            self.assertIn(said, problems[0])


class ResponseTests(PolicyCase):
    """C{[[http.response]]}."""

    def decides(self, text: str, response: object) -> Decision:
        assert isinstance(response, type(answers()))
        return self.decisions(f"[[http.response]]\n{text}").response(response)

    def test_conditions(self) -> None:
        """By the response, and by what was asked."""
        response = answers(404, "text/plain", ("Content-Length", "5"), request=POST)
        for condition in (
            'status = ["4xx"]',
            'content_type = ["text/*"]',
            "longer_than = 4",
            'path = ["/form"]',
            'method = ["POST"]',
        ):
            self.refused(self.decides(condition, response))
        for condition in ("status = [200]", 'content_type = ["image/*"]', 'path = ["/"]'):
            self.passed(self.decides(condition, response))

    def test_length(self) -> None:
        """What ends with the connection may be of any length; what has no body has none."""
        self.refused(self.decides("longer_than = 99", answers()))
        self.passed(self.decides("longer_than = 0", answers(304, None)))

    def test_no_host(self) -> None:
        """A client that named no host asked the server that it connected to."""
        response = answers(request=asks(host=""))
        self.refused(self.decides('host = ["198.51.100.7"]', response))

    def test_headers(self) -> None:
        """They can be dropped."""
        response = answers(200, None, ("Server", "x"), ("Date", "y"))
        passed = self.passed(self.decides('action = "drop-header"\nname = "Server"', response))
        self.assertEqual(passed.headers.fields, (("Date", "y"),))

    def test_no_type(self) -> None:
        """A response that may be meant, but is of no type, is refused."""
        text = 'status = [200]\ncontent_type = ["application/java-archive"]'
        wrong = "text/html, application/java-archive"
        refused = self.refused(self.decides(text, answers(200, wrong)))
        self.assertEqual(refused.status, 403)
        self.assertIn("no media type", refused.reason)
        self.assertIsInstance(self.decides(text, answers(404, wrong)), Pass)

    def test_request_header(self) -> None:
        """By what the client had said; a missing header is an empty one."""
        text = 'request_header = {User-Agent = "old*", X-Other = ""}\nstatus = [200]'
        old = asks("/", "GET", "h", ("User-Agent", "old browser"))
        self.refused(self.decides(text, answers(200, request=old)))
        underscore = asks("/", "GET", "h", ("User_Agent", "old browser"))
        self.refused(self.decides(text, answers(200, request=underscore)))
        other = asks("/", "GET", "h", ("User-Agent", "old"), ("X-Other", "x"))
        for response in (answers(404, request=old), answers(200, request=other), answers()):
            self.assertIsInstance(self.decides(text, response), Pass)
