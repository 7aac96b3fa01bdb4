"""SMTP through the real gateway: much at once, and large."""

from __future__ import annotations

from pathlib import Path

from tests.netns.case import SERVER
from tests.netns.mail.case import SmtpCase, smtp
from tests.netns.mail.client import FROM, TO
from tests.netns.mail.server import Aiosmtpd

PARALLEL = 100
LARGE = 50_000_000
LINE = b"." + b"x" * 75 + b"\r\n"


class LoadTests(SmtpCase):
    """Much, and large."""

    servers = {25: Aiosmtpd}
    services = {
        "mail": smtp(
            "25, 26", 'message_bytes = 100_000_000\nheaders = [{name = "X-Not", action = "reject"}]'
        )
    }

    def test_parallel(self) -> None:
        """A hundred sessions at once of Postfix's own generator, none of them lost."""
        self.server.start("smtp-sink", "-u", "postfix", "-4", f"{SERVER}:26", "200")
        self.wait(lambda: ":26 " in self.server.run("ss", "-Hltn"), "smtp-sink does not listen")
        count = 3 * PARALLEL
        self.client.run(
            *("smtp-source", "-4", "-s", str(PARALLEL), "-m", str(count), "-l", "4096"),
            *("-f", "load@a.example", "-t", TO, f"{SERVER}:26"),
        )
        self.wait(lambda: self.taken() >= count, f"not {count} messages", 20)
        self.assertEqual(self.taken(), count)

    def taken(self) -> int:
        """How many messages the audit says were taken."""
        return sum("size" in one for one in self.records("smtp", mail_from="<load@a.example>"))

    def test_large(self) -> None:
        """50 MB at constant memory, byte for byte as many as were sent."""
        client = self.smtp()
        client.sendmail(FROM, ["count@b.example"], b"Subject: warm\r\n\r\n" + LINE * 20_000)
        before = self.memory()
        message = b"Subject: large\r\n\r\n" + LINE * (LARGE // len(LINE))
        client.sendmail(FROM, ["count@b.example"], message)
        client.quit()
        self.assertLess(self.memory() - before, 4 << 20)
        self.assertIn(f"{len(message)} bytes for ['count@b.example']\n", self.running[25].log)

    def memory(self) -> int:
        """The most memory that the gateway has had, in bytes."""
        return max(_peak(pid) for pid in self.router.processes() if b"twistd" in _command(pid))


def _command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def _peak(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    raise AssertionError(f"process {pid} has no memory")
