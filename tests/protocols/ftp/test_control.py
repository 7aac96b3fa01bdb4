"""The control connection: what passes, what is answered here, what ends the session."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Address, Outcome
from protocols.ftp.settings import FtpSettings, commands, replies
from protocols.ftp.verbs import REFUSED, SECURE, SECURITY, VERBS, Access
from tests.protocols.ftp.speak import PATIENT, READ_WRITE, WRONG, Control

READ_ONLY = FtpSettings()


class OrderTests(SynchronousTestCase):
    """Commands in their order, and each reply to its command."""

    def test_login_first(self) -> None:
        """Before the login, the server hears only what belongs there."""
        control = Control(PATIENT)
        control.server(b"220 ready\r\n")
        for verb, kind in VERBS.items():
            if not kind.early:
                _, heard = control.client(_example(verb) + b"\r\n")
                self.assertTrue(heard.startswith((b"530", b"503")), (verb, heard))
        for said in (b"PASS x\r\n", b"ACCT x\r\n"):
            self.assertEqual(control.client(said), (b"", b"503 Please send USER first.\r\n"))
        self.assertEqual(control.session.sent[SERVER], b"")

    def test_wrong_password(self) -> None:
        """A login that failed is none."""
        control = Control()
        control.server(b"220 ready\r\n")
        control.ask(b"USER a", b"331 and?")
        control.ask(b"PASS b", b"530 wrong")
        self.assertEqual(control.client(b"PWD\r\n")[1], b"530 Please log in first.\r\n")
        self.assertEqual(control.client(b"PASS b\r\n")[1], b"503 Please send USER first.\r\n")

    def test_another_user(self) -> None:
        """Who is logged in stays so if the server doesn't want the next one, until a password."""
        control = Control().log_in()
        control.ask(b"USER b", b"530 no")
        control.ask(b"PWD", b'257 "/"')
        control.ask(b"USER b", b"331 and?")
        self.assertEqual(control.client(b"PWD\r\n")[1][:3], b"530")
        control.ask(b"PASS b", b"530 wrong")
        self.assertEqual(control.client(b"PWD\r\n")[1][:3], b"530")

    def test_wrong_account(self) -> None:
        """An account that is wrong is not asked for twice."""
        control = Control()
        control.server(b"220 ready\r\n")
        control.ask(b"USER a", b"332 and?")
        control.ask(b"ACCT b", b"530 wrong")
        self.assertEqual(control.client(b"ACCT b\r\n")[1][:3], b"503")

    def test_account(self) -> None:
        """Servers that want an account get it; REIN begins anew."""
        control = Control()
        control.server(b"220 ready\r\n")
        control.ask(b"USER a", b"331 and?")
        control.ask(b"PASS b", b"332 and?")
        control.ask(b"ACCT c", b"230 in")
        control.ask(b"PWD", b'257 "/"')
        control.ask(b"REIN", b"220 again")
        self.assertEqual(control.client(b"PWD\r\n")[1], b"530 Please log in first.\r\n")

    def test_password_in_any_case(self) -> None:
        """A client that sends PASS though USER was enough is none the worse for it."""
        for reply in (b"230 already", b"202 not needed", b"503 you are in", b"530 what?"):
            control = Control()
            control.server(b"220 ready\r\n")
            control.ask(b"USER a", b"230 in")
            control.ask(b"PASS b", reply)
            control.ask(b"PWD", b'257 "/"')
        self.assertEqual(control.client(b"PASS b\r\n")[1][:3], b"503")

    def test_empty_first(self) -> None:
        """An empty line at first is no command, and no other protocol either."""
        control = Control()
        control.client(b"\r\n")
        heard = control.server(b"220 ready\r\n")
        self.assertEqual(heard, b"220 ready\r\n500 That is no command.\r\n")
        control.ask(b"USER a", b"331 and?")

    def test_rename(self) -> None:
        """RNTO follows RNFR that the server has agreed to, and nothing else."""
        control = Control().log_in()
        refusal = b"503 Please send RNFR first.\r\n"
        self.assertEqual(control.client(b"RNTO b\r\n")[1], refusal)
        control.ask(b"RNFR a", b"550 none")
        self.assertEqual(control.client(b"RNTO b\r\n")[1], refusal)
        control.ask(b"RNFR a", b"350 and?")
        control.ask(b"NOOP", b"200 fine")
        self.assertEqual(control.client(b"RNTO b\r\n")[1], refusal)
        control.ask(b"RNFR a", b"350 and?")
        control.ask(b"RNTO b", b"250 done")
        self.assertEqual(control.client(b"RNTO b\r\n")[1], refusal)

    def test_one_at_a_time(self) -> None:
        """A command waits until the one before is answered, however much a client sends ahead."""
        control = Control()
        self.assertEqual(control.client(b"USER a\r\nPASS b\r\n"), (b"", b""))
        control.server(b"220 ready\r\n")
        self.assertEqual(control.session.sent[SERVER], b"USER a\r\n")
        control.server(b"331 and?\r\n")
        self.assertEqual(control.session.sent[SERVER], b"USER a\r\nPASS b\r\n")
        control.client(b"NOOP\r\n" * 500)
        self.assertEqual(control.session.paused, set())
        control.client(b"NOOP\r\n" * 500)
        self.assertEqual(control.session.paused, {CLIENT})

    def test_unasked(self) -> None:
        """A reply that answers no command ends the session, but for the server's goodbye."""
        for reply in (b"200 fine", b"227 (198,51,100,2,156,64)", b"150 here", b"331 and?"):
            control = Control().log_in()
            self.assertEqual(control.server(reply + b"\r\n"), WRONG)
            self.assertIn("answers no command", control.reason)
        control = Control().log_in()
        self.assertEqual(control.server(b"421 time out\r\n"), b"421 time out\r\n")

    def test_goodbye(self) -> None:
        """A client that hangs up with nothing pending is done; nobody's goodbye is waited for."""
        control = Control().log_in()
        control.session.hangs_up(CLIENT)
        self.assertIs(control.session.verdict.outcome, Outcome.PASSED)

    def test_wrong_reply(self) -> None:
        """A reply that can't belong to its command ends the session (CERT VU#328867)."""
        for command, reply in (
            (b"NOOP", b"227 (198,51,100,2,156,64)"),
            (b"STAT", b"229 (|||40000|)"),
            (b"PASV", b"229 (|||40000|)"),
            (b"EPSV", b"227 (198,51,100,2,156,64)"),
            (b"EPSV ALL", b"229 (|||40000|)"),
            (b"PASV", b"228 (198,51,100,2,156,64)"),
            (b"PASV", b"200 fine"),
            (b"PWD", b"150 here"),
            (b"PWD", b"331 password?"),
            (b"RNFR a", b"250 done"),
            (b"REST 1", b"200 fine"),
        ):
            control = Control().log_in()
            self.assertEqual(control.ask(command, reply), WRONG, command)
            self.assertIs(control.session.verdict.outcome, Outcome.DENIED)
            self.assertEqual(control.session.expected, [])

    def test_echo(self) -> None:
        """A 227 in the middle of another reply announces nothing, and is shown to be none."""
        control = Control().log_in()
        heard = control.ask(b"STAT x", b"213-x\r\n227 (198,51,100,2,156,64)\r\n213 end")
        self.assertEqual(heard, b"213-x\r\n 227 (198,51,100,2,156,64)\r\n213 end\r\n")
        self.assertEqual(control.session.expected, [])

    def test_server_gone(self) -> None:
        """The client of a server that has gone hears of it, whatever it waits for."""
        for pending in (b"", b"NOOP\r\n", b"NOOP\r\nNOOP\r\n"):
            control = Control().log_in()
            control.client(pending)
            control.session.hangs_up(SERVER)
            heard = control.server_silent()
            self.assertEqual(heard, b"421 The server closed the connection.\r\n")
            self.assertIs(control.session.verdict.outcome, Outcome.FAILED)


