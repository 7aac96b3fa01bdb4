"""Who may send to whom."""

from __future__ import annotations

import re
from ipaddress import ip_network

from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Address
from protocols.smtp.grammar.address import parse_path
from protocols.smtp.grammar.refusal import Refusal
from protocols.smtp.permission import check_hello, check_recipient, check_sender
from protocols.smtp.rules import AddressRule
from protocols.smtp.settings import SMTPSettings
from protocols.smtp.values import domains, networks
from tests.protocols.smtp.conversations import ENVELOPE, OK, answer, said, talk

OURS = SMTPSettings(
    recipient_domains=("ours.example", ".below.example", "[192.0.2.9]"),
    relay_clients=(ip_network("10.1.0.0/16"), ip_network("fd00::/8")),
)


def code(path: str, settings: SMTPSettings, client: str = "192.0.2.1") -> int:
    """How a recipient is answered; 250 if there is nothing to say."""
    try:
        check_recipient(parse_path(path)[0], client, settings)
    except Refusal as refused:
        return refused.reply.code
    return 250


class RelayTests(SynchronousTestCase):
    """Relay control."""

    def test_domains(self) -> None:
        """The listed domains, and those below a dot, in any letters; no others."""
        for path, expected in (
            ("<a@ours.example>", 250),
            ("<a@OURS.Example>", 250),
            ("<a@x.below.example>", 250),
            ("<a@x.y.below.example>", 250),
            ("<a@[192.0.2.9]>", 250),
            ("<Postmaster>", 250),
            ("<a@below.example>", 550),
            ("<a@notbelow.example>", 550),
            ("<a@x.ours.example>", 550),
            ("<a@ours.example.evil.example>", 550),
            ("<a@[192.0.2.8]>", 550),
            ("<postmaster@evil.example>", 550),
        ):
            self.assertEqual(code(path, OURS), expected, path)

    def test_other_ways(self) -> None:
        """What an old server would send on to somebody else is no recipient of ours."""
        for path in (
            "<victim%evil.example@ours.example>",
            "<evil.example!victim@ours.example>",
            '<"victim@evil.example"@ours.example>',
            "<@ours.example:victim@ours.example>",
        ):
            self.assertEqual(code(path, OURS), 550, path)
            self.assertEqual(code(path, SMTPSettings(rerouting=True)), 250, path)

    def test_clients(self) -> None:
        """The listed networks may send to anybody."""
        for client, expected in (
            ("10.1.2.3", 250),
            ("fd00:1::2", 250),
            ("10.2.0.1", 550),
            ("2001:db8::1", 550),
        ):
            self.assertEqual(code("<a@evil.example>", OURS, client), expected, client)

    def test_in_a_session(self) -> None:
        """The client's own address counts, and the server does not hear of what is refused."""
        client, server = answer(ENVELOPE[:-2], b"RCPT TO:<a@evil.example>\r\n", OURS)
        self.assertEqual((client, server), (b"550 5.7.1 Relaying denied\r\n", b""))
        session = talk(ENVELOPE[:-2], OURS, client=Address("10.1.2.3", 5))
        said(session, [(CLIENT, b"RCPT TO:<a@evil.example>\r\n")])
        self.assertTrue(session.sent[SERVER].endswith(b"RCPT TO:<a@evil.example>\r\n"))

    def test_settings(self) -> None:
        """What is no domain or network is told to the operator."""
        for wrong in ("a@b", "a..b", "*.example", "", "a b"):
            self.assertRaises(ValueError, domains, (wrong,))
        self.assertRaises(ValueError, networks, ("10.1.2.3/8",))


class RuleTests(SynchronousTestCase):
    """Senders and recipients that are refused."""

    rules = (
        AddressRule(re.compile(r".*@spam\.example")),
        AddressRule(re.compile(r""), "451 4.7.1 No bounces now"),
        AddressRule(re.compile(r"postmaster@.*"), "550 5.1.1 Nobody"),
    )

    def test_senders(self) -> None:
        """The first rule that matches the whole address counts, in any letters."""
        settings = SMTPSettings(senders=self.rules)
        for path, expected in (
            ("<a@SPAM.example>", "550 5.7.1 Not accepted here"),
            ("<>", "451 4.7.1 No bounces now"),
        ):
            with self.assertRaises(Refusal) as caught:
                check_sender(parse_path(path)[0], settings)
            self.assertEqual(caught.exception.reply.text, expected)
        check_sender(parse_path("<a@notspam.example.net>")[0], settings)

    def test_postmaster(self) -> None:
        """Postmaster can always be reached (RFC 5321, section 4.5.1)."""
        settings = SMTPSettings(recipients=self.rules)
        self.assertEqual(code("<postMaster@b>", settings), 250)
        self.assertEqual(code("<a@spam.example>", settings), 550)

    def test_too_many(self) -> None:
        """A recipient too many is for later, and no error of the client's."""
        settings = SMTPSettings(recipients_per_message=1, errors=1)
        client, server = answer(ENVELOPE, b"RCPT TO:<c@d>\r\n", settings)
        self.assertEqual((client, server), (b"452 4.5.3 Too many recipients\r\n", b""))

    def test_refused_by_the_server(self) -> None:
        """A recipient that the server refused does not count."""
        steps = [*ENVELOPE[:-1], (SERVER, b"550 5.1.1 no\r\n")]
        client, server = answer(steps, b"DATA\r\n")
        self.assertEqual((client, server), (b"503 5.5.1 No valid recipients\r\n", b""))
        session = talk([*steps, (CLIENT, b"RSET\r\n"), (SERVER, OK)])
        self.assertIsNone(session.verdict)


class HelloTests(SynchronousTestCase):
    """The name in EHLO."""

    def test_forms(self) -> None:
        """From any word to a full name."""
        for name, allowed in (
            ("my_pc", {"any"}),
            ("mypc", {"any", "host"}),
            ("[192.0.2.1]", {"any", "host", "full"}),
            ("[IPv6:2001:db8::1]", {"any", "host", "full"}),
            ("a.example", {"any", "host", "full"}),
            ("[1.2.3]", {"any"}),
            ("(192.0.2.1)", {"any"}),
        ):
            for form in ("any", "host", "full"):
                if form in allowed:
                    check_hello(name, SMTPSettings(helo=form))
                else:
                    self.assertRaises(Refusal, check_hello, name, SMTPSettings(helo=form))
