"""The audit writes every record exactly once, whatever happens to its file, and blocks nobody."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from twisted.logger import formatEvent
from twisted.trial.unittest import SynchronousTestCase

from gateway.observe.audit import Audit
from gateway.observe.file import AuditError
from gateway.observe.log import PrintableLogger
from gateway.policy.audit import AuditSettings
from tests.observe.reading import flows_amiss, read_records
from tests.observe.sessions import Reactor, identity, write_flows


class AuditTestCase(SynchronousTestCase):
    """An audit on a file of its own."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.file = self.folder / "eve.json"
        self.reactor = Reactor()
        self.states: list[bool] = []

    def audit(self, audit: str | None = None, standard_output: int = 1, **log: Any) -> Audit:
        made = Audit(
            AuditSettings(file=str(self.file) if audit is None else audit, **log),
            time.time,
            self.reactor.from_thread,
            self.states.append,
            standard_output,
        )
        self.addCleanup(made.close, 0.1)
        return made

    def messages(self) -> list[str]:
        """The diagnostics of every audit that is made after this call."""
        messages: list[str] = []
        logger = PrintableLogger(observer=lambda event: messages.append(formatEvent(event)))
        self.patch(Audit, "_log", logger)
        return messages

    def numbers(self, *files: Path) -> list[int]:
        return [record["flow_id"] for file in files for record in read_records(file)]


class FileTests(AuditTestCase):
    """A regular file, and nothing goes wrong."""

    def test_everything_is_there_after_a_stop(self) -> None:
        """Records of sessions that end just before the stop are written."""
        audit = self.audit()
        audit.start()
        audit.event("http", identity(0), {"status": 200})
        write_flows(audit, range(1, 5000))
        audit.close()
        self.assertEqual(self.numbers(self.file), list(range(5000)))
        self.assertEqual(audit.waiting, 0)

    def test_records_before_the_start(self) -> None:
        """A record that comes before the thread runs waits for it."""
        audit = self.audit()
        audit.open()
        write_flows(audit, range(3))
        audit.start()
        audit.close()
        self.assertEqual(self.numbers(self.file), [0, 1, 2])

    def test_appends(self) -> None:
        """A restart keeps what is there, and a line that a crash left torn spoils no other."""
        self.file.write_text('{"flow_id":1}\n{"flow_')
        audit = self.audit()
        audit.start()
        write_flows(audit, range(2, 3))
        audit.close()
        lines = self.file.read_text().splitlines()
        self.assertEqual(lines[:2], ['{"flow_id":1}', '{"flow_'])
        self.assertIn('"flow_id":2,', lines[2])

    def test_not_readable_by_all(self) -> None:
        """The file is made for its owner and group alone, and for those that are asked for."""
        audit = self.audit()
        audit.open(owner=(os.getuid(), os.getgid()))
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o640)

    def test_none(self) -> None:
        """C{audit = ""} writes nothing and costs nothing."""
        audit = self.audit("")
        audit.open()
        audit.start()
        write_flows(audit, range(10))
        audit.reopen()
        audit.close()
        self.assertEqual((audit.waiting, list(self.folder.iterdir())), (0, []))

    def test_standard_output(self) -> None:
        """C{"-"} writes to standard output, and leaves it open and blocking for others."""
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        audit = self.audit("-", standard_output=writing)
        audit.start()
        write_flows(audit, range(3))
        audit.reopen()
        audit.close()
        self.assertEqual(os.read(reading, 65536).count(b"\n"), 3)
        self.assertTrue(os.get_blocking(writing))
        os.close(writing)

    def test_standard_output_of_the_background(self) -> None:
        """Standard output that leads nowhere is worth a warning."""
        null = os.open(os.devnull, os.O_RDWR)
        self.addCleanup(os.close, null)
        messages = self.messages()
        audit = self.audit("-", standard_output=null)
        audit.start()
        audit.close()
        self.assertEqual(len(messages), 1)
        self.assertIn("/dev/null", messages[0])


