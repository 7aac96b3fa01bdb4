"""Media types, by name and by first bytes."""

from __future__ import annotations

import gzip
import random
import zlib

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from protocols.http.decision import Pass
from protocols.http.message import Headers, Request
from protocols.magic import LOOK, PROGRAM, decoded, recognise
from tests.protocols.http.policy.case import PolicyCase, answers, asks

SAMPLES = {
    b"MZ\x90\0": PROGRAM,
    b"\x7fELF\x02": PROGRAM,
    b"\xcf\xfa\xed\xfe": PROGRAM,
    b"\xca\xfe\xba\xbe\0\0\0\x34": PROGRAM,
    b"PK\x03\x04\x14": "application/zip",
    b"Rar!\x1a\x07\x01": "application/vnd.rar",
    b"7z\xbc\xaf\x27\x1c": "application/x-7z-compressed",
    b"\x1f\x8b\x08\0": "application/gzip",
    b"%PDF-1.7": "application/pdf",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "application/x-ole-storage",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff\xe0": "image/jpeg",
    b"GIF89a": "image/gif",
    b"RIFF\x01\x02\x03\x04WEBPVP8 ": "image/webp",
    b"\0\0\0\x20ftypisom": "video/mp4",
    b"\0\0\0\x20ftypavif": "image/avif",
    b"\n <!DOCTYPE HTML><html>": "text/html",
    b"\xef\xbb\xbf<html>": "text/html",
    b"<?xml version='1.0'?>": "text/xml",
    b"#!/bin/sh\n": "text/x-shellscript",
    b"\0" * 257 + b"ustar\0": "application/x-tar",
}


class MagicTests(SynchronousTestCase):
    """What a body is, whatever it is called."""

    def test_samples(self) -> None:
        """Each kind is recognised."""
        for beginning, type in SAMPLES.items():
            kind = recognise(beginning)
            self.assertEqual(kind and kind.type, type, beginning)

    def test_unknown(self) -> None:
        """Text and noise are nothing in particular."""
        for beginning in (b"", b"hello", b'{"a": 1}', b"M", b"P", b"<custom>", b"body { }"):
            self.assertIsNone(recognise(beginning), beginning)

    def test_bomb(self) -> None:
        """However much is in it, no more is unpacked than is looked at."""
        packed = gzip.compress(b"\0" * 10_000_000)
        self.assertEqual(len(decoded(packed[:LOOK], "gzip")), LOOK)

    @given(st.binary(max_size=64), st.sampled_from(["gzip", "deflate", "", "identity"]))
    @settings(max_examples=200, deadline=None)
    def test_hostile(self, beginning: bytes, coding: str) -> None:
        """Whatever comes, it is decoded or refused."""
        try:
            self.assertLessEqual(len(decoded(beginning, coding)), LOOK)
        except ValueError:
            pass


