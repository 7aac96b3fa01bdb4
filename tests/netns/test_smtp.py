"""SMTP, through the real gateway, with real clients and servers."""

from __future__ import annotations

import smtplib
import socket
import subprocess
import sys
from typing import Any

from gateway.lab.waiting import wait_until
from tests.netns.case import SERVER, SceneCase, hear
from tests.netns.postfix import Postfix

MAIL = """
inspector = "smtp"
[[rule]]
from = ["office"]
to = ["internet"]
ports = [25, 26]
[smtp]
recipient_domains = ["b.example"]
[[smtp.attachments]]
extensions = ["exe"]
"""

REPAIR = """
inspector = "smtp"
[[rule]]
from = ["office"]
to = ["internet"]
ports = [27, 28]
[smtp]
bare_newline = "repair"
"""

FORWARD = """
action = "forward"
[[rule]]
from = ["office"]
to = ["internet"]
ports = [29]
"""

SMUGGLED = (
    b"MAIL FROM:<ceo@b.example>\r\nRCPT TO:<bob@b.example>\r\nDATA\r\n"
    b"Subject: smuggled\r\n\r\npay\r\n.\r\n"
)

PARALLEL = 100
LARGE = 50_000_000

SINK = """
import sys
from aiosmtpd.controller import Controller
class Handler:
    async def handle_DATA(self, server, session, envelope):
        print(len(envelope.content), envelope.rcpt_tos, flush=True)
        return "250 2.0.0 Taken"
options = {"enable_SMTPUTF8": True, "data_size_limit": int(sys.argv[3])}
controller = Controller(Handler(), hostname=sys.argv[1], port=int(sys.argv[2]), **options)
controller.start()
print("ready", flush=True)
sys.stdin.read()
"""


