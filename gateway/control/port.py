"""The control socket: where commands ask. Readers and operators open the same one."""

from __future__ import annotations

import grp
import os
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.protocol import Factory

from gateway.control.access import ROOT, Access, name_of, own_user, peer_of
from gateway.control.conversation import Conversation
from gateway.control.question import Asker, Misasked
from gateway.control.questions import Questions
from gateway.policy.control import ControlSettings

Compute = Callable[[Callable[[], str]], "Deferred[str]"]
"""Has something done in a thread."""

NAMED_WITHIN = 2.0
"""Seconds for a directory to say who a user is. It is a number then."""


class Conversations(Factory):
    """
    Makes one of each connection, and says nothing about it.

    @param compute: looks users up, which may take its time.
    """

    noisy = False

    def __init__(
        self,
        questions: Questions,
        clock: Any,
        settings: ControlSettings,
        access: Access,
        compute: Compute,
    ) -> None:
        self._questions = questions
        self._clock = clock
        self._settings = settings
        self._access = access
        self._compute = compute
        self._admitted: set[Any] = set()

    def buildProtocol(self, addr: object) -> Conversation:
        """One more, or one too many, which does not count while it is told so."""
        idle, place = self._settings.idle_seconds, object()
        identify, over = partial(self._identify, place), partial(self._admitted.discard, place)
        return Conversation(self._questions, self._clock, idle, identify, over)

    def _identify(self, place: object, transport: Any) -> Deferred[Asker]:
        """
        Who is there.

        @param place: stands for the conversation.
        @return: fails if nobody is to be answered.
        """
        try:
            peer = peer_of(transport.getHandle())
        except OSError as error:
            return fail(error)
        may_change = self._access.may_change(peer)
        # readers, however many they are, don't keep an operator out
        most = self._settings.conversations * (2 if may_change else 1)
        if len(self._admitted) >= most:
            return fail(Misasked("there are too many conversations already"))
        self._admitted.add(place)
        if peer.uid == ROOT:
            return succeed(Asker(name_of(ROOT), may_change))
        named = self._compute(lambda: name_of(peer.uid))
        named.addTimeout(NAMED_WITHIN, self._clock)
        return named.addCallbacks(
            lambda name: Asker(name, may_change), lambda _: Asker(f"uid {peer.uid}", may_change)
        )


def listen(
    reactor: Any,
    path: Path,
    settings: ControlSettings,
    owner: tuple[int, int] | None,
    questions: Questions,
    compute: Compute,
) -> Any:
    """
    Answer at C{path}. What a killed gateway has left there is replaced.

    @param owner: the user and group that the process will switch to, if any.
    @return: the port.
    @raise OSError: another gateway answers there, the place can't be written, or a group is not
        known here.
    """
    path.parent.mkdir(0o755, parents=True, exist_ok=True)
    if path.is_socket() and not _is_answered(path):
        path.unlink()
    operators = _group(settings.operators) if settings.operators else None
    access = Access(own_user(owner), operators)
    conversations = Conversations(questions, reactor, settings, access, compute)
    port = reactor.listenUNIX(str(path), conversations, mode=0o600)
    uid, gid = owner or (-1, -1)
    os.chown(path, uid, _group(settings.group) if settings.group else gid)
    path.chmod(int(settings.mode, 8))
    return port


def _group(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise OSError(f"gateway.toml: control: there is no group {name!r} here") from None


def _is_answered(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0
