"""What sessions need to speak TLS: contexts, certificates, and sessions that go on."""

from __future__ import annotations

import ssl
from typing import Any

from attrs import evolve
from cryptography import x509
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import SSL
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from gateway.agreement import Agreed, Invalid
from gateway.policy.tls import Identity, ServerTerms, Terms, Tls
from gateway.tls.certificate import read
from gateway.tls.credentials import Credentials, Whom
from gateway.tls.endpoint import Endpoint
from gateway.tls.signing import SignerError
from gateway.tls.system import system_roots
from protocols.tls.hello import ClientHello
from protocols.tls.numbers import HYBRID
from protocols.tls.records import Limits, progress
from tests.tls.minting import minter, trusted
from tests.tls.peers import Peer, authority, client_context, server_context
from tests.tls.pki import NOW, Authority, Issued, rsa_key
from tests.tls.test_endpoint import Pair, PyPeer
from tests.tls.test_revocation import STAPLED, staple

NAME = "server.example"
WHOM = Whom("10.0.0.1", "192.0.2.1:443", "web", NAME, ("http/1.1",))
TERMS = Terms()
CLIENTS = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])


def begun(endpoint: Endpoint, peer: Any) -> Pair:
    """Our end says hello, and all that follows is carried."""
    pair = Pair(endpoint, peer)
    pair.said = endpoint.start()
    return pair.run()


class Case(SynchronousTestCase):
    """Credentials, and peers for both ends."""

    def setUp(self) -> None:
        self.credentials = self.made()

    def made(self, settings: Tls | None = None, key_log: Any = None) -> Credentials:
        settings = settings or Tls(trust=((authority().issued.certificate,),), system_roots=False)
        return Credentials(settings, None, minter()[0], NOW.timestamp, key_log)

    def to_server(
        self,
        context: ssl.SSLContext,
        whom: Whom = WHOM,
        terms: Terms = TERMS,
        credentials: Any = None,
    ) -> Pair:
        """Our end of a connection to a server."""
        endpoint = (credentials or self.credentials).towards_server(whom, whom.name, terms)
        return begun(endpoint, Peer(context, True))

    def agreed(self, pair: Pair, whom: Whom = WHOM) -> Agreed:
        """What was agreed with it."""
        self.assertTrue(pair.endpoint.agreed, pair.endpoint.broken)
        return self.credentials.agreed_with_server(pair.endpoint, whom)

    def to_client(
        self,
        context: ssl.SSLContext,
        issued: Issued | None = None,
        alpn: tuple[str, ...] = (),
        terms: Terms = TERMS,
        session: Any = None,
        service: str = "web",
        credentials: Any = None,
    ) -> Pair:
        """Our end of a connection with a client; C{session} is what the client goes on with."""
        credentials = credentials or self.credentials
        like = self.read(issued) if issued else None
        found = credentials.like(like, True) if like else credentials.for_name(NAME, True)
        endpoint = credentials.towards_client(self.successResultOf(found), service, alpn, terms)
        peer = Peer(context, False, NAME, session)
        peer.put(b"")
        return Pair(endpoint, peer).run()

    def read(self, issued: Issued) -> Any:
        return read(issued.der[0])


def trusting() -> ssl.SSLContext:
    """A client that has the operator's root."""
    return client_context(Authority(Issued(trusted().certificate, trusted().key)))