def _example(verb: str) -> bytes:
    """A command of this verb with an argument that fits."""
    if verb in _EXAMPLES:
        return _EXAMPLES[verb]
    for argument in (None, b"x", b"5", b"I", b"F", b"S", b"UTF8 ON"):
        if VERBS[verb].fits(argument):
            return verb.encode() if argument is None else verb.encode() + b" " + argument
    raise AssertionError(f"no example of {verb}")


_EXAMPLES = {
    "PORT": b"PORT 192,0,2,1,200,1",
    "EPRT": b"EPRT |1|192.0.2.1|50000|",
    "MFMT": b"MFMT 20200101000000 x",
}


class EveryCommandTests(SynchronousTestCase):
    """Each command that there is."""

    def test_passes(self) -> None:
        """With everything allowed, each reaches the server, and its answers the client."""
        settings = evolve(READ_WRITE, site_commands=frozenset({"X"}))
        for verb, kind in VERBS.items():
            control = Control(settings)
            if verb == "HOST":
                control.server(b"220 ready\r\n")
            else:
                control.log_in()
            if verb == "PASS":
                control.ask(b"USER x", b"331 and?")
            if verb == "RNTO":
                control.ask(b"RNFR x", b"350 and?")
            if kind.flow is not None:
                control.passive()
            reply = b"550 no" if verb not in ("QUIT",) else b"221 bye"
            self.assertEqual(control.ask(_example(verb), reply), reply + b"\r\n")

    def test_arguments(self) -> None:
        """An argument that doesn't fit is answered here; the session goes on."""
        for command, code in (
            (b"RETR", b"501"),
            (b"PWD x", b"501"),
            (b"PORT x", b"501"),
            (b"REST -1", b"501"),
            (b"REST 99999999999999999999", b"501"),
            (b"REST 9223372036854775808", b"501"),
            (b"REST 0x10", b"501"),
            (b"TYPE E", b"504"),
            (b"TYPE L 7", b"504"),
            (b"MODE Z", b"504"),
            (b"MODE B", b"504"),
            (b"STRU R", b"504"),
            (b"OPTS PASV x", b"504"),
            (b"HOST a b", b"501"),
            (b"EPSV 3", b"501"),
            (b"ALLO x", b"501"),
            (b"MFMT yesterday x", b"501"),
            (b"SIZE " + b"a" * 1025, b"501"),
            (b"CWD " + b"a" * 1025, b"501"),
            (b"NONE", b"500"),
            (b"", b"500"),
        ):
            control = Control().log_in()
            passed, heard = control.client(command + b"\r\n")
            self.assertEqual((passed, heard[:3]), (b"", code), command)
            self.assertIsNone(control.session.verdict)
            self.assertEqual(control.last["verdict"], "denied")

    def test_never(self) -> None:
        """LPRT and its like never pass, whatever the settings."""
        for verb in REFUSED:
            control = Control().log_in()
            passed, heard = control.client(verb.encode() + b" x\r\n")
            self.assertEqual(passed, b"")
            wanted = b"534" if verb == "AUTH" else b"503" if verb in SECURITY else b"502"
            self.assertEqual(heard[:3], wanted)

    def test_told(self) -> None:
        """The operator's page tells what becomes of each."""
        page = (Path(__file__).parents[3] / "docs" / "ftp.md").read_text()
        table = page.partition("## Commands")[2].partition("## Zorp")[0]
        rows = [[cell.strip() for cell in line.split("|")] for line in table.splitlines()]
        told = {verb: row[2:4] for row in rows if len(row) > 4 for verb in row[1].split(", ")}
        for verb, kind in VERBS.items():
            writes = kind.access is Access.WRITE
            self.assertEqual(told.pop(verb), ["refuse" if writes else "pass", "pass"], verb)
        for verb in REFUSED:
            wanted = "as `auth` says" if verb in SECURE else "never"
            self.assertEqual(told.pop(verb), [wanted, wanted], verb)
        self.assertEqual(set(told), {"commands", "---", "anything else"})

    def test_oversized(self) -> None:
        """A command without end ends the session."""
        control = Control().log_in()
        control.client(b"CWD " + b"a" * 5000)
        self.assertIn("more than 4096 bytes", control.reason)


