"""
Scanners for the ways that ask one: Debian's c-icap with its virus_scan, whose engine is clamd; and
opendkim, a milter, which signs.

They are those of the tests (`make test` unpacks them), and run in the gateway's namespace. What
they cost is not counted.
"""

from __future__ import annotations

from pathlib import Path

from gateway.lab.namespace import Namespace
from tests.netns.scanning.c_icap import CIcap
from tests.netns.scanning.clamav import Clamav
from tests.netns.scanning.milters import OpenDKIM

MOST = "20M"
"""Of a body, in the words of both."""


class Scanner:
    """One for each way."""

    def __init__(self, namespace: str, folder: Path) -> None:
        self._clamav = Clamav(Namespace(namespace), folder / "clamav")
        self._icap = CIcap(Namespace(namespace), folder / "icap", self._clamav)
        for file, old in ((folder / "clamav" / "clamd.conf", "4M"), (folder / "icap/conf", "5M")):
            file.write_text(file.read_text().replace(old, MOST))

    def start(self) -> None:
        """Until both answer."""
        self._clamav.start()
        self._icap.start()

    def stop(self) -> None:
        """At once."""
        self._icap.stop()
        self._clamav.stop()


MILTER = 8891
"""Its port."""


class Milter:
    """One for each way."""

    def __init__(self, namespace: str, folder: Path) -> None:
        self._filter = OpenDKIM(Namespace(namespace), folder / "opendkim", MILTER)

    def start(self) -> None:
        """Until it answers."""
        self._filter.start()

    def stop(self) -> None:
        """At once."""
        self._filter.stop()
