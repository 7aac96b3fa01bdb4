"""
Desk: what a gateway may ask of the carrier.

A gateway that was taken over could ask too. So nothing is believed that can be
checked: the sockets are transparent TCP sockets that carry a gateway's marks, their
own names say between whom they run, and a session that this process has not
handed over, or was given, can't be named.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from attrs import frozen

from gateway.interfaces import Address
from gateway.kernel.release.carrier import Carrier
from gateway.kernel.release.overlap import Ends, NoProgram, NotNow, Stays
from gateway.kernel.release.parties import Party
from gateway.kernel.release.stories import Story
from gateway.kernel.sockets import Socket, has_mark, is_transparent
from gateway.policy.divert import Mark

Answer = dict[str, Any] | None

LONGEST_NAME = 64

PAIR = 2
"""Sockets of a session."""

MOST_COUNTED = 250
"""Sessions that are counted for one request: the answer is to fit into a packet."""


@frozen
class Marks:
    """What the legs of a gateway's sessions carry."""

    client: Mark
    server: Mark


class Desk:
    """
    Answers the processes of a gateway.

    @param carrier: does what is asked.
    @param attach: looks for devices that are new.
    @param translates: whether the host gives the server's leg another address, or port.
    """

    def __init__(
        self,
        carrier: Carrier,
        marks: Marks,
        attach: Callable[[], None],
        translates: Callable[[Ends], bool],
    ) -> None:
        self._carrier = carrier
        self._marks = marks
        self._attach = attach
        self._translates = translates
        self._asked: dict[str, Callable[[dict[str, Any], list[Socket], Party], Answer]] = {
            "greet": self._greet,
            "accept": self._accept,
            "leave": self._leave,
            "switch": self._switch,
            "let_go": self._let_go,
            "kill": self._kill,
            "counts": self._counts,
        }

    def answer(self, message: dict[str, Any], sockets: list[Socket], asker: Party) -> Answer:
        """
        Answer one request.

        @param sockets: what came with it; kept if they are used, else the caller's to close.
        @raise ValueError: it is nothing that a gateway asks.
        """
        asked = self._asked.get(str(message.get("ask")))
        if asked is None:
            raise ValueError("nothing that a gateway asks")
        try:
            return asked(message, sockets, asker)
        except (KeyError, TypeError, AttributeError, OverflowError) as error:
            raise ValueError(f"not as a gateway asks: {error!r}") from error

    def _greet(self, message: dict[str, Any], sockets: list[Socket], asker: Party) -> Answer:
        name = str(message["name"])
        if not 0 < len(name) <= LONGEST_NAME:
            raise ValueError("no name")
        return {"number": int(message["number"]), "sessions": asker.greet(name)}

    def _accept(self, message: dict[str, Any], sockets: list[Socket], asker: Party) -> Answer:
        asker.accept()
        return None

    def _leave(self, message: dict[str, Any], sockets: list[Socket], asker: Party) -> Answer:
        asker.leave()
        return None

    def _switch(self, message: dict[str, Any], sockets: list[Socket], asker: Party) -> Answer:
        number = int(message["number"])
        try:
            if len(sockets) != PAIR:
                raise NotNow("its sockets did not arrive: the carrier has too many open files")
            client, server = sockets
            ends = self._ends(client, server)
            towards_client, towards_server = map(int, message["pending"])
            idle, told = float(message["idle"]), dict(message["told"])
            story = Story(ends, idle, told, holder=asker.name)
            if story.is_long:
                raise Stays("its story is too long")
            pending = towards_client, towards_server
            index = self._begin(story, (client, server), pending)
        except Stays as why:
            again = isinstance(why, NotNow)
            return {"number": number, "stays": str(why), "again": again}
        except OSError as error:
            return {"number": number, "stays": f"a leg is over: {error.strerror}"}
        sockets.clear()
        taken = asker.took(index, ends)
        return {"number": number, "index": index, "switched": True, "taken": taken}

    def _begin(self, story: Story, legs: tuple[Socket, Socket], pending: tuple[int, int]) -> int:
        try:
            return self._carrier.switch(story, legs, pending)
        except NoProgram:
            self._attach()
            return self._carrier.switch(story, legs, pending)

    def _ends(self, client: Socket, server: Socket) -> Ends:
        """
        Between whom the two sockets run.

        @raise Stays: they are no session's, or its legs differ in more than a port.
        """
        for leg, mark in ((client, self._marks.client), (server, self._marks.server)):
            if leg.type != socket.SOCK_STREAM or not is_transparent(leg) or not has_mark(leg, mark):
                raise Stays("not a session's sockets")
        ends = Ends(_address(client.getpeername()), *map(_address, _names(server)))
        if _address(client.getsockname()) != ends.server or ends.client.host != ends.source.host:
            raise Stays("client and server don't see each other's addresses")
        if self._translates(ends):
            raise Stays("the host translates addresses of the server's leg")
        return ends

    def _let_go(self, message: dict[str, Any], sockets: list[Socket], asker: Party) -> Answer:
        index, told = int(message["index"]), dict(message.get("told", {}))
        if asker.may_name(index):
            self._carrier.let_go(index, told)
        return None

    def _kill(self, message: dict[str, Any], sockets: list[Socket], asker: Party) -> Answer:
        index = int(message["index"])
        if asker.may_name(index):
            self._carrier.kill(index)
        return None

    def _counts(self, message: dict[str, Any], sockets: list[Socket], asker: Party) -> Answer:
        """Bytes to the server, to the client, and seconds of silence, of each of these."""
        indices = message["indices"]
        if len(indices) > MOST_COUNTED:
            raise ValueError(f"more than {MOST_COUNTED} at once")
        counted = [
            self._carrier.counted(index) if asker.may_name(index) else None
            for index in map(int, indices)
        ]
        return {"number": int(message["number"]), "counts": counted}


def _names(server: Socket) -> tuple[Any, Any]:
    """Where the server's leg goes to, and what the server sees."""
    return server.getpeername(), server.getsockname()


def _address(name: Any) -> Address:
    return Address(name[0], name[1])
