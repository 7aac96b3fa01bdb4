"""A real Postfix in a namespace, with everything that it has in a folder of its own."""

from __future__ import annotations

import os
import pwd
import re
from email import message_from_bytes
from email.message import Message
from pathlib import Path

from gateway.lab.namespace import Namespace
from gateway.lab.waiting import wait_until

MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
myhostname = mail.b.example
mydestination =
mynetworks = 192.0.2.255
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
inet_interfaces = {address}
inet_protocols = ipv4
message_size_limit = 60000000
mailbox_size_limit = 0
virtual_mailbox_limit = 0
virtual_mailbox_domains = b.example
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = static:all
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
smtpd_peername_lookup = no
smtputf8_enable = yes
smtpd_client_connection_count_limit = 0
smtpd_forbid_bare_newline = no
"""

MASTER = """
{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
showq unix n - n - - showq
virtual unix - n n - - virtual
smtp unix - - n - - smtp
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """
    Takes all mail for b.example into one mailbox. It tolerates bare newlines,
    as all Postfix did before CVE-2023-51764 was found.
    """

    def __init__(self, namespace: Namespace, folder: Path, address: str, port: int = 25) -> None:
        self._namespace = namespace
        self._folder = folder
        self._address = address
        self._port = port

    def start(self) -> None:
        """Start it and wait until it accepts."""
        owner = pwd.getpwnam("postfix")
        folder = self._folder
        for name in ("conf", "mail", "data", "spool"):
            (folder / name).mkdir(parents=True)
        for path in (folder / "mail", folder / "data"):
            # The folder above it may be anybody's; what Postfix writes is its own.
            os.chown(path, owner.pw_uid, owner.pw_gid)
        folder.chmod(0o755)
        values = {
            "folder": folder,
            "address": self._address,
            "uid": owner.pw_uid,
            "gid": owner.pw_gid,
        }
        (folder / "conf" / "main.cf").write_text(MAIN.format(**values))
        (folder / "conf" / "master.cf").write_text(MASTER.format(port=self._port))
        self._namespace.run("postfix", "-c", str(folder / "conf"), "start")
        if not wait_until(lambda: "started" in self.log, 10):
            raise AssertionError(self.log)

    @property
    def log(self) -> str:
        """What it logged."""
        path = self._folder / "log"
        return path.read_text() if path.exists() else ""

    def messages(self) -> list[Message]:
        """What it has delivered."""
        path = self._folder / "mail" / "all"
        data = path.read_bytes() if path.exists() else b""
        # Not the standard library's mbox: it can't read a sender beyond ASCII.
        return [message_from_bytes(each) for each in re.split(rb"(?m)^From .*\n", data)[1:]]

    def delivered(self, queue: str) -> bool:
        """Whether it says that this message was delivered."""
        return re.search(rf" {queue}: to=<[^>]+>, .*status=sent", self.log) is not None