class SmtpCase(SceneCase):
    """What these tests have in common."""

    services = {"mail": MAIL, "repair": REPAIR, "free": FORWARD}

    def smtp(self, port: int = 25) -> smtplib.SMTP:
        """CPython's client, on the client's host."""
        with self.client.entered():
            client = smtplib.SMTP(SERVER, port, local_hostname="client.example", timeout=20)
        self.addCleanup(client.close)
        return client

    def records(self, kind: str, **fields: Any) -> list[dict[str, Any]]:
        """The audit records of this kind that have these fields."""
        found = (one[kind] for one in self.scene.records() if one["event_type"] == kind)
        return [one for one in found if fields.items() <= one.items()]

    def server_dialogue(self, theirs: socket.socket, mail: bytes = b"354 go\r\n") -> None:
        """A server's part up to DATA."""
        theirs.sendall(b"220 hi\r\n")
        for reply in (b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", mail):
            self.assertTrue(theirs.recv(4096).endswith(b"\r\n"))
            theirs.sendall(reply)

    def client_dialogue(self, ours: socket.socket) -> None:
        """A client's part up to DATA, without waiting."""
        ours.sendall(b"EHLO c\r\nMAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\nDATA\r\n")

    def in_data(self) -> tuple[socket.socket, socket.socket]:
        """A client that may send its message, and the server."""
        listener = self.listen(27)
        ours = self.dial((SERVER, 27))
        theirs, _ = self.accept(listener)
        listener.close()
        self.client_dialogue(ours)
        self.server_dialogue(theirs)
        heard = b""
        while b"354 go\r\n" not in heard:
            heard += ours.recv(4096)
        return ours, theirs


class PostfixTests(SmtpCase):
    """Postfix takes the mail, as it was before smuggling was known."""

    postfix: Postfix

    def prepare(self) -> None:
        for port in (25, 28, 29):
            folder = self.scene.folder / f"postfix{port}"
            Postfix(self.server, folder, SERVER, port).start()

    def mailbox(self, port: int = 25) -> Postfix:
        return Postfix(self.server, self.scene.folder / f"postfix{port}", SERVER, port)

    def test_swaks(self) -> None:
        """swaks, with pipelining: delivered, and recorded with Postfix's own name for it."""
        before = len(self.mailbox().messages())
        said = self.client.run(
            *("swaks", "--server", SERVER, "--from", "a@a.example", "--to", "bob@b.example"),
            *("--helo", "c.example", "--pipeline", "--attach-name", "a.txt", "--attach", "x"),
            *("--header", "Subject: from swaks"),
        )
        self.assertNotIn("XCLIENT", said)
        self.wait(lambda: self.records("email", subject="from swaks"), "no email record")
        self.assertEqual(self.records("email", subject="from swaks")[0]["attachment"], ["a.txt"])
        record = self.records("smtp", mail_from="<a@a.example>", helo="c.example")[-1]
        self.assertEqual(record["rcpt_to"], ["<bob@b.example>"])
        self.assertIn(f"queued as {record['queue_id']}", said)
        self.wait(lambda: self.mailbox().delivered(record["queue_id"]), self.mailbox().log)
        self.assertEqual(len(self.mailbox().messages()), before + 1)

    def test_curl(self) -> None:
        """curl, which sends lone LFs as they are unless it is told C{--crlf}."""
        before = len(self.mailbox().messages())
        self.client.run(
            *("curl", "-sS", "--crlf", f"smtp://{SERVER}/c.example", "--mail-from", "a@a.example"),
            *("--mail-rcpt", "bob@b.example", "--upload-file", "-"),
            input="Subject: curl\n\n.dot\n",
        )
        self.wait(lambda: len(self.mailbox().messages()) > before, self.mailbox().log)
        self.assertEqual(self.mailbox().messages()[-1].get_payload().strip(), ".dot")

    def test_international(self) -> None:
        """smtplib, with an address beyond ASCII, and 8-bit content."""
        before = len(self.mailbox().messages())
        client = self.smtp()
        text = "Subject: x\r\n\r\nGr\u00fc\u00dfe\r\n".encode()
        options = ["SMTPUTF8", "BODY=8BITMIME"]
        client.sendmail("\u00fc@a.example", ["\u00e4@b.example"], text, mail_options=options)
        client.quit()
        self.wait(lambda: len(self.mailbox().messages()) > before, self.mailbox().log)

    def test_chunks(self) -> None:
        """BDAT, to a Postfix that knows it."""
        before = len(self.mailbox().messages())
        client = self.smtp()
        client.ehlo()
        self.assertTrue(client.has_extn("chunking"))
        self.assertEqual(client.mail("a@a.example")[0], 250)
        self.assertEqual(client.rcpt("bob@b.example")[0], 250)
        client.send(b"BDAT 12\r\nSubject: x\r\n")
        self.assertEqual(client.getreply(), (250, b"2.0.0 12 octets received"))
        client.send(b"BDAT 8 LAST\r\n\r\n.\r\nb\r\n")
        self.assertEqual(client.getreply()[0], 250)
        client.quit()
        self.wait(lambda: len(self.mailbox().messages()) > before, self.mailbox().log)
        self.assertEqual(self.mailbox().messages()[-1].get_payload().strip(), ".\nb")

    def test_refused(self) -> None:
        """Neither a recipient elsewhere nor a program attached reaches Postfix."""
        client = self.smtp()
        client.ehlo()
        client.mail("a@a.example")
        self.assertEqual(client.rcpt("bob@c.example"), (550, b"5.7.1 Relaying denied"))
        self.assertEqual(client.rcpt("bob@b.example")[0], 250)
        exe = b'Subject: exe\r\nContent-Disposition: attachment; filename="a.exe"\r\n\r\nMZ\r\n'
        self.assertEqual(client.data(exe), (550, b"5.7.1 Not accepted with this attachment"))
        client.sendmail("a@a.example", ["bob@b.example"], b"Subject: next\r\n\r\nx\r\n")
        client.quit()
        self.wait(lambda: "next" in self.subjects(), self.mailbox().log)
        self.assertNotIn("exe", self.subjects())

    def subjects(self) -> list[str]:
        """What has arrived."""
        return [one["subject"] for one in self.mailbox().messages()]

    def smuggle(self, port: int, variant: bytes) -> list[str]:
        """The subjects that arrive if a message hides another one."""
        before = len(self.mailbox(port).messages())
        client = self.smtp(port)
        client.ehlo()
        client.mail("a@a.example")
        client.rcpt("bob@b.example")
        client.putcmd("DATA")
        self.assertEqual(client.getreply()[0], 354)
        client.send(b"Subject: outer\r\n\r\nx" + variant + SMUGGLED)
        code, _ = client.getreply()
        client.close()
        if code == 250:
            self.wait(lambda: len(self.mailbox(port).messages()) > before, "not delivered")
            wait_until(lambda: len(self.mailbox(port).messages()) > before + 1, 0.5)
        return [one["subject"] for one in self.mailbox(port).messages()[before:]]

    def test_smuggling(self) -> None:
        """A second message comes out of one without the gateway, and never with it."""
        self.assertEqual(self.smuggle(29, b"\n.\n"), ["outer", "smuggled"])
        for variant in (b"\n.\n", b"\n.\r\n", b"\r\n.\n"):
            self.assertEqual(self.smuggle(25, variant), [])
            self.assertEqual(self.smuggle(28, variant), ["outer"])


class EndingTests(SmtpCase):
    """Peers that die, and servers that are not there."""

    def test_client_dies(self) -> None:
        """Before the dot: the server's connection is reset, not ended."""
        ours, theirs = self.in_data()
        ours.sendall(b"Subject: x\r\n\r\nhalf\r\n")
        ours.close()
        with self.assertRaises(ConnectionResetError):
            while theirs.recv(4096):
                pass
            self.fail("an orderly end")

    def test_server_dies(self) -> None:
        """Within the message, the client is told 421; with its dot, nothing: nobody knows."""
        for message, expected in ((b"x\r\n", b"421 4.4.2 "), (b"x\r\n.\r\n", b"")):
            ours, theirs = self.in_data()
            ours.sendall(message)
            heard = b""
            while not heard.endswith(message):
                heard += theirs.recv(4096)
            theirs.shutdown(socket.SHUT_WR)  # close() would reset, with bytes unread
            self.assertEqual(hear(ours)[:10], expected)
            theirs.close()

    def test_unreachable(self) -> None:
        """A client whose server is down is told to come back."""
        ours = self.dial((SERVER, 26))
        self.assertTrue(hear(ours).startswith(b"421 4.4.1 "))


class LoadTests(SmtpCase):
    """Much, and large."""

    def test_parallel(self) -> None:
        """A hundred sessions at once of Postfix's own generator, none of them lost."""
        self.server.start("smtp-sink", "-u", "postfix", "-4", f"{SERVER}:26", "200")
        self.wait(lambda: self.listens(26), "smtp-sink does not listen")
        count = 3 * PARALLEL
        self.client.run(
            *("smtp-source", "-4", "-s", str(PARALLEL), "-m", str(count), "-l", "4096"),
            *("-f", "load@a.example", "-t", "bob@b.example", f"{SERVER}:26"),
        )
        self.wait(lambda: self.taken() == count, f"not {count} messages", 20)
        self.assertEqual(self.taken(), count)

    def taken(self) -> int:
        """How many messages the audit says were taken."""
        return sum("size" in one for one in self.records("smtp", mail_from="<load@a.example>"))

    def listens(self, port: int) -> bool:
        return f":{port} " in self.server.run("ss", "-Hltn")

    def test_aiosmtpd_and_large(self) -> None:
        """50 MB to aiosmtpd at constant memory, byte for byte as many as were sent."""
        process = self.server.start(
            *(sys.executable, "-c", SINK, SERVER, "25", str(2 * LARGE)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        assert process.stdout is not None
        self.assertEqual(process.stdout.readline(), b"ready\n")
        client = self.smtp()
        client.sendmail("a@a.example", ["b@b.example"], b"Subject: warm\r\n\r\nx\r\n")
        before = self.memory()
        line = b"." + b"x" * 75 + b"\r\n"
        message = b"Subject: large\r\n\r\n" + line * (LARGE // len(line))
        client.sendmail("a@a.example", ["b@b.example"], message)
        client.quit()
        self.assertLess(self.memory() - before, 8 << 20)
        process.stdout.readline()
        self.assertEqual(int(process.stdout.readline().split()[0]), len(message))

    def memory(self) -> int:
        """The most memory that the gateway has had, in bytes."""
        pids = [self.scene.daemon.pid]
        for pid in self.router.processes():
            with open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123
                if b"twistd" in file.read():
                    pids.append(pid)
        return max(_peak(pid) for pid in pids)


def _peak(pid: int) -> int:
    with open(f"/proc/{pid}/status") as file:  # noqa: PTH123
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    return 0
