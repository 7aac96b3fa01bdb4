"""
The processes of the seed, of nurseries and of workers, put together::

    python -m gateway.workers [USER GROUP]

The supervisor is at standard input.

Beside L{gateway.service} this is the only module that imports the reactor: in a worker, after it
was forked, for processes must not share one.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable

from twisted.internet import default, unix

from gateway.admission.listeners import places
from gateway.kernel.process import be_called
from gateway.policy.policy import Policy
from gateway.workers.nursery import Nursery
from gateway.workers.seed import Seed, ignore_signals
from gateway.workers.shares import Shares
from gateway.workers.spec import NurserySpec, WorkerSpec
from gateway.workers.worker import Worker, run

LOADED = (unix,)
"""What the reactor would load only when it is asked for it; a worker may not be able to."""


def be_worker(spec: NurserySpec, own: WorkerSpec, policy: Policy, descriptors: list[int]) -> None:
    """Be a worker, to its end."""
    be_called(f"tproxygw-w{own.index}")
    shares = Shares(spec.sockets, places(policy), spec.count)
    opened, others = shares.own(own.index), list(shares.others(own.index))
    mine = {*opened.values(), *(descriptor for _, descriptor in others)}
    for *_, sockets in spec.sockets:
        for descriptor in set(sockets) - mine:
            os.close(descriptor)
    link, stream, *signer = descriptors
    default.install()
    from twisted.internet import reactor

    worker = Worker(
        *(reactor, own, policy, spec.places(), opened, others, stream, spec.table),
        signer=socket.socket(fileno=signer[0]) if signer else None,
    )
    run(reactor, worker, socket.socket(fileno=link))


def be_nursery(spec: NurserySpec, connection: socket.socket, shed: Callable[[], None]) -> None:
    """Be a nursery, to its end."""
    be_called("tproxygw-nurse")
    with connection:
        Nursery(spec, connection, shed, be_worker).work()


def main(arguments: list[str]) -> None:
    """Be the seed; the user and group that it is to be, if they are not its own."""
    be_called("tproxygw-seed")
    ignore_signals()
    owner = (int(arguments[0]), int(arguments[1])) if arguments else None
    with socket.socket(fileno=os.dup(0)) as connection:
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        Seed(connection, owner, be_nursery).work()


if __name__ == "__main__":
    main(sys.argv[1:])
