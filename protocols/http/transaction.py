"""Transaction: one request with its response, and the audit record about both."""

from __future__ import annotations

from typing import Any

from gateway.interfaces import Address
from protocols.http.body import Body
from protocols.http.grammar import REQUEST_LINE
from protocols.http.message import Request, Response

PASSED = "passed"
DENIED = "denied"
FAILED = "failed"

MOST_TOLD = 200
"""Characters of a request that are told to who looks at its session."""


class Transaction:
    """
    What is known of one request and its response.

    @ivar began: when its first byte came.
    @ivar since: since when the body is read, or the server's answer is waited for.
    @ivar persistent: whether the client expects to go on after it.
    @ivar expects: the client waits for a 100 before it sends the body.
    @ivar upgrades: the protocols that the server was offered.
    @ivar asked: the request was sent to its end.
    @ivar answering: the client has got some of the final response.
    @ivar answered: it was sent to its end.
    @ivar delimited: the client can tell where it ends without the end of the connection.
    @ivar paged: the client had a page that says how far the answer is, which then fetched it.
    @ivar interim: how many 1xx responses there were.
    @ivar status: of the answer that the client got; the server's, or the gateway's own.
    @ivar request_body: as far as it was sent; C{None} before.
    @ivar response_body: likewise.
    @ivar request_head: how long the request's head was, in bytes.
    @ivar response_head: likewise.
    @ivar line: the first line of a request that was none.
    @ivar address: of the server, if it is not the original destination.
    @ivar user: who asks, if that is known.
    @ivar wait: for so many seconds the server may say nothing; 0: as the settings have it.
    """

    _request: Request | None = None
    _response: Response | None = None
    request_body: Body | None = None
    response_body: Body | None = None
    request_head = response_head = 0
    persistent = expects = False
    upgrades: tuple[str, ...] = ()
    asked = answering = answered = delimited = recorded = paged = False
    interim = status = 0
    line = user = ""
    wait = 0.0
    reply: bytes | None = None
    address: Address | None = None

    def __init__(self, began: float = 0.0) -> None:
        self.began = self.since = began

    @property
    def request(self) -> Request | None:
        """As the client sent it; C{None} if it was none."""
        if self._request is None:
            self._request = self.read_request()
        return self._request

    @request.setter
    def request(self, request: Request) -> None:
        self._request = request

    @property
    def response(self) -> Response | None:
        """The final one, as the server sent it."""
        if self._response is None:
            self._response = self.read_response()
        return self._response

    @response.setter
    def response(self, response: Response) -> None:
        self._response = response

    def read_request(self) -> Request | None:
        """Of a transaction whose request is read only if somebody wants to know it."""
        return None

    def read_response(self) -> Response | None:
        """The same for the response."""
        return None

    @property
    def version(self) -> str:
        """The client's."""
        return self.request.version if self.request is not None else "1.1"

    @property
    def is_tunnel(self) -> bool:
        """Whether a tunnel is asked for."""
        return self.request is not None and self.request.method == "CONNECT"

    @property
    def is_waiting(self) -> bool:
        """Whether the client waits to be asked for the body."""
        body = self.request_body
        return self.expects and not self.interim and (body is None or not body.size)

    @property
    def uploads(self) -> bool:
        """Whether some of a body was sent."""
        return self.request_body is not None and self.request_body.size > 0

    @property
    def about(self) -> str:
        """What it is, and how far it has come, in a few words."""
        request = self.request
        asked = f"{request.method} {request.host}{request.target.text}" if request else self.line
        if self.answering:
            state = f"its answer, {self.status}, is on its way"
        elif self.asked:
            state = "waits for the server's answer"
        else:
            state = "is being asked for"
        return f"{asked[:MOST_TOLD]} {state}"

    def record(
        self, verdict: str, reason: str = "", offset: int | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The audit record: EVE's fields, and the gateway's. What is not known is left out."""
        self.recorded = True
        fields = _asked(self.request) if self.request is not None else _misread(self.line)
        gateway: dict[str, Any] = {"verdict": verdict}
        if reason:
            gateway["reason"] = reason
        if self.user:
            gateway["username"] = self.user
        if self.response is not None:
            fields.update(_answered(self.response))
        if self.paged:
            gateway["progress_page"] = True
        if self.status:
            fields["status"] = self.status
        self._measure(fields, gateway)
        if self.address is not None:
            gateway["upstream"] = {"ip": self.address.host, "port": self.address.port}
        if offset is not None:
            gateway["offset"] = offset
        return fields, gateway

    def _measure(self, fields: dict[str, Any], gateway: dict[str, Any]) -> None:
        """Bytes of content, and with the heads; of the answer that the client got."""
        asked = self.request_body.size if self.request_body is not None else 0
        answered, head = 0, self.response_head
        if self.reply is not None:
            head = self.reply.index(b"\r\n\r\n") + 4
            answered = len(self.reply) - head
        elif self.response_body is not None:
            answered = self.response_body.size
        fields["length"] = answered
        if asked:
            gateway["request_length"] = asked
        gateway["request_bytes"] = self.request_head + asked
        gateway["response_bytes"] = head + answered


def _misread(line: str) -> dict[str, Any]:
    """What can be said of a request whose first line was all that could be read."""
    found = REQUEST_LINE.fullmatch(line)
    if found is None:
        return {}
    method, url, version = found.groups()
    return {"url": url, "http_method": method, "protocol": f"HTTP/{version}"}


def _asked(request: Request) -> dict[str, Any]:
    headers = request.headers
    fields: dict[str, Any] = {}
    if request.host:
        fields["hostname"] = request.host
    if request.port:
        fields["http_port"] = request.port
    fields["url"] = request.target.text
    agent, referer = headers.first.get("user-agent"), headers.first.get("referer")
    if agent:
        fields["http_user_agent"] = agent
    if referer:
        fields["http_refer"] = referer
    fields["http_method"] = request.method
    fields["protocol"] = f"HTTP/{request.version}"
    return fields


def _answered(response: Response) -> dict[str, Any]:
    headers = response.headers
    fields: dict[str, Any] = {}
    content_type = headers.first.get("content-type")
    if content_type:
        fields["http_content_type"] = content_type.partition(";")[0].strip(" \t")
    if 300 <= response.status < 400 and "location" in headers.first:
        fields["redirect"] = headers.first.get("location")
    return fields