class AttackTests(SynchronousTestCase):
    """What somebody tries."""

    def test_slipstreaming(self) -> None:
        """A connection that does not begin with FTP is over, without a word to the server."""
        for said in (
            b"POST / HTTP/1.1\r\nHost: x\r\n\r\nPORT 192,0,2,1,200,1\r\n",
            b"\r\nGET / HTTP/1.1\r\n",
            b"EHLO x\r\n",
            b"\x16\x03\x01\x00\x05hello\n\r\n",
        ):
            control = Control()
            control.server(b"220 ready\r\n")
            control.client(said)
            self.assertIs(control.session.verdict.outcome, Outcome.DENIED)
            self.assertEqual(control.session.sent[SERVER], b"")
            self.assertEqual(control.session.expected, [])

    def test_injection(self) -> None:
        """CR, LF, NUL and Telnet in an argument end the session; no part of it passes."""
        for said in (
            b"CWD a\nDELE b\r\n",
            b"CWD a\rDELE b\r\n",
            b"CWD a\x00\r\n",
            b"CWD a\xff\xf2\r\n",
            b"\xff\xfd\x0aDELE b\r\n",
        ):
            control = Control().log_in()
            passed, _ = control.client(said)
            self.assertEqual(passed, b"")
            self.assertIs(control.session.verdict.outcome, Outcome.DENIED, said)

    def test_behind_auth(self) -> None:
        """AUTH is answered here, and what follows it is what it is: plaintext."""
        control = Control().log_in()
        passed, heard = control.client(b"AUTH TLS\r\nNOOP\r\n")
        self.assertEqual(passed, b"NOOP\r\n")
        self.assertEqual(heard, b"534 Encryption is not allowed here.\r\n")
        control.server(b"200 fine\r\n")
        control.client(b"AUTH TLS\r\n\x16\x03\x01\x02\x00\x01\x00\r\n")
        self.assertIs(control.session.verdict.outcome, Outcome.DENIED)

    def test_auth_hidden(self) -> None:
        """Or the gateway knows nothing of it."""
        for verb in SECURITY:
            control = Control(FtpSettings(auth="hide")).log_in()
            self.assertEqual(control.client(verb.encode() + b" TLS\r\n")[1][:3], b"500")

    def test_auth_denied(self) -> None:
        """Or AUTH ends the session."""
        control = Control(FtpSettings(auth="deny")).log_in()
        control.client(b"AUTH TLS\r\n")
        self.assertIn("'auth'", control.reason)

    def test_oversized_replies(self) -> None:
        """A server can't fill the gateway's memory, nor the client's."""
        for said in (b"2" * 5000, b"220-" + b"a" * 5000, b"220-a\r\n" + b"b" * 60 * 1200):
            control = Control()
            control.server(said)
            self.assertIsNotNone(control.session.verdict)
        control = Control()
        control.server(b"220-a\r\n" + (b"b" * 62 + b"\r\n") * 1100)
        self.assertIn("more than 65536 bytes", control.reason)


