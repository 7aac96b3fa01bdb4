"""Servers: each one is started, is asked what it has logged, and what mail it has delivered."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import sys
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import ClassVar

from gateway.lab.namespace import Namespace
from gateway.lab.waiting import wait_until
from tests.netns.mail import PASSWORD, USERNAME
from tests.netns.mail.unpacked import USER, Unpacked

HERE = Path(__file__).parent


class Server:
    """
    One mail server.

    @cvar name: for the names of tests.
    """

    name: ClassVar[str]

    def __init__(
        self, namespace: Namespace, folder: Path, address: str, port: int, certificate: Path
    ) -> None:
        self._namespace = namespace
        self._folder = folder
        self._address = address
        self._port = port
        self._certificate = certificate

    def start(self) -> None:
        """Start it and wait until it accepts."""
        for path in (self._folder, self._folder / "mail", self._folder / "mail" / "new"):
            path.mkdir()
            path.chmod(0o755)
        self._launch()
        if not wait_until(self._listens, 20):
            raise AssertionError(f"{self.name} does not listen:\n{self.log}")

    def _launch(self) -> None:
        """Write its configuration, and start it."""
        raise NotImplementedError

    def _listens(self) -> bool:
        return f":{self._port} " in self._namespace.run("ss", "-Hltn")

    def _configure(self, name: str, path: Path, **values: object) -> None:
        """Fill in one of the configurations in this package."""
        values |= {
            "FOLDER": self._folder,
            "ADDRESS": self._address,
            "PORT": self._port,
            "CERTIFICATE": self._certificate,
            "USERNAME": USERNAME,
            "PASSWORD": PASSWORD,
        }
        text = (HERE / name).read_text()
        path.write_text(re.sub("@([A-Z]+)@", lambda found: str(values[found[1]]), text))

    @property
    def log(self) -> str:
        """What it logged."""
        logs = (path for path in sorted(self._folder.glob("**/log/**/*")) if path.is_file())
        return "".join(path.read_text(errors="replace") for path in logs)

    def messages(self) -> list[Message]:
        """What it has delivered, in order."""
        single = self._folder / "mail" / "all"
        if single.exists():
            # Not the standard library's mbox: it can't read a sender beyond ASCII.
            each = re.split(rb"(?m)^From .*\n", single.read_bytes())[1:]
        else:
            new = (self._folder / "mail" / "new").iterdir()
            each = [path.read_bytes() for path in sorted(new, key=lambda x: x.stat().st_mtime_ns)]
        return [message_from_bytes(one) for one in each]

    def subjects(self) -> list[str]:
        """Of what it has delivered, in order."""
        return [str(one["subject"]) for one in self.messages()]


class Postfix(Server):
    """Installed, and run with another folder for all that it has."""

    name = "postfix"

    def _launch(self) -> None:
        owner = pwd.getpwnam("postfix")
        for name in ("conf", "data", "spool", "log"):
            (self._folder / name).mkdir()
        for name in ("mail", "data"):
            os.chown(self._folder / name, owner.pw_uid, owner.pw_gid)
        conf = self._folder / "conf"
        self._configure("main.cf", conf / "main.cf", UID=owner.pw_uid, GID=owner.pw_gid)
        self._configure("master.cf", conf / "master.cf")
        self._namespace.run("postfix", "-c", str(conf), "start")

    def relay(self, host: str, port: int, **settings: object) -> None:
        """From now on, send all mail there, and deliver none."""
        settings |= {"relayhost": f"[{host}]:{port}", "virtual_mailbox_domains": ""}
        settings |= {"mynetworks": f"{self._address}/32", "myhostname": "relay.a.example"}
        conf = str(self._folder / "conf")
        self._namespace.run(
            "postconf", "-c", conf, *(f"{name}={value}" for name, value in settings.items())
        )
        self._namespace.run("postfix", "-c", conf, "reload")

    def delivered(self, queue: str) -> bool:
        """Whether it says that this message was delivered."""
        return re.search(rf" {queue}: to=<[^>]+>, .*status=sent", self.log) is not None


class Exim(Server):
    """Unpacked. Its configuration is where the package has it, so that it keeps its privileges."""

    name = "exim"

    def _launch(self) -> None:
        unpacked = Unpacked("exim4-daemon-light", self._folder)
        unpacked.prepare("Debian-exim")
        for name in ("var/lib/exim4", "var/spool/exim4", "var/log/exim4"):
            (self._folder / name).mkdir()
        for name in ("mail", "var/spool/exim4", "var/log/exim4"):
            os.chown(self._folder / name, USER, USER)
        self._certificate = Path(shutil.copy(self._certificate, self._folder))
        os.chown(self._certificate, USER, USER)
        self._configure("exim.conf", self._folder / "var/lib/exim4/config.autogenerated")
        unpacked.start(self._namespace, "/usr/sbin/exim4", "-bdf", "-q1h")


class OpenSMTPD(Server):
    """Unpacked. Its parts are separated by users of their own."""

    name = "opensmtpd"

    def _launch(self) -> None:
        unpacked = Unpacked("opensmtpd", self._folder)
        unpacked.prepare("opensmtpd", "opensmtpq", "box")
        (self._folder / "var/lib/opensmtpd/empty").mkdir(parents=True)
        for name in ("mail", "mail/new"):
            os.chown(self._folder / name, USER + 2, USER + 2)
        path = self._folder / "smtpd.conf"
        self._configure("smtpd.conf", path)
        unpacked.start(self._namespace, "/usr/sbin/smtpd", "-dv", "-f", str(path))


class Python(Server):
    """A program in this package, in a process of its own."""

    def _launch(self) -> None:
        (self._folder / "log").mkdir()
        program = f"tests.netns.mail.{self.name}_server"
        with (self._folder / "log" / "output").open("wb") as output:
            self._namespace.start(
                *(sys.executable, "-m", program, self._address, f"{self._port}"),
                *(f"{self._folder / 'mail'}", f"{self._certificate}"),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=HERE.parents[2],
            )


class Aiosmtpd(Python):
    """A server in Python, with the most usual extensions."""

    name = "aiosmtpd"


class Lenient(Python):
    """Takes everything that looks like an end of a message for one."""

    name = "lenient"


SERVERS = (Postfix, Exim, OpenSMTPD, Aiosmtpd)
"""Those that people use."""
