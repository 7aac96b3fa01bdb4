"""SASL: whom somebody says to be, in a first response."""

from __future__ import annotations

from binascii import b2a_base64

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from protocols.sasl import names

MECHANISMS = (
    *("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "OAUTHBEARER", "XOAUTH2"),
    *("EXTERNAL", "ANONYMOUS", "GSSAPI"),
)
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


def base64(said: str) -> bytes:
    return b2a_base64(said.encode(), newline=False)


class SaslTests(SynchronousTestCase):
    """Names, by mechanism."""

    def test_names(self) -> None:
        """For whom, and who."""
        for mechanism, said, found in (
            ("PLAIN", "\0joe\0secret", ("joe",)),
            ("PLAIN", "ann\0joe\0secret", ("ann", "joe")),
            ("LOGIN", "joe", ("joe",)),
            ("CRAM-MD5", "joe the plumber 0123", ("joe the plumber",)),
            ("SCRAM-SHA-1", "n,,n=joe,r=x", ("joe",)),
            ("SCRAM-SHA-256", "y,a=ann,n=jo=2Ce=3D,r=x", ("ann", "jo,e=")),
            ("OAUTHBEARER", "n,a=joe@a.example,\1auth=Bearer x\1\1", ("joe@a.example",)),
            ("OAUTHBEARER", "n,,\1auth=Bearer x\1\1", ()),
            ("XOAUTH2", "user=joe\1auth=Bearer x\1\1", ("joe",)),
            ("XOAUTH2", "user=root\1auth=Bearer x\1User=joe\1\1", ("root", "joe")),
            ("EXTERNAL", "joe", ("joe",)),
            ("ANONYMOUS", "whoever", ("anonymous",)),
        ):
            self.assertEqual(names(mechanism, base64(said)), found, (mechanism, said))
        self.assertEqual(names("EXTERNAL", b"="), ())

    def test_none(self) -> None:
        """What is no such response names nobody."""
        for mechanism, said in (
            ("PLAIN", "joe"),
            ("PLAIN", "a\0b\0c\0d"),
            ("CRAM-MD5", "joe"),
            ("SCRAM-SHA-1", "n=joe,r=x"),
            ("SCRAM-SHA-1", "n,b=x,n=joe"),
            ("SCRAM-SHA-1", "n,,m=x,n=joe"),
            ("XOAUTH2", "user"),
            ("GSSAPI", "joe"),
        ):
            self.assertIsNone(names(mechanism, base64(said)), (mechanism, said))
        for response in (b"am9l!", b"am9", b"am9l=", b"//8="):
            self.assertIsNone(names("LOGIN", response), response)

    @settings(max_examples=300, deadline=None)
    @given(st.sampled_from(MECHANISMS), st.binary(max_size=60))
    def test_anything(self, mechanism: str, response: bytes) -> None:
        """Whatever is said."""
        for said in (response, b2a_base64(response, newline=False)):
            found = names(mechanism, said)
            self.assertTrue(found is None or all(found))

    @settings(max_examples=200, deadline=None)
    @given(NAMES, NAMES)
    def test_plain(self, acting: str, who: str) -> None:
        """Whatever names there are."""
        said = f"{acting}\0{who}\0secret"
        self.assertEqual(names("PLAIN", base64(said)), (acting, who))
