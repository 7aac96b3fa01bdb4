"""What a client says in its hello is read; what can be read in two ways is refused."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from protocols.tls.hello import ClientHello
from protocols.tls.numbers import Alert
from protocols.tls.records import Limits, progress
from protocols.tls.refusal import Refusal
from tests.protocols.tls.hellos import (
    COMMON,
    algorithms,
    alpn,
    body,
    extension,
    groups,
    key_shares,
    length,
    numbers,
    of_openssl,
    pre_shared_key,
    server_name,
    versions,
)

GREASE = 0x4A4A
PSK = pre_shared_key()


def parsed(*extensions: bytes) -> ClientHello:
    return ClientHello.parse(body(extensions))


class ReadTests(SynchronousTestCase):
    """Rules may rely on what a hello says."""

    def test_common(self) -> None:
        """Everything that rules and records ask for."""
        hello = ClientHello.parse(body())
        self.assertEqual(hello.server_name, "www.example.org")
        self.assertEqual(hello.alpn, (b"h2", b"http/1.1"))
        self.assertEqual(hello.versions, (0x0304, 0x0303))
        self.assertEqual(hello.groups, (0x11EC, 29, 23))
        self.assertEqual(hello.signature_algorithms, (0x0403, 0x0804))
        self.assertEqual(hello.key_shares, (29,))
        self.assertEqual(hello.cipher_suites, (0x1301, 0xC02B))
        self.assertEqual(hello.extensions, (0, 16, 43, 10, 13, 51))
        self.assertEqual((hello.session_id, hello.random), (b"s" * 32, b"r" * 32))
        self.assertFalse(hello.encrypted or hello.early_data or hello.resumes)

    def test_openssl(self) -> None:
        """What OpenSSL really sends."""
        known = progress(of_openssl(b"a.example", (b"http/1.1",)), Limits())
        assert known.body is not None
        hello = ClientHello.parse(known.body)
        self.assertEqual((hello.server_name, hello.alpn), ("a.example", (b"http/1.1",)))
        self.assertIn(0x0304, hello.versions)

    def test_before_extensions(self) -> None:
        """Clients before TLS 1.2 may say nothing more; nobody speaks TLS 1.3 without a list."""
        hello = ClientHello.parse(body(None, version=0x0301))
        self.assertEqual((hello.versions, hello.extensions), ((0x0301,), ()))
        self.assertEqual(ClientHello.parse(body((), version=0x0304)).versions, (0x0303,))

    def test_flags(self) -> None:
        """Early data, resumption and encryption are seen."""
        hello = parsed(extension(42), extension(0xFE0D, b"\0rest"), PSK)
        self.assertTrue(hello.early_data and hello.encrypted and hello.resumes)

    def test_grease(self) -> None:
        """Numbers that mean nothing are where the client put them, and harm nobody."""
        hello = parsed(extension(GREASE), versions(GREASE, 0x0304), groups(GREASE, 29))
        self.assertEqual(hello.extensions[0], GREASE)
        self.assertEqual((hello.versions, hello.groups), ((GREASE, 0x0304), (GREASE, 29)))

    def test_empty_key_shares(self) -> None:
        """A client that wants to be asked for a group first."""
        self.assertEqual(parsed(key_shares()).key_shares, ())


class NameTests(SynchronousTestCase):
    """A rule about a name can't be passed by writing the name in another way."""

    def test_case(self) -> None:
        """Names are compared in lower case."""
        self.assertEqual(parsed(server_name(b"WWW.Example.ORG")).server_name, "www.example.org")

    def test_accepted(self) -> None:
        """Names of private networks, and of other alphabets in their ASCII form."""
        for name in ("printer", "a_b.local", "xn--bcher-kva.example", "1.2.3.example", "a" * 63):
            self.assertEqual(parsed(server_name(name.encode())).server_name, name)

    def test_addresses(self) -> None:
        """An address is no name; the policy treats it as if there were none."""
        for address in ("192.0.2.1", "2001:db8::1"):
            hello = parsed(server_name(address.encode()))
            self.assertEqual((hello.server_name, hello.address), ("", address))

    def test_refused(self) -> None:
        """What could be another name for somebody else."""
        for name in (
            *(b"example.org.", b".example.org", b"a..example", b"-a.example", b"a-.example"),
            *(b"example.org\0.evil.example", b"a b", b"a/b", b"*.example.org", b"a:443"),
            *(b"b\xfccher.example", "bücher.example".encode(), b"a\r\nb", b"[::1]", b"a@b"),
            *(b"a" * 64, b".".join([b"a" * 63] * 4) + b"a"),
        ):
            refusal = self.assertRaises(Refusal, parsed, server_name(name))
            self.assertEqual(refusal.alert, Alert.ILLEGAL_PARAMETER, name)

    def test_one_name(self) -> None:
        """Not two names, not none, none of another kind."""
        entry = b"\0" + length(b"a.example")
        for content in (
            *(length(entry + entry), length(entry + b"\1" + length(b"b.example")), length(b"")),
            *(length(b"\1" + length(b"a.example")), b"", length(b"\0" + length(b""))),
            *(length(entry) + b"\0", length(entry[:-1]), length(entry + b"\0")),
        ):
            self.assertRaises(Refusal, parsed, extension(0, content))


