"""Ends: the sockets that are put in the place of client and server."""

from __future__ import annotations

from gateway.interfaces import Address
from gateway.kernel.handshake.half_open import Agreed
from gateway.kernel.handshake.segment import Segment
from gateway.kernel.handshake.usher import Ends
from gateway.kernel.repair import Middle, put_between, vanish
from gateway.kernel.sockets import Socket, stand_in


def stand_between(agreed: Agreed, listener_mark: int, upstream_mark: int) -> Ends:
    """
    Put sockets in the place of the two ends, which have not sent anything since.

    @raise OSError: there are such sockets already, or something is missing.
    """
    first, answer, last = agreed.first, agreed.answer, agreed.last
    shift = first.scale if agreed.scaled and first.scale is not None else 0
    client = _put(
        *(agreed.server, agreed.client, listener_mark, agreed),
        *(first, answer, answer.stamp, last.window << shift),
    )
    try:
        server = _put(
            *(agreed.client, agreed.server, upstream_mark, agreed),
            *(answer, first, last.stamp, answer.window),
        )
    except BaseException:
        _vanish(client)
        raise
    return Ends(client, server)


def take_away(ends: Ends) -> None:
    """Without a word to anybody."""
    for sock in ends:
        _vanish(sock)


def _vanish(sock: Socket) -> None:
    vanish(sock)
    sock.close()


def _put(
    local: Address,
    peer: Address,
    mark: int,
    agreed: Agreed,
    theirs: Segment,
    ours: Segment,
    stamp: int | None,
    window: int,
) -> Socket:
    """
    One of them.

    @param theirs: what its peer has said first.
    @param ours: what the end has said first that it stands for.
    @param window: the peer's, in bytes.
    """
    scales = None
    if agreed.scaled:
        scales = theirs.scale or 0, ours.scale or 0
    middle = Middle(
        *(ours.next, theirs.next, theirs.mss, scales, agreed.sack),
        stamp=(stamp or 0) if agreed.stamped else None,
        windows=(window, ours.window),
    )
    sock = stand_in(theirs.family, mark)
    try:
        put_between(sock, local, peer, middle)
    except BaseException:
        sock.close()
        raise
    return sock