class ServerTests(Case):
    """Towards servers."""

    def test_agreed(self) -> None:
        """What was agreed is known in the words of the registries."""
        context = server_context(authority().issue(NAME))
        context.set_alpn_protocols(["h2", "http/1.1"])
        agreed = self.agreed(self.to_server(context))
        self.assertEqual(agreed.version, "TLS 1.3")
        self.assertEqual(agreed.cipher, "TLS_AES_256_GCM_SHA384")
        # the latter, if the server's library knows it: Debian 13's does
        self.assertIn(agreed.group.lower(), ("x25519", "x25519mlkem768"))
        self.assertEqual(agreed.alpn, "http/1.1")
        self.assertEqual(agreed.flaws, ())
        self.assertFalse(agreed.resumed or agreed.wants_certificate)
        self.assertEqual(agreed.chain[0].names, (NAME,))
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        agreed = self.agreed(self.to_server(context))
        self.assertEqual(
            (agreed.version, agreed.cipher), ("TLS 1.2", "ECDHE-ECDSA-AES256-GCM-SHA384")
        )

    def test_flaws(self) -> None:
        """A server that is not to be believed is heard out all the same: somebody has to decide."""
        for issued, kind in (
            (Authority.root("Other").below("Unknown").issue(NAME), Invalid.UNTRUSTED),
            (authority().issue("other.example"), Invalid.NAME),
            (authority().issue(NAME, key=rsa_key(1024)), Invalid.WEAK),
            (authority().issue(NAME, extra=[(STAPLED, False)]), Invalid.REVOKED),
        ):
            context = server_context(issued, lenient=True)
            agreed = self.agreed(self.to_server(context))
            self.assertEqual([flaw.kind for flaw in agreed.flaws], [kind])

    def test_names(self) -> None:
        """The server learns the name that the client wants; of an address it learns nothing."""
        asked: list[str | None] = []
        context = server_context(authority().issue(NAME))
        context.set_servername_callback(lambda _, name, __: asked.append(name))
        self.to_server(context)
        endpoint = self.credentials.towards_server(WHOM, "", TERMS)
        begun(endpoint, Peer(context, True))
        self.assertEqual(asked, [NAME, None])

    def test_goes_on(self) -> None:
        """A session goes on for the same client, server, service, name and protocols only."""
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            self.credentials = self.made()
            context = server_context(authority().issue(NAME))
            context.minimum_version = context.maximum_version = version
            pair = self.to_server(context)
            self.assertFalse(self.agreed(pair).resumed)
            self.credentials.keep(pair.endpoint, WHOM)
            again = self.agreed(self.to_server(context))
            self.assertTrue(again.resumed)
            self.assertEqual([each.names for each in again.chain], [(NAME,)])
            self.assertEqual(again.flaws, ())
            for other in (
                WHOM._replace(client="10.0.0.2"),
                WHOM._replace(server="192.0.2.2:443"),
                WHOM._replace(service="mail"),
                WHOM._replace(name="other.example"),
                WHOM._replace(alpn=()),
            ):
                self.assertFalse(self.agreed(self.to_server(context, other), other).resumed)
            after_reload = self.to_server(context, credentials=self.made())
            self.assertFalse(after_reload.endpoint.resumed)

    def test_beside(self) -> None:
        """
        What was agreed goes on beside the connection that it was agreed on: vsftpd has data only
        on connections that do. With whom that was, the address of a data connection need not say.
        """
        data = WHOM._replace(server="192.0.2.1:40000")
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = server_context(authority().issue(NAME))
            context.minimum_version = context.maximum_version = version
            control = self.to_server(context)
            link = self.agreed(control).link
            endpoint = self.credentials.going_on(link(), data, NAME)
            agreed = self.agreed(begun(endpoint, Peer(context, True)), data)
            self.assertTrue(agreed.resumed)
            self.assertEqual(agreed.flaws, ())
            del control
            self.assertIsNone(link())

    def test_stapled(self) -> None:
        """A stapled answer is heard, and still counts when the session goes on."""
        issued = authority().issue(NAME, extra=[(STAPLED, False)])
        said = [staple(issued, issuer=authority())]
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.use_certificate(issued.certificate)
        context.use_privatekey(issued.key)
        context.set_ocsp_server_callback(lambda *_: said[0])
        for resumed in (False, True):
            endpoint = self.credentials.towards_server(WHOM, NAME, TERMS)
            pair = begun(endpoint, stapling(context))
            agreed = self.agreed(pair)
            self.assertEqual((agreed.flaws, agreed.resumed), ((), resumed))
            self.credentials.keep(endpoint, WHOM)
        self.credentials = self.made()
        said[0] = staple(issued, ocsp.OCSPCertStatus.REVOKED, issuer=authority())
        endpoint = self.credentials.towards_server(WHOM, NAME, TERMS)
        begun(endpoint, stapling(context))
        flaws = self.credentials.agreed_with_server(endpoint, WHOM).flaws
        self.assertEqual([flaw.kind for flaw in flaws], [Invalid.REVOKED])

    def test_wants_a_certificate(self) -> None:
        """A server that asks for the client's certificate is noticed, in both versions."""
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = server_context(authority().issue(NAME))
            context.maximum_version = version
            context.verify_mode = ssl.CERT_OPTIONAL
            context.load_verify_locations(cadata=authority().issued.certificate_pem.decode())
            self.assertTrue(self.agreed(self.to_server(context)).wants_certificate)

    def test_own_certificate(self) -> None:
        """
        A server that asks is shown the gateway's own certificate, where the policy has one; and
        such a session goes on only where it has.
        """
        ours = authority().issue("gateway.example", purposes=CLIENTS)
        own = ServerTerms(identity=Identity(ours.pem))
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = server_context(authority().issue(NAME))
            context.maximum_version = version
            context.verify_mode = ssl.CERT_OPTIONAL
            context.load_verify_locations(cadata=authority().issued.certificate_pem.decode())
            shown = self.to_server(context, terms=own)
            self.assertTrue(self.agreed(shown).wants_certificate)
            self.assertEqual(shown.peer.tls.getpeercert(True), ours.der[0])
            self.credentials.keep(shown.endpoint, WHOM)
            other = self.to_server(context)
            self.assertFalse(self.agreed(other).resumed)
            self.assertIsNone(other.peer.tls.getpeercert(True))
            self.assertTrue(self.agreed(self.to_server(context, terms=own)).resumed)

    def test_offered(self) -> None:
        """A server is offered ML-KEM or not, as it is asked for; a session goes on with either."""
        hybrid = ServerTerms(hybrid=True)
        if 0x11EC not in self.offered(hybrid):
            raise SkipTest("this OpenSSL knows no ML-KEM")
        classical = ServerTerms(hybrid=False)
        self.assertEqual(HYBRID.intersection(self.offered(classical)), set())
        self.assertEqual(
            [each for each in self.offered(hybrid) if each not in HYBRID],
            list(self.offered(classical)),
        )
        server = server_context(authority().issue(NAME))
        for terms in (hybrid, classical):
            pair = self.to_server(server, terms=terms)
            self.credentials.keep(pair.endpoint, WHOM)
            self.assertTrue(self.agreed(self.to_server(server, terms=terms)).resumed)

    def offered(self, terms: Terms) -> tuple[int, ...]:
        """The groups of our hello."""
        hello = self.credentials.towards_server(WHOM, NAME, terms).start()
        found = progress(hello, Limits()).body
        assert found is not None
        return ClientHello.parse(found).groups

    def test_refused_later(self) -> None:
        """
        In TLS 1.3 a server that wants a certificate and got none says so when the handshake is
        over on our side: that is an end like any other one, with the alert.
        """
        context = server_context(authority().issue(NAME))
        context.verify_mode = ssl.CERT_REQUIRED
        pair = self.to_server(context)
        self.assertTrue(pair.endpoint.agreed)
        assert pair.endpoint.broken is not None
        self.assertEqual(pair.endpoint.broken.alert, "certificate_required")

    def test_intermediates(self) -> None:
        """What a server forgets to send is taken from the operator's file."""
        middle = authority().below("Forgotten")
        issued = middle.issue(NAME)
        context = server_context(Issued(issued.certificate, issued.key))
        trust = ((authority().issued.certificate,),)
        for between, flaws in (
            ((), [Invalid.INCOMPLETE]),
            ((middle.issued.certificate,), []),
        ):
            settings = Tls(trust=trust, system_roots=False, intermediates=(between,))
            self.credentials = self.made(settings)
            agreed = self.agreed(self.to_server(context))
            self.assertEqual([flaw.kind for flaw in agreed.flaws], flaws)

    def test_hybrid(self) -> None:
        """Keys that withstand quantum computers are agreed on with servers that have them."""
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        issued = authority().issue(NAME)
        context.use_certificate(issued.certificate)
        context.use_privatekey(issued.key)
        endpoint = self.credentials.towards_server(WHOM, NAME, TERMS)
        agreed = self.agreed(begun(endpoint, PyPeer(context, True)))
        self.assertEqual(agreed.group, "X25519MLKEM768")

    def test_terms(self) -> None:
        """What is below the terms is not agreed, and it is said which side refused."""
        context = server_context(authority().issue(NAME))
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        strict = self.to_server(context, terms=Terms(minimum="1.3"))
        assert strict.endpoint.broken is not None
        self.assertEqual(strict.endpoint.broken.alert, "protocol_version")
        context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
        other = self.to_server(context, terms=Terms(ciphers="ECDHE-ECDSA-AES256-GCM-SHA384"))
        assert other.endpoint.broken is not None
        self.assertIn("handshake_failure", other.endpoint.broken.alert, other.endpoint.broken)

    def test_system_roots(self) -> None:
        """This host's own authorities can be loaded, all of them."""
        file = system_roots()
        assert file is not None
        self.assertGreater(file.read_text().count("BEGIN CERTIFICATE"), 50)
        credentials = Credentials(Tls(), file, None, NOW.timestamp)
        agreed = self.to_server(server_context(authority().issue(NAME)), credentials=credentials)
        flaws = credentials.agreed_with_server(agreed.endpoint, WHOM).flaws
        self.assertEqual([flaw.kind for flaw in flaws], [Invalid.INCOMPLETE])
        self.assertIsNone(system_roots(("/nowhere",)))

    def test_key_log(self) -> None:
        """With a key log, the secrets of each connection are written, in NSS's format."""
        lines: list[bytes] = []
        credentials = self.made(key_log=lines.append)
        self.to_server(server_context(authority().issue(NAME)), credentials=credentials)
        self.to_client(trusting(), credentials=credentials)
        words = {line.split()[0] for line in lines}
        self.assertIn(b"CLIENT_TRAFFIC_SECRET_0", words)
        self.assertEqual(len({line.split()[1] for line in lines}), 2)


