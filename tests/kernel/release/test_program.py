"""The program that is committed is the one whose source is, and needs no more than it should."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

import gateway.kernel.release
from gateway.kernel.release import layout
from gateway.kernel.release.elf import Object
from gateway.kernel.release.programs import OBJECT
from tests.kernel.namespaces import namespace

FOLDER = Path(gateway.kernel.release.__file__).parent / "program"

LOADS = """
from gateway.kernel.capabilities import drop_to
from gateway.kernel.release.programs import Programs
from gateway.kernel.release.table import Table

drop_to(frozenset({"CAP_BPF", "CAP_NET_ADMIN"}))
programs = Programs(Table(16))
programs.attach()
programs.attach()
print("attached")
"""

REFUSED = LOADS.replace('"CAP_BPF", ', "")

RELUCTANT = """
from gateway.kernel import capabilities
from gateway.kernel.errors import KernelError
from gateway.kernel.release import bpf
load = bpf.load

def reluctant(*arguments):
    if capabilities.missing({"CAP_PERFMON"}):
        raise KernelError("too complex")
    return load(*arguments)

bpf.load = reluctant
"""

PERFMON = '"CAP_PERFMON", "CAP'
"""In place of the first capability that is kept."""

LINUX = tuple(map(int, re.findall(r"\d+", os.uname().release)[:2]))


class ObjectTests(SynchronousTestCase):
    """What the kernel is given can be reviewed."""

    def test_made_from_its_source(self) -> None:
        """The compiler of Debian 12 makes the same object of it, bit by bit."""
        with TemporaryDirectory() as folder:
            copy = Path(folder, "program")
            shutil.copytree(FOLDER, copy)
            (copy / "release.bpf.o").unlink()
            subprocess.run(["make", "--silent", "-C", copy], check=True, capture_output=True)
            made = (copy / "release.bpf.o").read_bytes()
        self.assertEqual(made, FOLDER.parent.joinpath(OBJECT).read_bytes())

    def test_programs(self) -> None:
        """Four programs, which refer to the six maps and to nothing else."""
        found = list(Object((FOLDER / "release.bpf.o").read_bytes()).programs("tc/"))
        names = {program.name for program in found}
        self.assertEqual(names, {"arrive_v4", "arrive_v6", "leave_v4", "leave_v6"})
        maps = {reference.map for program in found for reference in program.references}
        expected = {"flows", "sessions", "directions", "settings", "events", "strange"}
        self.assertEqual(maps, expected)

    def test_layout(self) -> None:
        """Both sides mean the same bytes; the compiler checks the same numbers."""
        source = (FOLDER / "session.h").read_text()
        for name, struct in (
            *(("tuple", layout.TUPLE), ("flow", layout.FLOW), ("session", layout.SESSION)),
            *(("direction", layout.DIRECTION), ("setting", layout.SETTING)),
            ("event", layout.EVENT),
        ):
            self.assertIn(f"sizeof(struct {name}) == {struct.size},", source)


class PrivilegeTests(SynchronousTestCase):
    """Who loads the program has no more power than that needs."""

    def test_enough(self) -> None:
        """CAP_BPF and CAP_NET_ADMIN; old kernels' verifiers want CAP_PERFMON as well."""
        self.assertLoads(LOADS if LINUX >= (6, 12) else LOADS.replace('"CAP', PERFMON, 1))

    def test_reluctant(self) -> None:
        """CAP_PERFMON is used where it is needed, and can be given up afterwards."""
        self.assertLoads(RELUCTANT + LOADS.replace('"CAP', PERFMON, 1))
        with namespace() as host:
            told = self.assertRaises(AssertionError, host.python, RELUCTANT + LOADS)
            self.assertIn("too complex", str(told))

    def assertLoads(self, script: str) -> None:
        """The kernel takes the programs."""
        with namespace() as host:
            host.run("ip link add one type veth peer name other")
            host.run("ip link set one up")
            self.assertEqual(host.python(script), "attached\n")

    def test_too_little(self) -> None:
        """Without CAP_BPF the operator is told what is missing."""
        with namespace() as host:
            told = self.assertRaises(AssertionError, host.python, REFUSED)
            self.assertIn("needs CAP_BPF", str(told))
