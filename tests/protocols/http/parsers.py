"""What two independent parsers take a message for: h11, and llhttp (of Node.js) by httptools."""

from __future__ import annotations

import re
from typing import Any

import h11
import httptools
from attrs import define, field, frozen

Field = tuple[bytes, bytes]

OFFER = re.compile(rb"\r\nupgrade:", re.IGNORECASE)
"""Put aside for llhttp under the name of something else that is for the next hop alone."""

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@frozen
class Meaning:
    """
    One message.

    @ivar start: method and target, or status and reason.
    @ivar headers: names in small letters.
    @ivar trailers: likewise.
    """

    start: tuple[bytes, bytes]
    headers: tuple[Field, ...]
    body: bytes
    trailers: tuple[Field, ...] = ()

    def bare(self) -> Meaning:
        """Without what is for the next hop alone."""
        dropped = {
            b"connection",
            b"te",
            b"upgrade",
            b"proxy-connection",
            b"http2-settings",
            b"expect",
        }
        dropped |= self.options - {b"keep-alive"}
        kept = tuple((name, value) for name, value in self.headers if name not in dropped)
        return Meaning(self.start, kept, self.body, self.trailers)

    @property
    def options(self) -> set[bytes]:
        """What Connection says."""
        said = b",".join(value for name, value in self.headers if name == b"connection")
        return {option.strip().lower() for option in said.split(b",")}

    @property
    def has_end(self) -> bool:
        """Whether the end of its body can be told without that of the connection."""
        names = {name for name, _ in self.headers}
        return bool(names & {b"content-length", b"transfer-encoding"})


class Refused(Exception):
    """The parser does not take it, or it is not complete."""


def h11_requests(data: bytes) -> list[Meaning]:
    """
    The requests that h11 finds.

    @raise Refused: see there.
    """
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    if data:  # h11 takes nothing for the end
        connection.receive_data(data)
    found = []
    try:
        while True:
            meaning = _h11_message(connection, h11.Request)
            if meaning is None:
                return found
            found.append(meaning)
            connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
            connection.send(h11.EndOfMessage())
            if connection.our_state is h11.MUST_CLOSE:
                return found + _h11_behind(connection, meaning)
            connection.start_next_cycle()
    except (h11.RemoteProtocolError, h11.LocalProtocolError) as error:
        raise Refused(str(error)) from error


def _h11_behind(connection: h11.Connection, last: Meaning) -> list[Meaning]:
    """What is behind a message that is the last one, or that h11 takes for it."""
    data = connection.trailing_data[0]
    if data and b"keep-alive" not in last.options:
        raise Refused("bytes after the last message")
    return h11_requests(data) if data else []


def h11_response(request: Meaning, data: bytes) -> list[Meaning]:
    """The response to a request, after which the connection ends."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    try:
        method, target = request.start
        connection.send(h11.Request(method=method, target=target, headers=[("Host", "a")]))
        connection.send(h11.EndOfMessage())
        connection.receive_data(data)
        connection.receive_data(b"")
        meaning = _h11_message(connection, h11.Response)
    except (h11.RemoteProtocolError, h11.LocalProtocolError) as error:
        raise Refused(str(error)) from error
    if connection.trailing_data[0]:
        raise Refused("bytes after the response")
    return [] if meaning is None else [meaning]


def _h11_message(connection: h11.Connection, kind: Any) -> Meaning | None:
    start = None
    body = b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            if start is not None or connection.trailing_data[0]:
                raise Refused("incomplete")
            return None
        if isinstance(event, h11.ConnectionClosed | type(h11.PAUSED)) or event is h11.PAUSED:
            raise Refused("closed")
        if isinstance(event, kind):
            start = event
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            assert start is not None
            trailers = _fields(event.headers)
            return Meaning(_h11_start(start), _fields(start.headers), body, trailers)


def _h11_start(event: Any) -> tuple[bytes, bytes]:
    if isinstance(event, h11.Request):
        return bytes(event.method), bytes(event.target)
    return b"%d" % event.status_code, bytes(event.reason)


def _fields(headers: Any) -> tuple[Field, ...]:
    return tuple(_field(bytes(name).lower(), bytes(value).strip(b" \t")) for name, value in headers)


def _field(name: bytes, value: bytes) -> Field:
    """Of what frames a message, h11 tells its own spelling, and so do we."""
    if name == b"transfer-encoding":
        return name, value.lower()
    if name == b"content-length" and value.isdigit():
        return name, b"%d" % int(value)
    return name, value


@define
class Collector:
    """What llhttp calls."""

    found: list[Meaning] = field(factory=list)
    parser: Any = None
    url: bytes = b""
    reason: bytes = b""
    headers: list[Field] = field(factory=list)
    trailers: list[Field] = field(factory=list)
    body: bytes = b""
    begun: bool = False
    complete_head: bool = False

    def on_message_begin(self) -> None:
        """The first byte."""
        self.url = self.reason = self.body = b""
        self.headers, self.trailers = [], []
        self.begun, self.complete_head = True, False

    def on_url(self, url: bytes) -> None:
        """A piece of the target."""
        self.url += url

    def on_status(self, reason: bytes) -> None:
        """A piece of the reason."""
        self.reason += reason

    def on_header(self, name: bytes, value: bytes | None) -> None:
        """A header, or a trailer."""
        fields = self.trailers if self.complete_head else self.headers
        fields.append((name, value or b""))

    def on_headers_complete(self) -> None:
        """The empty line."""
        self.complete_head = True

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self.body += body

    def on_message_complete(self) -> None:
        """The end."""
        self.begun = False
        if isinstance(self.parser, httptools.HttpRequestParser):
            start = self.parser.get_method(), self.url
        else:
            start = b"%d" % self.parser.get_status_code(), self.reason
        headers, trailers = _fields(self.headers), _fields(self.trailers)
        self.found.append(Meaning(start, headers, self.body, trailers))


def llhttp(data: bytes, parser: type, ended: bool = False) -> list[Meaning]:
    """
    The messages that llhttp finds, with every offer of another protocol declined.

    @param ended: the connection ends after that; which is the end of a body that has no other.
    @raise Refused: see there.
    """
    while True:
        collector = Collector()
        collector.parser = parser(collector)
        try:
            collector.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # It takes what follows for the other protocol, even if it is the body.
            end = upgrade.args[0]
            head, offers = OFFER.subn(b"\r\nProxy-Connection:", data[:end])
            if not offers:
                raise Refused("a tunnel") from upgrade
            data = head + data[end:]
            continue
        except httptools.HttpParserError as error:
            raise Refused(str(error)) from error
        break
    if collector.begun and ended and collector.complete_head:
        collector.on_message_complete()
        if collector.found[-1].has_end:
            raise Refused("incomplete")
    if collector.begun:
        raise Refused("incomplete")
    return collector.found