class RefusedTests(SynchronousTestCase):
    """What two readers could take for different things passes neither."""

    def refused(self, content: bytes, alert: Alert = Alert.DECODE_ERROR) -> None:
        refusal = self.assertRaises(Refusal, ClientHello.parse, content)
        self.assertEqual(refusal.alert, alert)

    def test_cut_short(self) -> None:
        """No beginning of a hello is one, but for that before the list of extensions."""
        whole, bare = body(), body(None)
        self.assertTrue(whole.startswith(bare))
        for end in range(len(whole)):
            if end != len(bare):
                self.refused(whole[:end])

    def test_longer(self) -> None:
        """Nothing may follow."""
        self.refused(body() + b"\0")
        self.refused(body(None) + b"\0")

    def test_twice(self) -> None:
        """An extension that is there twice (RFC 8446, section 4.2), also one that means nothing."""
        for each in (*COMMON, extension(GREASE)):
            self.refused(body((*COMMON, each, each)), Alert.ILLEGAL_PARAMETER)

    def test_pre_shared_key_last(self) -> None:
        """RFC 8446, section 4.2.11."""
        self.refused(body((PSK, *COMMON)), Alert.ILLEGAL_PARAMETER)

    def test_version(self) -> None:
        """Another major version is not TLS."""
        self.refused(body(version=0x0203), Alert.PROTOCOL_VERSION)

    def test_compression(self) -> None:
        """A client that insists on compression, or says nothing about it."""
        self.refused(body(compression=b"\1"), Alert.ILLEGAL_PARAMETER)
        self.refused(body(compression=b""))

    def test_session_id(self) -> None:
        """At most 32 bytes."""
        self.refused(body(session_id=b"s" * 33))

    def test_lists(self) -> None:
        """Lists that are empty, odd, or shorter than what is around them."""
        self.refused(body(suites=()))
        for each in (
            *(versions(), groups(), algorithms(), alpn(), alpn(b""), extension(43, b"\3\3\4\3")),
            *(extension(10, length(b"\0")), extension(13, length(numbers(1)) + b"\0")),
            *(extension(16, b"\0\3\2h2\0"), extension(51, b"\0\2\0\x1d")),
        ):
            self.refused(body((each,)))

    def test_key_shares_twice(self) -> None:
        """Two keys for one group (RFC 8446, section 4.2.8)."""
        self.refused(body((key_shares(29, 29),)), Alert.ILLEGAL_PARAMETER)

    def test_resumption(self) -> None:
        """As many binders as identities, and nothing with the wish for early data."""
        for each in (pre_shared_key(0), pre_shared_key(2), extension(41), extension(42, b"x")):
            self.refused(body((each,)))

    def test_inner(self) -> None:
        """The inner form of an encrypted hello, in the open."""
        for content in (b"\1", b""):
            self.refused(body((extension(0xFE0D, content),)), Alert.ILLEGAL_PARAMETER)
