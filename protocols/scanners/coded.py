"""Coded: a body that is compressed, for a scanner that does not decode."""

from __future__ import annotations

from gateway.interfaces import CLIENT, SERVER, ISession
from gateway.tools import ISpool
from protocols.scanners.decoding import decoded, encoded
from protocols.scanners.settings import ScanSettings


class Larger(Exception):
    """Decoded, a body is larger than what is scanned."""


class Coded:
    """
    The body of one session. Others have their turn while it is worked on.

    @ivar cut: what was decoded is its beginning only.
    """

    def __init__(self, session: ISession) -> None:
        self.cut = False
        self._session = session
        self._settings: ScanSettings = session.settings
        self._coding = session.envelope.coding
        self._sender = CLIENT if session.envelope.direction == "upload" else SERVER

    async def decode(self, body: ISpool, whole: bool) -> ISpool:
        """
        The body as it will be read.

        @param whole: all of it is there.
        @raise Larger: that is more than is scanned.
        @raise Unfit: it can't be.
        """
        plain = self._room()
        for piece in decoded(body, self._coding, whole):
            room = self._settings.body_bytes - plain.size
            plain.put(piece[:room])
            if len(piece) > room:
                if self._settings.larger != "scan-beginning":
                    raise Larger
                self.cut = True
                break
            await self._session.give_way(self._sender)
        return plain

    async def encode(self, plain: ISpool) -> ISpool:
        """What passes instead is compressed as what came; C{plain} is closed."""
        body = self._room()
        for piece in encoded(plain, self._coding):
            body.put(piece)
            await self._session.give_way(self._sender)
        plain.close()
        return body

    def _room(self) -> ISpool:
        room: ISpool = self._session.tools.spool(self._settings.memory_bytes)
        return room
