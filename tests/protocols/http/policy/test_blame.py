"""What denied a request or a response is named: by a setting, a test, or the protocol."""

from __future__ import annotations

from gateway.interfaces import CLIENT, PROTOCOL, SERVER
from gateway.testing import FakeSession
from protocols.http.inspector import HttpInspector
from protocols.http.policy.settings import HttpSettings
from protocols.magic import PROGRAM
from tests.protocols.http.policy.case import PolicyCase

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Type: image/png\r\nContent-Length: 4\r\n\r\nMZ\x90\0"
OLD_POST = POST.replace(b"1.1", b"1.0")
PICTURE = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 4\r\n\r\nMZ\x90\0"
TEST = "services/web.toml:3"
"""Where the first line of a configuration of these tests is."""


def get(line: bytes) -> bytes:
    """A request with one more header."""
    return GET[:-2] + line + b"\r\n\r\n"


def called(value: bytes) -> bytes:
    """The picture, with another type and what follows it in the head."""
    return PICTURE.replace(b"image/png", value)


def limit(name: str, value: int) -> tuple[str, str]:
    """A limit, and its name."""
    return f"[http.limits]\n{name} = {value}", f"limits.{name}"


ASKED = (
    ('methods = ["PUT"]', "methods", GET),
    ('hosts = ["other"]', "hosts", GET),
    ('paths = ["/x"]', "paths", GET),
    ("ports = [81]", "ports", GET),
    ("", "connect", b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n"),
    ("connect = true", "connect_ports", b"CONNECT h:22 HTTP/1.1\r\nHost: h:22\r\n\r\n"),
    ("", "invalid_escapes", GET.replace(b"/ ", b"/% ")),
    ("", "request_bodies", get(b"Content-Length: 1")),
    ("", "upgrades", get(b"Connection: Upgrade\r\nUpgrade: websocket")),
    ('host_check = "literal"', "host_check", GET.replace(b"Host: h", b"Host: 192.0.2.9")),
    (*limit("headers", 1), get(b"X: y")),
    (*limit("header_line_bytes", 64), get(b"X: " + b"y" * 99)),
    (*limit("head_bytes", 256), get(b"X: " + b"y" * 999)),
    (*limit("request_line_bytes", 64), GET.replace(b"/ ", b"/%s " % (b"y" * 99))),
    (*limit("method_bytes", 3), POST),
    (*limit("request_body_bytes", 3), POST),
    ("[http.request_headers]\nlimit = {Content-Type = 1}", "request_headers.limit", POST),
    ('[http.request_content]\nrefuse = ["image/*"]', "request_content.refuse", POST),
    (f"[http.request_content]\nrefuse = [{PROGRAM!r}]", "request_content.refuse", POST),
    ('[http.request_content]\nallow = ["text/*"]', "request_content.allow", POST),
    ('[http.stack]\nrequest = "other"\nheld_bytes = 1', "stack.held_bytes", OLD_POST),
    ('[[http.request]]\nmethod = ["GET"]', TEST, GET),
    ('[[http.request]]\naction = "close"', TEST, GET),
    ('[[http.request]]\naction = "redirect"\nlocation = "/"', TEST, GET),
    ('[[http.request]]\ncontent_type = ["a/b"]', TEST, POST.replace(b"image/", b"")),
    ("", PROTOCOL, b"nonsense\r\n"),
    ("", PROTOCOL, get(b"X : y")),
)

ANSWERED = (
    ('[http.content]\nrefuse = ["image/*"]', "content.refuse", PICTURE),
    (f"[http.content]\nrefuse = [{PROGRAM!r}]", "content.refuse", PICTURE),
    ('[http.content]\nallow = ["image/*"]', "content.allow", PICTURE),
    ('[http.content]\nrefuse = ["a/b"]', "content.refuse", called(b"a/b, c/d")),
    ('[http.content]\nallow = ["a/b"]', "content.allow", called(b"a/b, c/d")),
    ('[http.content]\nrefuse = ["a/b"]', "content.containers", called(b"multipart/x")),
    ('[http.content]\nrefuse = ["a/b"]', "content.look", called(b"c/d\r\nContent-Encoding: br")),
    ('[http.content]\nrefuse = ["a/b"]', "content.look", called(b"c/d\r\nContent-Encoding: gzip")),
    (*limit("response_body_bytes", 3), PICTURE),
    (*limit("interim_responses", 0), b"HTTP/1.1 103 Early\r\n\r\n"),
    ("[http.response_headers]\nlimit = {Content-Type = 1}", "response_headers.limit", PICTURE),
    ("[[http.response]]\nstatus = [200]", TEST, PICTURE),
    ("", PROTOCOL, b"nonsense\r\n"),
)

OTHER = {"services/other.toml": 'inspector = "http"\n'}


class BlameTests(PolicyCase):
    """The record of what did not pass names what denied it, so that it is counted."""

    def session(self, text: str) -> FakeSession:
        settings = self.settings(text, OTHER)
        assert isinstance(settings, HttpSettings)
        return FakeSession(HttpInspector, settings).start()

    def blamed(self, session: FakeSession, by: str) -> None:
        """The one record has it, and its reason says so."""
        (record,) = session.records_of("http")
        self.assertEqual((record["verdict"], record.get("denied_by")), ("denied", by))
        said = "" if by == PROTOCOL else TEST if by == TEST else f"(setting {by!r})"
        self.assertIn(said, record["reason"])

    def test_asked(self) -> None:
        """Requests, whole and byte by byte."""
        for text, by, request in ASKED:
            for size in (len(request), 1):
                session = self.session(text)
                for at in range(0, len(request), size):
                    session.says(CLIENT, request[at : at + size])
                self.blamed(session, by)

    def test_answered(self) -> None:
        """Responses."""
        for text, by, response in ANSWERED:
            session = self.session(text)
            session.says(CLIENT, GET)
            session.says(SERVER, response)
            self.blamed(session, by)

    def test_ended(self) -> None:
        """Also if the server has ended meanwhile: a short body that is looked at."""
        session = self.session('[http.content]\nrefuse = ["application/x-executable"]')
        session.says(CLIENT, GET)
        session.says(SERVER, b"HTTP/1.1 200 OK\r\n\r\nMZ")
        session.hangs_up(SERVER)
        self.blamed(session, "content.refuse")

    def test_late(self) -> None:
        """Clients that take too long."""
        for text, said, by in (
            ("[http.times]\nhead_seconds = 5", GET[:9], "times.head_seconds"),
            ("[http.times]\nrequest_seconds = 5", POST[:-1], "times.request_seconds"),
        ):
            session = self.session(text)
            session.says(CLIENT, said)
            session.advance(6)
            (record,) = session.records_of("http")
            self.assertEqual((record["verdict"], record["denied_by"]), ("denied", by))

    def test_failed(self) -> None:
        """What failed was not denied by anybody."""
        session = self.session("")
        session.says(CLIENT, GET)
        session.says(SERVER, b"HTTP/1.1 2")
        session.hangs_up(SERVER)
        (record,) = session.records_of("http")
        self.assertEqual(record["verdict"], "failed")
        self.assertNotIn("denied_by", record)

    def test_hits(self) -> None:
        """A test that matches is counted, and so is the list; what denies is counted as denied."""
        lists = {"bad": b"bad.example\nh\n", "worse": b"h\n", **OTHER}
        for action, hits in (
            ('action = "allow"', ["services/web.toml:3", "bad"]),
            ('action = "drop-header"\nname = "X"', ["services/web.toml:3", "bad"]),
            ('action = "stack"\nservice = "other"', ["services/web.toml:3", "bad"]),
            ('action = "wait"\nseconds = 9', ["services/web.toml:3", "bad"]),
            ("", ["bad"]),
        ):
            text = f'[[http.request]]\nlists = ["bad", "worse"]\n{action}'
            session = FakeSession(HttpInspector, self.settings(text, lists)).start()
            session.says(CLIENT, GET)
            self.assertEqual(session.hits, hits, action)
        session = self.session('[[http.request]]\nhost = ["other"]')
        session.says(CLIENT, GET)
        self.assertEqual(session.hits, [])
