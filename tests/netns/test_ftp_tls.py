"""TLS in FTP end to end: looked into, and let through blindly."""

from __future__ import annotations

import ftplib
import io
import ssl
from collections.abc import Callable
from functools import cache
from ipaddress import ip_address
from itertools import product
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

from cryptography import x509

from gateway.lab.namespace import Namespace
from tests.netns.case import hear
from tests.netns.ftp_case import CONTENT, FTP, FtpCase
from tests.netns.ftp_clients import SECONDS
from tests.netns.ftp_servers import SERVERS, Server
from tests.netns.mail.certificate import certificate
from tests.netns.tls_case import TRUST, TrustingCase, public
from tests.observe.reading import told

HOST = "203.0.113.9"
NAMES = ("vsftpd", "proftpd", "pureftpd")
EXPLICIT = FTP + 'auth = "require"\ndata_protection = "require"\n[ftp.tls]\ninvalid = "deny"\n'
IMPLICIT = EXPLICIT.replace("[21]", "[990]").replace('auth = "require"', "implicit = true")


@cache
def servers_pem() -> bytes:
    """One certificate for all servers: their addresses, and a name."""
    names: list[x509.GeneralName] = [x509.DNSName("ftp.example")]
    for name in NAMES:
        names += [x509.IPAddress(ip_address(host)) for host in SERVERS[name].hosts.values()]
    return public().issue("ftp.example", names=names).pem


class Reusing(ftplib.FTP_TLS):
    """CPython's client, whose data connections go on with the control connection's session."""

    reused: ClassVar[list[bool]] = []

    def ntransfercmd(self, cmd: str, rest: Any = None) -> tuple[Any, Any]:
        """As the library's, which does not: bpo-19500."""
        data, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        control: Any = self.sock
        secured = self.context.wrap_socket(data, server_hostname=self.host, session=control.session)
        self.reused.append(bool(secured.session_reused))
        return secured, size


def by_curl(client: Namespace, folder: Path, server: Server, passive: bool) -> None:
    """
    Puts and fetches; it says hello on a data connection before it asks for anything. Passive only:
    Debian's can't use TLS on connections that it accepts (findings/curl-active-ftps.sh).
    """
    common = ("--max-time", str(SECONDS), "-u", f"{server.user}:{server.password}", "--ssl-reqd")
    trust = ("--cacert", str(folder / "gateway.crt"))
    assert passive
    url = f"ftp://{server.hosts[4]}/in/sent"
    curl = ("curl", "-sS", *common, *trust)
    client.run(*curl, "-T", str(folder / "content"), url, seconds=SECONDS)
    client.run(*curl, "-o", str(folder / "got"), url, seconds=SECONDS)


def by_lftp(client: Namespace, folder: Path, server: Server, passive: bool) -> None:
    """The same in one session, and a listing."""
    client.run(
        *("lftp", "--norc", "-c"),
        f"set cmd:fail-exit yes; set net:max-retries 1; set net:timeout {SECONDS}; "
        f"set ssl:ca-file {folder / 'gateway.crt'}; set ftp:ssl-force yes; "
        f"set ftp:ssl-protect-data yes; set ftp:passive-mode {'yes' if passive else 'no'}; "
        f"open -u {server.user},{server.password} ftp://{server.hosts[4]}; "
        f"put {folder / 'content'} -o in/sent; ls in > {folder / 'listing'}; "
        f"get in/sent -o {folder / 'got'}; bye",
        seconds=SECONDS,
    )


def by_ftplib(client: Namespace, folder: Path, server: Server, passive: bool) -> None:
    """The same, with sessions that go on."""
    context = ssl.create_default_context(cafile=str(folder / "gateway.crt"))
    Reusing.reused.clear()
    with client.entered(), Reusing(timeout=SECONDS, context=context) as session:
        session.connect(server.hosts[4])
        session.set_pasv(passive)
        session.login(server.user, server.password)
        session.prot_p()
        session.storbinary("STOR in/sent", io.BytesIO(CONTENT))
        got = io.BytesIO()
        session.retrbinary("RETR in/sent", got.write)
        session.quit()
    (folder / "got").write_bytes(got.getvalue())
    assert Reusing.reused == [True, True], Reusing.reused


CLIENTS: dict[str, Callable[[Namespace, Path, Server, bool], None]] = {
    "curl": by_curl,
    "lftp": by_lftp,
    "ftplib": by_ftplib,
}


