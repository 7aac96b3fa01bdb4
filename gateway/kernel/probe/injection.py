"""
Injection: how a packet gets into an interface as if it had been received there.

The kernel runs a program of four instructions on the packet, once
(C{BPF_PROG_TEST_RUN}); the program hands a copy of it to the interface's receiving end
(C{bpf_clone_redirect} with C{BPF_F_INGRESS}). So it is for interfaces of any kind, whatever
their driver, and there is nothing that has to be taken away again.
"""

from __future__ import annotations

import os
from errno import EPERM
from struct import pack

from gateway.kernel.errors import KernelError
from gateway.kernel.release import bpf
from gateway.kernel.release.elf import Program

_MOVE, _CALL, _EXIT = 0xB7, 0x85, 0x95
"""Opcodes: a number into a register, a call of a helper, the end (RFC 9669)."""

_CLONE_REDIRECT = 13
_INGRESS = 1


def inject(index: int, frame: bytes) -> None:
    """
    Put C{frame} into an interface.

    @param index: the interface's number.
    @raise KernelError: privileges are missing, or this kernel can't.
    """
    program = bpf.load(Program("probe", _code(index), ()), b"GPL\0", {})
    try:
        returned, _ = bpf.run(program, frame)
    except OSError as error:
        needed = ": that needs CAP_BPF and CAP_NET_ADMIN" if error.errno == EPERM else ""
        raise KernelError(f"no packet can be put into an interface: {error}{needed}") from error
    finally:
        os.close(program)
    if returned:
        why = os.strerror(-returned) if returned < 0 else returned
        raise KernelError(f"no packet can be put into an interface: {why}")


def _code(index: int) -> bytes:
    """The packet itself, the first argument, is where it has to be."""
    instructions = (
        (_MOVE, 2, index),
        (_MOVE, 3, _INGRESS),
        (_CALL, 0, _CLONE_REDIRECT),
        (_EXIT, 0, 0),
    )
    return b"".join(
        pack("<BBhi", code, register, 0, value) for code, register, value in instructions
    )
