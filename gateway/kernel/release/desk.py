"""
Desk: what a gateway may ask of the carrier.

A gateway that was taken over could ask too. So nothing is believed that can be
checked: the sockets are transparent TCP sockets that carry a gateway's marks, their
own names say between whom they run, and a session that this gateway has not
handed over can't be named.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from attrs import frozen

from gateway.interfaces import Address
from gateway.kernel.release.carrier import Carrier
from gateway.kernel.release.overlap import Ends, NoProgram, NotNow, Stays
from gateway.kernel.release.stories import Story
from gateway.kernel.sockets import Socket, has_mark, is_transparent
from gateway.policy.divert import Mark

Answer = dict[str, Any] | None

MOST_COUNTED = 250
"""Sessions that are counted for one request: the answer is to fit into a packet."""


@frozen
class Marks:
    """What the legs of a gateway's sessions carry."""

    client: Mark
    server: Mark


class Desk:
    """
    Answers one gateway.

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
        self._asked: dict[str, Callable[[dict[str, Any], list[Socket]], Answer]] = {
            "switch": self._switch,
            "let_go": self._let_go,
            "kill": self._kill,
            "count": self._count,
            "counts": self._counts,
            "adopt": self._adopt,
        }

    def answer(self, message: dict[str, Any], sockets: list[Socket]) -> Answer:
        """
        Answer one request.

        @param sockets: what came with it; kept if they are used, else the caller's to close.
        @raise ValueError: it is nothing that a gateway asks.
        """
        asked = self._asked.get(str(message.get("ask")))
        if asked is None:
            raise ValueError("nothing that a gateway asks")
        try:
            return asked(message, sockets)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not as a gateway asks: {error!r}") from error

    def _switch(self, message: dict[str, Any], sockets: list[Socket]) -> Answer:
        number = int(message["number"])
        try:
            client, server = sockets
            ends = self._ends(client, server)
            towards_client, towards_server = map(int, message["pending"])
            story = Story(ends, float(message["idle"]), dict(message["told"]))
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
        return {"number": number, "index": index, "switched": True}

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

    def _let_go(self, message: dict[str, Any], sockets: list[Socket]) -> Answer:
        self._carrier.let_go(int(message["index"]), dict(message.get("told", {})))
        return None

    def _kill(self, message: dict[str, Any], sockets: list[Socket]) -> Answer:
        self._carrier.kill(int(message["index"]))
        return None

    def _count(self, message: dict[str, Any], sockets: list[Socket]) -> Answer:
        released = self._carrier.released(int(message["index"]))
        if released is None:
            return {"number": int(message["number"]), "over": True}
        count = released.count
        return {
            "number": int(message["number"]),
            "bytes_to_server": count.bytes_to_server,
            "bytes_to_client": count.bytes_to_client,
            "heard": released.active,
        }

    def _counts(self, message: dict[str, Any], sockets: list[Socket]) -> Answer:
        """Bytes to the server, to the client, and seconds of silence, of each of these."""
        indices = message["indices"]
        if len(indices) > MOST_COUNTED:
            raise ValueError(f"more than {MOST_COUNTED} at once")
        counts = [self._carrier.counted(int(index)) for index in indices]
        return {"number": int(message["number"]), "counts": counts}

    def _adopt(self, message: dict[str, Any], sockets: list[Socket]) -> Answer:
        """One session after the other, in the order of their indices."""
        number = int(message["number"])
        released = self._carrier.following(int(message["after"]))
        if released is None:
            return {"number": number, "index": -1}
        return {"number": number, "index": released.index, "told": released.story.told}


def _names(server: Socket) -> tuple[Any, Any]:
    """Where the server's leg goes to, and what the server sees."""
    return server.getpeername(), server.getsockname()


def _address(name: Any) -> Address:
    return Address(name[0], name[1])