class InspectedTests(TrustingCase, FtpCase):
    """Real clients, and servers that demand TLS everywhere; the gateway reads every command."""

    services: ClassVar[dict[str, str]] = {"ftp": EXPLICIT, "ftps": IMPLICIT}
    gateway = TRUST + FtpCase.gateway
    servers = NAMES
    pem = servers_pem()

    def launch(self) -> None:
        """With something to put."""
        (self.scene.folder / "content").write_bytes(CONTENT)
        super().launch()

    def visit(self, client: str, server: Server, passive: bool) -> None:
        """A file goes and comes whole; all of it in TLS, on both sides, and all of it is seen."""
        folder, before = self.scene.folder, len(self.transfers())
        mode = "passive" if passive else "active"
        (folder / "got").unlink(missing_ok=True)
        CLIENTS[client](self.client, folder, server, passive)
        self.assertEqual((folder / "got").read_bytes(), CONTENT)
        (self.root(server) / "in" / "sent").unlink()

        def records() -> list[dict[str, Any]]:
            found = [told(one) for one in self.transfers()[before:]]
            return [one for one in found if one["mode"] == mode and one["size"] == len(CONTENT)]

        self.wait(lambda: len(records()) >= 2, "transfers are missing in the audit")
        for record in records():
            self.assertEqual(record["verdict"], "passed", record)
            if server.name != "pureftpd":  # gives no tickets in TLS 1.3
                self.assertTrue(record["tls"]["server"]["resumed"], record)

    def test_implicit(self) -> None:
        """TLS from the first byte on, and the name that a client says."""
        folder, server = self.scene.folder, SERVERS["vsftpd"]
        trust = ("--cacert", str(folder / "gateway.crt"), "--max-time", str(SECONDS))
        resolve = ("--resolve", f"ftp.example:990:{server.hosts[4]}")
        url = "ftps://ftp.example/file"
        self.client.run("curl", "-sS", *trust, *resolve, "-o", str(folder / "got"), url)
        self.assertEqual((folder / "got").read_bytes(), CONTENT)
        told_of = [one["tls"] for one in self.scene.records() if one["event_type"] == "tls"]
        self.assertEqual(told_of[-1]["sni"], "ftp.example")

    def test_plaintext(self) -> None:
        """Nobody logs in without TLS, nor moves a file in plain text."""
        context = ssl.create_default_context(cafile=str(self.scene.folder / "gateway.crt"))
        host = SERVERS["proftpd"].hosts[4]
        with self.client.entered(), ftplib.FTP_TLS(timeout=SECONDS, context=context) as session:
            session.connect(host)
            self.assertIn(
                "530", str(self.assertRaises(ftplib.error_perm, session.sendcmd, "USER x"))
            )
            session.login("tester", "sesame")
            wrong = self.assertRaises(ftplib.error_perm, session.retrbinary, "RETR file", print)
            self.assertIn("521", str(wrong))
            self.assertIn("533", str(self.assertRaises(ftplib.error_perm, session.ccc)))


def _add_row(client: str, server: Server) -> None:
    def test(self: InspectedTests) -> None:
        for passive in (True, False) if client != "curl" else (True,):
            self.visit(client, server, passive)

    test.__name__ = f"test_{client}_{server.name}"
    test.__qualname__ = f"InspectedTests.{test.__name__}"
    test.__doc__ = f"{client}, {server.name}, passive and active."
    setattr(InspectedTests, test.__name__, test)


for _client, _name in product(CLIENTS, NAMES):
    _add_row(_client, SERVERS[_name])


class ReleaseTests(FtpCase):
    """The test is the server, and answers with what is in the certificate's folder."""

    services: ClassVar[dict[str, str]] = {"ftp": FTP + 'auth = "release"\n'}

    def serve(self, listener: Any, tls: ssl.SSLContext, heard: list[bytes]) -> None:
        """One client: agrees to encrypt, and then says yes to everything."""
        theirs, _ = self.accept(listener)
        theirs.sendall(b"220 ready\r\n")
        heard.append(hear(theirs, 10))
        theirs.sendall(b"234 go on\r\n")
        with tls.wrap_socket(theirs, server_side=True) as secured:
            while said := secured.recv(1000):
                heard.append(said)
                secured.sendall(b"221 bye\r\n" if said == b"QUIT\r\n" else b"230 fine\r\n")

    def test_released(self) -> None:
        """A client encrypts with the server itself; the gateway has seen AUTH and no more."""
        file = certificate(self.scene.folder)
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(file)
        heard: list[bytes] = []
        listener = self.listen(21, HOST)
        server = Thread(target=self.serve, args=(listener, tls, heard), daemon=True)
        server.start()
        trusting = ssl.create_default_context(cafile=str(file))
        trusting.check_hostname = False
        with self.client.entered():
            client = ftplib.FTP_TLS(timeout=10, context=trusting)
            client.connect(HOST)
            client.auth()
            source = self.source(client)
            client.sendcmd("USER joe")
            client.sendcmd("DELE what the gateway would deny" + "!" * 5000)
            client.quit()
        server.join(10)
        self.assertEqual(heard[:2], [b"AUTH TLS\r\n", b"USER joe\r\n"])
        flow = self.flow(source)
        self.assertGreater(flow["flow"]["bytes_toserver"], 5000)
        said = [
            one["ftp"]["command"]
            for one in self.scene.records()
            if one["event_type"] == "ftp" and one["flow_id"] == flow["flow_id"]
        ]
        self.assertEqual(said, ["(greeting)", "AUTH"])
