"""
The composition root: C{twistd tproxygw}.

This is the only module that imports the reactor and the only one that puts the
parts together, but for workers (L{gateway.workers}), which are processes of their own. Nobody
imports it but Twisted's plugin.

The order of a start matters::

    privileged     limits raised, keeper started or connected to, rules installed (what is to be
                   inspected is blocked), listeners bound, audit file opened, signer and carrier
                   started or connected to
    (twistd)       --uid and --gid
    unprivileged   all capabilities but two dropped, listeners accept

and so does that of a stop: no new sessions, then none at all, and only then does
the keeper hear of it, since the packets of running sessions need the divert.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from secrets import token_urlsafe
from time import monotonic
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.threads import deferToThreadPool
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized

from gateway.admission import listeners
from gateway.console.console import Console
from gateway.control.done import Done
from gateway.control.everyone import Others
from gateway.control.level import Level
from gateway.control.port import ControlPort
from gateway.control.questions import Questions
from gateway.control.running import Register
from gateway.control.status import RUNNING, STOPPING, Life, keeper
from gateway.counts import OwnCounts
from gateway.kernel import capabilities, descriptors
from gateway.kernel.errors import KernelError
from gateway.kernel.keeper import Keeper
from gateway.kernel.lastgood import LastGood
from gateway.life.controlling import questions
from gateway.life.dying import die_with_the_reactor
from gateway.life.fixed import check_fixed
from gateway.life.heartbeat import Heartbeat
from gateway.life.loaded import Loaded, begin_with, count_of, load
from gateway.life.options import Options, Places, owner, places
from gateway.life.reloads import Reloads
from gateway.life.signals import take_signals
from gateway.life.succession import NoSuccessor, command, hear_again, succeed
from gateway.observe import journal
from gateway.observe.audit import Audit
from gateway.observe.endpoint import endpoint_site
from gateway.observe.file import AuditError
from gateway.observe.level import LeveledObserver
from gateway.observe.metrics import Metrics
from gateway.observe.twistd import observer
from gateway.policy.policy import Policy
from gateway.policy.problem import PolicyError
from gateway.port import MovablePort
from gateway.systemd import Systemd
from gateway.tls.signing import SignerError
from gateway.workers.crew import Crew
from gateway.workers.estate import VARIABLE, Estate, left, take, taken, write
from gateway.workers.traffic import Traffic, collect_seldom

log = Logger()

SUCCEED_AFTER = 0.5
"""Seconds from an upgrade of the workers to that of this process."""

SECRET_BYTES = 32
"""Of a login to the console."""


def makeService(options: Options) -> Gateway:
    """Twisted's entry. Nothing starts with a broken policy, unless the last good one may."""
    from twisted.internet import reactor

    where = places(options)
    try:
        loaded = begin_with(where.directory, LastGood(where.state))
    except (PolicyError, OSError) as error:
        journal.complain(str(error))
        raise SystemExit(os.EX_CONFIG) from None
    gateway = Gateway(reactor, where, loaded, owner(options), take(os.environ))
    if options.parent is not None:
        gateway.observer = observer(options.parent)
        gateway.twistd = options.parent
    return gateway


