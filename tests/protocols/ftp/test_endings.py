"""How a control connection ends: who hears what, and what is written down."""

from __future__ import annotations

import re
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Address, Outcome
from protocols.ftp.inspector import AHEAD
from protocols.ftp.patience import PARTING
from protocols.ftp.settings import FtpSettings
from tests.protocols.ftp.speak import READ_WRITE, WRONG, Control

CLOSED = b"421 The server closed the connection.\r\n"
LOST = b"421 The server is lost.\r\n"
DATA = Address("192.0.2.1", 50100)


def outcome(control: Control) -> Outcome | None:
    """How the session ended, if it did."""
    verdict = control.session.verdict
    return None if verdict is None else verdict.outcome


class ServerTests(SynchronousTestCase):
    """A session that ends by the server's fault: the client hears 421 first."""

    def waiting(self, said: bytes) -> Control:
        """The client has said this, and waits."""
        control = Control().log_in()
        if b"RETR" in said:
            control.passive()
        control.client(said)
        return control

    def test_closed(self) -> None:
        """It hangs up, whatever is pending."""
        for said in (b"", b"NOOP\r\n", b"RETR a\r\n", b"NOOP\r\nNOOP\r\nNO"):
            control = self.waiting(said)
            control.session.hangs_up(SERVER)
            self.assertEqual(control.server_silent(), CLOSED, said)
            self.assertIs(outcome(control), Outcome.FAILED)

    def test_closed_beside_denied(self) -> None:
        """It hangs up when its answer was all that a client's fault waited behind."""
        settings = FtpSettings(profile="read-write", write_paths=re.compile("/in/.*"))
        control = Control(settings)
        control.server(b"220 ready\r\n")
        control.client(b"USER a\r\n")
        control.server(b"230 fine\r\n")  # now the server is asked for its directory
        control.client(b"\r\n\n")
        control.session.hangs_up(SERVER)
        self.assertIs(outcome(control), Outcome.DENIED)
        self.assertEqual(control.session.late, [])

    def test_cut_off(self) -> None:
        """It hangs up in the middle of a reply."""
        control = self.waiting(b"NOOP\r\n")
        control.server(b"200-fi")
        control.session.hangs_up(SERVER)
        self.assertEqual(control.server_silent(), WRONG)

    def test_reset(self) -> None:
        """It resets the connection."""
        for said in (b"", b"NOOP\r\n", b"RETR a\r\n"):
            control = self.waiting(said)
            control.session.resets(SERVER)
            self.assertEqual(control.server_silent(), LOST, said)
            self.assertIs(outcome(control), Outcome.RESET)

    def test_unreachable(self) -> None:
        """It can't be reached."""
        control = Control(reachable=False)
        self.assertEqual(control.server_silent(), b"421 That server does not answer.\r\n")
        self.assertIs(outcome(control), Outcome.FAILED)
        self.assertEqual(control.reason, "server unreachable: connection refused")
        self.assertEqual(control.records, [])

    def test_no_reply(self) -> None:
        """It sends what is no reply: rubbish, a lone LF, a line without end, too many lines."""
        for said in (
            b"hello\r\n",
            b"200 fine\n",
            b"200 fine\rx\r\n",
            b"200 " + b"x" * 5000,
            b"200-x\r\n" * 20000,
            b"900 fine\r\n",
            b"\x00",
            b"\xff\xfb\x01",
        ):
            control = self.waiting(b"NOOP\r\n")
            control.server(said)
            if control.session.verdict is None:
                control.session.hangs_up(SERVER)
            self.assertTrue(control.session.sent[CLIENT].endswith(WRONG), said)
            self.assertIs(outcome(control), Outcome.DENIED)

    def test_silence(self) -> None:
        """It does not answer: by default, there is an end to that."""
        control = Control(FtpSettings(command_seconds=0.0)).log_in()
        control.client(b"NOOP\r\n")
        control.session.advance(301)
        heard = control.server_silent()
        self.assertEqual(heard, b"421 The server does not answer; goodbye.\r\n")

    def test_after_goodbye(self) -> None:
        """After a 421 of the server's, and after its 221, nothing passes any more."""
        for said, reply, ending in (
            (b"QUIT\r\n", b"221 bye\r\n", Outcome.PASSED),
            (b"NOOP\r\n", b"421 time out\r\n", Outcome.FAILED),
            (b"", b"421 time out\r\n", Outcome.FAILED),
        ):
            control = Control().log_in()
            control.client(said)
            sent = control.session.sent[SERVER]
            self.assertEqual(control.server(reply), reply)
            self.assertIs(outcome(control), ending)
            self.assertEqual(control.client(b"NOOP\r\nDELE x\r\n"), (b"", b""))
            self.assertEqual(control.session.sent[SERVER], sent)

    def test_not_goodbye(self) -> None:
        """A QUIT that the server refuses is none."""
        control = Control().log_in()
        control.ask(b"QUIT", b"500 no")
        self.assertIsNone(control.session.verdict)
        control.ask(b"NOOP", b"200 fine")

    def test_quit_without_answer(self) -> None:
        """A server that hangs up on QUIT has done what was asked for."""
        for ending in (lambda session: session.hangs_up(SERVER), lambda s: s.resets(SERVER)):
            control = Control().log_in()
            control.client(b"QUIT\r\n")
            ending(control.session)
            self.assertEqual(control.server_silent(), b"221 Goodbye.\r\n")
            self.assertIs(outcome(control), Outcome.PASSED)

    def test_encrypted(self) -> None:
        """Who waits for TLS gets no plain text: it would be taken for what comes of TLS."""
        control = Control(evolve(READ_WRITE, auth="release")).log_in()
        control.ask(b"AUTH TLS", b"234 go")
        for ending in ("hangs_up", "resets"):
            heard = control.session.sent[CLIENT]
            getattr(control.session, ending)(SERVER)
            self.assertEqual(control.session.sent[CLIENT], heard)


