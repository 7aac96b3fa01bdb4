"""
The real FTP clients, each told to do the same: put two files, list the folder,
fetch one file anew and one from its middle on, rename one and delete the other.
"""

from __future__ import annotations

import ftplib
import io
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from gateway.lab.namespace import Namespace
from tests.netns.ftp_servers import Server

SECONDS = 20
"""How long a client may wait for anything."""


@frozen
class Visit:
    """
    What a client is to do where, and with what.

    @ivar version: of IP.
    @ivar mode: "passive" or "active".
    @ivar folder: the client's own: C{content} is what it puts, C{partial} has the first half.
        In C{got} and C{listing} it leaves what it fetches.
    """

    namespace: Namespace
    server: Server
    version: int
    mode: str
    folder: Path

    @property
    def host(self) -> str:
        """The server's address."""
        return self.server.hosts[self.version]

    @property
    def url(self) -> str:
        """The server's root."""
        return f"ftp://[{self.host}]" if self.version == 6 else f"ftp://{self.host}"

    @property
    def passive(self) -> bool:
        """Whether the client is to connect."""
        return self.mode == "passive"

    def path(self, name: str) -> str:
        """A file of the client's."""
        return str(self.folder / name)

    def run(self, *command: str, input: str | None = None) -> str:
        """Run a client to its end."""
        return self.namespace.run(*command, input=input, seconds=SECONDS)

    @contextmanager
    def ftplib(self) -> Iterator[ftplib.FTP]:
        """CPython's client, logged in."""
        with self.namespace.entered(), ftplib.FTP(timeout=SECONDS) as client:
            client.connect(self.host)
            client.login(self.server.user, self.server.password)
            client.set_pasv(self.passive)
            yield client


class Client(ABC):
    """
    A client to test with.

    @cvar versions: of IP that it knows.
    @cvar puts: whether it can change anything on a server.
    """

    name: str
    versions: tuple[int, ...] = (4, 6)
    puts = True

    @abstractmethod
    def visit(self, visit: Visit) -> None:
        """
        Do it all.

        @raise CommandFailed: it did not work.
        """


class Curl(Client):
    """curl."""

    name = "curl"

    def visit(self, visit: Visit) -> None:
        """One command, one session."""
        way = ["--disable-eprt"] if visit.passive else ["--ftp-port", "-"]
        who = f"{visit.server.user}:{visit.server.password}"
        common = ["-sS", "--max-time", str(SECONDS), "--ftp-method", "nocwd", "-u", who, *way]
        content, url = visit.path("content"), visit.url
        null = ["-o", "/dev/null", f"{url}/file"]
        steps = (
            ["-T", content, f"{url}/in/sent"],
            ["-T", content, f"{url}/in/gone"],
            ["-o", visit.path("listing"), f"{url}/in/"],
            ["-o", visit.path("got"), f"{url}/in/sent"],
            ["-C", "-", "-o", visit.path("partial"), f"{url}/in/sent"],
            ["-Q", "RNFR in/sent", "-Q", "RNTO in/kept", "-Q", "DELE in/gone", *null],
        )
        command = ["curl", "--globoff"]
        for step in steps:
            command += [*([] if step is steps[0] else ["--next"]), *common, *step]
        visit.run(*command)


class Wget(Client):
    """wget, which only fetches."""

    name = "wget"
    puts = False

    def visit(self, visit: Visit) -> None:
        """A file anew, the listing, and a file from its middle on."""
        way = [] if visit.passive else ["--no-passive-ftp"]
        who = [f"--user={visit.server.user}", f"--password={visit.server.password}"]
        wget = ["wget", "-q", "-t", "1", "-T", str(SECONDS), *way, *who]
        visit.run(*wget, "-O", visit.path("got"), f"{visit.url}/file")
        visit.run(*wget, "-O", visit.path("listing"), f"{visit.url}/in/")
        (visit.folder / "partial").rename(visit.folder / "file")
        visit.run(*wget, "-c", "-P", str(visit.folder), f"{visit.url}/file")
        (visit.folder / "file").rename(visit.folder / "partial")


