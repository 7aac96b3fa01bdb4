"""
The laboratory: a client, the gateway and a server in network namespaces.

It is where an operator tries a policy and an author tries a plugin, and what
the end-to-end tests are built on. All of it happens in namespaces of its own:
links are made inside of them, settings are changed inside of them, and the
host's own network is never touched::

    client 10.1.2.3 --- lan0 gateway wan0 --- server 198.51.100.7

L{gateway.lab.namespace} is one network namespace, L{gateway.lab.network} the
three of them and their addresses, L{gateway.lab.servers} the small servers,
L{gateway.lab.daemon} the real C{twistd tproxygw} in the middle,
L{gateway.lab.laboratory} all of that with its files on disk, and
L{gateway.lab.demonstration} what C{make lab} shows.
"""

from __future__ import annotations

from gateway.lab.demonstration import demonstrate
from gateway.lab.laboratory import LabError, down, shell, up

__all__ = ["LabError", "demonstrate", "down", "shell", "up"]
