"""The doctor looks for scanners."""

from __future__ import annotations

import socket
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

from gateway.kernel.doctor.finding import Finding, Severity
from gateway.policy.service import Service
from gateway.scanning.doctor import examine
from protocols.scanners.clamd.inspector import ClamdSettings
from protocols.scanners.icap.inspector import IcapSettings
from protocols.scanners.milter.inspector import MilterSettings
from protocols.scanners.program.inspector import ProgramSettings


class DoctorTests(SynchronousTestCase):
    """What it says of them."""

    def setUp(self) -> None:
        folder = TemporaryDirectory(prefix="doctor")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def found(self, settings: object) -> list[Finding]:
        """Of a service with these."""
        return list(examine([Service("scan", settings=settings), Service("web")]))

    def test_daemons(self) -> None:
        """Each of a service's daemons answers, or is to be mended."""
        path = str(self.folder / "socket")
        with socket.socket(socket.AF_UNIX) as local, socket.socket() as there:
            local.bind(path)
            local.listen()
            there.bind(("127.0.0.1", 0))
            there.listen()
            port = there.getsockname()[1]
            found = self.found(ClamdSettings(servers=(path, f"127.0.0.1:{port}", f"{path}2")))
        self.assertEqual(
            [one.severity for one in found], [Severity.OK, Severity.OK, Severity.TROUBLE]
        )
        self.assertEqual(found[2].text, f"{path}2: No such file or directory")
        self.assertIn("services/scan.toml", found[2].mend)
        for settings in (
            ClamdSettings(servers=(path,)),
            IcapSettings(servers=(f"127.0.0.1:{port}",)),
            MilterSettings(milters=(f"127.0.0.1:{port}",)),
        ):
            (one,) = self.found(settings)
            self.assertEqual(one.severity, Severity.TROUBLE)
            self.assertIn("Connection refused", one.text)

    def test_programs(self) -> None:
        """A program is there, and may be run."""
        path = self.folder / "scan"
        settings = ProgramSettings(command=(str(path), "-x"))
        severities = [self.found(settings)[0].severity]
        path.write_text("#!/bin/sh\n")
        severities.append(self.found(settings)[0].severity)
        path.chmod(0o755)
        severities.append(self.found(settings)[0].severity)
        self.assertEqual(severities, [Severity.TROUBLE, Severity.TROUBLE, Severity.OK])