HELLO = b"\x16\x03\x01\x02\x00\x01\x00"
RELEASE = FtpSettings(auth="release")


class EncryptionTests(SynchronousTestCase):
    """C{auth = "release"}."""

    def agreed(self) -> Control:
        """The two have agreed to encrypt."""
        control = Control(RELEASE)
        control.server(b"220 ready\r\n")
        self.assertEqual(control.ask(b"AUTH TLS", b"234 go on"), b"234 go on\r\n")
        return control

    def test_released(self) -> None:
        """From TLS's first bytes on everything passes, both ways."""
        control = self.agreed()
        for byte in HELLO:
            control.session.says(CLIENT, bytes([byte]))
        self.assertTrue(control.session.released)
        self.assertEqual(control.client(b"\x00\n")[0], HELLO + b"\x00\n")
        self.assertEqual(control.server(b"\x16\x03\x03"), b"\x16\x03\x03")
        self.assertEqual(control.last["command_data"], b"TLS")

    def test_not_encrypted(self) -> None:
        """What is not TLS is not passed."""
        for said in (b"USER a\r\n", b"\x16\x02", b"\x17\x03\x03"):
            control = self.agreed()
            self.assertEqual(control.client(said)[0], b"")
            self.assertFalse(control.session.released)
            self.assertIn("does not", control.reason)

    def test_behind_auth(self) -> None:
        """What comes behind AUTH before its answer ends the session, whole lines and parts."""
        for said in (b"AUTH TLS\r\nUSER a\r\n", b"AUTH TLS\r\nUS", b"AUTH TLS\r\n" + HELLO):
            control = Control(RELEASE)
            control.server(b"220 ready\r\n")
            control.client(said)
            if control.session.verdict is None:
                control.server(b"234 go on\r\n")
            self.assertIn("behind AUTH", control.reason)
            self.assertNotIn(b"US", control.session.sent[SERVER])

    def test_behind_agreement(self) -> None:
        """And what the server says in the clear behind its agreement."""
        for cut in (b"", b"2"):
            control = Control(RELEASE)
            control.server(b"220 ready\r\n")
            control.client(b"AUTH TLS\r\n")
            control.server(b"234 go on\r\n" + cut)
            if control.session.verdict is None:
                control.server(b"230 in\r\n")
            self.assertIn("plaintext", control.reason)
            self.assertNotIn(b"230", control.session.sent[CLIENT])

    def test_no(self) -> None:
        """A server that doesn't encrypt: all goes on as it was."""
        control = Control(RELEASE)
        control.server(b"220 ready\r\n")
        control.ask(b"AUTH TLS", b"502 no")
        control.ask(b"AUTH SSL", b"431 not now")
        control.ask(b"USER a", b"230 in")
        control.ask(b"PWD", b'257 "/"')
        self.assertFalse(control.session.released)

    def test_other_agreements(self) -> None:
        """Nothing but TLS is agreed on, and with nothing but 234."""
        control = Control(RELEASE).log_in()
        self.assertEqual(control.client(b"AUTH GSSAPI\r\n")[1][:3], b"504")
        self.assertEqual(control.client(b"AUTH\r\n")[1][:3], b"501")
        self.assertEqual(control.client(b"PROT P\r\n")[1][:3], b"503")
        for reply in (b"200 fine", b"334 more", b"235 fine"):
            control = Control(RELEASE).log_in()
            control.ask(b"AUTH TLS", reply)
            self.assertIs(control.session.verdict.outcome, Outcome.DENIED)

    def test_features(self) -> None:
        """FEAT tells of it."""
        said = b"211-Features:\r\n AUTH TLS\r\n PBSZ\r\n CCC\r\n PROT\r\n211 End"
        heard = Control(RELEASE).log_in().ask(b"FEAT", said)
        self.assertEqual(heard, said.replace(b" CCC\r\n", b"") + b"\r\n")

    def test_no_limits(self) -> None:
        """No time limit of the protocol's goes on."""
        settings = evolve(RELEASE, login_seconds=5, command_seconds=5, reply_seconds=5)
        control = Control(settings)
        control.server(b"220 ready\r\n")
        control.ask(b"AUTH TLS", b"234 go on")
        control.client(HELLO)
        control.session.advance(100)
        self.assertIsNone(control.session.verdict)


