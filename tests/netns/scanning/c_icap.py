"""The real c-icap, with its echo and virus scanning services; the latter asks the real clamd."""

from __future__ import annotations

import subprocess
from pathlib import Path

from gateway.lab.namespace import Namespace
from gateway.lab.waiting import wait_until
from tests.netns.mail.unpacked import FOLDER
from tests.netns.scanning.clamav import Clamav

PORT = 1344

CONF = """
PidFile {folder}/pid
CommandsSocket {folder}/control
Port 127.0.0.1:{port}
TmpDir {folder}
ServerLog {folder}/log
AccessLog {folder}/access
ModulesDir {folder}/modules
ServicesDir {folder}/modules
TemplateDir {scanner}/usr/share/c_icap/templates/
TemplateDefaultLanguage en
LoadMagicFile {package}/etc/c-icap/c-icap.magic
StartServers 1
MaxServers 2
MinSpareThreads 5
MaxSpareThreads 20
ThreadsPerChild 30
Service echo srv_echo.so
Service antivirus virus_scan.so
ServiceAlias avscan virus_scan?allow204=on&sizelimit=off&mode=simple
virus_scan.ScanFileTypes TEXT DATA EXECUTABLE ARCHIVE GIF JPEG MSOFFICE
virus_scan.MaxObjectSize 5M
virus_scan.DefaultEngine clamd
Module common clamd_mod.so
clamd_mod.ClamdSocket {clamd}
"""


class CIcap:
    """One server."""

    def __init__(self, namespace: Namespace, folder: Path, clamav: Clamav) -> None:
        self._namespace = namespace
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        package, scanner = FOLDER / "c-icap", FOLDER / "libc-icap-mod-virus-scan"
        modules = folder / "modules"
        modules.mkdir(parents=True)
        for each in (package, scanner):
            for module in each.glob("usr/lib/*/c_icap/*.so"):
                (modules / module.name).symlink_to(module)
        (folder / "conf").write_text(
            CONF.format(
                folder=folder, port=PORT, package=package, scanner=scanner, clamd=clamav.socket
            )
        )

    def start(self) -> None:
        """Until it listens."""
        self._process = self._namespace.start(
            *(str(FOLDER / "c-icap/usr/bin/c-icap"), "-N", "-f", str(self._folder / "conf")),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        listening = "ss", "-Htln", f"sport = :{PORT}"
        if not wait_until(lambda: "LISTEN" in self._namespace.run(*listening), 20):
            raise AssertionError((self._folder / "log").read_text())

    def stop(self) -> None:
        """At once, with its children, whatever they do."""
        process, self._process = self._process, None
        if process is not None:
            subprocess.run(("pkill", "-KILL", "-s", str(process.pid)), check=False)
            process.wait()

    @property
    def connections(self) -> int:
        """How many there are to it."""
        return len(self._namespace.run("ss", "-Htn", f"sport = :{PORT}").splitlines())

    @property
    def access(self) -> str:
        """What it was asked, and the status that it answered with."""
        return (self._folder / "access").read_text()
