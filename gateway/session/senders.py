"""
Senders: sockets that send datagrams to clients in the name of servers.

A session of a few datagrams needs no socket towards its client before the client says more: the
listener brings its first datagram, and what is answered can leave by a socket that all sessions
with that server's port share. One for each session would be bound to the same address and port as
all the others, and the kernel walks through all of them whenever it binds one more: with 2,000
sessions that took longer than anything else that was done for a query of DNS.
"""

from __future__ import annotations

from collections import OrderedDict

from gateway.interfaces import Address
from gateway.kernel import sockets
from gateway.kernel.sockets import Socket

MOST = 64
"""
Sockets that are kept, of C{RESERVE<gateway.kernel.descriptors.RESERVE>} descriptors. Clients ask a
handful of resolvers; a resolver of theirs asks any number, most of them now and then.
"""


class Senders:
    """
    The sockets by the addresses that they send from; the one that was not used for longest makes
    room.

    @param mark: what their packets carry.
    """

    def __init__(self, mark: int) -> None:
        self._mark = mark
        self._sockets: OrderedDict[Address, Socket] = OrderedDict()

    def towards_client(self, server: Address) -> Socket:
        """
        The socket that sends in the name of C{server}. It may be closed when somebody else's
        is asked for: not to be kept.

        @raise OSError: there is none, and none can be made.
        """
        sock = self._sockets.get(server)
        if sock is None:
            sock = self._sockets[server] = sockets.open_sender(server, self._mark)
            if len(self._sockets) > MOST:
                self._sockets.popitem(last=False)[1].close()
        else:
            self._sockets.move_to_end(server)
        return sock

    def close(self) -> None:
        """No more."""
        for sock in self._sockets.values():
            sock.close()
        self._sockets.clear()