class ClientTests(SynchronousTestCase):
    """A client that is gone ends the session, and frees the server, whatever is pending."""

    def test_idle(self) -> None:
        """With nothing pending, at once."""
        control = Control().log_in()
        control.session.hangs_up(CLIENT)
        self.assertIs(outcome(control), Outcome.PASSED)

    def test_never_logged_in(self) -> None:
        """Also before the server has greeted: as soon as it has, or after some seconds."""
        control = Control()
        control.session.hangs_up(CLIENT)
        self.assertIsNone(control.session.verdict)
        control.server(b"220 ready\r\n")
        self.assertIs(outcome(control), Outcome.PASSED)
        control = Control()
        control.session.hangs_up(CLIENT)
        control.session.advance(PARTING)
        self.assertIs(outcome(control), Outcome.CLOSED)

    def test_no_data_connection(self) -> None:
        """It sends STOR and QUIT, never opens the data connection, and leaves: at once."""
        control = Control().log_in()
        control.passive()
        control.client(b"STOR x\r\nQUIT\r\n")
        control.session.hangs_up(CLIENT)
        self.assertIs(outcome(control), Outcome.CLOSED)
        self.assertIn("left before the data connection of STOR", control.reason)
        self.assertTrue(control.session.expected[0].cancelled)

    def test_data_connection_wanted_later(self) -> None:
        """The same if the STOR comes to its turn only when the client has left."""
        control = Control().log_in()
        control.client(b"PASV\r\nSTOR x\r\nQUIT\r\n")
        control.session.hangs_up(CLIENT)
        control.server(b"227 (198,51,100,2,156,64)\r\n")
        self.assertIs(outcome(control), Outcome.CLOSED)

    def test_asked_ahead(self) -> None:
        """What it asked for before it half-closed is answered, in order."""
        control = Control().log_in()
        control.client(b"PWD\r\nNOOP\r\nQUIT\r\n")
        control.session.hangs_up(CLIENT)
        self.assertEqual(control.server(b'257 "/"\r\n'), b'257 "/"\r\n')
        self.assertEqual(control.server(b"200 fine\r\n"), b"200 fine\r\n")
        self.assertEqual(control.server(b"221 bye\r\n"), b"221 bye\r\n")
        self.assertIs(outcome(control), Outcome.PASSED)

    def test_gone_from_data(self) -> None:
        """A download that nobody receives any more is not waited for; an upload is taken."""
        for command, flows in ((b"RETR a", False), (b"STOR a", True)):
            control = Control().log_in()
            data = control.passive().comes(DATA)
            control.ask(command, b"150 here")
            data.slow.add(SERVER)
            data.hangs_up(CLIENT)
            control.session.hangs_up(CLIENT)
            control.session.advance(2 * PARTING)
            self.assertEqual(control.session.verdict is None, flows)
            if flows:
                data.flush(SERVER)
                control.server(b"226 done\r\n")
                self.assertIs(outcome(control), Outcome.PASSED)

    def test_slow_server(self) -> None:
        """A server that answers slowly, and does, is not hurried; one that does not is left."""
        control = Control().log_in()
        control.client(b"PWD\r\nNOOP\r\nNOOP\r\n")
        control.session.hangs_up(CLIENT)
        for reply in (b'257 "/"\r\n', b"200 fine\r\n"):
            control.session.advance(PARTING - 1)
            control.server(reply)
        control.session.advance(2 * PARTING)
        self.assertIs(outcome(control), Outcome.CLOSED)
        self.assertEqual(control.reason, "the client left, and the server does not answer")

    def test_flooding(self) -> None:
        """One that has sent more ahead than is read is heard of later, and is bounded till then."""
        control = Control().log_in()
        control.client(b"NOOP\r\n" * (AHEAD // 6 + 10))
        self.assertEqual(control.session.paused, {CLIENT})
        control.session.hangs_up(CLIENT)
        self.assertIsNone(control.session.verdict)
        control.server(b"200 fine\r\n")
        control.session.advance(2 * PARTING + 300)
        self.assertIsNotNone(control.session.verdict)

    def test_bug_ahead(self) -> None:
        """What goes wrong while the client is read ahead is as bad as at any other time."""
        control = Control(evolve(READ_WRITE, commands={"SYST": "deny"})).log_in()
        control.client(b"NOOP\r\nSYST\r\n")
        control.client(b"NOOP\r\n")
        self.assertIsNone(control.session.verdict)
        heard = control.server(b"200 fine\r\n")
        self.assertEqual(heard[:14], b"200 fine\r\n421 ")
        self.assertIs(outcome(control), Outcome.DENIED)
        control = Control().log_in()
        control.client(b"NOOP\r\nNOOP\r\n")
        broken: Any = control.session.inspector
        broken._asking._take = None
        control.server(b"200 fine\r\n")
        with self.assertRaises(TypeError):
            control.session.advance(1)
        self.assertIs(outcome(control), Outcome.BROKEN)


class RefusalTests(SynchronousTestCase):
    """Refused commands cost the client something."""

    def test_limit(self) -> None:
        """So many in a row, and it is over; before the login too, whatever the reply's class."""
        for logged_in, command in (
            *((False, b"X"), (False, b"PWD"), (False, b"")),
            *((True, b"X"), (True, b"RETR a"), (True, b"LPSV"), (True, b"AUTH TLS")),
        ):
            control = Control()
            if logged_in:
                control.log_in()
            else:
                control.server(b"220 ready\r\n")
                control.ask(b"NOOP", b"200 fine")
            _, heard = control.client((command + b"\r\n") * 30)
            lines = heard.splitlines()
            self.assertEqual(len(lines), 21, command)
            self.assertEqual(lines[-1], b"421 Too many commands were refused; goodbye.")
            self.assertIs(outcome(control), Outcome.DENIED)
            self.assertIn("(setting 'errors')", control.reason)

    def test_in_a_row(self) -> None:
        """A program that tries things now and then, and does something else, never gets there."""
        control = Control().log_in()
        for _ in range(10):
            control.client(b"X\r\n" * 19)
            control.ask(b"NOOP", b"200 fine")
        self.assertIsNone(control.session.verdict)

    def test_records(self) -> None:
        """Each is recorded once, with what refused it; no more than the limit."""
        control = Control().log_in()
        control.client(b"X\r\n" * 1000)
        denied = [one for one in control.session.records_of("ftp") if one["verdict"] == "denied"]
        self.assertEqual(len(denied), 20)
        self.assertEqual({one["denied_by"] for one in denied}, {"protocol"})

    def test_off(self) -> None:
        """0: any number."""
        control = Control(evolve(READ_WRITE, errors=0)).log_in()
        control.client(b"X\r\n" * 1000)
        self.assertIsNone(control.session.verdict)


class RecordTests(SynchronousTestCase):
    """What was sent on leaves a record, with why it ended."""

    def ended(self, said: bytes, *replies: bytes, by: Any) -> Control:
        control = Control().log_in()
        if b"RETR" in said or b"STOR" in said:
            control.passive()
        control.client(said)
        for reply in replies:
            control.server(reply)
        by(control.session)
        return control

    def test_unanswered(self) -> None:
        """A command whose answer has not come: it may have been done."""
        for by, why in (
            (lambda session: session.resets(CLIENT), "reset by the client"),
            (lambda session: session.resets(SERVER), "reset by the server"),
            (lambda s: s.hangs_up(SERVER), "the server closed the control connection"),
            (lambda session: session.over(), "the test is over"),
            (lambda s: s.says(SERVER, b"227 x\r\n"), "the server sent 227 to DELE: no such"),
        ):
            control = self.ended(b"DELE x\r\n", by=by)
            record = control.session.records_of("ftp")[-1]
            self.assertEqual(record["command"], "DELE")
            self.assertEqual(record["command_data"], b"x")
            self.assertEqual((record["verdict"], record["reply_received"]), ("failed", "no"))
            self.assertIn(why, record["reason"])

    def test_goodbye(self) -> None:
        """The server's 421 is in the record of the command that it came in place of an answer."""
        control = self.ended(b"DELE x\r\n", by=lambda s: s.says(SERVER, b"421 time out\r\n"))
        record = control.session.records_of("ftp")[-1]
        self.assertEqual((record["verdict"], record["completion_code"]), ("failed", ["421"]))
        self.assertEqual(record["reason"], "the server ended the session: time out")

    def test_transfer(self) -> None:
        """The same for the transfer, with or without its data connection."""
        for replies in ((), (b"150 here\r\n",)):
            control = self.ended(b"STOR x\r\n", *replies, by=lambda s: s.resets(CLIENT))
            command = control.session.records_of("ftp")[-1]
            self.assertEqual((command["command"], command["verdict"]), ("STOR", "failed"))
            (transfer,) = control.transfers
            self.assertEqual((transfer["verdict"], transfer["size"]), ("failed", 0))
            self.assertEqual(transfer["reason"], "reset by the client")

    def test_overtaken(self) -> None:
        """A server that says "done" before its data connection is here: what never came failed."""
        control = Control().log_in()
        control.active()
        control.client(b"RETR x\r\n")
        control.server(b"226 done\r\n")
        control.session.over()
        command = control.session.records_of("ftp")[-1]
        self.assertEqual((command["command"], command["verdict"]), ("RETR", "failed"))
        self.assertEqual(control.session.late, [])

    def test_once(self) -> None:
        """What was answered has its record already; what did not pass has no other one."""
        control = self.ended(b"NOOP\r\nDELE x\r\n", b"200 fine\r\n", by=lambda s: s.resets(CLIENT))
        said = [one["command"] for one in control.session.records_of("ftp")]
        self.assertEqual(said, ["(greeting)", "USER", "PASS", "NOOP", "DELE"])

    def test_abort_in_doubt(self) -> None:
        """What the gateway itself has asked is nobody's business."""
        control = Control().log_in()
        data = control.passive().comes(DATA)
        control.ask(b"RETR a", b"150 here")
        data.says(SERVER, b"x")
        control.client(b"ABOR\r\n")
        control.server(b"426 aborted\r\n")
        control.client(b"NOOP\r\n")
        control.session.resets(SERVER)
        said = [one["command"] for one in control.session.records_of("ftp")]
        self.assertEqual(said[3:], ["PASV", "RETR", "ABOR"])
