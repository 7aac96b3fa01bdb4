"""What processes have used: CPU time and memory, from /proc."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

TICKS = os.sysconf("SC_CLK_TCK")


def family(process: int) -> list[int]:
    """C{process} and all of its descendants: the gateway's keeper is its child."""
    children: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(_fields(status)[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(status.parent.name))
    found = [process]
    for member in found:
        found += children.get(member, [])
    return found


class Cpu(NamedTuple):
    """CPU time in seconds: in the program, and in the kernel on its behalf."""

    user: float
    system: float


def cpu(process: int) -> Cpu:
    """What C{process}, its descendants and its dead children have used."""
    user = system = 0
    for member in family(process):
        try:
            fields = list(map(int, _fields(Path(f"/proc/{member}/stat"))[11:15]))
        except OSError:
            continue
        user += fields[0] + fields[2]
        system += fields[1] + fields[3]
    return Cpu(user / TICKS, system / TICKS)


def machine_seconds() -> float:
    """CPU time that the whole machine has spent on anything, in seconds."""
    user, nice, system, _idle, _wait, irq, softirq = map(
        int, Path("/proc/stat").read_text().split()[1:8]
    )
    return (user + nice + system + irq + softirq) / TICKS


def resident_bytes(process: int) -> int:
    """Resident memory of C{process} and its descendants, in bytes; shared pages count twice."""
    total = 0
    for member in family(process):
        try:
            pages = Path(f"/proc/{member}/statm").read_text().split()[1]
        except OSError:
            continue
        total += int(pages) * os.sysconf("SC_PAGE_SIZE")
    return total


def _fields(status: Path) -> list[str]:
    """The fields of a stat file after the program's name, from the state on."""
    return status.read_text().rpartition(")")[2].split()
