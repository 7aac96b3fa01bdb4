"""The real FTP servers: each at addresses of its own, port 21, in a folder of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bcrypt
from attrs import field, frozen

from gateway.lab.namespace import Namespace

ROOT = Path(__file__).resolve().parents[2]
UNPACKED = ROOT / ".make" / "unpacked"
"""Where C{.ci/install} puts servers that Debian doesn't install beside each other."""

NOBODY = 65534

VSFTPD = """
listen={v4}
listen_ipv6={v6}
{listen_address}={host}
background=NO
anonymous_enable=YES
no_anon_password=YES
anon_root={root}
write_enable=YES
anon_upload_enable=YES
anon_mkdir_write_enable=YES
anon_other_write_enable=YES
anon_umask=022
connect_from_port_20=YES
secure_chroot_dir={empty}
seccomp_sandbox=NO
async_abor_enable=YES
isolate_network=NO
max_per_ip=0
max_clients=0
"""

VSFTPD_TLS = """
ssl_enable=YES
ssl_tlsv1=YES
allow_anon_ssl=YES
force_anon_logins_ssl=YES
force_anon_data_ssl=YES
rsa_cert_file={pem}
strict_ssl_read_eof=NO
"""
"""Its default stays: data connections have to go on with the control connection's session."""

PROFTPD_TLS = """
ModulePath {modules}
LoadModule mod_tls.c
TLSEngine on
TLSRequired on
TLSECCertificateFile {pem}
TLSECCertificateKeyFile {pem}
TLSCertificateChainFile {pem}
TLSLog {log}
"""

PROFTPD = """
ServerName proftpd
ServerType standalone
DefaultServer on
Port 21
DefaultAddress {hosts}
SocketBindTight on
UseIPv6 on
UseReverseDNS off
User nobody
Group nogroup
MaxInstances none
AuthOrder mod_auth_file.c
AuthUserFile {users}
RequireValidShell off
DefaultRoot ~
AllowOverwrite on
AllowStoreRestart on
AllowRetrieveRestart on
RootRevoke off
DelayEngine off
WtmpLog off
TransferLog none
SystemLog {log}
PidFile {folder}/pid
ScoreboardFile {folder}/scoreboard
"""


@frozen
class Server:
    """
    A server to test with.

    @ivar number: makes its addresses.
    @ivar user: who logs in there, with L{password}.
    @ivar data_port: where its active data connections come from; 0: anywhere.
    """

    name: str
    number: int
    user: str = "anonymous"
    data_port: int = 20
    password: str = "sesame"
    hosts: dict[int, str] = field(init=False)

    @hosts.default
    def _hosts(self) -> dict[int, str]:
        """Its addresses, by IP version."""
        return {4: f"198.18.0.{self.number}", 6: f"2001:db8:18::{self.number}"}

    def prepare(self, folder: Path) -> Path:
        """Make what it serves: a folder to read, and one below to write."""
        root = folder / self.name
        (root / "in").mkdir(parents=True)
        (root / "in").chmod(0o777)
        return root

    def start(
        self, namespace: Namespace, folder: Path, pem: Path | None = None
    ) -> list[subprocess.Popen[bytes]]:
        """
        Start it.

        @param folder: has its root, and is for its configuration and log.
        @param pem: a key and its certificates: it demands TLS, on data connections too.
        """
        own = folder / f"{self.name}-files"
        own.mkdir()
        own.chmod(0o755)
        commands = _COMMANDS[self.name](self, folder / self.name, own, pem)
        with (own / "log").open("ab") as log:
            quiet: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
            return [namespace.start(*command, **quiet) for command in commands]


def _vsftpd(server: Server, root: Path, own: Path, pem: Path | None) -> Iterator[tuple[str, ...]]:
    """One for each IP version: it listens on one address only. With TLS, one for port 990 too."""
    empty = own / "nothing"
    empty.mkdir()
    for version, host in server.hosts.items():
        settings = own / f"vsftpd{version}.conf"
        v4, v6 = ("YES", "NO") if version == 4 else ("NO", "YES")
        listen_address = "listen_address" if version == 4 else "listen_address6"
        settings.write_text(
            VSFTPD.format(
                v4=v4, v6=v6, listen_address=listen_address, host=host, root=root, empty=empty
            )
            + (VSFTPD_TLS.format(pem=pem) if pem else "")
        )
        yield ("/usr/sbin/vsftpd", str(settings))
        if pem:
            implicit = own / f"vsftpd{version}-implicit.conf"
            implicit.write_text(settings.read_text() + "listen_port=990\nimplicit_ssl=YES\n")
            yield ("/usr/sbin/vsftpd", str(implicit))


def _proftpd(server: Server, root: Path, own: Path, pem: Path | None) -> Iterator[tuple[str, ...]]:
    users = own / "users"
    users.write_text(f"{_entry(server)}::{root}:/bin/false\n")
    users.chmod(0o600)
    settings = own / "proftpd.conf"
    hosts = " ".join(server.hosts.values())
    tls = ""
    if pem:
        modules = UNPACKED / "proftpd-mod-crypto/usr/lib/proftpd"
        tls = PROFTPD_TLS.format(modules=modules, pem=pem, log=own / "tls")
    settings.write_text(
        tls + PROFTPD.format(hosts=hosts, users=users, log=own / "system", folder=own)
    )
    program = UNPACKED / "proftpd-core/usr/sbin/proftpd"
    yield (str(program), "--nodaemon", "--config", str(settings))


def _entry(server: Server) -> str:
    """Name, password, user and group, as in /etc/passwd."""
    secret = bcrypt.hashpw(server.password.encode(), bcrypt.gensalt(4)).decode()
    return f"{server.user}:{secret}:{NOBODY}:{NOBODY}"


def _pure_ftpd(
    server: Server, root: Path, own: Path, pem: Path | None
) -> Iterator[tuple[str, ...]]:
    passwords, database = own / "passwords", own / "database"
    passwords.write_text(f"{_entry(server)}::{root}/./::::::::::::\n")
    maker = UNPACKED / "pure-ftpd/usr/bin/pure-pw"
    subprocess.run([maker, "mkdb", database, "-f", passwords], check=True)
    program = UNPACKED / "pure-ftpd/usr/sbin/pure-ftpd"
    options = ("-l", f"puredb:{database}", "-A", "-E", "-H", "-u", "1", "-c", "500", "-C", "500")
    if pem:
        options += ("-Y", "3", "-2", str(pem))
    for version, host in server.hosts.items():
        process = ("-g", str(own / f"pid{version}"))
        yield (str(program), *options, f"-{version}", "-S", f"{host},21", *process)


def _pyftpdlib(
    server: Server, root: Path, own: Path, pem: Path | None
) -> Iterator[tuple[str, ...]]:
    script = str(Path(__file__).with_name("ftp_pyftpdlib.py"))
    yield ("/usr/bin/python3", script, str(root), *server.hosts.values())


_COMMANDS = {
    "vsftpd": _vsftpd,
    "proftpd": _proftpd,
    "pureftpd": _pure_ftpd,
    "pyftpdlib": _pyftpdlib,
}

SERVERS = {
    one.name: one
    for one in (
        Server("vsftpd", 1),
        Server("proftpd", 2, user="tester"),
        Server("pureftpd", 3, user="tester", data_port=0),
        Server("pyftpdlib", 4, data_port=0),
    )
}