class Lftp(Client):
    """lftp."""

    name = "lftp"

    def visit(self, visit: Visit) -> None:
        """One script."""
        path = visit.path
        visit.run(
            *("lftp", "--norc", "-c"),
            f"set cmd:fail-exit yes; set net:max-retries 1; set net:timeout {SECONDS}; "
            f"set ftp:passive-mode {'yes' if visit.passive else 'no'}; "
            f"open -u {visit.server.user},{visit.server.password} {visit.url}; "
            f"put {path('content')} -o in/sent; put {path('content')} -o in/gone; "
            f"ls in > {path('listing')}; get in/sent -o {path('got')}; "
            f"get -c in/sent -o {path('partial')}; mv in/sent in/kept; rm in/gone; bye",
        )


class Ftplib(Client):
    """CPython's ftplib."""

    name = "ftplib"

    def visit(self, visit: Visit) -> None:
        """In this process."""
        content = (visit.folder / "content").read_bytes()
        partial = visit.folder / "partial"
        with visit.ftplib() as client, partial.open("ab") as rest:
            client.storbinary("STOR in/sent", io.BytesIO(content))
            client.storbinary("STOR in/gone", io.BytesIO(content))
            lines: list[str] = []
            client.retrlines("LIST in", lines.append)
            (visit.folder / "listing").write_text("\n".join(lines))
            got = io.BytesIO()
            client.retrbinary("RETR in/sent", got.write)
            (visit.folder / "got").write_bytes(got.getvalue())
            client.retrbinary("RETR in/sent", rest.write, rest=rest.tell())
            client.rename("in/sent", "in/kept")
            client.delete("in/gone")
            client.quit()


class Tnftp(Client):
    """Debian's ftp."""

    name = "tnftp"

    def visit(self, visit: Visit) -> None:
        """Commands on standard input."""
        path = visit.path
        commands = (
            f"user {visit.server.user} {visit.server.password}",
            "binary",
            f"put {path('content')} in/sent",
            f"put {path('content')} in/gone",
            f"ls in {path('listing')}",
            f"get in/sent {path('got')}",
            f"restart {(visit.folder / 'partial').stat().st_size}",
            f"get in/sent {path('partial')}",
            "rename in/sent in/kept",
            "delete in/gone",
            "quit",
        )
        way = "-p" if visit.passive else "-A"
        visit.run("ftp", "-n", "-i", way, visit.host, input="\n".join(commands) + "\n")


class Ncftp(Client):
    """ncftp's programs, which know IPv4 only."""

    name = "ncftp"
    versions = (4,)

    def visit(self, visit: Visit) -> None:
        """One program for each step."""
        way = "-F" if visit.passive else "-E"
        who = ("-u", visit.server.user, "-p", visit.server.password)
        common = (*who, way, "-t", str(SECONDS), "-r", "0")
        names = (visit.folder / "sent", visit.folder / "gone")
        for name in names:
            name.symlink_to("content")
        visit.run("ncftpput", *common, "-V", visit.host, "in", *map(str, names))
        for name in names:
            name.unlink()
        listing = visit.run("ncftpls", "-l", *common, f"{visit.url}/in/")
        (visit.folder / "listing").write_text(listing)
        visit.run("ncftpget", *common, "-V", "-C", visit.host, "in/sent", visit.path("got"))
        (visit.folder / "partial").rename(visit.folder / "sent")
        visit.run("ncftpget", *common, "-V", "-z", visit.host, str(visit.folder), "in/sent")
        (visit.folder / "sent").rename(visit.folder / "partial")
        change = ("-W", "RNFR in/sent", "-W", "RNTO in/kept", "-W", "DELE in/gone")
        visit.run("ncftpls", "-l", *common, *change, f"{visit.url}/")


CLIENTS: dict[str, Client] = {
    one.name: one for one in (Curl(), Wget(), Lftp(), Ftplib(), Tnftp(), Ncftp())
}