class Gateway(Service):
    """
    The gateway as a Twisted service.

    @param owner: the user and group that twistd will switch to, if any.
    @param estate: what this process has left to itself, before it became another program.
    """

    name = "tproxygw"

    observer: ILogObserver | None = None
    """What twistd is to write its log with, in place of its own."""

    twistd: Any = None
    """Its options."""

    def __init__(
        self,
        reactor: Any,
        places: Places,
        loaded: Loaded,
        owner: tuple[int, int] | None = None,
        estate: Estate | None = None,
    ) -> None:
        policy = loaded.policy
        self._reactor = reactor
        self._places = places
        self._loaded = loaded
        self._owner = owner
        self._estate = estate
        self._folder = os.getcwd()  # noqa: PTH109
        self._keeper: Keeper | None = None
        self._metrics = self._counters()
        self._audit = Audit(
            policy.audit, reactor.seconds, reactor.callFromThread, self._audit_changed
        )
        self._systemd = Systemd(os.environ)
        self._traffic, register, others = self._made(loaded)
        self._heartbeat = Heartbeat(
            reactor,
            self._systemd,
            lambda: self._in_thread(self._kept.look),
            lambda: self._in_thread(self._kept.install, self._loaded.fingerprint, True),
            reactor.stop,
        )
        self._reloads = Reloads(self._reload)
        self._anew = False
        self._state = "starting"
        self._level = Level()
        self._began = self._loaded_at = reactor.seconds()
        self._questions = self._answers(register, others)
        self._console = Console(
            *(reactor, policy.console, self._questions, monotonic),
            partial(token_urlsafe, SECRET_BYTES),
        )
        self._endpoint = MovablePort(
            *(reactor, "metrics.listen", endpoint_site(self._text, reactor)),
            policy.metrics.listen,
        )
        self._control = self._control_port()

    def _control_port(self) -> ControlPort | None:
        if self._places.control is None:
            return None
        return ControlPort(
            *(self._reactor, self._places.control, self._loaded.policy.control, self._owner),
            *(self._questions, self._in_thread),
        )

    def _text(self) -> Deferred[bytes]:
        return self._traffic.text()

    def _counters(self) -> Metrics:
        """With those that this process answers for."""
        metrics = Metrics()
        metrics.audit_dropped = lambda: self._audit.dropped
        metrics.audit_waiting = lambda: self._audit.waiting
        metrics.divert_installed = lambda: self._heartbeat.installed
        metrics.divert_lost = lambda: self._heartbeat.lost
        metrics.policy_current = lambda: not self._loaded.broken
        metrics.policy = lambda: self._loaded.policy
        return metrics

    def _answers(self, register: Register, others: Others | None) -> Questions:
        """To what can be asked."""
        return questions(
            *(self._reactor, register, self._metrics, self._audit, self._life),
            self._traffic.passages,
            others,
            lambda: self._traffic.rest,
            reload=Done(lambda asked, asker: self.reload()),
            upgrade=Done(lambda asked, asker: self.upgrade()),
            log=Done(self._level.change, ("level",)),
        )

    def _made(self, loaded: Loaded) -> tuple[Traffic | Crew, Register, Others | None]:
        """The traffic of this process, or of several; where its sessions are; who is asked, too."""
        reactor, places = self._reactor, self._places
        if count_of(loaded.policy) == 1:
            traffic = Traffic(
                *(reactor, loaded.policy, places, self._audit, self._metrics),
                *(listeners.listen, OwnCounts()),
            )
            return traffic, traffic.admission.register, None
        crew = Crew(reactor, loaded, places, self._audit, self._metrics, monotonic)
        return crew, crew.register, crew.ask

    def setServiceParent(self, parent: Any) -> None:
        """Twisted: this is the application that C{twistd} runs, and takes the observer from."""
        super().setServiceParent(parent)  # type: ignore[no-untyped-call]
        if self.observer is not None and isinstance(parent, Componentized):
            observer = self._level.observer = LeveledObserver(self.observer)
            parent.setComponent(ILogObserver, observer)  # type: ignore[no-untyped-call]

    # Start

    def privilegedStartService(self) -> None:
        """What needs privileges that are given up afterwards."""
        super().privilegedStartService()  # type: ignore[no-untyped-call]
        policy = self._loaded.policy
        try:
            scarce = descriptors.raise_limit(policy.limits)
            if scarce:
                log.warn("{scarce}", scarce=scarce)
            self._keeper = self._find_keeper()
            self._kept.install(self._loaded.fingerprint, bool(self._loaded.broken))
            if self._estate is None:
                self._traffic.open(self._owner)
            else:
                self._inherit(self._estate)
            self._audit.open(self._owner)
            self._open_ports()
        except (KernelError, AuditError, SignerError, OSError) as error:
            self._abandon(error)
        capabilities.keep_through_setuid()

    def _find_keeper(self) -> Keeper:
        places = self._places
        if places.keeper is not None:
            return Keeper.connect(places.keeper)
        if self._estate is not None:
            descriptor, process = self._estate["keeper"]
            return Keeper.inherited(taken(descriptor), process)
        return Keeper.start(places.directory, places.state)

    def _abandon(self, error: Exception) -> None:
        """The operator must mend something first."""
        if self._keeper is not None:
            self._keeper.close()
        log.critical("not started: {error}", error=error)
        journal.complain(f"tproxygw: not started: {error}")
        raise SystemExit(1)

    def startService(self) -> None:
        """Give up privileges, and accept."""
        super().startService()  # type: ignore[no-untyped-call]
        try:
            capabilities.drop_to(capabilities.TRAFFIC)
            self._audit.start()
            self._traffic.start()
        except (AuditError, KernelError, OSError) as error:
            self._abandon(error)
        self._traffic.accept()
        self._console.start()
        self._heartbeat.start()
        take_signals(self._reactor.callFromThread, self.reload, self._audit.reopen, self.upgrade)
        collect_seldom()
        die_with_the_reactor()
        hear_again()
        # a signal that comes earlier is not yet Twisted's
        how = "started with" if self._estate is None else "goes on with"
        self._estate = None
        self._reactor.callWhenRunning(self._begun, how)

    def _begun(self, how: str) -> None:
        """The policy is in force: say so, and what is odd about it."""
        policy = self._loaded.policy
        self._state, self._loaded_at = RUNNING, self._reactor.seconds()
        for warning in policy.warnings:
            log.warn("{warning}", warning=warning)
        if self._loaded.broken:
            log.critical(
                "the configuration is broken, and the last good policy runs in its place:\n{error}",
                error=self._loaded.broken,
            )
        log.info(
            "{how} {directory}: {services} services, {rules} rules, port {port}",
            how=how,
            directory=self._places.directory,
            services=len(policy.services),
            rules=len(policy.rules),
            port=policy.divert.port,
        )
        self._systemd.ready(self._status)

    @property
    def _status(self) -> str:
        policy, broken = self._loaded.policy, self._loaded.broken
        odd = "with the LAST GOOD policy, as the configuration is broken: " if broken else ""
        return f"Inspecting {odd}{len(policy.services)} services, {len(policy.rules)} rules"

    def _life(self) -> Life:
        """For who asks."""
        loaded, seen = self._loaded, self._heartbeat.seen
        return Life(
            *(self._state, os.getpid(), self._began, str(self._places.directory)),
            *(loaded.policy, self._loaded_at, loaded.broken, self._level.present),
            keeper(seen.restarts, seen.restored, seen.trouble, seen.lost),
        )

    def _open_ports(self) -> None:
        """For those who ask about the gateway: Prometheus, the operator."""
        self._endpoint.open()
        if self._control is not None:
            self._control.open()
        self._console.open()

    @inlineCallbacks
    def _close_ports(self) -> Any:
        """Nobody can ask any more."""
        yield self._endpoint.stop()
        if self._control is not None:
            yield self._control.stop()
        yield self._console.stop()

    # Reload

    def reload(self) -> Deferred[str]:
        """
        Read the configuration again. If it is broken, nothing changes.

        @return: fires with what is wrong, or an empty text.
        """
        self._audit.reopen()
        return self._reloads.ask()

    def upgrade(self) -> Deferred[str]:
        """
        Reload, with workers of the code that is installed now.

        @return: as L{reload}.
        """
        self._anew = True
        return self._reloads.ask()

    @inlineCallbacks
    def _reload(self) -> Any:
        self._systemd.reloading()
        former = self._loaded
        anew, self._anew = self._anew, False
        try:
            loaded = yield self._in_thread(load, self._places.directory)
            yield self._in_thread(check_fixed, former.policy, loaded.policy, self._places.directory)
            self._check_stays()
            yield self._prepare(loaded.policy)
            yield self._traffic.prepare(loaded, anew)
            self._check_stays()
            yield self._in_thread(self._kept.install, loaded.fingerprint)
            self._check_stays()
        except (PolicyError, KernelError, AuditError, OSError) as error:
            log.error("not reloaded, the former policy is still in force:\n{error}", error=error)
            problem = str(error)
        except Exception as error:
            # Not configuration but code: a plugin that can't be imported.
            log.failure("not reloaded, the former policy is still in force")
            problem = f"{type(error).__name__}: {error}; the traceback is in the log"
        else:
            self._loaded = loaded
            yield self._traffic.switch(loaded)
            self._adopt(loaded.policy)
            self._begun("upgraded" if anew else "reloaded")
            if anew:
                # after the answer to who has asked
                self._reactor.callLater(SUCCEED_AFTER, self._succeed)
            return ""
        self._loaded = former._replace(broken=problem)
        self._traffic.abandon()
        self._abandon_prepared()
        if self._state != STOPPING:
            self._systemd.ready(self._status)
        return problem

    @inlineCallbacks
    def _prepare(self, policy: Policy) -> Any:
        """
        Open what another policy wants beside the traffic, and give up nothing yet.

        @raise OSError: something can't be had.
        @raise AuditError: the audit file can't.
        """
        yield self._in_thread(self._audit.prepare, policy.audit)
        self._endpoint.prepare(policy.metrics.listen)
        if self._control is not None:
            self._control.prepare(policy.control)
        self._console.prepare(policy.console)

    def _adopt(self, policy: Policy) -> None:
        """It is in force: give up what only the former one wanted."""
        self._audit.adopt(policy.audit)
        self._endpoint.adopt()
        if self._control is not None:
            self._control.adopt(policy.control)
        self._console.adopt(policy.console)

    def _abandon_prepared(self) -> None:
        """It does not come into force."""
        self._audit.abandon()
        self._endpoint.abandon()
        if self._control is not None:
            self._control.abandon()
        self._console.abandon()

    def _check_stays(self) -> None:
        """
        Nobody accepts under a new policy when the stop has begun.

        @raise KernelError: it has.
        """
        if self._state == STOPPING:
            raise KernelError("the gateway stops")

    @inlineCallbacks
    def _succeed(self) -> Any:
        """Become the supervisor that is installed now: its workers are there already."""
        if self._state != RUNNING:
            return
        try:
            started = command(self.twistd or {}, sys.orig_argv)
        except NoSuccessor as error:
            log.warn("the supervisor goes on with the code of its start: {error}", error=error)
            return
        self._heartbeat.stop()
        self._reloads.stop()
        yield self._close_ports()
        if self._state != RUNNING:  # it was stopped meanwhile
            return
        # from here on nothing is heard any more
        left = {VARIABLE: write(self._bequeath())}
        self._audit.close()
        succeed(self.twistd, started, self._folder, left)

    def _bequeath(self) -> Estate:
        """What a successor needs."""
        assert isinstance(self._traffic, Crew)
        own = self._kept.own
        return {
            "fingerprint": self._loaded.fingerprint,
            "keeper": own and [left(own[0]), own[1]],
            "crew": self._traffic.bequeath(),
        }

    def _inherit(self, estate: Estate) -> None:
        """What a predecessor has left."""
        assert isinstance(self._traffic, Crew)
        self._traffic.inherit(estate["crew"])
        if estate["fingerprint"] != self._loaded.fingerprint:
            self._reactor.callWhenRunning(self.reload)

    def _in_thread(self, called: Any, *arguments: Any) -> Deferred[Any]:
        pool = self._reactor.getThreadPool()
        return deferToThreadPool(self._reactor, pool, called, *arguments)

    def _audit_changed(self, refusing: bool) -> None:
        if not refusing:
            self._traffic.give_room()

    @property
    def _kept(self) -> Keeper:
        assert self._keeper is not None
        return self._keeper

    # Stop

    @inlineCallbacks
    def stopService(self) -> Any:
        """Accept no more, let sessions end for a while, then undo everything."""
        yield super().stopService()  # type: ignore[no-untyped-call]
        self._systemd.stopping("Sessions have time to end")
        self._state = STOPPING
        self._heartbeat.stop()
        self._reloads.stop()
        yield self._close_ports()
        yield self._traffic.drain(self._loaded.policy.limits.stop_seconds)
        try:
            stay = yield self._in_thread(self._kept.stopped)
        except KernelError as error:
            log.error("the divert could not be undone: {error}", error=error)
        else:
            if stay:
                log.info("stopped: what should be inspected is blocked until the next start")
        self._kept.close()
        yield self._traffic.close()
        self._audit.close()
