"""Servers that clients name in their user names."""

from __future__ import annotations

import re
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Address, Outcome
from protocols.ftp.settings import FtpSettings
from tests.protocols.ftp.speak import FTP, READ_WRITE, Control

NAMED = evolve(READ_WRITE, user_servers=re.compile(r"ftp\d?\.example|198\.51\.100\..*|2001:.*"))
NAMES = {"ftp.example": ("203.0.113.7",), "ftp2.example": ("203.0.113.7", "203.0.113.8")}
DOOR = "198.51.100.2"


class Visit(Control):
    """A client that has not said yet where it wants to go."""

    def __init__(self, settings: FtpSettings = NAMED, **session: Any) -> None:
        session.setdefault("names", NAMES)
        super().__init__(settings, **session)

    def arrive(self, name: bytes = b"joe@ftp.example", sent: bytes = b"USER joe") -> Visit:
        """The server is named, and lets the client in."""
        self.session.says(CLIENT, b"USER " + name + b"\r\n")
        assert self.session.sent[SERVER] == b"", "the server speaks first"
        self.server(b"220 ready\r\n")
        assert self.session.sent[SERVER] == sent + b"\r\n", self.session.events
        assert self.server(b"230 in\r\n").endswith(b"230 in\r\n")
        self.client(b"")
        return self


