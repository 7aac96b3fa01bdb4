"""
Compared with tlslite-ng: a reader of hellos that we share nothing with.

What we let through, it takes for the same hello, or for none: it also reads extensions about
which no rule can ask. What it takes and we refuse is strictness.
"""

from __future__ import annotations

import os
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tlslite.messages import ClientHello as Theirs
from tlslite.utils.codec import DecodeError, Parser
from twisted.trial.unittest import SynchronousTestCase

from protocols.tls.hello import ClientHello
from protocols.tls.refusal import Refusal
from tests.protocols.tls.hellos import (
    COMMON,
    alpn,
    body,
    extension,
    groups,
    key_shares,
    length,
    server_name,
    versions,
)

EXAMPLES = int(os.environ.get("TLS_EXAMPLES", "400"))

NAMES = (b"a.example", b"A.Example", b"a.example.", b"192.0.2.1", b"x" * 64, b"a\0b", b"")

EXTENSIONS = st.one_of(
    st.sampled_from(COMMON),
    st.sampled_from(NAMES).map(server_name),
    st.lists(st.binary(max_size=9), max_size=3).map(lambda names: alpn(*names)),
    st.lists(st.sampled_from([0x0304, 0x0303, 0x0A0A, 0x1A1A]), max_size=3).map(
        lambda values: versions(*values)
    ),
    st.lists(st.sampled_from([29, 23, 0x0A0A]), max_size=3).map(lambda values: groups(*values)),
    st.lists(st.sampled_from([29, 23, 0x0A0A]), max_size=3).map(lambda v: key_shares(*v)),
    st.tuples(st.sampled_from([0, 10, 13, 16, 21, 41, 42, 43, 51]), st.binary(max_size=9)).map(
        lambda pair: extension(*pair)
    ),
)

HELLOS = st.builds(
    body,
    st.one_of(st.none(), st.lists(EXTENSIONS, max_size=6)),
    st.lists(st.sampled_from([0x1301, 0x0A0A, 0xC02B]), max_size=3),
    st.sampled_from([0x0300, 0x0301, 0x0303, 0x0304]),
    st.sampled_from([b"\0", b"\1\0", b"", b"\1"]),
    st.binary(max_size=33),
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A hello of which some bytes were changed, taken out, or put in."""
    data = draw(HELLOS)
    for _ in range(draw(st.integers(0, 3))):
        begin = draw(st.integers(0, len(data)))
        data = data[:begin] + draw(st.binary(max_size=2)) + data[begin + draw(st.integers(0, 2)) :]
    return data


def theirs(data: bytes) -> Theirs:
    """What the other reader makes of a body; it wants the message's length in front."""
    return Theirs().parse(Parser(bytearray(length(data, 3))))


class ComparisonTests(SynchronousTestCase):
    """Servers read in a hello what the gateway has read."""

    @settings(max_examples=EXAMPLES, deadline=None)
    @given(damaged())
    def test_same(self, data: bytes) -> None:
        """Whatever passes says the same to both."""
        try:
            ours = ClientHello.parse(data)
            other = theirs(data)
        except (Refusal, DecodeError):
            return
        self.assertEqual(list(ours.cipher_suites), list(other.cipher_suites))
        self.assertEqual(list(ours.extensions), [e.extType for e in other.extensions or ()])
        name = bytes(other.server_name).decode() if other.server_name else ""
        self.assertEqual(ours.server_name or ours.address, name.lower())
        self.assertEqual(ours.alpn, tuple(map(bytes, _of(other, 16, "protocol_names"))))
        self.assertEqual(ours.groups, tuple(_of(other, 10, "groups")))
        self.assertEqual(
            ours.key_shares, tuple(share.group for share in _of(other, 51, "client_shares"))
        )
        if 43 in ours.extensions:
            found = (256 * major + minor for major, minor in _of(other, 43, "versions"))
            self.assertEqual(ours.versions, tuple(found))

    def test_whole(self) -> None:
        """The comparison compares: an ordinary hello is taken by both."""
        self.assertEqual(bytes(theirs(body()).server_name), b"www.example.org")
        self.assertEqual(ClientHello.parse(body()).server_name, "www.example.org")


def _of(hello: Theirs, number: int, field: str) -> tuple[Any, ...]:
    """What the other reader has of one extension."""
    found = hello.getExtension(number)
    return () if found is None else tuple(getattr(found, field) or ())
