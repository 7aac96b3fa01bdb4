"""Whatever is asked, there is an answer, and no bug."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.control.question import Asker, Misasked
from tests.control.case import READER, ROOT, ControlCase
from tests.control.test_following import Listener

NAMES = ("status", "sessions", "show", "kill", "drain", "explain", "rules", "follow", "nonsense")

KEYS = (
    *("id", "service", "client", "server", "zone", "protocol", "state", "parent", "age", "idle"),
    *("bytes", "rate", "sort", "limit", "after", "all", "why", "end", "type", "verdict", "denied"),
    *("from", "to", "interface", "sni", "alpn", "query", "url", "method", "headers", "mail_from"),
    *("rcpt", "attachments", "commands"),
)

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(("\ud800", "a\ud800", "\x1b[2J", "\0")),
    st.sampled_from(("192.0.2.1", "192.0.2.0/24", "::/0", "10.1.2.3:80", "tcp", "bytes", "web")),
)

VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)

ASKED = st.builds(
    lambda name, more: {"ask": name, **more},
    st.sampled_from(NAMES) | VALUES,
    st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), VALUES, max_size=3),
)


class HostileTests(ControlCase):
    """Nobody who asks is trusted to ask well."""

    @settings(max_examples=300, deadline=None)
    @given(asked=ASKED, asker=st.sampled_from((READER, ROOT)))
    def test_ask(self, asked: dict[str, Any], asker: Asker) -> None:
        """Every question has an answer that can be written as JSON; none is a bug."""
        if not self.world.register.running:
            self.comes()
        answered = self.questions.ask(asked, asker)
        self.world.pass_time(0.6)
        answer = self.successResultOf(answered)
        self.assertIsInstance(answer, dict)
        json.dumps(answer)
        self.assertNotIn("a bug", answer.get("problem", ""), asked)

    @settings(max_examples=200, deadline=None)
    @given(asked=ASKED)
    def test_follow(self, asked: dict[str, Any]) -> None:
        """A filter is one, or said to be none."""
        try:
            following = self.questions.follow(asked, Listener())
        except Misasked:
            return
        assert self.tape.tell is not None
        self.tape.tell(b'{"event_type":"flow","flow_id":7,"src_ip":"192.0.2.1"}\n')
        following.stop()
