"""C{auth = "release"} end to end: TLS between client and server, through the gateway."""

from __future__ import annotations

import ftplib
import ssl
from threading import Thread
from typing import Any, ClassVar

from tests.netns.case import hear
from tests.netns.ftp_case import FTP, FtpCase
from tests.netns.mail.certificate import certificate

HOST = "203.0.113.9"


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
