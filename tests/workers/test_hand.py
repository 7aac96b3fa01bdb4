"""A worker, as the supervisor sees it; also one that strangers have taken over."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import TestCase

from gateway.observe.metrics import Metrics
from gateway.observe.sums import state_of
from gateway.workers import hand as module
from gateway.workers.hand import Hand
from gateway.workers.nursing import Newborn
from gateway.workers.spec import WorkerSpec


class Paper:
    """Takes audit records."""

    pressed = False

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def take(self, lines: bytes) -> None:
        self.lines.append(lines)


class HandTests(TestCase):
    """Nothing that a worker says does any harm to whoever looks after it."""

    timeout = 60.0

    def setUp(self) -> None:
        self.child = subprocess.Popen(["sleep", "600"])
        self.addCleanup(self.child.wait)
        self.addCleanup(self.child.kill)
        link, self.link = socket.socketpair()
        stream, self.stream = socket.socketpair()
        newborn = Newborn(
            WorkerSpec(index=0, column=1, first=0),
            self.child.pid,
            os.pidfd_open(self.child.pid),
            link=link,
            stream=stream,
        )
        self.over: Deferred[Hand] = Deferred()
        self.hand = Hand(reactor, newborn, Paper(), self.over.callback)

    async def ends(self) -> None:
        """It is killed, and its ends of link and stream are closed by that."""
        await self.signalled()
        self.link.close()
        self.stream.close()
        self.assertIs(await self.over, self.hand)

    async def signalled(self) -> None:
        gone: Deferred[None] = Deferred()

        def look() -> None:
            if self.child.poll() is None:
                reactor.callLater(0.01, look)  # type: ignore[attr-defined]
            else:
                gone.callback(None)

        look()
        await gone
        self.assertEqual(self.child.returncode, -signal.SIGKILL)

    def say(self, message: object) -> None:
        self.link.sendall(json.dumps(message).encode() + b"\n")

    def test_figures(self) -> None:
        """The last numbers of a worker stay, if they are such as can be added up."""

        async def talk() -> None:
            figures = state_of(Metrics())
            self.say({"over": figures})
            self.link.close()
            self.stream.close()
            self.child.kill()
            await self.over
            self.assertEqual(self.hand.state, json.loads(json.dumps(figures)))

        return ensureDeferred(talk())  # type: ignore[return-value]

    def test_no_figures(self) -> None:
        """Such as can't be are not looked at; who tells them ends like any other."""

        async def talk() -> None:
            for told in ({}, 5, {**state_of(Metrics()), "services": {"web": 5}}):
                self.say({"over": told})
            self.link.close()
            self.stream.close()
            self.child.kill()
            await self.over
            self.assertIsNone(self.hand.state)

        return ensureDeferred(talk())  # type: ignore[return-value]

    def test_asks(self) -> None:
        """A worker has nothing to ask: no answers pile up for one that does not take them."""

        async def talk() -> None:
            self.patch_grace()
            self.say({"number": 1})
            await self.ends()
            self.flushLoggedErrors(ValueError)

        return ensureDeferred(talk())  # type: ignore[return-value]

    def test_no_more_records(self) -> None:
        """A worker that writes no records any more has no more connections either."""

        async def talk() -> None:
            self.patch_grace()
            self.stream.close()
            await self.ends()

        return ensureDeferred(talk())  # type: ignore[return-value]

    def patch_grace(self) -> None:
        """It is not given long to end by itself."""
        self.patch(module, "GRACE", 0.0)
