"""What a policy says about TLS: who signs, who is believed, and what becomes of which names."""

from __future__ import annotations

import base64
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.policy.load import load
from gateway.policy.problem import PolicyError
from gateway.policy.tls import Identity
from gateway.registry import find
from gateway.tls.doctor import examine
from gateway.tls.issuer import make_root
from gateway.tls.key import write_root
from tests.test_cli import CommandCase
from tests.tls.pki import NOW, Authority
from tests.tls.test_revocation import crl

ROOT = '[tls]\nroot = "root.pem"\n'

SECURE = """
inspector = "tls"
[[rule]]
ports = [443]
[tls]
inside = "web"
[[tls.rule]]
name = [".bank.example"]
mode = "splice"
[[tls.rule]]
alpn = ["imap"]
mode = "refuse"
"""

P256, P239 = bytes.fromhex("06082a8648ce3d030107"), bytes.fromhex("06082a8648ce3d030106")
"""The names of two curves (RFC 5480, section 2.1.1.1; X9.62), of which no TLS has the second."""

WEB = 'inspector = "http"\n'
TO = 'from = "10.1.2.3"\nto = "198.51.100.7:443"\n'


def expecting(*lines: str) -> str:
    """The service, with an expectation."""
    return "\n".join([SECURE, "[[expect]]", TO, *lines])


def other_curve(key: Any) -> bytes:
    """A private key that says that it is of a curve that nobody uses."""
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()).replace(P256, P239)
    text = base64.encodebytes(der)
    return b"-----BEGIN PRIVATE KEY-----\n" + text + b"-----END PRIVATE KEY-----\n"


