"""Conversations that nobody thought of: whatever both sides do, and when, is never a bug."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Outcome, Side
from gateway.testing import FakeSession
from protocols.http.inspector import HttpInspector
from protocols.http.limits import Limits
from protocols.http.policy.content import AnswerPolicy, ContentPolicy
from protocols.http.policy.patterns import read_types
from protocols.http.policy.settings import HttpSettings
from protocols.http.settings import Stack

HOST = b" / HTTP/1.1\r\nHost: a\r\n"
CHUNKS = b"Transfer-Encoding: chunked\r\n\r\n"
UPGRADE = b"Connection: Upgrade\r\nUpgrade: x\r\n\r\n"

ASKED = (
    b"GET" + HOST + b"\r\n",
    b"HEAD" + HOST + b"\r\n",
    b"TRACE" + HOST + b"\r\n",
    b"GET" + HOST + UPGRADE,
    b"GET" + HOST + b"Connection: close\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"PUT" + HOST + b"Content-Length: 3\r\n\r\nabc",
    b"PUT" + HOST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n",
    b"PUT" + HOST + CHUNKS + b"3\r\nabc\r\n0\r\n\r\n",
    b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
    b"abc",
    b"0\r\n\r\n",
    b"\x16\x03\x01",
)
ANSWERED = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n" + CHUNKS + b"2\r\nhi\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\nall",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 101 Switching\r\n" + UPGRADE,
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\n\r\n",
    b"HTTP/1.1 408 Request Timeout\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    b"hi",
)

SIDES = st.sampled_from((CLIENT, SERVER))

SAYS = st.sampled_from(
    [
        *((CLIENT, said) for said in ASKED),
        *((SERVER, said) for said in ANSWERED),
        *((CLIENT, said[: len(said) // 2]) for said in ASKED),
        *((SERVER, said[: len(said) // 2]) for said in ANSWERED),
    ]
)

STEPS = st.lists(
    SAYS
    | SAYS
    | SAYS
    | st.tuples(st.sampled_from(("hangs_up", "resets", "flush")), SIDES)
    | st.tuples(st.just("advance"), st.sampled_from((1, 20, 100, 300)))
    | st.tuples(st.sampled_from(("reach", "refuse")), st.none()),
    max_size=20,
)

SETTINGS = st.builds(
    HttpSettings,
    limits=st.builds(Limits, pipelined=st.sampled_from((1, 3)), requests=st.sampled_from((0, 2))),
    stack=st.builds(
        Stack,
        request=st.sampled_from(("", "x")),
        response=st.sampled_from(("", "x")),
        headers=st.booleans(),
    ),
    content=st.sampled_from((AnswerPolicy(), AnswerPolicy(allow=read_types(("text/*",))))),
    request_content=st.sampled_from(
        (ContentPolicy(), ContentPolicy(allow=read_types(("text/*",))))
    ),
    upgrades=st.just(frozenset({"x"})),
    connect=st.just(True),
)


class RandomTests(SynchronousTestCase):
    """What the kit's session raises is a bug."""

    @given(STEPS, SETTINGS, st.sampled_from((True, None)), st.sets(SIDES))
    @settings(max_examples=1000, deadline=None)
    def test_conversations(
        self, steps: list[Any], policy: HttpSettings, reachable: bool | None, slow: set[Side]
    ) -> None:
        """
        Every session comes to an end that has a name, every request has its record, and none
        reaches servers more often than it was asked, however many of them there are.
        """
        session = FakeSession(HttpInspector, policy, reachable=reachable, slow=slow).start()
        for what, how in steps:
            self.step(session, what, how)
        session.over()
        assert session.verdict is not None
        self.assertIsNot(session.verdict.outcome, Outcome.BROKEN)
        records = session.records_of("http")
        sent = session.sent[SERVER].count(HOST)
        self.assertGreaterEqual(len(records), sent)
        asked = b"".join(how for what, how in steps if what is CLIENT)
        self.assertLessEqual(sent, asked.count(HOST))

    def step(self, session: FakeSession, what: Any, how: Any) -> None:
        """If it can happen now."""
        if session.verdict is not None:
            return
        if what in ("reach", "refuse"):
            if session.connecting:
                getattr(session, what)()
        elif what in ("advance", "flush"):
            getattr(session, what)(how)
        elif what in ("hangs_up", "resets"):
            if how is CLIENT or session.opened:
                getattr(session, what)(how)
        elif what is CLIENT or session.opened:
            session.says(what, how)
