"""The HTTP endpoint that Prometheus collects from. The composition root listens."""

from __future__ import annotations

from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from gateway.observe.metrics import Metrics

TIMEOUT_SECONDS = 30
"""An idle connection is closed after so long. Prometheus asks every 15 to 60 seconds."""


def endpoint_site(metrics: Metrics, reactor: Any) -> Site:
    """
    C{/metrics} in Prometheus's text format, C{/health} with "ok", and nothing else.

    @param reactor: the clock for time-outs.
    """
    root = Resource()  # type: ignore[no-untyped-call]
    root.putChild(b"metrics", _MetricsPage(metrics))
    root.putChild(b"health", _HealthPage())  # type: ignore[no-untyped-call]
    return _EndpointSite(root, timeout=TIMEOUT_SECONDS, reactor=reactor)  # type: ignore[no-untyped-call]


class _EndpointSite(Site):
    """Says nothing about its software, and writes no line to the log for each collection."""

    displayTracebacks = False

    def getResourceFor(self, request: Request) -> Any:
        request.responseHeaders.removeHeader(b"server")
        return super().getResourceFor(request)  # type: ignore[no-untyped-call]

    def log(self, request: object) -> None:
        """A collector that asks every few seconds is no news."""


class _MetricsPage(Resource):
    """Answers GET and HEAD."""

    def __init__(self, metrics: Metrics) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._metrics = metrics

    def render_GET(self, request: Request) -> bytes:
        request.responseHeaders.setRawHeaders("content-type", [CONTENT_TYPE_LATEST])
        return self._metrics.text()


class _HealthPage(Resource):
    """The reactor answers: that is all it says."""

    def render_GET(self, request: Request) -> bytes:
        request.responseHeaders.setRawHeaders("content-type", ["text/plain; charset=utf-8"])
        return b"ok\n"