def stapling(context: SSL.Context) -> Any:
    """A server that staples, which the standard library's can't."""
    return PyPeer(context, True)


class ClientTests(Case):
    """Towards clients."""

    def test_believed(self) -> None:
        """A client that has the root believes what it is given, and learns the server's names."""
        server = Authority.root("Public").issue(NAME, "other.example")
        pair = self.to_client(trusting(), server)
        self.assertTrue(pair.peer.shaken, pair.peer.error)
        names = pair.peer.tls.getpeercert()["subjectAltName"]
        self.assertEqual(names, (("DNS", NAME), ("DNS", "other.example")))
        agreed = self.credentials.agreed_with_client(pair.endpoint)
        self.assertEqual((agreed.version, agreed.chain, agreed.flaws), ("TLS 1.3", (), ()))

    def test_not_believed(self) -> None:
        """By the other root, nobody does."""
        minted = self.successResultOf(self.credentials.for_name(NAME, False))
        endpoint = self.credentials.towards_client(minted, "web", (), TERMS)
        peer = Peer(trusting(), False, NAME)
        peer.put(b"")
        Pair(endpoint, peer).run()
        assert endpoint.broken is not None
        self.assertEqual(endpoint.broken.alert, "unknown_ca")

    def test_hybrid(self) -> None:
        """Keys that withstand quantum computers are agreed on with clients that have them."""
        minted = self.successResultOf(self.credentials.for_name(NAME, True))
        endpoint = self.credentials.towards_client(minted, "web", (), TERMS)
        peer = PyPeer(SSL.Context(SSL.TLS_CLIENT_METHOD), False)
        peer.put(b"")
        Pair(endpoint, peer).run()
        agreed = self.credentials.agreed_with_client(endpoint)
        self.assertEqual(agreed.group, "X25519MLKEM768")

    def test_alpn(self) -> None:
        """A client gets the first protocol of ours that it has; one without it is turned away."""
        context = trusting()
        context.set_alpn_protocols(["h2", "http/1.1"])
        pair = self.to_client(context, alpn=("http/1.1",))
        self.assertEqual(pair.peer.tls.selected_alpn_protocol(), "http/1.1")
        context.set_alpn_protocols(["h2"])
        pair = self.to_client(context, alpn=("http/1.1",))
        self.assertIn("no application protocol", str(pair.peer.error))
        self.assertIsNotNone(pair.endpoint.broken)
        pair = self.to_client(context)
        self.assertTrue(pair.peer.shaken)
        self.assertIsNone(pair.peer.tls.selected_alpn_protocol())

    def test_goes_on(self) -> None:
        """A client's session goes on under the same certificate, service, terms and policy only."""
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = trusting()
            context.minimum_version = context.maximum_version = version
            server = Authority.root("Public").issue(NAME)
            first = self.to_client(context, server)
            first.say(b"x")  # a ticket of TLS 1.3 is read with the first data
            first.run()
            session = first.peer.tls.session
            self.assertFalse(first.endpoint.resumed)
            again = self.to_client(context, server, session=session)
            self.assertTrue(again.peer.tls.session_reused and again.endpoint.resumed)
            for ways in (
                {"issued": Authority.root("Public").issue(NAME)},
                {"service": "mail"},
                {"terms": evolve(TERMS, handshake_seconds=9.0)},
                {"credentials": self.made()},
            ):
                other = self.to_client(context, **{"issued": server, **ways}, session=session)
                self.assertTrue(other.peer.shaken, other.peer.error)
                self.assertFalse(other.peer.tls.session_reused, ways)

    def test_beside(self) -> None:
        """A client goes on beside its own connection, with whatever certificate it was given."""
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = trusting()
            context.minimum_version = context.maximum_version = version
            first = self.to_client(context, Authority.root("Public").issue(NAME))
            first.say(b"x")
            first.run()
            peer = Peer(context, False, NAME, first.peer.tls.session)
            peer.put(b"")
            endpoint = self.credentials.going_on(first.endpoint, WHOM, NAME)
            self.assertTrue(Pair(endpoint, peer).run().endpoint.resumed)

    def test_no_root(self) -> None:
        """Without a root there is no certificate, and the operator reads why."""
        credentials = Credentials(Tls(), None, None, NOW.timestamp)
        failure = self.failureResultOf(credentials.for_name(NAME, True), SignerError)
        self.assertIn("tls.root", str(failure.value))
