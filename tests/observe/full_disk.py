"""
What happens on a disk that is really full: a tiny file system in a mount namespace of its own.

Run by L{tests.observe.test_full_disk} as
C{unshare --mount python -m tests.observe.full_disk SCENARIO FOLDER}.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from gateway.observe.audit import Audit
from gateway.policy.audit import AuditSettings
from tests.observe.reading import flows_amiss, read_records
from tests.observe.sessions import Reactor, write_flows

SMALL, LARGE = "32k", "4m"


class Disk:
    """A file system with room for a dozen records or so, and an audit on it."""

    def __init__(self, folder: Path, when_full: str) -> None:
        self.folder = folder
        self.file = folder / "eve.json"
        self.states: list[bool] = []
        self.reactor = Reactor()
        mount("-t", "tmpfs", "-o", f"size={SMALL}", "none", str(folder))
        (folder / "ballast").write_bytes(b"x" * 20480)
        self.audit = Audit(
            AuditSettings(file=str(self.file), buffer=8192, when_full=when_full),
            time.time,
            self.reactor.from_thread,
            self.states.append,
        )
        self.audit.start()

    def fill(self) -> int:
        """Write flow records until the disk and the buffer are full. Returns how many."""
        for number in range(1, 201):
            write_flows(self.audit, range(number, number + 1))
            if self.audit.full and self.size() == 12288:
                return number
            time.sleep(0.002)  # for the thread to write what fits
        raise AssertionError(f"not full: {self.size()} bytes")

    def size(self) -> int:
        return self.file.stat().st_size if self.file.exists() else 0

    def wait_for(self, text: bytes) -> None:
        end = time.monotonic() + 10
        while text not in self.file.read_bytes():
            assert time.monotonic() < end, f"no {text!r}"
            time.sleep(0.01)

    def grow(self) -> None:
        mount("-o", f"remount,size={LARGE}", str(self.folder))


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def refuse(folder: Path) -> None:
    """No new sessions while it lasts; no record is lost, in spite of a line that was torn."""
    disk = Disk(folder, "refuse")
    count = disk.fill()
    assert disk.audit.refusing and disk.states == [True], disk.states
    write_flows(disk.audit, range(count + 1, count + 21))  # sessions that were running
    assert not disk.file.read_bytes().endswith(b"\n"), "the disk did not fill up within a line"
    disk.grow()
    disk.reactor.run_until(lambda: disk.states == [True, False])
    disk.audit.close()
    records = read_records(disk.file)
    assert [record["flow_id"] for record in records] == list(range(1, count + 21))
    assert not flows_amiss(records) and disk.audit.dropped == 0


def drop(folder: Path) -> None:
    """Traffic goes on; what was dropped is counted, in the file too."""
    disk = Disk(folder, "drop")
    disk.fill()
    write_flows(disk.audit, range(1000, 1050))
    assert not disk.audit.refusing and disk.audit.dropped >= 50
    disk.grow()
    disk.reactor.run_until(lambda: not disk.audit.full)
    disk.wait_for(b'"dropped"')  # without another session that would bring it about
    write_flows(disk.audit, range(2000, 2001))
    disk.audit.close()
    records = read_records(disk.file)
    reports = [record["audit"]["dropped"] for record in records if record["event_type"] == "audit"]
    assert reports == [disk.audit.dropped], reports
    assert records[-2]["event_type"] == "audit" and records[-1]["flow_id"] == 2000
    assert disk.states == []


def rotate(folder: Path) -> None:
    """A file that is renamed while its last line is torn ends with a whole line."""
    disk = Disk(folder, "refuse")
    count = disk.fill()
    old = disk.file.rename(folder / "eve.json.1")
    disk.audit.reopen()
    disk.grow()
    disk.reactor.run_until(lambda: disk.states == [True, False])
    disk.audit.close()
    records = read_records(old) + read_records(disk.file)
    assert [record["flow_id"] for record in records] == list(range(1, count + 1))
    assert disk.size() > 0 and disk.audit.waiting == 0


def stop(folder: Path) -> None:
    """A gateway that stops does not wait for ever, and leaves no torn line."""
    disk = Disk(folder, "refuse")
    disk.fill()
    began = time.monotonic()
    disk.audit.close(seconds=0.3)
    assert time.monotonic() - began < 2
    assert read_records(disk.file)


SCENARIOS = {scenario.__name__: scenario for scenario in (refuse, drop, rotate, stop)}

if __name__ == "__main__":
    SCENARIOS[sys.argv[1]](Path(sys.argv[2]))
