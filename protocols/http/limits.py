"""Limits: how much a message may be. What needs no policy, but a bound."""

from __future__ import annotations

from attrs import frozen

from gateway.inspector import option


@frozen
class Limits:
    """The table C{[http.limits]}."""

    request_line_bytes: int = option(
        "The longest first line of a message. A longer request is answered with 414.",
        8192,
        unit="bytes",
        minimum=64,
        precedent="Apache's LimitRequestLine is 8190",
    )
    method_bytes: int = option(
        "The longest method. A longer one is answered with 501, as soon as it is seen.",
        32,
        unit="bytes",
        minimum=3,
        maximum=64,
        precedent="the longest that is registered (IANA) has 17",
    )
    header_line_bytes: int = option(
        "The longest header, with its name. A request with a longer one is answered with 431.",
        8192,
        unit="bytes",
        minimum=64,
        precedent="Apache's LimitRequestFieldSize is 8190",
    )
    headers: int = option(
        "How many headers a message may have; and how many trailers.",
        100,
        minimum=1,
        precedent="Apache's LimitRequestFields",
    )
    head_bytes: int = option(
        "The largest head of a message, its first line not counted.",
        65536,
        unit="bytes",
        minimum=256,
        precedent="h11's is 16 KiB, Squid's 64 KiB",
    )
    request_body_bytes: int = option(
        "The largest body of a request; 0: any size. A larger one is answered with 413.",
        0,
        unit="bytes",
        minimum=0,
        precedent="Squid's request_body_max_size",
    )
    response_body_bytes: int = option(
        "The largest body of a response; 0: any size.",
        0,
        unit="bytes",
        minimum=0,
        precedent="Squid's reply_body_max_size",
    )
    chunk_bytes: int = option(
        "The largest chunk of a chunked body; 0: any size. Chunks are passed on as they come, "
        "not kept.",
        0,
        unit="bytes",
        minimum=0,
        precedent="HAProxy's is 2 GiB, nginx has none",
    )
    requests: int = option(
        "How many requests a connection may have; 0: any number.",
        0,
        minimum=0,
        precedent="nginx's keepalive_requests is 1000",
    )
    refusals: int = option(
        "How many requests of a connection may be refused before it is closed with such an "
        "answer; 0: any number.",
        20,
        minimum=0,
        precedent="who asks on costs the gateway work and the server none",
    )
    pipelined: int = option(
        "How many requests may wait for their answers. More are left unread.",
        1,
        minimum=1,
        maximum=100,
        precedent="Squid's pipeline_prefetch is 0, which is 1 here",
    )
    interim_responses: int = option(
        "How many 1xx responses may come in times.window_seconds before the final one.",
        60,
        minimum=0,
        precedent="a sign of life every second or two is what some servers give",
    )
