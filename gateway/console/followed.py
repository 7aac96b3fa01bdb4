"""A page that follows the audit."""

from __future__ import annotations

from gateway.console.request import as_json
from gateway.console.stream import Stream
from gateway.control.following import Following


class FollowingStream:
    """What is told is sent; see L{Follower<gateway.control.following.Follower>}."""

    def __init__(self) -> None:
        self._stream: Stream | None = None

    def begin(self, following: Following, stream: Stream) -> None:
        """The page is there."""
        self._stream = stream
        stream.resumed.append(following.catch_up)
        stream.when_over(following.stop)

    @property
    def ready(self) -> bool:
        """Whether the page takes more now."""
        return self._stream is not None and self._stream.ready

    def told(self, line: bytes) -> None:
        """A record."""
        if self._stream is not None:
            self._stream.say_json("record", line)

    def missed(self, count: int) -> None:
        """So many could not be told."""
        if self._stream is not None:
            self._stream.say_json("missed", as_json(count))
