"""
The composition root: C{twistd tproxygw}.

This is the only module that imports the reactor and the only one that puts the
parts together. Nobody imports it but Twisted's plugin.

The order of a start matters::

    privileged     limits raised, keeper started, listeners bound, audit file opened
    (twistd)       --uid and --gid
    unprivileged   all capabilities but two dropped, listeners accept, and only
                   then does the keeper have the kernel divert connections

and so does that of a stop: no new sessions, then none at all, and only then does
the keeper hear of it, since the packets of running sessions need the divert.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

from twisted.application.service import Service
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThreadPool
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized
from twisted.python.usage import Options as UsageOptions

from gateway import registry
from gateway.kernel import capabilities, descriptors
from gateway.kernel.divert import State
from gateway.kernel.errors import KernelError
from gateway.kernel.fingerprint import fingerprint, with_files
from gateway.kernel.keeper import Keeper, KeeperLost
from gateway.kernel.keeper.client import Kept
from gateway.observe.audit import Audit
from gateway.observe.endpoint import endpoint_site
from gateway.observe.file import AuditError
from gateway.observe.metrics import Metrics
from gateway.observe.twistd import observer
from gateway.policy.load import load
from gateway.policy.policy import Policy
from gateway.policy.problem import PolicyError
from gateway.session import names
from gateway.session.computing import Computing
from gateway.session.connector import Connector
from gateway.session.equipment import Equipment
from gateway.session.listeners import Listeners
from gateway.session.names import Names
from gateway.session.poller import Poller
from gateway.session.sessions import Sessions
from gateway.session.ticker import Ticker
from gateway.session.turns import Turns
from gateway.tls.keyring import Keyring
from gateway.tls.signing import SignerError

log = Logger()

WATCH_SECONDS = 1.0
"""How often the gateway asks its keeper how things are."""

COLLECT_AFTER = 10_000
"""Objects more than there were, after which the collector of circles looks for some."""

FIXED = (
    *("port", "mark", "listener_mark", "upstream_mark"),
    *("table", "rule_priority", "backend"),
)
"""Keys of C{[divert]} that a reload can't change: sockets and routes were made with them."""

SIGNED = ("root", "root_certificate", "certificates_per_second", "key_log", "certificates")
"""Keys of C{[tls]} that a reload can't change: the signer was started with them."""


class Options(UsageOptions):
    """The command line of C{twistd tproxygw}."""

    optParameters = [
        ["config", "c", "/etc/tproxygw", "The configuration folder."],
        ["state", None, "/var/lib/tproxygw", "The folder where the last good rules are kept."],
    ]
    longdesc = "Intercept connections as the policy in the configuration folder says."


