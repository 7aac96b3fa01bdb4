"""What clients read that are refused."""

from __future__ import annotations

import json

from protocols.http.decision import Page
from protocols.http.policy.pages import wanted
from protocols.http.reply import reply
from tests.protocols.http.policy.case import PolicyCase, asks

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


class PagesTests(PolicyCase):
    """A form that suits, and nothing in it that harms."""

    def page(self, accept: str, target: str = "/", text: str = "", **files: str) -> Page:
        request = asks(target, "GET", "www.example.com", ("Accept", accept))
        return self.decisions(text, files).page(403, "secret.toml:1 says no", request)

    def test_forms(self) -> None:
        """Browsers get HTML, programs what they ask for, others text."""
        for accept, form in {
            BROWSER: "text/html",
            "*/*": "text/plain",
            "": "text/plain",
            "application/json": "application/json",
            "application/json, text/plain, */*": "application/json",
            "text/html;q=0.5, application/problem+json": "application/problem+json",
            "text/html;q=0, text/plain;q=0.1": "text/plain",
            "text/html;q=nonsense": "text/html",
            "image/png": "text/plain",
        }.items():
            self.assertEqual(wanted(asks("/", "GET", "h", ("Accept", accept))), form, accept)
        self.assertEqual(wanted(None), "text/plain")

    def test_html_is_escaped(self) -> None:
        """What was asked for can't become part of the page."""
        page = self.page(BROWSER, "/<script>alert('x')</script>")
        self.assertNotIn(b"<script>", page.content)
        self.assertIn(b"&lt;script&gt;", page.content)
        self.assertEqual(page.type, "text/html; charset=utf-8")

    def test_json(self) -> None:
        """Programs can read it."""
        page = self.page("application/json")
        read = json.loads(page.content)
        self.assertEqual((read["status"], read["title"]), (403, "Forbidden"))

    def test_reasons_are_not_told(self) -> None:
        """The operator's reasons stay with the operator, if he does not say otherwise."""
        for accept in (BROWSER, "application/json", "*/*"):
            self.assertNotIn(b"secret", self.page(accept).content)
            told = self.page(accept, text="[http.pages]\ndetails = true")
            self.assertIn(b"secret.toml:1", told.content)

    def test_template(self) -> None:
        """A page of the operator's own, with places filled in; a dollar sign is two."""
        page = self.page(
            BROWSER,
            "/a&b",
            '[http.pages]\nhtml = "p.html"',
            **{"p.html": "<i>$status ${phrase} $method $host $url</i> $$5"},
        )
        self.assertEqual(page.content, b"<i>403 Forbidden GET www.example.com /a&amp;b</i> $5")

    def test_headers(self) -> None:
        """Answers have the headers that the operator wants, in every form."""
        text = '[http.pages]\nheaders = {X-By = "gw", Link = ["<a>", "<b>"]}'
        for accept in (BROWSER, "application/json", "*/*"):
            page = self.page(accept, text=text)
            self.assertEqual(page.headers, (("X-By", "gw"), ("Link", "<a>"), ("Link", "<b>")))
            sent = reply(403, page, None, 0)
            self.assertIn(b"\r\nX-By: gw\r\nLink: <a>\r\nLink: <b>\r\n", sent)
        for header in ("Content-Type", "content-length", "Connection", "cache-control"):
            self.assertEqual(len(self.problems(f'[http.pages]\nheaders = {{{header} = "a"}}')), 1)

    def test_text_template(self) -> None:
        """Plain text has its own."""
        page = self.page("*/*", "/", '[http.pages]\ntext = "p"', p="no: $message")
        self.assertEqual(page.content, b"no: The policy of this network does not allow this.")

    def test_wrong_templates(self) -> None:
        """A place that nobody fills in is said, with where it is."""
        said = self.problems('[http.pages]\nhtml = "p"', {"p": "fine\n$status $nobody 5$"})
        self.assertEqual(len(said), 2)
        self.assertTrue(said[0].startswith("p:2:9: http.pages.html: $nobody is none of"), said)
        self.assertTrue(said[1].startswith("p:2:18: http.pages.html: $ is none of"), said)
        said = self.problems('[http.pages]\nhtml = "p"', {"p": b"a\n\xff"})
        self.assertEqual(said, ["p:2: http.pages.html: not UTF-8"])

    def test_unknown_request(self) -> None:
        """Who could not be understood gets a page too."""
        page = self.decisions("").page(400, "a NUL", None)
        self.assertIn(b"400 Bad Request", page.content)
        self.assertIn(b"451 ", self.decisions("").page(451, "", None).content)
        self.assertIn(b"599 Refused", self.decisions("").page(599, "", None).content)
