"""The question C{show}: the whole story of one session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from gateway.agreement import Agreed
from gateway.control.kernel import Kernel
from gateway.control.question import Answer, Asked, Asker, Misasked, check_keys
from gateway.control.running import Register
from gateway.control.selection import Seen
from gateway.control.sessions import address, row
from gateway.control.survey import Rate
from gateway.observe.snapshot import Snapshot
from gateway.observe.story import LegStory, Story
from gateway.policy.connection import Connection
from gateway.policy.explain import describe, reasons

BETWEEN = 0.25
"""Seconds between two looks, to tell the rates."""


class Show:
    """
    @param clock: seconds since 1970.
    @param kernel: knows what the kernel has carried.
    """

    changes = False

    def __init__(self, register: Register, clock: IReactorTime, kernel: Kernel) -> None:
        self._register = register
        self._clock = clock
        self._kernel = kernel

    def ask(self, asked: Asked, asker: Asker) -> Deferred[Answer] | Answer:
        """See L{Question<gateway.control.question.Question>}."""
        check_keys(asked, ("id",))
        wanted = asked.get("id")
        if type(wanted) is not int:
            raise Misasked("id: not a session's number")
        session = self._register.running.get(wanted)
        if session is None:
            return {"session": None}
        return Deferred.fromCoroutine(self._show(wanted, session.snapshot()))

    async def _show(self, wanted: int, before: Snapshot) -> Answer:
        """Look, and look again after a moment."""
        before = (await self._kernel.add({wanted: before}))[wanted]
        await deferLater(self._clock, BETWEEN)
        session = self._register.running.get(wanted)
        if session is None:
            return {"session": None}
        story = session.story()
        snapshot = (await self._kernel.add({wanted: story.snapshot}))[wanted]
        return {"session": self._tell(story, before, snapshot)}

    def _tell(self, story: Story, before: Snapshot, snapshot: Snapshot) -> Answer:
        rate = Rate(
            (snapshot.to_server - before.to_server) / BETWEEN,
            (snapshot.to_client - before.to_client) / BETWEEN,
        )
        upstream, released = story.upstream, story.released
        return {
            **row(Seen(snapshot, self._clock.seconds(), rate)),
            "rule": _rule(story),
            "upstream": upstream
            and {
                **address(upstream.address),
                "source": address(upstream.source),
                "port_kept": upstream.port_kept,
                "attempts": upstream.attempts,
                "connect_seconds": round(upstream.seconds, 6),
            },
            "legs": {
                "client": _leg(story.client, "the client"),
                "server": _leg(story.server, "the server"),
            },
            "inspector": {"name": _name(story), "about": story.about},
            "limits": [
                {"name": each.name, "seconds": each.seconds, "left": round(each.left, 2)}
                for each in story.limits
            ],
            "denied": story.denied,
            "announced": story.announced,
            "released": released and {"in": released.place, "why": released.why},
            "verdict": story.verdict,
        }

    def merge(self, asked: Asked, answers: Sequence[Answer]) -> Answer:
        """See L{Question<gateway.control.question.Question>}: one of them has it, or none."""
        return next((each for each in answers if each["session"] is not None), answers[0])


def _rule(story: Story) -> Answer | None:
    """Which one brought it, and why that; C{None}: none, it was announced."""
    identity = story.snapshot.identity
    rule = identity.rule
    if rule is None:
        return None
    asked = Connection(
        identity.client, identity.server, identity.protocol, next(iter(rule.interfaces), None)
    )
    return {
        "place": rule.place.at_line,
        "says": describe(rule),
        "because": list(reasons(story.policy, asked, rule)),
    }


def _name(story: Story) -> str:
    """The inspector's, as service files name it; or its class's."""
    for service in story.policy.services.values():
        if service.maker is not None and story.inspector in _classes(service.maker):
            return service.maker.name
    return "" if story.inspector is None else story.inspector.__name__


def _classes(maker: Any) -> tuple[Any, ...]:
    """Of streams, and of datagrams if that is another one."""
    inspector = getattr(maker, "inspector", None)
    return inspector, getattr(inspector, "Datagrams", inspector)


def _leg(leg: LegStory, who: str) -> Answer:
    return {
        "peer": leg.peer and address(leg.peer),
        "own": leg.own and address(leg.own),
        "received": leg.received,
        "sent": leg.sent,
        "waiting": leg.waiting,
        "waits_for": list(leg.reasons or _read(leg, who)),
        "ended": leg.ended,
        "tls": None if leg.tls is None else _tls(leg.tls),
    }


def _read(leg: LegStory, who: str) -> tuple[str, ...]:
    """What a side that is read waits for."""
    return () if leg.peer is None or leg.ended else (f"{who}, to say something",)


def _tls(agreed: Agreed) -> Answer:
    leaf = agreed.chain[0] if agreed.chain else None
    return {
        "version": agreed.version,
        "cipher": agreed.cipher,
        "group": agreed.group,
        "alpn": agreed.alpn,
        "resumed": agreed.resumed,
        "subject": "" if leaf is None else leaf.subject,
        "names": [] if leaf is None else list(leaf.names[:20]),
        "fingerprint": "" if leaf is None else leaf.fingerprint,
    }