class ContentTests(PolicyCase):
    """The table C{[http.content]}."""

    def verdict(
        self, text: str, type: str | None, beginning: bytes, *fields: tuple[str, str]
    ) -> str:
        """Why a response does not pass; empty if it does."""
        decisions = self.decisions(f"[http.content]\n{text}")
        response = answers(200, type, *fields)
        decision = decisions.response(response)
        if not isinstance(decision, Pass):
            return decision.reason
        if not decision.look:
            return ""
        refusal = decisions.content(response, beginning)
        return refusal.reason if refusal else ""

    def test_default(self) -> None:
        """Without a policy nobody looks."""
        decision = self.decisions("").response(answers())
        assert isinstance(decision, Pass)
        self.assertEqual(decision.look, 0)

    def test_refused_by_name(self) -> None:
        """The header is enough."""
        self.assertIn("video/mp4", self.verdict('refuse = ["video/*"]', "video/mp4", b""))

    def test_refused_by_bytes(self) -> None:
        """A program that is called a picture is a program."""
        said = self.verdict('refuse = ["application/x-executable"]', "image/png", b"MZ\x90")
        self.assertIn("though it is called image/png", said)

    def test_not_looked(self) -> None:
        """Who does not want to look, does not."""
        text = 'refuse = ["application/x-executable"]\nlook = false'
        self.assertEqual(self.verdict(text, "image/png", b"MZ\x90"), "")

    def test_unseen(self) -> None:
        """Nor does who can't wait for the first bytes; the name must be allowed all the same."""
        text = 'refuse = ["application/x-executable"]\nunseen = ["text/event-stream"]'
        brotli = ("Content-Encoding", "br")
        self.assertEqual(self.verdict(text, "text/event-stream", b"MZ\x90"), "")
        self.assertEqual(self.verdict(text, "text/event-stream", b"MZ\x90", brotli), "")
        self.assertIn("executable", self.verdict(text, "text/html", b"MZ\x90"))
        text = 'allow = ["text/html"]\nunseen = ["text/event-stream"]'
        self.assertIn("not allowed", self.verdict(text, "text/event-stream", b""))

    def test_allowed(self) -> None:
        """Only what is allowed, by both names."""
        text = 'allow = ["text/html", "image/*", "application/vnd.openxmlformats-officedocument.*"]'
        word = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
        text = text.replace("application/vnd.openxmlformats-officedocument.*", word)
        self.assertEqual(self.verdict(text, "text/html", b"<html>"), "")
        self.assertEqual(self.verdict(text, "text/html; charset=x", b"plain"), "")
        self.assertEqual(self.verdict(text, "image/jpg", b"\xff\xd8\xff"), "")
        self.assertEqual(self.verdict(text, word, b"PK\x03\x04"), "")
        self.assertIn("not allowed", self.verdict(text, "text/plain", b"x"))
        self.assertIn("zip", self.verdict(text, "text/html", b"PK\x03\x04"))
        self.assertIn(PROGRAM, self.verdict(text, word, b"MZ"))

    def test_no_type(self) -> None:
        """What has no name goes by its bytes, or is unknown."""
        text = 'allow = ["image/*"]'
        self.assertEqual(self.verdict(text, None, b"GIF89a"), "")
        self.assertIn("octet-stream", self.verdict(text, None, b"what?"))
        self.assertIn("octet-stream", self.verdict(f"{text}\nlook = false", None, b"GIF89a"))

    def test_several_types(self) -> None:
        """What a browser takes for another type than other readers is of none, and refused."""
        for text in ('refuse = ["text/html"]', 'allow = ["text/*"]\nlook = false'):
            for type in ("text/plain, text/html", ",text/html", "text/html (x)", "html", "*/*"):
                self.assertIn("no media type", self.verdict(text, type, b"hello"), (text, type))
                unseen = f'{text}\nunseen = ["text/html"]'
                self.assertIn("no media type", self.verdict(unseen, type, b"hello"), (text, type))
        self.assertEqual(self.verdict("", "text/plain, text/html", b"hello"), "")

    def test_containers(self) -> None:
        """What has bodies of any type in it passes only where nothing is refused, or by name."""
        for type in ("multipart/mixed; boundary=a", "multipart/related", "message/rfc822"):
            for text, refused in (
                ('refuse = ["application/x-executable"]', True),
                ('refuse = ["application/x-executable"]\nlook = false', True),
                ('refuse = ["a/b"]\ncontainers = ["multipart/form-data"]', True),
                ('refuse = ["a/b"]\ncontainers = ["multipart/*", "message/*"]', False),
                ('allow = ["multipart/*", "message/*"]', False),
                ("", False),
            ):
                said = self.verdict(text, type, b"--a\r\n")
                self.assertEqual("in which may be anything" in said, refused, (text, type))
        text = 'refuse = ["multipart/*"]\ncontainers = ["multipart/*"]'
        self.assertIn("content of type", self.verdict(text, "multipart/mixed", b""))

    def test_no_coding(self) -> None:
        """What is no coding is none to readers, who take the body as it is: so it is looked at."""
        for coding in ("utf-8", "none", "text/html"):
            said = ("Content-Encoding", coding)
            self.assertEqual(self.verdict('allow = ["text/*"]', "text/html", b"<html>", said), "")
            text = 'refuse = ["application/x-executable"]'
            self.assertIn(PROGRAM, self.verdict(text, "text/html", b"MZ", said))

    def test_compressed(self) -> None:
        """Compressed bodies are looked into; what can't be looked into does not pass."""
        text = 'refuse = ["application/x-executable"]'
        coded = ("Content-Encoding", "gzip")
        packed = gzip.compress(b"MZ" + b"\0" * 50)
        self.assertIn(PROGRAM, self.verdict(text, "image/png", packed, coded))
        raw = zlib.compress(b"MZ" + b"\0" * 50)[2:-4]
        deflated = ("Content-Encoding", "deflate")
        self.assertIn(PROGRAM, self.verdict(text, "image/png", raw, deflated))
        self.assertIn("says that it is gzip", self.verdict(text, "image/png", b"MZ", coded))
        brotli = ("Content-Encoding", "br")
        self.assertIn("can't be looked into", self.verdict(text, "image/png", b"MZ", brotli))
        both = ("Content-Encoding", "gzip, gzip")
        self.assertIn("can't be looked into", self.verdict(text, "image/png", b"MZ", both))

    def test_hidden(self) -> None:
        """Nobody hides how a body begins behind what a coding may have in front of it."""
        text = 'refuse = ["application/x-executable"]'
        program = gzip.compress(b"MZ" + b"\0" * 5000)
        padded = program[:3] + b"\x04" + program[4:10] + b"\x00\x08" + bytes(0x800) + program[10:]
        self.assertEqual(gzip.decompress(padded)[:2], b"MZ")
        coded = ("Content-Encoding", "gzip")
        self.assertIn("can't be seen", self.verdict(text, "image/png", padded[:LOOK], coded))
        blocks = zlib.compressobj(wbits=-15)
        begin = blocks.compress(b"M") + b"".join(blocks.flush(zlib.Z_FULL_FLUSH) for _ in range(9))
        stored = begin + b"\0\0\0\xff\xff" * 200
        deflated = ("Content-Encoding", "deflate")
        self.assertIn("can't be seen", self.verdict(text, "image/png", stored[:LOOK], deflated))
        for first in (b"", b"M"):
            members = gzip.compress(first) + gzip.compress(b"MZ"[len(first) :] + b"\0" * 50)
            self.assertIn(PROGRAM, self.verdict(text, "image/png", members, coded))
        self.assertIn("it is not gzip", self.verdict(text, "image/png", members + b"noise", coded))
        noise = gzip.compress(random.Random(1).randbytes(2000))
        self.assertEqual(self.verdict(text, "image/png", noise[:LOOK], coded), "")

    def test_empty(self) -> None:
        """Nothing is of no type."""
        text = 'allow = ["image/*"]'
        self.assertEqual(self.verdict(text, None, b"", ("Content-Length", "0")), "")
        decisions = self.decisions(f"[http.content]\n{text}")
        for response in (
            answers(304, None),
            answers(204, None),
            answers(200, "text/html", request=asks(method="HEAD")),
        ):
            self.assertIsInstance(decisions.response(response), Pass)

    def asked(self, text: str, beginning: bytes, *fields: tuple[str, str]) -> int:
        """The status that a request with a body is refused with; 0 if it is not."""
        decisions = self.decisions(f"[http.request_content]\n{text}")
        length = ("Content-Length", str(len(beginning)))
        request = asks("/", "POST", "h", length, *fields)
        decision = self.decide(decisions, request)
        if not isinstance(decision, Pass):
            return self.refused(decision).status
        refusal = decisions.content(request, beginning) if decision.look else None
        return refusal.status if refusal else 0

    def test_requests(self) -> None:
        """Bodies of requests have a table of their own, and go by both names too."""
        png, html = ("Content-Type", "image/png"), ("Content-Type", "text/html; charset=x")
        for text, beginning, fields, status in (
            ('refuse = ["image/*"]', b"x", (png,), 415),
            ('refuse = ["image/*"]', b"x", (html,), 0),
            ('refuse = ["application/x-executable"]', b"MZ\x90", (png,), 415),
            ('refuse = ["application/x-executable"]\nlook = false', b"MZ\x90", (png,), 0),
            ('allow = ["text/*"]', b"hello", (html,), 0),
            ('allow = ["text/*"]', b"", (png,), 0),
            ('allow = ["text/*"]', b"hello", (), 415),
            ('allow = ["text/*"]', b"x", (html, ("Content-Encoding", "br")), 415),
            ('allow = ["image/*"]', gzip.compress(b"MZ"), (png, ("Content-Encoding", "gzip")), 415),
        ):
            self.assertEqual(self.asked(text, beginning, *fields), status, (text, fields))

    def test_requests_are_not_answers(self) -> None:
        """Neither table is about the other direction."""
        decisions = self.decisions('[http.request_content]\nallow = ["image/*"]')
        decision = decisions.response(answers())
        assert isinstance(decision, Pass)
        self.assertEqual(decision.look, 0)
        decisions = self.decisions('[http.content]\nallow = ["image/*"]')
        request = asks("/", "POST", "h", ("Content-Type", "text/html"), ("Content-Length", "3"))
        decided = self.decide(decisions, request)
        assert isinstance(decided, Pass)
        self.assertEqual(decided.look, 0)

    def test_forms(self) -> None:
        """Forms with files are containers: refused unless the operator lets them pass unseen."""
        form = ("Content-Type", "multipart/form-data; boundary=x")
        text = 'refuse = ["application/x-executable"]'
        self.assertEqual(self.asked(text, b"--x\r\n", form), 415)
        passing = f'{text}\ncontainers = ["multipart/form-data"]'
        self.assertEqual(self.asked(passing, b"--x\r\n", form), 0)

    def test_promises(self) -> None:
        """Clients that can't ask for parts don't hear that they could; in trailers neither."""
        offer = ("Accept-Ranges", "bytes")
        for text, said in (
            ('refuse = ["a/b"]', "none"),
            ('refuse = ["a/b"]\nranges = true', "bytes"),
            ('refuse = ["a/b"]\nlook = false', "bytes"),
        ):
            decisions = self.decisions(f"[http.content]\n{text}")
            passed = self.passed(decisions.response(answers(200, "text/html", offer)))
            self.assertEqual(passed.headers.get("accept-ranges"), said, text)
            further = decisions.further_answered(Headers([offer]))
            assert isinstance(further, Headers)
            self.assertEqual(further.get("accept-ranges"), said, text)
        passed = self.passed(self.decisions('[http.content]\nrefuse = ["a/b"]').response(answers()))
        self.assertNotIn("accept-ranges", passed.headers)

    def test_part_unasked(self) -> None:
        """A server can't send the rest of a program as if it had been asked for it."""
        for text, passes in (
            ('refuse = ["a/b"]', False),
            ('refuse = ["a/b"]\nranges = true', True),
            ('refuse = ["a/b"]\nlook = false', True),
            ("", True),
        ):
            decision = self.decisions(f"[http.content]\n{text}").response(answers(206))
            self.assertEqual(isinstance(decision, Pass), passes, text)

    def test_asked_readable(self) -> None:
        """Servers are asked for what can be looked at: whole, and in a coding that is known."""
        fields = (("Range", "bytes=5-"), ("Accept-Encoding", "br, gzip"))
        request = asks("/", "GET", "h", *fields)
        asked = self.passed(
            self.decide(self.decisions('[http.content]\nrefuse = ["a/b"]'), request)
        )
        assert isinstance(asked, Request)
        self.assertNotIn("range", asked.headers)
        self.assertEqual(asked.headers.every("accept-encoding"), ["gzip"])
        self.assertIs(self.passed(self.decide(self.decisions(""), request)), request)
        text = '[http.content]\nrefuse = ["a/b"]\nranges = true'
        self.assertIn("range", self.passed(self.decide(self.decisions(text), request)).headers)
