"""The HTTP endpoint that Prometheus collects from. Who composes has it listen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST
from twisted.internet.defer import Deferred
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

Text = Callable[[], "Deferred[bytes]"]

TIMEOUT_SECONDS = 30
"""An idle connection is closed after so long. Prometheus asks every 15 to 60 seconds."""


def endpoint_site(text: Text, reactor: Any) -> Site:
    """
    C{/metrics} in Prometheus's text format, C{/health} with "ok", and nothing else.

    @param text: gives that text.
    @param reactor: the clock for time-outs.
    """
    root = Resource()  # type: ignore[no-untyped-call]
    root.putChild(b"metrics", _MetricsPage(text))
    root.putChild(b"health", _HealthPage())  # type: ignore[no-untyped-call]
    return _EndpointSite(root, timeout=TIMEOUT_SECONDS, reactor=reactor)  # type: ignore[no-untyped-call]


class _EndpointSite(Site):
    """Says nothing about its software, and writes no line to the log for each collection."""

    displayTracebacks = False

    def getResourceFor(self, request: Request) -> Any:
        """The page that is asked for."""
        request.responseHeaders.removeHeader(b"server")
        return super().getResourceFor(request)  # type: ignore[no-untyped-call]

    def log(self, request: object) -> None:
        """A collector that asks every few seconds is no news."""


class _MetricsPage(Resource):
    """Answers GET and HEAD."""

    def __init__(self, text: Text) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._text = text

    def render_GET(self, request: Request) -> int:
        """The metrics, as soon as they are known: workers are asked for theirs."""
        request.responseHeaders.setRawHeaders("content-type", [CONTENT_TYPE_LATEST])
        gone: list[object] = []
        request.notifyFinish().addErrback(gone.append)

        def answer(text: bytes) -> None:
            if not gone:
                request.responseHeaders.setRawHeaders("content-length", [str(len(text))])
                request.write(text)  # type: ignore[no-untyped-call]
                request.finish()  # type: ignore[no-untyped-call]

        self._text().addCallback(answer).addErrback(request.processingFailed)
        return NOT_DONE_YET


class _HealthPage(Resource):
    """The reactor answers: that is all it says."""

    def render_GET(self, request: Request) -> bytes:
        """C{ok}."""
        request.responseHeaders.setRawHeaders("content-type", ["text/plain; charset=utf-8"])
        return b"ok\n"
