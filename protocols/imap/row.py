"""A Row: one answer to FETCH, as the client gets it."""

from __future__ import annotations

from gateway.interfaces import CLIENT, ISession
from protocols.imap.value import Mark


class Row:
    """Items, one after the other."""

    def __init__(self, session: ISession, number: int) -> None:
        self._session = session
        self.number = number
        self._text: list[bytes] = []
        self._empty = True

    def put(self, name: bytes, value: bytes) -> None:
        """One item, with its value."""
        before = b"* %d FETCH (" % self.number if self._empty else b" "
        self._empty = False
        self._text.append(before + name + b" " + value)

    def literal(self, name: bytes, data: bytes) -> None:
        """One that is a literal."""
        self.put(name, Mark(len(data)).written() + data)

    def begin(self, name: bytes, mark: Mark) -> None:
        """The beginning of one: so many bytes have to follow, by L{send}."""
        self.put(name, mark.written())
        self.flush()

    def send(self, data: bytes) -> None:
        """Some of these bytes."""
        self._session.send(CLIENT, data)

    def end(self) -> None:
        """That was all. If it was nothing, the client hears nothing of it."""
        if not self._empty:
            self._text.append(b")\r\n")
            self.flush()

    def flush(self) -> None:
        """The client gets what there is of it so far."""
        text, self._text = self._text, []
        self._session.send(CLIENT, b"".join(text))
