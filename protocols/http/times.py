"""Times: how long a client, and a server, may take. What needs no policy, but a bound."""

from __future__ import annotations

from attrs import field, frozen

from gateway.inspector import option


@frozen
class Times:
    """The table C{[http.times]}. 0 is any time. Limits are kept to within a second."""

    head_seconds: float = option(
        "How long the head of a request may take from its first byte on; else it is answered "
        "with 408.",
        30,
        unit="seconds",
        minimum=0,
        precedent="Apache's RequestReadTimeout is 20 to 40, nginx's client_header_timeout 60",
    )
    request_seconds: float = option(
        "How long a whole request may take, its body included; else it is answered with 400, or "
        "with 408 if nothing of its body has come.",
        0,
        unit="seconds",
        minimum=0,
        precedent="HAProxy's http-request timeout, Zorp's timeout_request",
    )
    request_bytes_per_second: int = option(
        "How much of a request's body has to come on an average, in each window_seconds in which "
        "the server takes it; else it is answered with 400, or with 408 if nothing has come.",
        240,
        unit="bytes",
        minimum=0,
        precedent="Kestrel's 240, Apache's MinRate=500",
    )
    response_seconds: float = option(
        "How long the server may take until its answer begins; else the gateway answers with 504. "
        'Tests with action = "wait" say so of some requests.',
        360,
        unit="seconds",
        minimum=0,
        in_silence=True,
        precedent="Zorp's timeout_response is 300; who polls waits for 5 minutes and some seconds",
    )
    silence_seconds: float = option(
        "How long the server may be silent within an answer of which the client has got all that "
        "came; else the connection is broken off.",
        360,
        unit="seconds",
        minimum=0,
        in_silence=True,
        precedent="Envoy's stream_idle_timeout is 300, nginx's proxy_read_timeout 60",
    )
    response_bytes_per_second: int = option(
        "How much of a response's body has to come on an average, in each window_seconds in which "
        "the client takes it; else the connection is broken off. Streams of events are slow.",
        0,
        unit="bytes",
        minimum=0,
        precedent="curl's --speed-limit",
    )
    take_seconds: float = option(
        "How long a client may take for what waits for it, which is limits.buffer of the service "
        "at most; else the connection is broken off.",
        300,
        unit="seconds",
        minimum=0,
        in_silence=True,
        precedent="Kestrel's 240 bytes a second; nginx's send_timeout is 60 between two writes",
    )
    window_seconds: float = option(
        "Over how long the progress of a body is measured.",
        30,
        unit="seconds",
        minimum=1,
        precedent="curl's --speed-time is 30",
    )
    keepalive_seconds: float = option(
        "How long a client may ask for nothing before its connection is closed.",
        120,
        unit="seconds",
        minimum=0,
        in_silence=True,
        precedent="Squid's client_idle_pconn_timeout; nginx's keepalive_timeout is 75",
    )
    shortest: float = field(init=False, repr=False, eq=False)

    @shortest.default
    def _shortest(self) -> float:
        """The shortest limit; 0 if there is none."""
        rates = self.request_bytes_per_second or self.response_bytes_per_second
        limits = (
            self.head_seconds,
            self.request_seconds,
            self.response_seconds,
            self.silence_seconds,
            self.keepalive_seconds,
            self.take_seconds,
            self.window_seconds if rates else 0,
        )
        return min((limit for limit in limits if limit), default=0.0)