class TimeTests(SynchronousTestCase):
    """How long a client, and a server, may take."""

    def test_login(self) -> None:
        """A client that doesn't log in is told goodbye, whatever it says meanwhile."""
        control = Control(FtpSettings(login_seconds=60))
        control.server(b"220 ready\r\n")
        control.session.advance(50)
        control.ask(b"NOOP", b"200 fine")
        control.session.advance(11)
        self.assertEqual(control.server(b"")[:3], b"421")
        self.assertEqual(control.session.verdict.outcome, Outcome.FAILED)
        self.assertEqual(control.reason, "time limit: login_seconds = 60")
        control = Control(evolve(PATIENT, login_seconds=60)).log_in()
        control.session.advance(1000)
        self.assertIsNone(control.session.verdict)

    def test_command(self) -> None:
        """A client that sends nothing; each command counts, and so does a transfer."""
        control = Control(evolve(READ_WRITE, command_seconds=60)).log_in()
        control.session.advance(50)
        control.client(b"XXXX\r\n")
        control.session.advance(50)
        data = control.passive().comes(Address("192.0.2.1", 50100))
        control.ask(b"RETR a", b"150 here")
        control.session.advance(1000)
        data.hangs_up(SERVER)
        control.session.advance(1000)
        control.server(b"226 done\r\n")
        control.session.advance(59)
        self.assertIsNone(control.session.verdict)
        control.session.advance(1)
        self.assertEqual(control.reason, "time limit: command_seconds = 60")

    def test_command_after_login(self) -> None:
        """Before the login, that limit alone counts, if there is one."""
        for login, limit in ((300, "login_seconds = 300"), (0, "command_seconds = 60")):
            control = Control(FtpSettings(login_seconds=login, command_seconds=60))
            control.server(b"220 ready\r\n")
            control.session.advance(1000)
            self.assertIn(limit, control.reason)

    def test_reply(self) -> None:
        """A server that doesn't answer; but not while data flow."""
        control = Control(evolve(PATIENT, reply_seconds=60)).log_in()
        control.session.advance(1000)
        data = control.passive().comes(Address("192.0.2.1", 50100))
        control.ask(b"RETR a", b"150 here")
        control.session.advance(1000)
        control.ask(b"STAT", b"213 half")
        control.session.advance(1000)
        control.server(b"226 done\r\n")
        control.session.advance(1000)
        data.hangs_up(SERVER)
        self.assertIsNone(control.session.verdict)
        control.client(b"NOOP\r\n")
        control.session.advance(59)
        self.assertIsNone(control.session.verdict)
        control.session.advance(1)
        self.assertEqual(control.server(b"")[:3], b"421")
        self.assertEqual(control.reason, "time limit: reply_seconds = 60")

    def test_slow_server(self) -> None:
        """The client is not blamed for a server that takes its time, nor for STAT in between."""
        settings = evolve(PATIENT, command_seconds=60, commands={"STAT": "refuse"})
        control = Control(settings).log_in()
        control.client(b"NOOP\r\n")
        control.session.advance(1000)
        control.server(b"200 fine\r\n")
        control.passive().comes(Address("192.0.2.1", 50100))
        control.ask(b"RETR a", b"150 here")
        self.assertEqual(control.client(b"STAT\r\n")[1][:3], b"502")
        control.session.advance(1000)
        self.assertIsNone(control.session.verdict)

    def test_reply_at_once(self) -> None:
        """Nor while the data flow of a transfer that is answered already."""
        control = Control(evolve(PATIENT, reply_seconds=60)).log_in()
        control.passive().comes(Address("192.0.2.1", 50100))
        control.ask(b"RETR a", b"226 done")
        control.session.advance(1000)
        self.assertIsNone(control.session.verdict)

    def test_after_abort(self) -> None:
        """A server that answers only once to a transfer that was aborted is not waited for."""
        control = Control(evolve(PATIENT, reply_seconds=60)).log_in()
        control.passive().comes(Address("192.0.2.1", 50100))
        control.ask(b"RETR a", b"150 here")
        control.client(b"ABOR\r\n")
        control.server(b"426 aborted\r\n")
        control.session.advance(60)
        self.assertEqual(control.reason, "time limit: reply_seconds = 60")


