"""The audit: what happened in each session, for machines, and for whoever has to account for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Thread
from types import MappingProxyType

from gateway.interfaces import Verdict
from gateway.observe.file import (
    STANDARD_OUTPUT,
    AuditError,
    AuditFile,
    Destination,
    Owner,
)
from gateway.observe.identity import Identity, Released, Upstream
from gateway.observe.log import PrintableLogger
from gateway.observe.record import Records
from gateway.observe.writer import Writer
from gateway.policy.audit import AuditSettings
from gateway.policy.connection import Protocol

RESERVE = 16
"""
With C{when_full = "refuse"} the sessions that are running may write so many
times C{buffer} more. The defaults (16 MiB) hold a flow record for each of
20,000 sessions, with some to spare.
"""

LAST_SECONDS = 2.0
"""For what waits when no more is to be written."""

REFUSE = "refuse"

NOTHING: Mapping[str, object] = MappingProxyType({})
"""No fields."""


def _ignore(refusing: bool) -> None:
    """Nobody asked."""


class Audit:
    """
    Takes records and has them written by a thread. Never blocks, never raises for a disk.

    Records wait in memory while they can't be written. When more than
    C{audit.buffer} bytes wait, the audit is L{full}: with C{when_full =
    "refuse"} it is then L{refusing}, and C{changed} is called so that no new
    session is admitted; with C{"drop"}, records are dropped, counted, and the
    count is written as a record of its own once there is room.

    @param clock: seconds since the epoch. The times of L{flow} are of the same clock.
    @param from_thread: calls a callable in the reactor's thread:
        C{reactor.callFromThread}.
    @param changed: called in the reactor's thread with the new value of L{refusing}.
    @param file: where records go, if not to the file that C{settings} name.
    """

    _log = PrintableLogger()

    def __init__(
        self,
        settings: AuditSettings,
        clock: Callable[[], float],
        from_thread: Callable[[Callable[[], object]], object],
        changed: Callable[[bool], object] = _ignore,
        standard_output: int = 1,
        file: Destination | None = None,
    ) -> None:
        self.dropped = 0
        self.full = False
        self._take_bounds(settings)
        self._enabled = bool(settings.file)
        self._clock = clock
        self._from_thread = from_thread
        self._changed = changed
        self._records = Records()
        self._tapped: Callable[[bytes], object] | None = None
        self._wanted = self._enabled
        self._unreported = 0
        self._first_dropped = self._last_dropped = 0.0
        self._standard_output = standard_output
        self._file: Destination = file or AuditFile(settings.file, standard_output)
        self._coming: AuditFile | None = None
        self._last: Thread | None = None
        self._writer = self._made()

    def _made(self) -> Writer:
        """A writer to the file, that does not write yet."""
        return Writer(
            self._file,
            self._limit // 2,
            failed=self._on_failed,
            recovered=self._on_recovered,
            reopened=self._on_reopened,
            relieved=self._on_relieved,
        )

    def _take_bounds(self, settings: AuditSettings) -> None:
        """How much may wait."""
        self._settings = settings
        self._limit = settings.buffer
        self._refuses = settings.when_full == REFUSE
        self._most = settings.buffer * (RESERVE if self._refuses else 1)

    @property
    def refusing(self) -> bool:
        """Whether new sessions have to wait, as their records could not be written."""
        return self.full and self._refuses

    @property
    def waiting(self) -> int:
        """Bytes that are not written yet."""
        return self._writer.waiting

    def tap(self, tell: Callable[[bytes], object] | None) -> None:
        """
        Have C{tell} called with each record that comes, a line of JSON, whether there is a file
        or not; C{None}: no more. It must not take long, and not raise anything.
        """
        self._tapped = tell
        self._wanted = self._enabled or tell is not None

    def open(self, owner: Owner | None = None) -> None:
        """
        Open the file. May be called with more privileges than L{start}.

        @param owner: user and group ids for a file that is made here.
        @raise AuditError: it can't be written. The operator must mend that first.
        """
        if self._enabled:
            self._file.open(owner)

    def start(self) -> None:
        """
        Begin to write. Call it after the process has forked for the last time.

        @raise AuditError: as L{open}, which is called if nobody did.
        """
        if not self._enabled:
            return
        if not self._file.is_open:
            self._file.open()
        if self._file.path == STANDARD_OUTPUT and self._file.is_null:
            self._log.warn(
                "audit records go to /dev/null: a process in the background has no standard "
                "output. Name a file as 'file' in the [audit] table of gateway.toml"
            )
        self._writer.start()

    def event(
        self,
        event_type: str,
        identity: Identity,
        fields: Mapping[str, object],
        gateway: Mapping[str, object] = NOTHING,
    ) -> None:
        """
        Something happened in a session.

        @param fields: becomes the object named C{event_type}. Any value will do.
        @param gateway: is added to the object C{gateway}.
        @raise ValueError: C{event_type} is no word, or is one of the gateway's own.
        """
        if self._wanted:
            self._put(self._records.event(self._clock(), event_type, identity, fields, gateway))

    def prepared(self, event_type: str, identity: Identity, fields: str, gateway: str) -> None:
        """L{event} of what is written already: the members of the two objects."""
        if self._wanted:
            self._put(self._records.prepared(self._clock(), event_type, identity, fields, gateway))

    def flow(
        self,
        identity: Identity,
        verdict: Verdict,
        started: float,
        ended: float,
        bytes_to_server: int,
        bytes_to_client: int,
        upstream: Upstream | None = None,
        denied: int = 0,
        released: Released | None = None,
    ) -> None:
        """
        A session is over. To be called exactly once for each, whatever happened to it.

        @param denied: how many of its transactions did not pass.
        @param released: where it passed, if nothing was left to inspect and the kernel may have it.
        """
        if self._wanted:
            line = self._records.flow(
                identity,
                verdict,
                started,
                ended,
                bytes_to_server,
                bytes_to_client,
                upstream,
                denied,
                released,
            )
            self._put(line)

    def refused(
        self,
        service: str,
        protocol: Protocol,
        reason: str,
        count: int,
        between: tuple[float, float],
    ) -> None:
        """So many connections became no session, beside those that have a flow record."""
        if self._wanted:
            self._put(
                self._records.refused(self._clock(), service, protocol, reason, count, between)
            )

    def take(self, lines: bytes) -> None:
        """
        Records of another process, whole lines. It is to bring no more while this is
        L{pressed}, for here they are not dropped.
        """
        if self._tapped is not None:
            for line in lines.splitlines(keepends=True):
                self._tapped(line)
        if self._enabled:
            self._writer.put(lines)

    @property
    def pressed(self) -> bool:
        """Whether as much waits as may."""
        return self._writer.waiting >= self._limit

    def ended(self, process: str, how: str, sessions: int, torn: int) -> None:
        """A process of ours has ended, and should not have, with so many sessions."""
        if self._wanted:
            self._put(self._records.ended(self._clock(), process, how, sessions, torn))

    def reopen(self) -> None:
        """The file was renamed: go on in a new one. No record is lost or written twice."""
        if self._enabled:
            self._records.forget()
            self._writer.reopen()

    def prepare(self, settings: AuditSettings) -> None:
        """
        Other settings come: open their file, if it is another one. It blocks. After this L{adopt}
        or L{abandon} is called.

        @raise AuditError: it can't be written. Nothing has changed.
        """
        if settings.file and settings.file != self._settings.file:
            coming = AuditFile(settings.file, self._standard_output)
            coming.open()
            self._coming = coming

    def abandon(self) -> None:
        """They don't come."""
        coming, self._coming = self._coming, None
        if coming is not None:
            coming.let_go()

    def adopt(self, settings: AuditSettings) -> None:
        """They hold from now on. What waits is written to the new file, if there is one."""
        refused = self.refusing
        former = self._settings
        self._take_bounds(settings)
        coming, self._coming = self._coming, None
        self._writer.hurry_at = self._limit // 2
        if not settings.file:
            self._write_no_more()
        elif coming is not None:
            self._file = coming
            if former.file:
                self._writer.move(coming)
            else:
                self._begin()
        if self.full and self._writer.waiting <= self._limit // 2:
            self.full = self._writer.pressed = False
        if self.refusing is not refused:
            self._changed(self.refusing)

    def _begin(self) -> None:
        """There was no file."""
        self._records.forget()
        self._writer = self._made()
        self._enabled = self._wanted = True
        self._writer.start()

    def _write_no_more(self) -> None:
        """There is no file any more; what waits for the one that was there is written."""
        if not self._enabled:
            return
        self._enabled, self._wanted = False, self._tapped is not None
        former, file = self._writer, self._file
        self._last = Thread(target=lambda: self._write_last(former, file, LAST_SECONDS))
        self._last.start()
        self._writer = self._made()

    def close(self, seconds: float = LAST_SECONDS) -> None:
        """
        Write what is left, and close the file. Blocks, but not longer than C{seconds} and a bit.
        """
        if self._last is not None:
            self._last.join()
        if not self._enabled:
            return
        self._report()
        self._enabled = self._wanted = False
        self._write_last(self._writer, self._file, seconds)

    def _write_last(self, writer: Writer, file: Destination, seconds: float) -> None:
        left = writer.stop(seconds)
        if left:
            self._log.critical(
                "{count} audit records were lost at the end: {file} could not be written",
                count=left,
                file=file,
            )

    def _put(self, line: bytes) -> None:
        if self._tapped is not None:
            self._tapped(line)
            if not self._enabled:
                return
        if self._unreported:
            self._report()
        waiting = self._writer.waiting
        # With nothing waiting there is room for one record, however small the buffer is.
        if waiting and waiting + len(line) > self._most:
            self._drop()
            return
        if waiting + len(line) > self._limit and not self.full:
            self._become_full()
        self._writer.put(line)

    def _become_full(self) -> None:
        self.full = True
        self._writer.pressed = True
        self._log.error(
            "{bytes} bytes of audit records wait for {file}: {consequence}. "
            "Is its disk full, or its reader slow?",
            bytes=self._writer.waiting,
            file=self._file,
            consequence="new sessions are refused" if self._refuses else "records are dropped",
        )
        if self._refuses:
            self._changed(True)

    def _drop(self) -> None:
        now = self._clock()
        if not self._unreported:
            self._first_dropped = now
        self._last_dropped = now
        self._unreported += 1
        self.dropped += 1
        if not self.full:
            self._become_full()
        self._writer.pressed = True

    def _report(self) -> None:
        """Put the number of dropped records where they are missing, if there is room."""
        if not self._unreported or self._writer.waiting > self._limit // 2:
            return
        self._writer.put(
            self._records.dropped(
                self._clock(), self._unreported, self._first_dropped, self._last_dropped
            )
        )
        self._unreported = 0

    def _relieve(self) -> None:
        """Some records were written while the audit was full."""
        if self._writer.waiting > self._limit // 2 or not self.full:
            return
        self._report()
        self.full = self._writer.pressed = False
        self._log.info(
            "audit records are written to {file} again; {dropped} were dropped since the start",
            file=self._file,
            dropped=self.dropped,
        )
        if self._refuses:
            self._changed(False)

    # Called by the writer, in its thread:

    def _on_relieved(self) -> None:
        self._from_thread(self._relieve)

    def _on_failed(self, error: OSError) -> None:
        self._from_thread(
            lambda: self._log.error(
                "audit records can't be written to {file}: {error}. They wait in memory, and "
                "writing is tried again until it works",
                file=self._file,
                error=error.strerror,
            )
        )

    def _on_recovered(self) -> None:
        self._from_thread(
            lambda: self._log.info("audit records can be written to {file} again", file=self._file)
        )

    def _on_reopened(self, error: AuditError | None) -> None:
        if error is None:
            self._from_thread(lambda: self._log.info("opened {file} again", file=self._file))
        else:
            self._from_thread(
                lambda: self._log.error(
                    "{error}. Records still go to the file that was open before", error=error
                )
            )
