"""
The Keeper: a small process that keeps the privilege to change the kernel's rules.

The process that handles traffic parses what strangers send, so it must not be
able to change rules. The keeper may, reads nothing from the network, and does a
few things for the gateway: install what the configuration says, say whether it
is in force, and be told that the gateway stops.

What a gateway that was taken over could do with that: nothing that the
configuration folder doesn't say. It hands over no rules and no names of files.
The keeper was told the folder on its command line, reads it itself, and
compares its content with the fingerprint of what the gateway has read, so that
both have the same policy even if somebody edits meanwhile. Whether the rules go
when the gateway stops is for the policy to say (C{when_stopped}). So the
folder, the plugins it names and the state directory must be writable by root only.

Nobody has to ask it to look after the rules: the kernel tells it of every change
(L{gateway.kernel.keeper.watch}), and what somebody took away is put back. It keeps
the last good rules and configuration (L{gateway.kernel.lastgood}) for the guard,
which loads them at boot, and for its own successor.

It comes in two ways: a service of its own (C{tproxygw keeper}), which outlives
restarts and upgrades of the gateway; or, where there is no such service,
started by the gateway, and then it ends with it. Either way it is two processes:
one that does nothing but hold what must not be lost and begin the other one
again (L{gateway.kernel.keeper.supervision}).
"""

from gateway.kernel.keeper.client import Keeper, KeeperLost, Kept

__all__ = ["Keeper", "KeeperLost", "Kept"]
