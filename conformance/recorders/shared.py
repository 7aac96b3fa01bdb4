"""
UDP addresses may be used by others as well, once they are bound: by who imports this.

A gateway answers in the server's name, from its address and port. Only where both are in one
network namespace, as here, the server has to allow that.
"""

# mypy: ignore-errors

import os
import socket

INTERNET = (socket.AF_INET, socket.AF_INET6)


def bind(self, address):
    """Bind first: that fails if the port is another's."""
    super(socket.socket, self).bind(address)
    if self.type == socket.SOCK_DGRAM and self.family in INTERNET:
        self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)


if os.environ["CONFORMANCE_SHARED"]:
    socket.socket.bind = bind
