"""
Programs of Debian packages that are unpacked and not installed (C{.ci/packages}).

They expect to be where packages go, with users of their own. So they run in a
mount namespace of their own (C{ip netns exec} makes one): the package lies over
C{/usr}, a few files of the test's over C{/etc}, and what they write is in the
test's folder.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from gateway.lab.namespace import Namespace

FOLDER = Path(__file__).resolve().parents[3] / ".make" / "unpacked"

USER = 65111
"""The identifier of the first user; of their groups, too."""

_PASSWD = "{0}:x:{1}:{1}::/nonexistent:/bin/false\n"
_GROUP = "{0}:x:{1}:\n"

_PRIVATE = """
set -e
mount -t overlay -o lowerdir={package}/usr:/usr overlay /usr
mount -t overlay -o lowerdir={folder}/etc:/etc overlay /etc
for place in var/lib var/spool var/log run; do
    mount --bind {folder}/$place /$place
done
exec "$@"
"""


class Unpacked:
    """
    A package, to be run with a folder of its own.

    @ivar folder: of which C{etc}, C{var/lib}, C{var/spool}, C{var/log} and
        C{run} are seen as the host's.
    """

    def __init__(self, package: str, folder: Path) -> None:
        self.folder = folder
        self._package = FOLDER / package

    def prepare(self, *users: str) -> None:
        """Make the folder, with these users beside the host's."""
        assert self._package.exists(), "run: make .make/packages"
        for name in ("etc", "var/lib", "var/spool", "var/log", "run"):
            (self.folder / name).mkdir(parents=True)
        for name, form in (
            ("passwd", "{}:x:{}:{}::/nonexistent:/bin/false"),
            ("group", "{}:x:{}:"),
        ):
            lines = [form.format(user, USER + at, USER + at) for at, user in enumerate(users)]
            host = Path("/etc", name).read_text()
            (self.folder / "etc" / name).write_text(host + "\n".join(lines) + "\n")
        # Nobody is there, which is heard at once.
        (self.folder / "etc" / "resolv.conf").write_text("nameserver 127.0.0.1\n")

    def start(self, namespace: Namespace, *command: str) -> subprocess.Popen[bytes]:
        """Start one of its programs; its output goes to C{var/log/output}."""
        script = _PRIVATE.format(package=self._package, folder=self.folder)
        with (self.folder / "var" / "log" / "output").open("wb") as output:
            return namespace.start(
                *("sh", "-c", script, "sh", *command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