class PolicyTests(SynchronousTestCase):
    """What the operator allows."""

    def test_read_only(self) -> None:
        """By default, nothing that writes passes."""
        for verb, kind in VERBS.items():
            if kind.access is Access.WRITE:
                control = Control(READ_ONLY).log_in()
                passed, heard = control.client(_example(verb) + b"\r\n")
                self.assertEqual(passed, b"", verb)
                self.assertEqual(heard[:3], b"503" if verb == "RNTO" else b"502")
        control = Control(READ_ONLY).log_in()
        self.assertEqual(control.client(b"MDTM 20200101000000 x\r\n")[1][:3], b"502")
        control.ask(b"MDTM x", b"213 20200101000000")

    def test_upload_only(self) -> None:
        """A box to drop files in: nothing comes out, nothing that is there changes."""
        allowed = {"STOR", "STOU", "MKD", "XMKD", "LIST", "NLST", "MLSD", "SIZE", "CWD", "PWD"}
        refused = {"RETR", "APPE", "DELE", "RNFR", "RMD", "XRMD", "MFMT", "SITE"}
        for verb in allowed | refused:
            control = Control(FtpSettings(profile="upload-only")).log_in()
            control.passive()
            passed, heard = control.client(_example(verb) + b"\r\n")
            self.assertEqual(passed != b"", verb in allowed, (verb, heard))

    def test_commands(self) -> None:
        """Exceptions from the profile."""
        settings = FtpSettings(commands={"DELE": "pass", "PWD": "refuse", "SYST": "deny"})
        control = Control(settings).log_in()
        control.ask(b"DELE x", b"250 done")
        self.assertEqual(control.client(b"PWD\r\n")[1][:3], b"502")
        self.assertEqual(control.client(b"SYST\r\n")[1][:3], b"421")
        self.assertIn("SYST", control.reason)
        self.assertEqual(control.last["denied_by"], "commands")

    def test_tables(self) -> None:
        """A table of what is not there is an error of the operator's."""
        self.assertRaises(ValueError, commands, {"AUTH": "pass"})
        self.assertRaises(ValueError, commands, {"retr": "pass"})
        self.assertRaises(ValueError, replies, {"99": "deny"})
        self.assertRaises(ValueError, replies, {"NONE 550": "deny"})
        self.assertEqual(replies({"RETR 550": "deny"}), {"RETR 550": "deny"})

    def test_replies(self) -> None:
        """Replies that end the session, by code or for one command."""
        settings = FtpSettings(replies={"550": "deny", "SIZE 550": "pass"})
        control = Control(settings).log_in()
        control.ask(b"SIZE x", b"550 none")
        control.ask(b"MDTM x", b"550 none")
        self.assertIn("550 to MDTM", control.reason)

    def test_anonymous(self) -> None:
        """Only anonymous users get in."""
        for profile, writes in (("anonymous-read-only", False), ("anonymous-read-write", True)):
            control = Control(FtpSettings(profile=profile))
            control.server(b"220 ready\r\n")
            self.assertEqual(control.client(b"USER root\r\n")[1][:3], b"530")
            control.ask(b"USER Anonymous", b"230 in")
            self.assertEqual(control.client(b"DELE x\r\n")[0] != b"", writes)

    def test_users(self) -> None:
        """Or only those whose names match."""
        control = Control(FtpSettings(users=re.compile("a.*"), user_bytes=5))
        control.server(b"220 ready\r\n")
        for name, code in ((b"bob", b"530"), (b"alicia", b"501"), (b"alice", b"")):
            self.assertEqual(control.client(b"USER " + name + b"\r\n")[1][:3], code)

    def test_features(self) -> None:
        """FEAT tells only of what is allowed."""
        control = Control(FtpSettings(commands={"MDTM": "refuse"})).log_in()
        said = b"211-Features:\r\n AUTH TLS\r\n PBSZ\r\n MDTM\r\n SIZE\r\n rest STREAM\r\nSIZE\r\n"
        heard = control.ask(b"FEAT", said + b" XNEW\r\n UTF8\r\n211 End")
        self.assertEqual(heard, b"211-Features:\r\n SIZE\r\n rest STREAM\r\n UTF8\r\n211 End\r\n")
        self.assertEqual(control.ask(b"FEAT", b"502 no"), b"502 no\r\n")

    def test_site(self) -> None:
        """Of SITE, only what is listed."""
        control = Control().log_in()
        control.ask(b"SITE CHMOD 644 x", b"200 done")
        self.assertEqual(control.client(b"SITE EXEC x\r\n")[1][:3], b"502")

    def test_texts(self) -> None:
        """The operator's words in place of the server's, but never in place of an error."""
        settings = FtpSettings(banner="hello\nthere", welcome="227 in")
        control = Control(settings)
        self.assertEqual(control.server(b"220 vsFTPd 3\r\n"), b"220- hello\r\n220 there\r\n")
        control.ask(b"USER a", b"331 and?")
        self.assertEqual(control.ask(b"PASS b", b"530 no"), b"530 no\r\n")
        control.ask(b"USER a", b"331 and?")
        self.assertEqual(control.ask(b"PASS b", b"230-x\r\n230 y"), b"230 227 in\r\n")

    def test_paths(self) -> None:
        """Paths are judged as the server sees them, wherever the client stands."""
        settings = evolve(
            READ_WRITE,
            read_paths=re.compile("/(?:pub(?:/.*)?|in)"),
            write_paths=re.compile("/in/.*"),
        )
        control = Control(settings)
        control.server(b"220 ready\r\n")
        control.ask(b"USER a", b"230 in")
        self.assertEqual(control.session.sent[SERVER], b"USER a\r\nPWD\r\n")
        self.assertEqual(control.server(b'257 "/pub"\r\n'), b"")
        self.assertEqual(control.client(b"SIZE ../etc/passwd\r\n")[1][:3], b"550")
        self.assertEqual(control.client(b"SIZE /etc/passwd\r\n")[1][:3], b"550")
        self.assertEqual(control.client(b"SIZE ~/x\r\n")[1][:3], b"550")
        self.assertEqual(control.client(b"DELE x\r\n")[1][:3], b"550")
        self.assertIn("/pub/x", control.last["reason"])
        control.session.says(CLIENT, b"SIZE x\r\n")
        control.server(b"213 5\r\n")
        control.session.says(CLIENT, b"CWD /in\r\nDELE x\r\n")
        self.assertEqual(control.server(b"250 fine\r\n"), b"250 fine\r\n")
        self.assertTrue(control.session.sent[SERVER].endswith(b"CWD /in\r\nPWD\r\n"))
        control.server(b'257 "/in"\r\n')
        self.assertTrue(control.session.sent[SERVER].endswith(b"DELE x\r\n"))

    def test_wrong_directory(self) -> None:
        """A server that answers the gateway's own question with something else is not followed."""
        for reply in (b"200 fine", b"150 here", b"331 password?"):
            control = Control(evolve(READ_WRITE, write_paths=re.compile("/in/.*")))
            control.server(b"220 ready\r\n")
            control.ask(b"USER a", b"230 in")
            control.server(reply + b"\r\n")
            self.assertIn("to PWD", control.reason)

    def test_no_directory(self) -> None:
        """Nor is a server that has gone waited for."""
        control = Control(evolve(READ_WRITE, write_paths=re.compile("/in/.*")))
        control.server(b"220 ready\r\n")
        control.ask(b"USER a", b"230 in")
        control.session.hangs_up(SERVER)
        self.assertIs(control.session.verdict.outcome, Outcome.FAILED)

    def test_listings(self) -> None:
        """
        A listing is of the folder that it names: not of what is below, nor of what
        a server makes of a pattern. STAT alone is of no folder.
        """
        control = Control(FtpSettings(read_paths=re.compile("/pub(/.*)?")))
        control.server(b"220 ready\r\n")
        control.ask(b"USER a", b"230 in")
        control.server(b'257 "/"\r\n')
        control.client(b"")
        control.ask(b"STAT", b"211 fine")
        control.ask(b"CWD /elsewhere", b"550 no")
        for argument, allowed in (
            (b"/pub", True),
            (b"-la /pub", True),
            (b"/pub/*.txt", True),
            (b"/pub/a?", True),
            (b"-R /pub", False),
            (b"-laR /pub", False),
            (b"-l -R /pub", False),
            (b"/pub/*/a", False),
            (b"/pub/??/etc", False),
            (b"/pub/{a,../../etc}", False),
            (b"/pub/[.][.]/etc", False),
            (b"/pub/\\../etc", False),
        ):
            heard = control.client(b"STAT " + argument + b"\r\n")[1]
            self.assertEqual(heard[:3], b"" if allowed else b"550", argument)
            if allowed:
                control.server(b"212 fine\r\n")
        control.ask(b"SIZE /pub/{a,b}-R[1]", b"213 5")

    def test_ambiguous(self) -> None:
        """
        A path that one server may read in another way than the next one can't
        be judged: one with Telnet's IAC, and those of SITE's commands.
        """
        control = Control(evolve(READ_WRITE, write_paths=re.compile(".*")))
        control.server(b"220 ready\r\n")
        control.ask(b"USER a", b"230 in")
        control.server(b'257 "/"\r\n')
        self.assertEqual(control.client(b"DELE /a\xff\xff\r\n")[1][:3], b"550")
        self.assertEqual(control.client(b"SITE CHMOD 777 /a\r\n")[1][:3], b"502")
        self.assertEqual(control.client(b"SITE UMASK 022\r\n")[1], b"")
        control = Control().log_in()
        control.ask(b"DELE /a\xff\xff", b"250 done")

    def test_names(self) -> None:
        """How long a name may be, and how deep a path, of all that has a path."""
        settings = evolve(READ_WRITE, name_bytes=5, path_depth=3)
        control = Control(settings).log_in()
        for command in (b"DELE", b"CWD", b"SIZE", b"MFMT 20200101000000", b"LIST -la"):
            heard = control.client(command + b" /a/b/c/d\r\n")[1]
            self.assertEqual(heard[:3], b"550", command)
            self.assertIn("path_depth", control.last["reason"])
            heard = control.client(command + b" /a/b/sixsix\r\n")[1]
            self.assertEqual(heard[:3], b"550", command)
            self.assertIn("name_bytes", control.last["reason"])
        control.ask(b"DELE /a//b/five5/", b"250 done")

    def test_virtual_hosts(self) -> None:
        """Which hosts HOST may ask for, in whatever letters; before the login only (RFC 7151)."""
        control = Control(FtpSettings(virtual_hosts=re.compile("ftp[.].*")))
        control.server(b"220 ready\r\n")
        self.assertEqual(control.client(b"HOST www.example\r\n")[1][:3], b"504")
        control.ask(b"HOST FTP.example", b"220 fine")
        control.ask(b"HOST ftp.[2001:db8::1]", b"504 no")
        control.ask(b"USER a", b"331 and?")
        self.assertEqual(control.client(b"HOST ftp.example\r\n")[1][:3], b"503")
        control.ask(b"PASS a", b"230 in")
        self.assertEqual(control.client(b"HOST ftp.example\r\n")[1][:3], b"503")

    def test_no_texts(self) -> None:
        """Codes alone, but where the text is the answer; our own words stay."""
        settings = evolve(READ_WRITE, reply_texts="strip", welcome="come in")
        control = Control(settings)
        self.assertEqual(control.server(b"220-vsFTPd 3\r\n220 ready\r\n"), b"220 \r\n")
        control.ask(b"USER a", b"331 and?")
        self.assertEqual(control.ask(b"PASS a", b"230 hello"), b"230 come in\r\n")
        control.passive()
        heard = control.ask(b"RETR a", b"150 here", b"426 broken")
        self.assertEqual(heard, b"150 \r\n426 \r\n")
        self.assertEqual(control.ask(b"DELE x", b"550-no\r\n550 x"), b"550 \r\n")
        for command, reply in (
            (b"PWD", b'257 "/"'),
            (b"SIZE x", b"213 5"),
            (b"SYST", b"215 UNIX"),
            (b"MLST x", b"250-\r\n size=5; x\r\n250 end"),
            (b"STAT", b"211-\r\n fine\r\n211 end"),
            (b"FEAT", b"211-\r\n SIZE\r\n211 end"),
            (b"SITE HELP", b"200-\r\n CHMOD\r\n200 end"),
        ):
            self.assertEqual(control.ask(command, reply), reply + b"\r\n")

    def test_unknown_directory(self) -> None:
        """A server that doesn't say where it stands is asked for absolute paths only."""
        control = Control(evolve(READ_WRITE, write_paths=re.compile("/in/.*")))
        control.server(b"220 ready\r\n")
        control.ask(b"USER a", b"230 in")
        control.server(b"550 no\r\n")
        control.client(b"DELE x\r\n")
        self.assertNotIn(b"DELE", control.session.sent[SERVER])
        control.client(b"DELE /in/x\r\n")
        self.assertIn(b"DELE", control.session.sent[SERVER])