class TargetTests(SynchronousTestCase):
    """C{user_servers}."""

    def test_named(self) -> None:
        """The client is greeted by the gateway, and gets to the server that it names."""
        visit = Visit()
        self.assertEqual(visit.server_silent(), b"220 Please log in as user@server.\r\n")
        self.assertEqual(visit.session.connected, [])
        visit.arrive()
        self.assertEqual(visit.session.connected, [Address("203.0.113.7", 21)])
        visit.ask(b"PWD", b'257 "/"')
        said = [fields.get("command_data") for _, fields in visit.records]
        self.assertIn(b"joe@ftp.example", said)

    def test_forms(self) -> None:
        """By name or address, with or without a port, whatever the user's own name looks like."""
        settings = evolve(NAMED, user_ports=frozenset({21, 2121}))
        for name, user, address in (
            (b"joe@FTP.Example.", b"joe", Address("203.0.113.7", 21)),
            (b"joe@ftp.example:2121", b"joe", Address("203.0.113.7", 2121)),
            (b"joe@home.example@ftp.example", b"joe@home.example", Address("203.0.113.7", 21)),
            (b"joe@198.51.100.9:21", b"joe", Address("198.51.100.9", 21)),
            (b"joe@[2001:DB8:0::9]:2121", b"joe", Address("2001:db8::9", 2121)),
        ):
            visit = Visit(settings).arrive(name, b"USER " + user)
            self.assertEqual(visit.session.connected, [address])

    def test_refused(self) -> None:
        """What names no server, or one that is not allowed or not known, gets nowhere."""
        names = {**NAMES, "ftp3.example": None}
        for name, why in (
            (b"joe", "user@server"),
            (b"@ftp.example", "user@server"),
            (b"joe@", "user@server"),
            (b"joe@ftp.example:0", "user_ports"),
            (b"joe@ftp.example:25", "user_ports"),
            (b"joe@ftp.example:99999", "user_ports"),
            (b"joe@ftp.example:x", "user@server"),
            (b"joe@www.example", "user_servers"),
            (b"joe@xftp.example", "user_servers"),
            (b"joe@ftp.example@127.0.0.1", "user_servers"),
            (b"joe@2001:db8::9", "user@server"),
            (b"joe@[127.0.0.1]", "user_servers"),
            (b"joe@ftp4.example", "not known"),
            (b"joe@ftp3.example", "no answer"),
        ):
            visit = Visit(names=names)
            visit.server_silent()
            self.assertEqual(visit.client(b"USER " + name + b"\r\n")[1][:3], b"530", name)
            self.assertIn(why, visit.last["reason"])
            unknown = why in ("not known", "no answer")
            answer = visit.session.sent[CLIENT].endswith(b"530 That server is not known.\r\n")
            self.assertEqual(answer, unknown)
            self.assertEqual(visit.session.connected, [])
            self.assertIsNone(visit.session.verdict)

    def test_no_rule(self) -> None:
        """Nor where the policy has no rule for it, whatever the pattern says."""
        visit = Visit(elsewhere=False)
        visit.server_silent()
        heard = visit.client(b"USER joe@ftp.example\r\n")[1]
        self.assertEqual(heard, b"530 That server is not allowed here.\r\n")
        self.assertIn("rule", visit.last["reason"])
        visit.arrive(b"joe@" + DOOR.encode())

    def test_users(self) -> None:
        """What the policy says of users is about the user, and asked before anybody is called."""
        visit = Visit(evolve(NAMED, users=re.compile("anonymous")))
        visit.server_silent()
        self.assertEqual(visit.client(b"USER joe@ftp.example\r\n")[1][:3], b"530")
        self.assertEqual(visit.session.connected, [])
        visit.arrive(b"anonymous@ftp.example", b"USER anonymous")

    def test_before(self) -> None:
        """Before there is a server, nothing else is possible but to leave."""
        visit = Visit()
        visit.server_silent()
        for said in (b"FEAT", b"NOOP", b"PASS x", b"PWD", b"HOST ftp.example", b"SYST"):
            self.assertEqual(visit.client(said + b"\r\n")[1][:3], b"530", said)
        self.assertEqual(visit.client(b"AUTH TLS\r\n")[1][:3], b"534")
        self.assertEqual(visit.client(b"NONE\r\n")[1][:3], b"500")
        self.assertEqual(visit.client(b"QUIT\r\n")[1][:3], b"221")
        self.assertIs(visit.session.verdict.outcome, Outcome.CLOSED)
        self.assertEqual(visit.session.connected, [])

    def test_not_encrypted(self) -> None:
        """Nor to encrypt with nobody."""
        visit = Visit(evolve(NAMED, auth="release"))
        visit.server_silent()
        self.assertEqual(visit.client(b"AUTH TLS\r\n")[1][:3], b"530")
        visit.arrive()
        visit.ask(b"AUTH TLS", b"234 go on")

    def test_slipstreaming(self) -> None:
        """Whoever doesn't speak FTP is turned away all the same."""
        visit = Visit()
        visit.client(b"GET / HTTP/1.1\r\n")
        self.assertIs(visit.session.verdict.outcome, Outcome.DENIED)

    def test_unreachable(self) -> None:
        """A server that does not answer, at any of its addresses."""
        visit = Visit(reachable=False)
        visit.server_silent()
        visit.session.says(CLIENT, b"USER joe@ftp2.example\r\n")
        heard = visit.server_silent()
        self.assertEqual(heard, b"421 That server does not answer.\r\n")
        self.assertEqual([one.host for one in visit.session.connected], list(NAMES["ftp2.example"]))
        self.assertIs(visit.session.verdict.outcome, Outcome.FAILED)
        self.assertIn("connection refused; connection refused", visit.reason)

    def test_next_address(self) -> None:
        """One that answers at its second address only."""
        visit = Visit(reachable=None)
        visit.session.says(CLIENT, b"USER joe@ftp2.example\r\n")
        visit.session.refuse()
        visit.session.reach()
        visit.server(b"220 ready\r\n")
        self.assertEqual(visit.session.sent[SERVER], b"USER joe\r\n")

    def test_many_addresses(self) -> None:
        """A name with very many addresses is not tried for ever."""
        names = {"ftp.example": tuple(f"203.0.113.{number}" for number in range(50))}
        visit = Visit(reachable=False, names=names)
        visit.client(b"USER joe@ftp.example\r\n")
        self.assertEqual(len(visit.session.connected), 4)

    def test_not_welcome(self) -> None:
        """A server that lets nobody in: its reason is the answer."""
        for said, answer in ((b"421 full\r\n", b"421 full\r\n"), (b"530 no\r\n", b"421 no\r\n")):
            visit = Visit()
            visit.client(b"USER joe@ftp.example\r\n")
            self.assertEqual(visit.server(said)[-len(answer) :], answer)
            self.assertIs(visit.session.verdict.outcome, Outcome.FAILED)
        visit = Visit()
        visit.client(b"USER joe@ftp.example\r\n")
        visit.session.hangs_up(SERVER)
        self.assertTrue(
            visit.session.sent[CLIENT].endswith(b"421 The server closed the connection.\r\n")
        )
        self.assertIs(visit.session.verdict.outcome, Outcome.FAILED)

    def test_slow_greeting(self) -> None:
        """A server that asks for patience first (120): the client hears none of it."""
        visit = Visit()
        visit.client(b"USER joe@ftp.example\r\n")
        self.assertEqual(visit.server(b"120 wait\r\n220 ready\r\n"), b"")
        self.assertEqual(visit.session.sent[SERVER], b"USER joe\r\n")

    def test_again(self) -> None:
        """Another user at the same server may log in; at another server, not."""
        visit = Visit().arrive()
        heard = visit.client(b"USER joe@198.51.100.9\r\n")[1]
        self.assertEqual(heard[:3], b"530")
        self.assertEqual(visit.client(b"USER ann\r\n")[1][:3], b"530")
        self.assertEqual(visit.client(b"USER ann@ftp.example:21\r\n")[0], b"USER ann\r\n")
        self.assertEqual(len(visit.session.connected), 1)

    def test_data(self) -> None:
        """Data connections are with the addresses that each side knows."""
        visit = Visit().arrive()
        heard = visit.ask(b"PASV", b"227 (203,0,113,7,156,64)")
        self.assertEqual(heard, b"227 Entering Passive Mode (198,51,100,2,156,64).\r\n")
        expected = visit.session.expected[-1]
        self.assertEqual(expected.address, Address(FTP.host, 40000))
        data = expected.comes(Address("192.0.2.1", 50100))
        self.assertEqual(data.connected, [Address("203.0.113.7", 40000)])

    def test_banner(self) -> None:
        """The operator's words in the greeting."""
        visit = Visit(evolve(NAMED, banner="hello\nthere", reply_texts="strip"))
        self.assertEqual(visit.server_silent(), b"220- hello\r\n220 there\r\n")

    def test_login_time(self) -> None:
        """Who does not say where to in time has to go."""
        visit = Visit(evolve(NAMED, login_seconds=5))
        visit.session.advance(5)
        self.assertIn("login_seconds", visit.reason)
