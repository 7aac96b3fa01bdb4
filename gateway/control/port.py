"""The control socket: where commands ask. Readers and operators open the same one."""

from __future__ import annotations

import grp
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory

from gateway.control.access import ROOT, Access, Peer, name_of, own_user, peer_of
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
        self._admitted: dict[Conversation, Peer] = {}

    def adopt(self, settings: ControlSettings, access: Access) -> None:
        """These hold from now on: who was an operator, and is none any more, can only look."""
        self._settings = settings
        self._access = access
        for conversation, peer in self._admitted.items():
            conversation.may_change(access.may_change(peer))

    def buildProtocol(self, addr: object) -> Conversation:
        """One more, or one too many, which does not count while it is told so."""
        idle = self._settings.idle_seconds
        return Conversation(self._questions, self._clock, idle, self._identify, self._over)

    def _over(self, conversation: Conversation) -> None:
        self._admitted.pop(conversation, None)

    def _identify(self, conversation: Conversation, transport: Any) -> Deferred[Asker]:
        """
        Who is there.

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
        self._admitted[conversation] = peer
        if peer.uid == ROOT:
            return succeed(Asker(name_of(ROOT), may_change))
        named = self._compute(lambda: name_of(peer.uid))
        named.addTimeout(NAMED_WITHIN, self._clock)
        named.addErrback(lambda _: f"uid {peer.uid}")
        # which may be another one by now
        return named.addCallback(lambda name: Asker(name, self._access.may_change(peer)))


class ControlPort:
    """
    Answers at C{path}, as long as it is open.

    @param owner: the user and group that the process will switch to, if any.
    """

    def __init__(
        self,
        reactor: Any,
        path: Path,
        settings: ControlSettings,
        owner: tuple[int, int] | None,
        questions: Questions,
        compute: Compute,
    ) -> None:
        self._reactor = reactor
        self._path = path
        self._settings = settings
        self._owner = owner
        self._conversations = Conversations(
            questions, reactor, settings, Access(own_user(owner)), compute
        )
        self._port: Any = None

    def open(self) -> None:
        """
        Listen. What a killed gateway has left there is replaced.

        @raise OSError: another gateway answers there, the place can't be written, or a group is
            not known here.
        """
        path = self._path
        path.parent.mkdir(0o755, parents=True, exist_ok=True)
        if path.is_socket() and not _is_answered(path):
            path.unlink()
        self._admit(self._settings)
        try:
            self._port = self._reactor.listenUNIX(str(path), self._conversations, mode=0o600)
        except CannotListenError as error:
            raise OSError(f"can't listen at {path}: {error.socketError}") from error
        self._let_in(self._settings)

    def prepare(self, settings: ControlSettings) -> None:
        """
        Another policy comes. After this L{adopt} or L{abandon} is called.

        @raise OSError: a group is not known here, or the socket can't be given to it. Nothing has
            changed.
        """
        if settings == self._settings:
            return
        _operators(settings)
        try:
            self._let_in(settings)
        except OSError:
            self.abandon()
            raise

    def abandon(self) -> None:
        """It does not come."""
        if self._port is not None:
            self._let_in(self._settings)

    def adopt(self, settings: ControlSettings) -> None:
        """It is in force now, for who is connected already, too."""
        self._settings = settings
        self._admit(settings)

    def stop(self) -> Any:
        """Listen no more. Fires when that is so."""
        port, self._port = self._port, None
        return None if port is None else port.stopListening()

    def _admit(self, settings: ControlSettings) -> None:
        """Who may change something."""
        self._conversations.adopt(settings, Access(own_user(self._owner), _operators(settings)))

    def _let_in(self, settings: ControlSettings) -> None:
        """Who may open the socket."""
        uid, gid = self._owner or (-1, os.getgid())
        group = _group(settings.group) if settings.group else gid
        try:
            os.chown(self._path, uid, group)
        except PermissionError as error:
            raise OSError(
                f"gateway.toml: control.group: the gateway can't give its socket to the group "
                f"{settings.group!r}: add its user to that group, and restart"
            ) from error
        self._path.chmod(int(settings.mode, 8))


def _operators(settings: ControlSettings) -> int | None:
    return _group(settings.operators) if settings.operators else None


def _group(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise OSError(f"gateway.toml: control: there is no group {name!r} here") from None


def _is_answered(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0
