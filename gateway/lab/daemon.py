"""The real C{twistd tproxygw}, running in a namespace."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from attrs import define, field

from gateway.lab.namespace import Namespace
from gateway.lab.waiting import wait_until, work_done

TWISTD = str(Path(sys.executable).with_name("twistd"))

READY = "started with "
"""What the gateway's log says once connections are intercepted."""


class NotReady(Exception):
    """The gateway did not come up; the message is what its log says."""


@define(eq=False)
class Daemon:
    """
    One gateway process, started with the options of C{twistd}.

    C{log} gets its standard output and error, which is where C{twistd
    --nodaemon} writes its log. C{before} goes before the command: C{prlimit},
    for example. C{environment} is added to this process's own. C{keeper} and C{carrier} are the
    sockets of such processes that run; without them the gateway starts its own.
    """

    namespace: Namespace
    config: Path
    log: Path
    options: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    environment: dict[str, str] = field(factory=dict)
    keeper: Path | None = None
    carrier: Path | None = None
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _start_of_log: int = field(default=0, init=False)

    @property
    def command(self) -> tuple[str, ...]:
        """The whole command line, as run in the namespace."""
        twistd = (TWISTD, "--nodaemon", "--pidfile=", *self.options)
        return (*self.before, *twistd, "tproxygw", *self.folders)

    @property
    def folders(self) -> tuple[str, ...]:
        """The options of C{tproxygw}: where its configuration is, and what is its own."""
        control = ("--control", str(self.control))
        keeper = ("--keeper", str(self.keeper)) if self.keeper else ()
        carrier = ("--carrier", str(self.carrier)) if self.carrier else ()
        folders = ("--config", str(self.config), "--state", str(self.state))
        return (*folders, *control, *keeper, *carrier)

    @property
    def control(self) -> Path:
        """The socket for C{tproxygw reload}."""
        return self.log.with_suffix(".control")

    @property
    def state(self) -> Path:
        """The folder where the last good rules are kept, beside the log."""
        return self.log.with_suffix(".state")

    def start(self, seconds: float = 20) -> None:
        """
        Start it and wait until it intercepts.

        @param seconds: how long it may stand still; a slow machine only makes it slow.
        @raise NotReady: it ended, or stood still.
        """
        self.launch()
        wait_until(lambda: self.ready or self.ended, seconds, progress=self._progress)
        if not self.ready:
            status = self.process.poll() if self.process is not None else None
            self.kill()
            how = "took too long to start" if status is None else f"ended with status {status}"
            raise NotReady(f"the gateway {how}:\n{self.said or '(it said nothing)'}")

    def _progress(self) -> tuple[int, int]:
        """What changes as long as it does something."""
        return work_done(self.pid), self.log.stat().st_size

    def launch(self) -> None:
        """Start it, and don't wait."""
        self._start_of_log = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = self.namespace.start(
                *self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, **self.environment},
            )

    @property
    def said(self) -> str:
        """What its log says since the last start."""
        return self.log.read_bytes()[self._start_of_log :].decode(errors="replace")

    @property
    def ready(self) -> bool:
        """Whether it says that it intercepts."""
        return READY in self.said

    @property
    def ended(self) -> bool:
        """Whether the process has ended."""
        return self.process is None or self.process.poll() is not None

    @property
    def pid(self) -> int:
        """The identifier of the running process."""
        assert self.process is not None
        return self.process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self.process is not None:
            self.process.send_signal(number)

    def stop(self, seconds: float = 15) -> bool:
        """Stop it cleanly; false if it did not end in so many seconds and was killed."""
        self.signal(signal.SIGTERM)
        if wait_until(lambda: self.ended, seconds):
            return True
        self.kill()
        return False

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