def makeService(options: Options) -> Gateway:
    """Twisted's entry. Nothing starts with a broken policy."""
    from twisted.internet import reactor

    directory = Path(options["config"]).absolute()
    try:
        loaded = _load(directory)
    except (PolicyError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None
    state = Path(options["state"]).absolute()
    gateway = Gateway(reactor, directory, state, loaded, _owner(options))
    if options.parent is not None:
        gateway.observer = observer(options.parent)
    return gateway


class Loaded(NamedTuple):
    """A policy, and the fingerprint of the files it was loaded from."""

    policy: Policy
    fingerprint: str


def _load(directory: Path) -> Loaded:
    """The fingerprint is taken first: what changes in between is noticed by the keeper."""
    taken = fingerprint(directory)
    policy = load(directory, registry.find)
    return Loaded(policy, with_files(taken, policy.files))


def _owner(options: Options) -> tuple[int, int] | None:
    """The user and group that twistd will switch to, if any."""
    parent: Any = options.parent
    uid, gid = (parent["uid"], parent["gid"]) if parent is not None else (None, None)
    if uid is None and gid is None:
        return None
    return os.getuid() if uid is None else uid, os.getgid() if gid is None else gid


class Gateway(Service):
    """
    The gateway as a Twisted service.

    @param owner: the user and group that twistd will switch to, if any.
    """

    name = "tproxygw"

    observer: ILogObserver | None = None
    """What twistd is to write its log with, in place of its own."""

    def __init__(
        self,
        reactor: Any,
        directory: Path,
        state: Path,
        loaded: Loaded,
        owner: tuple[int, int] | None = None,
    ) -> None:
        policy = loaded.policy
        self._reactor = reactor
        self._directory = directory
        self._state = state
        self._fingerprint = loaded.fingerprint
        self._owner = owner
        self._keeper: Keeper | None = None
        self._metrics = Metrics()
        self._ticker = Ticker(reactor, monotonic)
        self._poller = Poller(reactor)
        self._audit = Audit(
            policy.log, reactor.seconds, reactor.callFromThread, self._audit_changed
        )
        self._metrics.audit_dropped = lambda: self._audit.dropped
        self._metrics.audit_waiting = lambda: self._audit.waiting
        self._metrics.divert_installed = lambda: self._installed
        self._installed = False
        self._seen: Kept | None = None
        self._keyring = Keyring(reactor)
        self._computing = Computing(reactor)
        self._looking_up = Computing(reactor, names.THREADS, names.MOST_WAITING)
        self._sessions = Sessions(self._equipment(policy), policy, 0)
        self._listeners = Listeners(reactor, self._sessions)
        self._watch: Any = LoopingCall(self._look)
        self._watch.clock = reactor
        self._endpoint: Any = None
        self._reloading: Deferred[None] | None = None
        self._reload_again = False

    def _equipment(self, policy: Policy) -> Equipment:
        divert = policy.divert
        looked_up = Names(self._looking_up.compute)
        return Equipment(
            reactor=self._reactor,
            clock=self._reactor,
            ticker=self._ticker,
            connector=Connector(self._poller, divert.upstream_mark.value, looked_up),
            audit=self._audit,
            metrics=self._metrics,
            poller=self._poller,
            listener_mark=divert.listener_mark.value,
            upstream_mark=divert.upstream_mark.value,
            compute=self._computing.compute,
            names=looked_up,
            credentials=self._keyring.credentials,
            turns=Turns(policy.tls.handshakes_per_client),
        )

    def setServiceParent(self, parent: Any) -> None:
        """Twisted: this is the application that C{twistd} runs, and takes the observer from."""
        super().setServiceParent(parent)  # type: ignore[no-untyped-call]
        if self.observer is not None and isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self.observer)  # type: ignore[no-untyped-call]

    # Start

    def privilegedStartService(self) -> None:
        """What needs privileges that are given up afterwards."""
        super().privilegedStartService()  # type: ignore[no-untyped-call]
        policy = self._sessions.policy
        try:
            scarce = descriptors.raise_limit(policy.limits)
            if scarce:
                log.warn("{scarce}", scarce=scarce)
            self._sessions.descriptors = descriptors.for_sessions()
            self._keeper = Keeper.start(self._directory, self._state)
            self._listeners.open(policy)
            self._audit.open(self._owner)
            self._open_endpoint(policy)
            self._keyring.open(self._directory, policy.tls)
        except (KernelError, AuditError, SignerError, OSError) as error:
            self._abandon(error)
        capabilities.keep_through_setuid()

    def _abandon(self, error: Exception) -> None:
        """The operator must mend something first."""
        if self._keeper is not None:
            self._keeper.close()
        log.critical("not started: {error}", error=error)
        sys.stderr.write(f"tproxygw: not started: {error}\n")
        raise SystemExit(1)

    def startService(self) -> None:
        """Give up privileges, accept, and have connections diverted."""
        super().startService()  # type: ignore[no-untyped-call]
        try:
            capabilities.drop_to(capabilities.TRAFFIC)
            self._audit.start()
            self._computing.start()
            self._looking_up.start()
            self._listeners.resume()
            self._kept.install(self._fingerprint)
        except (KernelError, AuditError, OSError) as error:
            self._abandon(error)
        self._installed = True
        self._watch.start(WATCH_SECONDS)
        self._take_signals()
        # What is there now stays: the collector need not look through a large policy again.
        gc.collect()
        gc.freeze()
        # What sessions leave behind is in no circle, so there is little to be found each time.
        gc.set_threshold(COLLECT_AFTER, 20, 20)
        policy = self._sessions.policy
        log.info(
            "started with {directory}: {services} services, {rules} rules, port {port}",
            directory=self._directory,
            services=len(policy.services),
            rules=len(policy.rules),
            port=policy.divert.port,
        )

    def _open_endpoint(self, policy: Policy) -> None:
        if policy.metrics.listen:
            host, _, port = policy.metrics.listen.rpartition(":")
            site = endpoint_site(self._metrics, self._reactor)
            self._endpoint = self._reactor.listenTCP(int(port), site, interface=host.strip("[]"))

    # Signals

    def _take_signals(self) -> None:
        """SIGHUP: reload and reopen the audit file. SIGUSR1: reopen, and what twistd does."""
        rotate_log: Any = signal.getsignal(signal.SIGUSR1)

        def hang_up(*_: Any) -> None:
            self._reactor.callFromThread(self.reload)

        def user_1(number: int, frame: Any) -> None:
            self._reactor.callFromThread(self._audit.reopen)
            if callable(rotate_log):
                rotate_log(number, frame)

        signal.signal(signal.SIGHUP, hang_up)
        signal.signal(signal.SIGUSR1, user_1)

    def reload(self) -> None:
        """Read the configuration again. If it is broken, nothing changes."""
        self._audit.reopen()
        if self._reloading is not None:
            self._reload_again = True
            return
        self._reloading = self._reload()
        self._reloading.addErrback(lambda failure: log.failure("the reload failed", failure))
        self._reloading.addCallback(lambda _: self._reloaded())

    def _reloaded(self) -> None:
        self._reloading = None
        if self._reload_again and self.running:
            self._reload_again = False
            self.reload()

    @inlineCallbacks
    def _reload(self) -> Any:
        try:
            policy, taken = yield self._in_thread(_load, self._directory)
            self._check_fixed(policy)
            self._listeners.open(policy)
            yield self._in_thread(self._kept.install, taken)
        except (PolicyError, KernelError, OSError) as error:
            log.error("not reloaded, the former policy is still in force:\n{error}", error=error)
            self._listeners.close_unneeded(self._sessions.policy)
            return
        except Exception:
            # Not configuration but code: a plugin that can't be imported.
            log.failure("not reloaded, the former policy is still in force")
            self._listeners.close_unneeded(self._sessions.policy)
            return
        self._sessions.policy = policy
        self._sessions.equipment.turns.most = policy.tls.handshakes_per_client
        self._listeners.resume()
        self._listeners.close_unneeded(policy)
        self._sessions.give_room()
        log.info(
            "reloaded {directory}: {services} services, {rules} rules",
            directory=self._directory,
            services=len(policy.services),
            rules=len(policy.rules),
        )

    def _check_fixed(self, policy: Policy) -> None:
        """
        Check that nothing was changed that a reload can't change.

        @raise KernelError: it was changed.
        """
        former = self._sessions.policy
        changed = [
            f"divert.{key}"
            for key in FIXED
            if getattr(policy.divert, key) != getattr(former.divert, key)
        ]
        if policy.metrics != former.metrics:
            changed.append("metrics")
        if policy.log != former.log:
            changed.append("log")
        changed += [
            f"tls.{key}" for key in SIGNED if getattr(policy.tls, key) != getattr(former.tls, key)
        ]
        if changed:
            raise KernelError(
                f"gateway.toml: {', '.join(changed)}: a reload can't change that; restart, "
                "or set it back"
            )

    def _in_thread(self, called: Any, *arguments: Any) -> Deferred[Any]:
        pool = self._reactor.getThreadPool()
        return deferToThreadPool(self._reactor, pool, called, *arguments)

    def _audit_changed(self, refusing: bool) -> None:
        if not refusing:
            self._sessions.give_room()

    @property
    def _kept(self) -> Keeper:
        assert self._keeper is not None
        return self._keeper

    # Watching

    def _look(self) -> Any:
        """Ask the keeper how things are, and say what is new."""
        return self._in_thread(self._kept.look).addCallbacks(self._looked, self._not_looked)

    def _looked(self, kept: Kept) -> None:
        before, self._seen = self._seen or kept, kept
        self._installed = kept.state is not State.MISSING
        if kept.pid != before.pid:
            log.warn("the keeper was killed, and is there again; the rules were in force meanwhile")
        elif kept.restored > before.restored:
            log.error(
                "somebody removed or changed the divert's rules or routes, and connections may "
                "have passed uninspected; they are installed again"
            )
        if kept.trouble and kept.trouble != before.trouble:
            log.critical(
                "the divert is gone and can't be installed again; connections may pass "
                "uninspected: {trouble}",
                trouble=kept.trouble,
            )

    def _not_looked(self, failure: Any) -> None:
        """The rules are as they were at the last look, as far as anybody knows."""
        if failure.check(KeeperLost):
            log.critical("{error}", error=failure.value)
            self._watch.stop()
            self._reactor.stop()
        else:
            log.error("the keeper can't be asked: {error}", error=failure.value)

    # Stop

    @inlineCallbacks
    def stopService(self) -> Any:
        """Accept no more, let sessions end for a while, then undo everything."""
        yield super().stopService()  # type: ignore[no-untyped-call]
        if self._watch.running:
            self._watch.stop()
        if self._endpoint is not None:
            yield self._endpoint.stopListening()
        self._listeners.stop()
        yield self._drain()
        self._sessions.stop()
        yield self._in_thread(self._computing.stop)
        try:
            stay = yield self._in_thread(self._kept.stopped)
        except KernelError as error:
            log.error("the divert could not be undone: {error}", error=error)
        else:
            if stay:
                log.info("stopped: what should be inspected is blocked until the next start")
        self._kept.close()
        yield self._in_thread(self._looking_up.stop)  # a name server may take its time
        self._ticker.stop()
        self._poller.stop()
        yield self._in_thread(self._keyring.close)
        self._audit.close()

    def _drain(self) -> Deferred[None]:
        seconds = self._sessions.policy.limits.stop_seconds
        self._sessions.stopping()
        running = len(self._sessions.running)
        if running:
            log.info(
                "stopping: {running} sessions have {seconds} seconds to end",
                running=running,
                seconds=seconds,
            )
        drained = self._sessions.drain()
        call = self._reactor.callLater(seconds, self._sessions.stop)

        def done(result: Any) -> Any:
            if call.active():
                call.cancel()
            return result

        return drained.addBoth(done)