class LoadTests(CommandCase):
    """What is wrong is said where it is wrong."""

    def problems(self, gateway: str = ROOT, secure: str = SECURE) -> list[str]:
        folder = self.policy(gateway, secure=secure, web=WEB)
        try:
            load(folder, find)
        except PolicyError as error:
            return [str(problem) for problem in error.problems]
        return []

    def test_good(self) -> None:
        """A service that inspects, and a root."""
        self.assertEqual(self.problems(), [])

    def test_no_root(self) -> None:
        """Whatever needs certificates of our own needs a root, and each place is told."""
        found = self.problems("", SECURE.replace('mode = "refuse"', 'mode = "inspect"'))
        self.assertEqual(len(found), 2, found)
        self.assertIn('services/secure.toml:5:1: tls.mode: "inspect" needs a root', found[0])
        self.assertIn("services/secure.toml:12:1: tls.rule.mode", found[1])
        self.assertIn("tproxygw tls root", found[0])
        nothing = SECURE.replace('inside = "web"', 'mode = "splice"')
        self.assertEqual(self.problems("", nothing), [])

    def test_root_unknown(self) -> None:
        """While nobody can tell whether there is a root, because of another mistake, none lacks."""
        inspects = SECURE.replace('mode = "refuse"', 'mode = "inspect"')
        for gateway, words in (
            (f"{ROOT}system_roots = 5\n", "gateway.toml:3:1: tls.system_roots"),
            (f"{ROOT}trust = [\n", "not TOML"),
            ("[tls]\nroot = 5\n", "gateway.toml:2:1: tls.root"),
        ):
            found = self.problems(gateway, inspects)
            self.assertEqual(len(found), 1, found)
            self.assertIn(words, found[0])

    def test_inside(self) -> None:
        """To inspect, a service for what is inside is needed; there must be one of this name."""
        missing = SECURE.replace('inside = "web"\n', "")
        self.assertIn('"inside" is missing', self.problems(secure=missing)[0])
        wrong = SECURE.replace('inside = "web"', 'inside = "wbe"')
        self.assertIn('did you mean "web"?', self.problems(secure=wrong)[0])

    def test_zones(self) -> None:
        """A rule is for zones, as [[rule]] is; those that are not there are told with a guess."""
        zones = '[zones.office]\nnetworks = ["10.1.0.0/16", "10.3.0.0/16"]\n'
        rule = '[[tls.rule]]\nfrom = ["offices", "10.2.0.1"]\nto = []\nmode = "splice"\n'
        folder = self.policy(ROOT, secure=f"{SECURE}{rule}", web=WEB)
        (folder / "zones.toml").write_text(zones)
        with self.assertRaises(PolicyError) as refused:
            load(folder, find)
        self.assertEqual(
            [str(problem) for problem in refused.exception.problems],
            [
                'services/secure.toml:14:9: tls.rule.from: no zone "offices"; '
                'did you mean "office"?',
                "services/secure.toml:15:1: tls.rule.to: is empty, which matches nothing: "
                "leave it out for all",
            ],
        )
        good = SECURE + rule.replace("offices", "office").replace("to = []\n", "")
        (folder / "services/secure.toml").write_text(good)
        clients = load(folder, find).services["secure"].settings.rule[2].from_
        there = ("10.1.0.0", "10.1.255.255", "10.2.0.1", "10.3.4.5", "10.2.0.0", "::1", "10.4.0.0")
        self.assertEqual(
            [host for host in there if host in clients],
            ["10.1.0.0", "10.1.255.255", "10.2.0.1", "10.3.4.5"],
        )

    def test_ciphers(self) -> None:
        """Cipher suites that OpenSSL does not know are refused."""
        wrong = SECURE.replace("[tls]", '[tls]\nciphers = "ROT13"')
        self.assertIn('OpenSSL knows no cipher suite "ROT13"', self.problems(secure=wrong)[0])
        good = SECURE.replace("[tls]", '[tls]\nciphers = "ECDHE+AESGCM"')
        self.assertEqual(self.problems(secure=good), [])

    def test_files(self) -> None:
        """Files of authorities are read with the policy, and wrong as loudly."""
        folder = self.policy(
            ROOT + 'trust = ["a.pem"]\nintermediates = ["b.pem"]\nrevoked = ["c.crl", "d.crl"]\n',
            secure=SECURE,
            web=WEB,
        )
        authority = Authority.root("A")
        (folder / "a.pem").write_bytes(authority.issued.certificate_pem)
        (folder / "b.pem").write_text("nothing")
        list_ = crl(authority)
        (folder / "c.crl").write_bytes(list_.public_bytes(Encoding.DER))
        (folder / "d.crl").write_bytes(list_.public_bytes(Encoding.PEM)[:-90])
        with self.assertRaises(PolicyError) as refused:
            load(folder, find)
        found = [str(problem) for problem in refused.exception.problems]
        self.assertEqual(len(found), 2, found)
        self.assertIn("b.pem: tls.intermediates: holds no certificate", found[0])
        self.assertIn("d.crl: tls.revoked: is no certificate revocation list", found[1])
        (folder / "b.pem").write_bytes(authority.issued.certificate_pem)
        (folder / "d.crl").write_bytes(list_.public_bytes(Encoding.PEM))
        tls = load(folder, find).tls
        self.assertEqual(tls.trust, ((authority.issued.certificate,),))
        self.assertEqual(tls.revoked, (list_, list_))

    def test_own_certificate(self) -> None:
        """A certificate for servers comes with its key, or the policy is refused."""
        rule = '[[tls.rule]]\nname = ["a.example"]\nmode = "%s"\nown_certificate = "own.pem"\n'
        folder = self.policy(ROOT, secure=SECURE + rule % "inspect", web=WEB)
        own, other = Authority.root("A").issue("a.example"), Authority.root("B").issue("b.example")
        for content, wrong in (
            (own.certificate_pem, "must hold a certificate and its key"),
            (other.pem.replace(other.certificate_pem, own.certificate_pem), "not that of its key"),
            (b"", "must hold a certificate and its key"),
            (other_curve(own.key) + own.certificate_pem, "a key that can't be used: Curve 1.2.840"),
        ):
            (folder / "own.pem").write_bytes(content)
            with self.assertRaises(PolicyError) as refused:
                load(folder, find)
            self.assertIn(wrong, str(refused.exception.problems[0]))
        (folder / "own.pem").write_bytes(own.pem)
        found = load(folder, find).services["secure"].settings.rule[-1].own_certificate
        self.assertEqual(found, Identity(own.pem))
        self.assertNotIn("PRIVATE", repr(found))
        (folder / "services/secure.toml").write_text(SECURE + rule % "splice")
        with self.assertRaises(PolicyError) as refused:
            load(folder, find)
        self.assertIn('"own_certificate" is for inspected', str(refused.exception.problems[0]))

    def test_expected(self) -> None:
        """A policy's own tests go by what a client says, too."""
        for lines in (
            ('sni = "www.bank.example"', 'mode = "splice"'),
            ('sni = "www.example.org"', 'mode = "inspect"'),
            ('sni = "www.example.org"', 'alpn = ["imap", "pop3"]', 'mode = "refuse"'),
            ('mode = "refuse"',),
        ):
            self.assertEqual(self.problems(secure=expecting(*lines)), [])
        wrong = expecting('sni = "www.example.org"', 'mode = "splice"')
        self.assertIn(
            'expected "splice" for SNI www.example.org, but tls.mode says "inspect"',
            self.problems(secure=wrong)[0],
        )
        wrong = expecting('sni = "www.bank.example"', 'mode = "inspect"')
        self.assertIn('but services/secure.toml:7:1 says "splice"', self.problems(secure=wrong)[0])
        wrong = expecting('sni = "www.bank.example"')
        self.assertIn('mean nothing without "mode"', self.problems(secure=wrong)[0])
        other = SECURE.replace('inspector = "tls"', 'inspector = "relay"').partition("[tls]")[0]
        wrong = f'{other}\n[[expect]]\n{TO}\nmode = "inspect"\n'
        self.assertIn('"mode" is for "tls"', self.problems(secure=wrong)[0])


