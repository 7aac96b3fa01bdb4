"""
A worker: the traffic of one process, and what its supervisor wants of it.

It begins ready and accepts nothing, until it is told. When the link ends the supervisor is gone,
or a new one is there: a worker that went on would answer under a policy that nobody installed. So
it accepts no more, lets its sessions end, and is gone.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import sys
from collections.abc import Sequence
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.logger import (
    ILogObserver,
    LogEvent,
    Logger,
    LogLevel,
    eventAsText,
    globalLogBeginner,
    textFileLogObserver,
)
from zope.interface import implementer

from gateway.admission.listeners import Place
from gateway.control.question import Asker
from gateway.control.status import RUNNING, STOPPING, Life
from gateway.kernel import sockets
from gateway.kernel.sockets import Socket
from gateway.life.controlling import questions
from gateway.life.loaded import count_of
from gateway.life.options import Places
from gateway.observe.audit import Audit
from gateway.observe.metrics import Metrics
from gateway.observe.sums import state_of
from gateway.policy.policy import Policy
from gateway.tls.signing import SignerError
from gateway.workers.link import Link, Message, adopt
from gateway.workers.spec import WorkerSpec
from gateway.workers.stream import AuditStream
from gateway.workers.table import SharedCounts
from gateway.workers.traffic import Traffic, collect_seldom

log = Logger()


class Worker:
    """
    @param opened: the descriptors of its listeners.
    @param others: those of listeners that only a former policy wants.
    @param stream: the descriptor of its audit stream.
    @param places: where the signer is, among others.
    @param signer: the connection to it, if it is no service of its own.
    """

    def __init__(
        self,
        reactor: Any,
        spec: WorkerSpec,
        policy: Policy,
        places: Places,
        opened: dict[Place, int],
        others: Sequence[tuple[Place, int]],
        stream: int,
        table: int,
        signer: socket.socket | None,
    ) -> None:
        self._reactor = reactor
        self._policy = policy
        self._opened = opened
        self._others = others
        self._places = places
        self._began = reactor.seconds()
        self._leaving = False
        file = policy.audit.file or "nowhere"
        self._audit = Audit(
            evolve(policy.audit, file=file),
            reactor.seconds,
            reactor.callFromThread,
            self._audit_changed,
            file=AuditStream(file, stream),
        )
        self._metrics = Metrics()
        self._metrics.audit_dropped = lambda: self._audit.dropped
        self._metrics.audit_waiting = lambda: self._audit.waiting
        self._metrics.policy = lambda: policy
        self._metrics.divert_installed = lambda: True  # as far as anybody knows here
        self._traffic = Traffic(
            *(reactor, policy, places, self._audit, self._metrics),
            *(self._inherited, SharedCounts(table, spec.column)),
            numbers=spec.numbers(),
            alone=False,
            signer=signer,
            worker=(spec.index, count_of(policy)),
        )
        self.link = Link(self._heard, self._asked, self._orphaned)
        self._questions = questions(
            *(reactor, self._traffic.admission.register, self._metrics, self._audit, self._life),
            self._traffic.passages,
        )

    def _inherited(self, policy: Policy, place: Place) -> Socket:
        """The socket that we were given for a place. C{OSError}: none, for want of IPv6."""
        try:
            descriptor = self._opened.pop(place)
        except KeyError:
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT)) from None
        return sockets.inherited(descriptor)

    def _audit_changed(self, refusing: bool) -> None:
        if not refusing:
            self._traffic.give_room()

    def _life(self) -> Life:
        """For who asks."""
        state = STOPPING if self._leaving else RUNNING
        folder = str(self._places.directory)
        return Life(state, os.getpid(), self._began, folder, self._policy, self._began, "")

    # The beginning

    def begin(self) -> None:
        """Get ready, and say so, or why not."""
        try:
            self._traffic.open()
            self._traffic.open_others(
                (place, sockets.inherited(descriptor)) for place, descriptor in self._others
            )
            self._audit.start()
            self._traffic.start()
        except (OSError, SignerError) as error:
            self.link.say({"failed": str(error)})
            self.link.close()
            return
        collect_seldom()
        self.link.say({"ready": os.getpid()})

    # What the supervisor says

    def _heard(self, message: Message) -> None:
        if message.get("do") == "accept":
            self._traffic.admission.register.draining = message["draining"]
            self._traffic.accept()
        elif message.get("do") == "settle":
            self._traffic.settle()
        elif message.get("do") == "stop":
            self._traffic.admission.stop()

    def _asked(self, message: Message) -> Any:
        if "leave" in message:
            self.leave(message["leave"])
            return {}
        asked = message.get("asked")
        if asked is None:  # it is only looked whether we live
            return {"figures": state_of(self._metrics)} if message.get("metrics") else {}
        asker = Asker(*message["asker"])
        return self._questions.ask(asked, asker).addCallback(
            lambda said: {"said": said, "rest": self._questions.rest}
        )

    def _orphaned(self) -> None:
        """The supervisor is gone."""
        if not self._leaving:
            log.error("the supervisor is gone: no more connections are accepted")
            self.leave(self._policy.limits.stop_seconds)

    # The end

    def leave(self, seconds: float | None) -> None:
        """Accept no more, and end with the last session; or when so many seconds are over."""
        if self._leaving:
            if seconds is not None:
                self._reactor.callLater(seconds, self._traffic.admission.stop)
            return
        self._leaving = True
        left: Deferred[Any] = self._leave(seconds)
        left.addErrback(lambda failure: log.failure("the end was not as it should be", failure))
        left.addBoth(lambda _: self._reactor.stop())

    @inlineCallbacks
    def _leave(self, seconds: float | None) -> Any:
        yield self._traffic.drain(seconds)
        yield self._traffic.close()
        self._audit.close()
        self.link.say({"over": state_of(self._metrics)})
        yield self.link.close()  # else the reactor would end with that unsaid


@implementer(ILogObserver)
class LinkObserver:
    """Tells the supervisor what is for the log; or standard error, when there is none."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._alone = textFileLogObserver(sys.stderr)

    def __call__(self, event: LogEvent) -> None:
        """Tell C{event}."""
        if not self._link.connected:
            self._alone(event)
            return
        level = event.get("log_level") or LogLevel.info
        text = eventAsText(event, includeTimestamp=False, includeSystem=False)
        self._link.say({"log": level.name, "text": text})


def run(reactor: Any, worker: Worker, link: socket.socket) -> None:
    """Be C{worker}, to its end; C{link}: its end of that."""
    adopt(reactor, link, worker.link)
    observer = LinkObserver(worker.link)
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)

    def leave(*_: object) -> None:
        reactor.callFromThread(worker.leave, None)

    def begin() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, leave)
        worker.begin()

    reactor.callWhenRunning(begin)
    reactor.run()
