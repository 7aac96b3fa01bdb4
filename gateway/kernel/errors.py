"""What goes wrong between the gateway and the kernel, in the operator's words."""

from __future__ import annotations


class KernelError(Exception):
    """
    The kernel, or a tool that talks to it, refused what was asked.

    Its text says what happened, to what, and what to do.
    """


class Taken(KernelError):
    """Somebody else, usually another instance, has what this instance wants to use."""
