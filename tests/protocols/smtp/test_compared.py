"""Addresses and parameters, as other programs read them that were written by others."""

from __future__ import annotations

import re

from aiosmtpd.smtp import SMTP as Aiosmtpd
from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.mail.smtp import Address as TwistedAddress
from twisted.mail.smtp import AddressError as TwistedError
from twisted.trial.unittest import SynchronousTestCase

from protocols.smtp.grammar.address import AddressError, parse_path
from protocols.smtp.grammar.parameter import MAIL, ParameterError, parse_parameters, written

EXAMPLES = settings(max_examples=400, deadline=None)

pieces = st.sampled_from(
    [
        "a",
        "B",
        ".",
        "@",
        '"',
        "\\",
        " ",
        "<",
        ">",
        "[",
        "]",
        "192.0.2.1",
        "IPv6:::1",
        ",",
        ":",
        "(",
        ")",
        ";",
        "-",
        "x.example",
        "+",
        "\u00fc",
        "!",
        "%",
    ]
)
atoms = st.text("abZ0!#$%&'*+-/=?^_`{|}~\u00fc", min_size=1, max_size=4)
quoted = st.text("a@ .,:;<>()[]!%", min_size=1, max_size=6).map('"{}"'.format)
escaped = st.sampled_from(['"a\\"b"', '"\\\\"', '"\\a"', '"a\\ b"'])
locals_ = st.one_of(st.lists(atoms, min_size=1, max_size=3).map(".".join), quoted, escaped)
domains = st.sampled_from(["b", "x.example", "[192.0.2.1]", "[IPv6:2001:db8::1]", "\u00fc.example"])
routes = st.sampled_from(["", "", "@y.example:", "@y,@z.example:"])
texts = st.one_of(
    st.lists(pieces, max_size=9).map("".join),
    st.tuples(routes, locals_, st.just("@"), domains).map("".join),
    st.just("Postmaster"),
)

# Only its parsers, which want no connection.
server = Aiosmtpd.__new__(Aiosmtpd)
server.local_part_limit = 0


class AddressTests(SynchronousTestCase):
    """What we write, a server reads as what we took it for."""

    @EXAMPLES
    @given(texts, st.sampled_from(["", " SIZE=1", " BODY=7BIT SIZE=1"]))
    @example('"a\\"b"@x.example', "")
    @example("a@[IPv6:::1]", " SIZE=1")
    @example("@x.example,@a:a@x.example", "")
    def test_aiosmtpd(self, text: str, rest: str) -> None:
        """aiosmtpd, which uses the parser of the standard library's headers."""
        try:
            path, ours = parse_path(f"<{text}>{rest}")
        except AddressError:
            return
        if path.mailbox.null:
            return
        address, theirs = server._getaddr(f"{path}{ours}")
        self.assertEqual(theirs, ours.strip())
        mailbox = path.mailbox
        self.assertEqual(unquoted(address), f"{mailbox.local}@{mailbox.domain}".removesuffix("@"))

    @EXAMPLES
    @given(texts)
    @example('"a b"@x.example')
    def test_twisted(self, text: str) -> None:
        """Twisted, which has one of its own, if it can read it at all."""
        try:
            path, rest = parse_path(f"<{text}>")
            address = str(path)[1:-1].encode("ascii")
        except (AddressError, UnicodeEncodeError):
            return
        if rest or not path.mailbox.domain or "[" in path.mailbox.domain:
            return
        try:
            theirs = TwistedAddress(address)
        except TwistedError:  # it can't read everything that is one
            return
        self.assertEqual(theirs.domain.decode(), path.mailbox.domain)

    @EXAMPLES
    @given(
        st.lists(
            st.sampled_from(
                [
                    "SIZE=1",
                    "size=22",
                    "BODY=8BITMIME",
                    "SMTPUTF8",
                    "RET=HDRS",
                    "ENVID=a+2Bb",
                    "AUTH=<>",
                    "AUTH=a+3Db",
                    "SIZE",
                    "x=y",
                    "=",
                    "A==B",
                ]
            ),
            max_size=5,
        ),
        st.sampled_from([" ", "  "]),
    )
    def test_parameters(self, words: list[str], blank: str) -> None:
        """aiosmtpd reads the same parameters out of what we write."""
        try:
            ours = parse_parameters("".join(blank + word for word in words), MAIL)
        except ParameterError:
            return
        theirs = server._getparams(written(ours).split())
        self.assertEqual(
            theirs, {name: value if value is not None else True for name, value in ours}
        )


def unquoted(address: str) -> str:
    """As it is meant."""
    local, at, domain = address.rpartition("@")
    if local.startswith('"'):
        local = re.sub(r"\\(.)", r"\1", local[1:-1])
    return f"{local}{at}{domain}"