class AuditTests(SynchronousTestCase):
    """What is written down."""

    def test_record(self) -> None:
        """A command with its replies is one record, in EVE's names."""
        control = Control().log_in()
        control.ask(b"CWD pub", b"250-a\r\n250 b")
        fields: dict[str, Any] = {
            "command": "CWD",
            "command_data": b"pub",
            "completion_code": ["250"],
            "reply": [b"b"],
            "reply_received": "yes",
            "gateway": {"verdict": "passed"},
        }
        self.assertEqual(control.records[-1], ("ftp", fields))

    def test_ports(self) -> None:
        """What was agreed on for data, as EVE has it: the mode, and where the one listens."""
        control = Control().log_in()
        control.passive(40001)
        fields = control.last
        self.assertEqual((fields["mode"], fields["dynamic_port"]), ("passive", 40001))
        control.active(50002)
        fields = control.last
        self.assertEqual((fields["mode"], fields["dynamic_port"]), ("active", 50002))
        for command, reply in ((b"EPSV", b"500 no"), (b"EPSV ALL", b"200 fine")):
            control.ask(command, reply)
            self.assertNotIn("dynamic_port", control.last)

    def test_no_password(self) -> None:
        """Never a password, not even if the server repeats it."""
        control = Control()
        control.server(b"220 ready\r\n")
        control.client(b"PASS sesame\r\n")
        control.ask(b"USER a", b"331 and?")
        control.ask(b"PASS sesame", b"332 sesame?")
        control.ask(b"ACCT sesame", b"530 sesame is wrong")
        control.client(b"ACCT sesame" * 20 + b"\r\n")
        control.client(b"PASS sesame\x00\r\n")
        self.assertNotIn("sesame", repr(control.records))
        self.assertNotIn("sesame", control.reason)