class OpenTests(AuditTestCase):
    """A file that can't be opened stops the start, with words for the operator."""

    def assert_refused(self, path: Path, *words: str) -> None:
        error = self.assertRaises(AuditError, self.audit(str(path)).start)
        for word in (str(path), "gateway.toml", *words):
            self.assertIn(word, str(error))

    def test_missing_folder(self) -> None:
        """It says which folder to make."""
        self.assert_refused(self.folder / "no" / "eve.json", f"mkdir -p {self.folder / 'no'}")

    def test_folder(self) -> None:
        """A folder is no file."""
        self.assert_refused(self.folder, "name a file in it")

    def test_not_allowed(self) -> None:
        """It says who may not write what."""
        if os.geteuid() != 0:
            self.file.touch(mode=0o400)
            self.assert_refused(self.file, "let user")
            return
        program = (
            "import os, sys\n"
            "from gateway.observe.file import AuditError, AuditFile\n"
            "os.setuid(65534)\n"
            "try: AuditFile(sys.argv[1]).open()\n"
            "except AuditError as error: print(error)\n"
        )
        path = "/etc/passwd"
        done = subprocess.run(
            [sys.executable, "-c", program, path],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        )
        self.assertIn("let user 65534 write the file", done.stdout)


class RotationTests(AuditTestCase):
    """Rename, then reopen: what every rotation program does."""

    def test_no_record_is_lost_or_doubled(self) -> None:
        """All records are in the files, in order, while sessions go on."""
        audit = self.audit()
        audit.start()
        files = []
        for turn in range(20):
            write_flows(audit, range(turn * 100, turn * 100 + 50))
            files.append(self.file.rename(self.folder / f"eve.json.{turn}"))
            audit.reopen()
            write_flows(audit, range(turn * 100 + 50, turn * 100 + 100))
            self.reactor.run_until(self.file.exists)
        audit.close()
        self.assertEqual(self.numbers(*files, self.file), list(range(2000)))
        self.assertEqual(flows_amiss(r for f in (*files, self.file) for r in read_records(f)), [])

    def test_without_a_rename(self) -> None:
        """Reopening the same file changes nothing."""
        audit = self.audit()
        audit.start()
        write_flows(audit, range(10))
        audit.reopen()
        write_flows(audit, range(10, 20))
        audit.close()
        self.assertEqual(self.numbers(self.file), list(range(20)))

    def test_can_not_be_opened_again(self) -> None:
        """Then records go on to the old file, and the log says so."""
        audit = self.audit()
        audit.start()
        kept = self.file.rename(self.folder / "kept")
        self.file.mkdir()
        audit.reopen()
        write_flows(audit, range(10))
        audit.close()
        self.assertEqual(self.numbers(kept), list(range(10)))


