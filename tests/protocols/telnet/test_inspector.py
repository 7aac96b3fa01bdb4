"""Telnet: who sits at a terminal notices nothing, and servers are told nothing dangerous."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Outcome
from gateway.testing import END, Conversation, FakeSession, InspectorSuite
from protocols.telnet.inspector import TelnetInspector
from protocols.telnet.numbers import Code, Option
from protocols.telnet.settings import TelnetSettings

IAC, SB, SE = (bytes((code,)) for code in (Code.IAC, Code.SB, Code.SE))


def negotiated(code: Code, *options: int) -> bytes:
    return b"".join(bytes((Code.IAC, code, option)) for option in options)


def about(option: int, content: bytes) -> bytes:
    return IAC + SB + bytes((option,)) + content.replace(IAC, IAC * 2) + IAC + SE


TTYPE = negotiated(Code.DO, Option.TTYPE)
ENVIRON = negotiated(Code.DO, Option.NEW_ENVIRON)


def environment(**variables: str) -> bytes:
    said = b"".join(b"\0" + k.encode() + b"\1" + v.encode() for k, v in variables.items())
    return about(Option.NEW_ENVIRON, b"\0" + said)


class TelnetSuite(InspectorSuite, SynchronousTestCase):
    """What every inspector has to pass."""

    inspector = TelnetInspector
    conversations = (
        Conversation(
            "a login",
            [
                (SERVER, TTYPE + ENVIRON + negotiated(Code.DO, Option.NAWS)),
                (CLIENT, negotiated(Code.WILL, Option.TTYPE, Option.NEW_ENVIRON, Option.NAWS)),
                (CLIENT, about(Option.NAWS, b"\0\xff\0\x18")),
                (SERVER, about(Option.TTYPE, b"\1") + about(Option.NEW_ENVIRON, b"\1\0USER")),
                (CLIENT, about(Option.TTYPE, b"\0xterm-256color") + environment(USER="joe")),
                (SERVER, b"login: "),
                (CLIENT, b"joe\r\0" + IAC + bytes((Code.AYT,))),
                (SERVER, b"[yes]\r\n" + IAC + IAC + IAC + bytes((Code.GA,))),
                (CLIENT, END),
                (SERVER, END),
            ],
        ),
        Conversation("no command", [(CLIENT, IAC + b"\x05")], outcome=Outcome.DENIED),
        Conversation("an end of nothing", [(SERVER, IAC + SE)], outcome=Outcome.DENIED),
        Conversation(
            "unasked", [(CLIENT, about(Option.TTYPE, b"\0vt100"))], outcome=Outcome.DENIED
        ),
        Conversation(
            "a command inside",
            [(SERVER, TTYPE), (CLIENT, IAC + SB + b"\x18\0a" + IAC + b"\xf4")],
            outcome=Outcome.DENIED,
        ),
        Conversation(
            "too much",
            [(SERVER, TTYPE), (CLIENT, IAC + SB + b"\x18\0" + b"a" * 2000)],
            outcome=Outcome.DENIED,
        ),
    )


def begun(*said: tuple[Any, bytes], **more: Any) -> FakeSession:
    session = FakeSession(TelnetInspector, TelnetSettings(**more)).start()
    for side, data in said:
        session.says(side, data)
    return session


class PassedTests(SynchronousTestCase):
    """What terminals say to hosts."""

    def test_options_answered(self) -> None:
        """An option that is not allowed is declined, and the other side never hears of it."""
        wanted = negotiated(Code.WILL, Option.AUTHENTICATION) + negotiated(Code.DO, 200)
        session = begun((CLIENT, wanted + b"text" + negotiated(Code.WONT, Option.ENCRYPT)))
        declined = negotiated(Code.DONT, Option.AUTHENTICATION) + negotiated(Code.WONT, 200)
        self.assertEqual(session.sent, {CLIENT: declined, SERVER: b"text"})

    def test_urgent(self) -> None:
        """An interrupt reaches a server that is not reading."""
        session = begun((CLIENT, IAC + bytes((Code.IP,)) + IAC + bytes((Code.DM,))))
        self.assertEqual(session.sent[SERVER], IAC + bytes((Code.IP,)) + IAC + bytes((Code.DM,)))
        self.assertEqual(session.urged, [(SERVER, IAC + bytes((Code.DM,)))])

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=40))
    def test_text(self, data: bytes) -> None:
        """Any byte can be typed."""
        session = begun((CLIENT, data.replace(IAC, IAC * 2)))
        self.assertEqual(session.sent[SERVER], data.replace(IAC, IAC * 2))

    def test_nameless(self) -> None:
        """A client that is asked for all that it has may tell of a variable without a name."""
        asked = about(Option.NEW_ENVIRON, b"\1\0USER\0\3")
        answered = about(Option.NEW_ENVIRON, b"\0\0USER\1joe\0\1")
        session = begun((SERVER, ENVIRON + asked), (CLIENT, answered))
        self.assertTrue(session.sent[CLIENT].endswith(asked))
        self.assertEqual(session.sent[SERVER], answered)

    def test_record(self) -> None:
        """The audit says what sat there, and what was declined."""
        session = begun(
            (SERVER, TTYPE + ENVIRON),
            (CLIENT, about(Option.TTYPE, b"\0vt100") + environment(USER="joe")),
            (CLIENT, negotiated(Code.WILL, Option.ENCRYPT)),
        )
        session.hangs_up(CLIENT)
        session.hangs_up(SERVER)
        (record,) = session.records_of("telnet")
        self.assertEqual((record["terminal"], record["USER"]), ("vt100", "joe"))
        self.assertEqual((record["refused"], record["verdict"]), (["encrypt"], "passed"))


class DeniedTests(SynchronousTestCase):
    """What a server may not be told."""

    def denied(self, said: bytes, by: str = "") -> None:
        session = begun((SERVER, TTYPE + ENVIRON), (CLIENT, said))
        self.assertIs(session.verdict and session.verdict.outcome, Outcome.DENIED, said)
        self.assertNotIn(said, session.sent[SERVER])
        if by:
            self.assertEqual(session.records_of("telnet")[0]["denied_by"], by)

    def test_values(self) -> None:
        """Values that a server's program could take for something else."""
        for value in ("-f root", "-froot", "a b", "$(id)", "a;b", "a\n", "../..\x1b", "'x'"):
            self.denied(environment(USER=value), by="value")
        self.denied(about(Option.TTYPE, b"\0../../etc/passwd x"), by="value")

    def test_variables(self) -> None:
        """Variables that change what a server's programs do."""
        for name in ("LD_PRELOAD", "IFS", "PATH", "TERMCAP", "user"):
            self.denied(environment(**{name: "x"}), by="variables")

    def test_asked_for(self) -> None:
        """A server may not ask what it may not be told; the record says who asked for what."""
        session = begun(
            (SERVER, ENVIRON), (SERVER, about(Option.NEW_ENVIRON, b"\1\0SSH_AUTH_SOCK"))
        )
        self.assertNotIn(b"SSH_AUTH_SOCK", session.sent[CLIENT])
        (record,) = session.records_of("telnet")
        self.assertIn("the server asks for the variable 'SSH_AUTH_SOCK'", record["reason"])

    def test_malformed(self) -> None:
        """What its RFC does not have."""
        for content in (b"", b"\7", b"\0a", b"\0\1value", b"\0\0USER\1a\1b"):
            self.denied(about(Option.NEW_ENVIRON, content))
        for content in (b"", b"\2", b"vt100"):
            self.denied(about(Option.TTYPE, content))

    def test_sizes(self) -> None:
        """Window, speed and flow have a form each."""
        everything = (Option.NAWS, Option.TSPEED, Option.LFLOW)
        for option, content in (
            *((Option.NAWS, b"\0\x50\0"), (Option.NAWS, b""), (Option.TSPEED, b"\0fast")),
            *((Option.LFLOW, b"\4"), (Option.LFLOW, b"")),
        ):
            session = begun((SERVER, negotiated(Code.DO, *everything)))
            session.says(CLIENT, about(option, content))
            self.assertIs(session.verdict and session.verdict.outcome, Outcome.DENIED, content)
