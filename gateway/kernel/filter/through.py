"""
Chains for clients that shake hands with their servers, C{handshake = "through"}.

Without a socket of ours only these pass by such a connection, and only by forwarding: the client's
SYN, the server's SYN-ACK, either end's resets, without data, and ICMP errors. The SYN is noted
in a set, and copied to the usher (L{gateway.kernel.handshake}), without what a socket that is
put into a running connection can't have: TCP Fast Open, MPTCP, ECN. The set says what the other
packets belong to. The SYN-ACK is copied, too, and passes if the usher is there, so that without
one no client is connected. What the client says then waits, until the usher has put sockets in
the place of both ends.

Two chains hang on hooks of their own, since a packet that waits goes on with the next hook, not
with the next rule:

  - C{held} (prerouting, before C{arrive}) has what the client says wait. Afterwards C{arrive}
    finds its socket;
  - C{answered} (prerouting, after NAT and before C{deliver}) lets the SYN-ACK pass. If a socket
    of ours is still in TIME_WAIT there, the kernel would not forward it: it waits, and a mark,
    both of the gateway's own at once, tells the usher.

A client's SYN that finds a socket in TIME_WAIT is not forwarded by the kernel either. It goes to
the listener, as if it were C{handshake = "accepted"}.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.kernel.filter.ruleset import Ruleset

SETS = {"ip": "half_open4", "ip6": "half_open6"}
"""The names of the sets, by the family."""

HOLD = "hold"
"""The chain whose only rule has packets wait."""

DOOR = "door"
"""
The chain whose only rule lets packets pass if the usher is there: they are for a queue that is
always full, and that lets pass what it can't take. Without the usher there is no queue, and they
are dropped.
"""


def door(port: int) -> int:
    """
    The number of that queue.

    @param port: the number of the other one.
    """
    return port ^ 0x8000


SNAP = 160
"""Bytes of a SYN that are copied: both headers, with all options."""

_TYPES = {"ip": "ipv4_addr", "ip6": "ipv6_addr"}
_HEADER = {"ip": 20, "ip6": 0}
_SYN = "tcp flags & (fin | syn | rst | ack) == syn"
_SYN_ACK = "tcp flags & (fin | syn | rst | ack) == syn | ack"
_RESET = "tcp flags & rst == rst"
_WORDS = range(5, 16)
"""Lengths of a TCP header (RFC 9293, section 3.1), in words of 32 bits."""


def _sent(ip: str) -> str:
    """The key of what a client sends."""
    return f"{ip} saddr . {ip} daddr . tcp sport . tcp dport"


def _returned(ip: str) -> str:
    """The key of what a server sends."""
    return f"{ip} daddr . {ip} saddr . tcp dport . tcp sport"


ANSWERS = tuple(f"{_SYN_ACK} {_returned(ip)} @{name} accept" for ip, name in SETS.items())
"""A SYN-ACK belongs to no old socket."""


def shakes(accepted: str) -> Iterator[str]:
    """
    What is let through of what a client sends.

    @param accepted: the chain for C{handshake = "accepted"}.
    """
    yield f"{_SYN} socket wildcard 1 goto shake"
    yield f"{_SYN} socket transparent 1 goto {accepted}"
    yield f"{_SYN} goto shake"
    yield f"{_RESET} goto withdraw"


def sets(ruleset: Ruleset) -> Iterator[str]:
    """The connections that are on their way."""
    handshake = ruleset.handshake
    for ip, name in SETS.items():
        yield (
            f"\tset {name} {{\n\t\ttype {_TYPES[ip]} . {_TYPES[ip]} . inet_service . inet_service\n"
            f"\t\tsize {handshake.half_open}\n\t\tflags dynamic,timeout\n"
            f"\t\ttimeout {int(handshake.half_open_seconds)}s\n\t}}\n"
        )


def chains(ruleset: Ruleset, queues: bool) -> dict[str, list[str]]:
    """
    All chains, by their names.

    @param queues: whether packets may wait for a program; else those are dropped that would.
    """
    return {
        "shake": _shake(),
        "shaking": [_copied(ruleset), "counter accept"],
        "withdraw": ["jump bare", *_known(_sent, "counter accept"), "counter drop"],
        "held": [
            "type filter hook prerouting priority raw - 10; policy accept;",
            "meta l4proto != tcp accept",
            "tcp flags & (syn | rst | ack) != ack accept",
            "socket wildcard 0 accept",
            "socket transparent 1 accept",
            *_known(_sent, f"goto {HOLD}"),
        ],
        "answered": [
            "type filter hook prerouting priority 290; policy accept;",
            "meta l4proto != tcp accept",
            "socket wildcard 0 accept",
            *_known(_returned, "goto answer"),
        ],
        "answer": [
            f"{_SYN_ACK} goto answer_first",
            "socket transparent 1 accept",
            f"{_RESET} jump bare",
            f"{_RESET} counter accept",
            "counter drop",
        ],
        "answer_first": _answer_first(),
        "bare": _bare(),
        "answer_known": _answer_known(ruleset),
        HOLD: [f"queue num {ruleset.divert.port}" if queues else "counter drop"],
        DOOR: [f"queue num {door(ruleset.divert.port)}" if queues else "counter drop"],
    }


def _known(key: object, verdict: str) -> Iterator[str]:
    assert callable(key)
    for ip, name in SETS.items():
        yield f"{key(ip)} @{name} {verdict}"


def _shake() -> list[str]:
    """The client's SYN. If there is no room for more of them, it is dropped."""
    return [
        "jump bare",
        "tcp flags set syn",
        "tcp reserved set 0",
        "reset tcp option fastopen",
        "reset tcp option mptcp",
        *(f"update @{name} {{ {_sent(ip)} }} goto shaking" for ip, name in SETS.items()),
        "counter drop",
    ]


def _answer_first() -> list[str]:
    """The server's SYN-ACK."""
    known = (f"update @{name} {{ {_returned(ip)} }} goto answer_known" for ip, name in SETS.items())
    return ["jump bare", *known, "counter drop"]


def _answer_known(ruleset: Ruleset) -> list[str]:
    """It passes, unless a socket of ours is in its way."""
    both = ruleset.divert.listener_mark.value | ruleset.divert.upstream_mark.value
    return [
        _copied(ruleset),
        f"socket transparent 1 meta mark set meta mark | {both:#x} goto {HOLD}",
        f"goto {DOOR}",
    ]


def _copied(ruleset: Ruleset) -> str:
    return f"log group {ruleset.divert.port} snaplen {SNAP}"


def _bare() -> list[str]:
    """Drop what has data, or headers that nobody here looks into."""
    lengths = (
        f"tcp doff {words} {ip} length != {header + 4 * words} counter drop"
        for ip, header in _HEADER.items()
        for words in _WORDS
    )
    return ["ip hdrlength != 5 counter drop", "ip6 nexthdr != tcp counter drop", *lengths]
