"""A Transfer: one data connection, from its announcement until nothing is left of it."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from gateway.agreement import Agreed
from gateway.envelope import Envelope, FtpEnvelope
from gateway.interfaces import (
    CLIENT,
    PROTOCOL,
    SERVER,
    Address,
    Denied,
    IExpectation,
    ISession,
    Outcome,
    Side,
    Unreachable,
    Verdict,
)
from protocols.ftp.command import Command
from protocols.ftp.reply import Reply
from protocols.ftp.settings import FtpSettings
from protocols.ftp.verbs import VERBS, Flow
from protocols.tls.story import terms_of
from protocols.tls.upgrade import Pair

_WORDS = 400
"""Bytes of a stacked inspector's words, at most."""


class Quota:
    """
    How many bytes may pass: of one transfer, or of all that one session has.

    @ivar name: the setting that says so.
    @ivar left: so many more.
    """

    def __init__(self, limit: int, name: str, what: str = "bytes") -> None:
        self.name = name
        self.left = limit or inf
        self._words = f"more than {limit} {what}"

    def take(self, size: int) -> None:
        """So many have passed."""
        self.left -= size

    def exceeded(self) -> Denied:
        """What comes next does not pass."""
        return Denied(self._words, by=self.name)


class Transfer:
    """
    What the control connection and the data connection know of each other.

    @ivar initiator: which of the control connection's sides is the CLIENT of
        the data connection: it connects, or is connected to first.
    @ivar mode: the server's.
    @ivar opens: gives the data connection its other side.
    @ivar ports: where the server may connect from; C{None}: from anywhere.
    @ivar dials: begins the data connection, if neither side does.
    @ivar expectation: as soon as the gateway listens for the initiator.
    @ivar far: as soon as it listens for the server too.
    @ivar command: what is transferred; C{None} before that is known.
    @ivar offset: where in the file it begins.
    @ivar protected: the TLS of the control connection, if the data connection has to have some.
    @ivar agreed: what was agreed there, with the control connection's sides.
    @ivar cut: the sender's TLS ended without close_notify: nobody knows whether that was all.
    @ivar data: the data connection's session, if it has come.
    @ivar linked: it has both sides.
    @ivar size: bytes that came, and may pass as far as their number is concerned.
    @ivar passed: bytes of them that have left, or were let through by a stacked inspector.
    @ivar verdict: how the data connection ended, if it has.
    @ivar client_ended: the control connection's client will send no more here.
    @ivar denied_by: the setting that it was denied by, if it was.
    """

    def __init__(self, settings: FtpSettings, total: Quota, initiator: Side, mode: str) -> None:
        self.settings = settings
        self._total = total
        self._quota = Quota(0, "")  # until it is known what is transferred
        self.initiator = initiator
        self.mode = mode
        self.opens: Callable[[ISession], Deferred[Address]] = lambda data: data.connect()
        self.ports: frozenset[int] | None = None
        self.dials: Callable[[], Deferred[Address]] | None = None
        self.expectation: IExpectation | None = None
        self.far: IExpectation | None = None
        self.command: Command | None = None
        self.offset = 0
        self.protected: Pair | None = None
        self.agreed: dict[Side, Agreed] = {}
        self.cut = False
        self.data: ISession | None = None
        self.linked = False
        self.size = self.passed = 0
        self._reply = Reply(451, b"The transfer was denied.")
        self.verdict: Verdict | None = None
        self.denied_by = PROTOCOL
        self.client_ended = False
        self._dropped = ""
        self._begin: Callable[[], None] | None = None
        self._done = False
        self._arriving: Deferred[None] | None = None
        self._waiting: Deferred[None] | None = None
        self._dialing: Deferred[Any] | None = None

    @property
    def about(self) -> str:
        """What is transferred, and how much of it has passed."""
        if self.command is None:
            return "a data connection is announced"
        name = (self.command.argument or b"")[:_WORDS].decode("utf-8", "backslashreplace")
        return f"{self.command} {name}".rstrip() + f": {self.passed} bytes"

    # What the control connection says

    def begin(self, command: Command, offset: int, protected: Pair | None = None) -> None:
        """The server is about to be asked for C{command}: bytes may flow."""
        self.command = command
        self.offset = offset
        self.protected = protected
        if self.flow is Flow.UPLOAD:
            self._quota = Quota(self.settings.upload_bytes, "upload_bytes")
        else:
            self._quota = Quota(self.settings.download_bytes, "download_bytes")
        if self._begin is not None:
            self._begin()
        dials, self.dials = self.dials, None
        if dials is not None:
            self._dialing = dials()
            self._dialing.addCallbacks(lambda _: None, self._not_reached)

    def _not_reached(self, failure: Failure) -> None:
        if isinstance(failure.value, CancelledError):
            return  # nobody wants it any more
        outcome = Outcome.FAILED if isinstance(failure.value, Unreachable) else Outcome.DENIED
        self.closed(Verdict(outcome, str(failure.value)))

    def drop(self, why: str) -> None:
        """It can't be completed: what came of it must not be taken for complete."""
        self._cancel(why)
        if self.data is not None and self.verdict is None:
            self.data.deny(why)

    def abandon(self, why: str) -> None:
        """It was not used for anything, and won't be."""
        self._cancel(why)
        if self.data is not None and self.verdict is None:
            self.data.close(why)

    def _cancel(self, why: str) -> None:
        self._dropped = why
        self.dials = None  # it knows whom it is for
        for expectation in (self.expectation, self.far):
            if expectation is not None:
                expectation.cancel()
        if self._dialing is not None:
            self._dialing.cancel()

    @property
    def overtaken(self) -> bool:
        """Whether the server can be done before there is a data connection here."""
        return self.initiator is SERVER or self.far is not None

    async def arrived(self) -> None:
        """Wait until the data connection is here, or will not come any more."""
        if self.data is not None or self._done:
            return
        if self.expectation is not None:
            self.expectation.gone.addCallback(lambda _: self._arrived())
        self._arriving = Deferred()
        await self._arriving

    def _arrived(self) -> None:
        arriving, self._arriving = self._arriving, None
        if arriving is not None:
            arriving.callback(None)

    async def done(self) -> None:
        """Wait until everything has left for whom it is meant, or nothing more will."""
        if not self._done:
            self._waiting = Deferred()
            await self._waiting

    def give_up(self) -> None:
        """Nobody shall wait for it: it is done, or the client wants it aborted."""
        self._done = True
        self._arrived()
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    # What the data connection says

    @property
    def flow(self) -> Flow | None:
        """Which way bytes may go; C{None} before that is known."""
        return None if self.command is None else VERBS[self.command.verb].flow

    @property
    def sender(self) -> Side:
        """Who sends, of the data connection's sides: the initiator is its CLIENT."""
        from_client = self.flow is Flow.UPLOAD
        return CLIENT if from_client is (self.initiator is CLIENT) else SERVER

    def came(self, data: ISession, begin: Callable[[], None]) -> None:
        """
        The data connection is here.

        @param begin: is called when bytes may flow.
        @raise Denied: it is not wanted any more.
        """
        if self._dropped:
            raise Denied(self._dropped)
        if self.initiator is SERVER:
            self._check_port(data.client)
        self.data = data
        self._begin = begin

    def link(self) -> Deferred[Address]:
        """Give the data connection its other side."""
        assert self.data is not None
        return self.opens(self.data).addCallback(self._linked)

    def _check_port(self, server: Address) -> None:
        """@raise Denied: the server may not connect from there."""
        if self.ports is not None and server.port not in self.ports:
            raise Denied(f"the server connects from port {server.port}", by="active_ports")

    def _linked(self, address: Address) -> Address:
        if self.far is not None:
            self._check_port(address)
        self.linked = True
        return address

    def admit(self, size: int) -> int:
        """Of so many more bytes: how many may pass, however many come at once."""
        passing = int(min(size, self._quota.left, self._total.left))
        self.size += passing
        self._quota.take(passing)
        self._total.take(passing)
        return passing

    def exceeded(self) -> Denied:
        """It was more than may pass."""
        quota = min(self._quota, self._total, key=lambda one: one.left)
        self.denied_by = quota.name
        return quota.exceeded()

    def refuse(self, words: bytes) -> None:
        """
        A stacked inspector does not let it pass.

        @param words: for the client; empty: there are none.
        """
        self.denied_by = "stack_upload" if self.flow is Flow.UPLOAD else "stack_download"
        code = 426 if self.passed else 451  # 426: what is there of it is not all
        text = b" ".join(words.split())[:_WORDS]
        self._reply = Reply(code, text or self._reply.text)

    def ended(self, side: Side) -> None:
        """One of the data connection's sides will send no more."""
        if self.who(side) is CLIENT:
            self.client_ended = True

    def who(self, side: Side) -> Side:
        """Which of the control connection's sides one of the data connection's is."""
        return side if self.initiator is CLIENT else side.other

    def delivered(self) -> None:
        """Everything has left for whom it is meant."""
        self.give_up()

    def closed(self, verdict: Verdict) -> None:
        """The data connection is over."""
        self.verdict = verdict
        self._begin = None  # it knows the data connection, which knows this
        self.give_up()

    @property
    def refused(self) -> str:
        """Why the gateway did not let it through; empty if it did."""
        if self.verdict is not None and self.verdict.outcome in (Outcome.DENIED, Outcome.BROKEN):
            return self.verdict.reason
        return ""

    @property
    def answer(self) -> Reply | None:
        """What the client hears in place of a server's reply that all is well, if it isn't."""
        if self.refused:
            return self._reply
        if self.verdict is not None and self.verdict.outcome is Outcome.FAILED:
            return Reply(426, b"The data connection failed.")
        if self.far is not None and self.data is None:
            return Reply(425, b"Nobody came to the data connection.")
        return None

    @property
    def hopeless(self) -> bool:
        """Whether its data connection can't come any more if the client is gone."""
        return self.initiator is CLIENT and self.data is None

    @property
    def flows(self) -> bool:
        """Whether its data connection is there, and somebody for whom the data are."""
        received = self.client_ended and self.flow is not Flow.UPLOAD
        return self.linked and not self._done and not received

    def envelope(self) -> Envelope:
        """What a stacked inspector is told of the file."""
        assert self.command is not None
        path = (self.command.argument or b"").decode("utf-8", "replace")
        return Envelope(
            protocol="ftp",
            direction="upload" if self.flow is Flow.UPLOAD else "download",
            filename=path.rpartition("/")[2],
            ftp=FtpEnvelope(self.command.verb, path, self.offset),
        )

    def record(self, session: ISession, completion: int | None, cut_off: str = "") -> None:
        """
        Write the audit record.

        @param cut_off: why it did not come to its end, if the control connection did.
        """
        assert self.command is not None
        fields: dict[str, Any] = {"command": self.command.verb}
        if self.command.argument is not None:
            fields["filename"] = self.command.argument
        by = self.denied_by if self.refused else ""
        session.record("ftp_data", self._told(completion, cut_off), by, **fields)

    def _told(self, completion: int | None, cut_off: str) -> dict[str, Any]:
        """What EVE has no field for."""
        assert self.flow is not None
        verdict = self.verdict
        if verdict is None:
            outcome = Outcome.FAILED if cut_off else Outcome.PASSED
            verdict = Verdict(outcome, cut_off)
        fields: dict[str, Any] = {
            "direction": self.flow.value,
            "size": self.size,
            "offset": self.offset,
            "mode": "passive" if self.initiator is CLIENT else "active",
            "completion_code": completion,
            "verdict": verdict.outcome.value,
            "reason": verdict.reason,
        }
        if self.mode != fields["mode"]:
            fields["server_mode"] = self.mode
        if self.data is not None:
            fields["data_flow_id"] = self.data.id
        if self.protected is not None:
            fields["tls"] = {who.value: terms_of(each) for who, each in self.agreed.items()}
        if self.cut:
            fields["cut"] = True
        return fields