class CommandTests(CommandCase):
    """C{tproxygw explain --sni}, C{tproxygw tls}."""

    def explained(self, *arguments: str) -> str:
        folder = self.policy(ROOT, secure=SECURE, web=WEB)
        where = ["--config", str(folder), "--from", "10.1.2.3", "--to", "198.51.100.7:443"]
        return self.tproxygw("explain", *where, *arguments).stdout

    def test_explain(self) -> None:
        """What becomes of a name is explained, with the place where it is written."""
        said = self.explained("--sni", "www.bank.example")
        self.assertIn("SNI www.bank.example: splice (services/secure.toml:7:1)", said)
        said = self.explained("--sni", "www.example.org", "--alpn", "h2,http/1.1")
        self.assertIn("ALPN h2, http/1.1: inspect, what is inside by service", said)
        self.assertIn("no SNI: refuse (tls.without_name)", self.explained("--sni", ""))
        self.assertNotIn("SNI", self.explained())

    def test_root(self) -> None:
        """A root is made for root only, beside a certificate for everybody; nothing is lost."""
        folder = Path(self.mktemp())
        folder.mkdir()
        file = folder / "root.pem"
        made = self.tproxygw("tls", "root", file, "--name", "Us", "--permitted", "example.org")
        self.assertEqual(made.exit_code, 0, made.output)
        self.assertIn("SHA-256", made.stdout)
        self.assertIn(f'root = "{file}"', made.stdout)
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        self.assertNotIn(b"PRIVATE", (folder / "root.crt").read_bytes())
        again = self.tproxygw("tls", "root", file)
        self.assertEqual(again.exit_code, 1)
        self.assertIn("File exists", again.stderr)
        wrong = self.tproxygw("tls", "root", folder / "x.pem", "--permitted", "*.example.org")
        self.assertEqual(wrong.exit_code, 2)

    def test_no_server(self) -> None:
        """A server that is not there is no traceback."""
        folder = self.policy(ROOT)
        said = self.tproxygw("tls", "show", "--config", folder, "127.0.0.1:1")
        self.assertEqual(said.exit_code, 1)
        self.assertIn("Connection refused", said.stderr)


class DoctorTests(CommandCase):
    """What the doctor says of a root."""

    def findings(self, days: int, mode: int = 0o600, gateway: str = ROOT) -> list[str]:
        folder = self.policy(gateway, secure=SECURE, web=WEB)
        write_root(folder / "root.pem", make_root("Us", NOW, days))
        (folder / "root.pem").chmod(mode)
        tls = load(folder, find).tls
        return [f"{each.severity.value}: {each.text}" for each in examine(folder, tls, NOW)]

    def test_good(self) -> None:
        """A root that is good for long, and for root only."""
        if os.geteuid():
            raise AssertionError("these tests want root")
        end = f"{NOW + timedelta(days=900):%Y-%m-%d}"
        self.assertEqual(self.findings(900), [f"ok: good until {end}"])

    def test_wrong(self) -> None:
        """One that ends soon, one that others can read, one that is not there, a key log."""
        self.assertIn("warning: it expires on", self.findings(30)[0])
        later = datetime.now(UTC) + timedelta(days=40)
        folder = self.policy(ROOT)
        write_root(folder / "root.pem", make_root("Us", NOW, 30))
        (found,) = examine(folder, load(folder, find).tls, later)
        self.assertIn("it has expired", found.text)
        self.assertIn("can be read by others", self.findings(900, 0o644)[0])
        (found,) = examine(self.policy(), load(folder, find).tls, NOW)
        self.assertIn("No such file", found.text)
        self.assertIn("key_log is on", self.findings(900, gateway=ROOT + 'key_log = "k"\n')[1])