class ReloadTests(AuditTestCase):
    """Settings that change while sessions go on."""

    def move(self, audit: Audit, file: Path | None, **others: Any) -> None:
        settings = AuditSettings(file="" if file is None else str(file), **others)
        audit.prepare(settings)
        audit.adopt(settings)

    def test_another_file(self) -> None:
        """Each record is in one of the files, in order."""
        audit = self.audit()
        audit.start()
        files = [self.file, *(self.folder / f"eve.{number}" for number in range(20))]
        for turn, file in enumerate(files[1:]):
            write_flows(audit, range(turn * 10, turn * 10 + 10))
            self.move(audit, file)
        write_flows(audit, range(200, 210))
        audit.close()
        self.assertEqual(self.numbers(*files), list(range(210)))

    def test_none_and_one_again(self) -> None:
        """What came before there was none is written, and what came when there was one again."""
        audit = self.audit()
        audit.start()
        write_flows(audit, range(10))
        self.move(audit, None)
        write_flows(audit, range(10, 20))
        other = self.folder / "other"
        self.move(audit, other)
        write_flows(audit, range(20, 30))
        audit.close()
        self.assertEqual(self.numbers(self.file), list(range(10)))
        self.assertEqual(self.numbers(other), list(range(20, 30)))

    def test_can_not_be_opened(self) -> None:
        """Then nothing has changed, and whoever wants it is told why."""
        audit = self.audit()
        audit.start()
        wrong = AuditSettings(file=str(self.folder / "missing" / "eve.json"))
        self.assertRaises(AuditError, audit.prepare, wrong)
        audit.abandon()
        write_flows(audit, range(10))
        audit.close()
        self.assertEqual(self.numbers(self.file), list(range(10)))

    def test_given_up(self) -> None:
        """A file that was opened for a policy which does not come gets nothing."""
        audit = self.audit()
        audit.start()
        other = self.folder / "other"
        audit.prepare(AuditSettings(file=str(other)))
        audit.abandon()
        write_flows(audit, range(10))
        audit.close()
        self.assertEqual(self.numbers(self.file, other), list(range(10)))

    def test_out_of_a_full_one(self) -> None:
        """What waited for a pipe that nobody reads is in the other file, and nothing is lost."""
        os.mkfifo(self.file)
        audit = self.audit(buffer=20000)
        audit.start()
        write_flows(audit, range(400))
        self.assertTrue(audit.refusing)
        reading = os.open(self.file, os.O_RDONLY | os.O_NONBLOCK)
        other = self.folder / "other"
        self.move(audit, other, buffer=20000)
        self.reactor.run_until(lambda: self.states == [True, False])
        audit.close()
        with os.fdopen(reading, "rb") as left:
            # of a full pipe nobody can take back the line that was begun: it is in the other file
            whole, newline, _ = left.read().rpartition(b"\n")
        (self.folder / "read").write_bytes(whole + newline)
        self.assertEqual(self.numbers(self.folder / "read", other), list(range(400)))

    def test_drop(self) -> None:
        """Who waits for room may come when records are to be dropped from now on."""
        os.mkfifo(self.file)
        audit = self.audit(buffer=20000)
        audit.start()
        write_flows(audit, range(400))
        self.move(audit, self.file, buffer=20000, when_full="drop")
        self.assertEqual(self.states, [True, False])
        audit.close(seconds=0.1)


class SlowReaderTests(AuditTestCase):
    """A pipe that nobody reads, or slowly."""

    def setUp(self) -> None:
        super().setUp()
        os.mkfifo(self.file)

    def test_nobody_reads(self) -> None:
        """Neither the start, nor a session, nor the stop waits for a reader."""
        began = time.monotonic()
        audit = self.audit(buffer=20000)
        audit.start()
        write_flows(audit, range(400))
        self.assertTrue(audit.refusing)
        self.assertEqual(self.states, [True])
        busy = time.process_time()
        audit.close(seconds=0.5)
        self.assertLess(time.process_time() - busy, 0.25)
        self.assertLess(time.monotonic() - began, 5)

    def test_standard_output_that_nobody_reads(self) -> None:
        """The same, although it can't be made non-blocking: it is shared with others."""
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        self.addCleanup(os.close, writing)
        audit = self.audit("-", standard_output=writing)
        audit.start()
        write_flows(audit, range(400))
        audit.close(seconds=0.3)
        self.assertNotIn("audit", [thread.name for thread in threading.enumerate()])

    def test_a_reader_comes(self) -> None:
        """Then it gets every record, and sessions are admitted again."""
        audit = self.audit(buffer=20000)
        audit.start()
        write_flows(audit, range(400))
        target = self.folder / "read"
        with target.open("wb") as output:
            reader = subprocess.Popen(["cat", str(self.file)], stdout=output)
            self.reactor.run_until(lambda: self.states == [True, False])
            audit.close()
            reader.wait(timeout=10)
        self.assertEqual(self.numbers(target), list(range(400)))

    def test_bounded(self) -> None:
        """Even with "refuse", running sessions don't fill the memory."""
        audit = self.audit(buffer=4096)
        audit.open()
        write_flows(audit, range(1000))
        self.assertLessEqual(audit.waiting, 4096 * 16)
        self.assertGreater(audit.dropped, 800)


class FullDeviceTests(AuditTestCase):
    """C{/dev/full}: no write ever works."""

    def test_told_once(self) -> None:
        """The log says so once, however often it is tried, and the stop says what was lost."""
        messages = self.messages()
        audit = self.audit("/dev/full")
        audit.start()
        write_flows(audit, range(5))
        audit.close(seconds=0.5)
        self.reactor.run()
        self.assertEqual(len(messages), 2, messages)
        self.assertIn("were lost at the end", messages[0])
        self.assertIn("can't be written", messages[1])
