"""Programs that speak TLS, each with its own library, through an inspecting gateway."""

from __future__ import annotations

import subprocess
import sys
from typing import ClassVar

from tests.netns.case import SERVER
from tests.netns.test_tls import RULES
from tests.netns.tls_case import GOOD, WEB, TlsCase

NODE = """
const https = require("https"), fs = require("fs");
const options = {
  host: "%(server)s", servername: "%(name)s", path: "/", headers: { host: "%(name)s" },
  ca: fs.readFileSync("%(root)s"), agent: new https.Agent({ keepAlive: false }),
};
https.get(options, (answer) => {
  let said = "";
  answer.on("data", (piece) => { said += piece; });
  answer.on("end", () => console.log(answer.statusCode, said, answer.socket.getProtocol()));
}).on("error", (error) => console.log("error", error.code, error.message));
"""

JAVA = """
import java.io.*;
import java.net.*;
import java.security.*;
import java.security.cert.*;
import javax.net.ssl.*;

public class Client {
  public static void main(String[] given) throws Exception {
    KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null, null);
    try (InputStream file = new FileInputStream(given[0])) {
      CertificateFactory factory = CertificateFactory.getInstance("X.509");
      store.setCertificateEntry("gateway", factory.generateCertificate(file));
    }
    TrustManagerFactory trust =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(store);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, trust.getTrustManagers(), null);
    SSLSocket socket = (SSLSocket) context.getSocketFactory()
        .createSocket(new Socket(given[1], 443), given[2], 443, true);
    SSLParameters parameters = socket.getSSLParameters();
    parameters.setEndpointIdentificationAlgorithm("HTTPS");
    socket.setSSLParameters(parameters);
    try {
      socket.startHandshake();
    } catch (SSLException error) {
      System.out.println("error " + error.getMessage());
      return;
    }
    OutputStream out = socket.getOutputStream();
    out.write(("GET / HTTP/1.1\\r\\nHost: " + given[2] + "\\r\\nConnection: close\\r\\n\\r\\n")
        .getBytes());
    BufferedReader in = new BufferedReader(new InputStreamReader(socket.getInputStream()));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      System.out.println(line);
    }
    System.out.println(socket.getSession().getProtocol());
  }
}
"""

PYTHON = """
import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[1])
context.maximum_version = getattr(ssl.TLSVersion, sys.argv[3])
with context.wrap_socket(socket.create_connection((sys.argv[4], 443)),
                         server_hostname=sys.argv[2]) as sock:
    sock.sendall(b"GET / HTTP/1.1\\r\\nHost: %b\\r\\nConnection: close\\r\\n\\r\\n"
                 % sys.argv[2].encode())
    said = b"".join(iter(lambda: sock.recv(65536), b""))
    print(sock.version(), said.decode())
"""


class ClientsTests(TlsCase):
    """Each fetches a page, and learns in its own words of a server that is not to be believed."""

    services: ClassVar = {"web-tls": RULES, "web": WEB}

    def prepare(self) -> None:
        super().prepare()
        (self.scene.folder / "Client.java").write_text(JAVA)

    @property
    def root(self) -> str:
        """The file with the gateway's root."""
        return str(self.scene.folder / "gateway.crt")

    def runs(self, *command: str, said: str = "") -> str:
        """What a program says, on either output, in the client's namespace."""
        done = subprocess.run(
            [*self.client.prefix, *command],
            input=said,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.stdout + done.stderr

    def passed(self, before: int) -> None:
        """All sessions since then are over, and have passed."""

        def flows() -> list[str]:
            records = self.scene.records()[before:]
            over = [one for one in records if one["event_type"] == "flow"]
            begun = {one["flow_id"] for one in records}
            return [one["gateway"]["verdict"] for one in over] if len(begun) == len(over) else []

        self.wait(lambda: flows(), "a session stays", 10)
        self.assertEqual(set(flows()), {"passed"})

    def resumed(self) -> bool:
        """Whether a record says that a client's session went on."""
        records = (one["gateway"]["tls"].get("client", {}) for one in self.tls_records(1))
        return any(one.get("resumed") for one in records)

    def test_curl(self) -> None:
        """curl, with OpenSSL, in both versions, and with a request on a kept connection."""
        for version in ("--tls-max 1.2", "--tlsv1.3"):
            before = len(self.scene.records())
            url = f"https://{GOOD}/"
            said = self.curl(
                url,
                *version.split(),
                "-w",
                "%{num_connects} ",
                "--next",
                url,
                "--cacert",
                self.root,
            )
            self.assertEqual(said.count("<p>hello</p>"), 2, said)
            self.passed(before)

    def test_wget(self) -> None:
        """wget, with GnuTLS."""
        before = len(self.scene.records())
        command = ("wget", "-qO-", f"--ca-certificate={self.root}", f"--header=Host: {GOOD}")
        hosts = self.scene.folder / "hosts"
        hosts.write_text(f"{SERVER} {GOOD} expired.example unknown.example\n")
        inside = ("unshare", "-m", "sh", "-c")
        bind = f"mount --bind {hosts} /etc/hosts; exec "
        said = self.runs(
            *inside, bind + " ".join(f"'{word}'" for word in command) + f" https://{GOOD}/"
        )
        self.assertEqual(said, "<p>hello</p>")
        self.passed(before)
        said = self.runs(
            *inside, f"{bind} wget --ca-certificate={self.root} https://expired.example/"
        )
        self.assertIn("has expired", said)

    def test_gnutls(self) -> None:
        """GnuTLS's own client, which is told more by an alert than most."""
        command = (
            "gnutls-cli",
            f"--x509cafile={self.root}",
            f"--sni-hostname={GOOD}",
            f"--verify-hostname={GOOD}",
            SERVER,
        )
        said = self.runs(*command, said=f"GET / HTTP/1.0\r\nHost: {GOOD}\r\n\r\n")
        self.assertIn("<p>hello</p>", said)
        refused = (*command[:2], "--sni-hostname=refused.example", "--insecure", SERVER)
        self.assertIn("Access was denied", self.runs(*refused))

    def test_python(self) -> None:
        """Python, which says no close_notify at the end."""
        for version, name in (("TLSv1_2", "TLSv1.2"), ("TLSv1_3", "TLSv1.3")):
            before = len(self.scene.records())
            said = self.runs(sys.executable, "-c", PYTHON, self.root, GOOD, version, SERVER)
            self.assertTrue(said.startswith(f"{name} HTTP/1.1 200"), said)
            self.assertIn("<p>hello</p>", said)
            self.passed(before)

    def test_node(self) -> None:
        """Node."""
        before = len(self.scene.records())
        for name, words in (
            (GOOD, "200 <p>hello</p> TLSv1.3"),
            ("expired.example", "error CERT_HAS_EXPIRED"),
            ("wrong.example", "error ERR_TLS_CERT_ALTNAME_INVALID"),
            ("unknown.example", "error UNABLE_TO_VERIFY_LEAF_SIGNATURE"),
            ("refused.example", "access denied"),
        ):
            script = NODE % {"server": SERVER, "name": name, "root": self.root}
            said = self.runs("node", "-e", script)
            self.assertIn(words, said)
            if name == GOOD:
                self.passed(before)

    def test_java(self) -> None:
        """Java."""
        source = str(self.scene.folder / "Client.java")
        for name, words in (
            (GOOD, ("HTTP/1.1 200 OK", "<p>hello</p>", "TLSv1.3")),
            ("unknown.example", ("PKIX path building failed",)),
            ("expired.example", ("validity check failed",)),
            ("refused.example", ("access_denied",)),
        ):
            said = self.runs("java", source, self.root, SERVER, name)
            for word in words:
                self.assertIn(word, said)

    def test_openssl(self) -> None:
        """OpenSSL's client goes on with its session, is given no early data, changes keys."""
        session = str(self.scene.folder / "session")
        command = (
            "openssl",
            "s_client",
            "-connect",
            f"{SERVER}:443",
            "-servername",
            GOOD,
            "-CAfile",
            self.root,
            "-verify_return_error",
        )
        ask = f"GET / HTTP/1.1\r\nHost: {GOOD}\r\nConnection: close\r\n\r\n"
        said = self.runs(*command, "-ign_eof", "-sess_out", session, said=ask)
        self.assertIn("<p>hello</p>", said)
        self.assertIn("Max Early Data: 0", said)
        again = self.runs(*command, "-ign_eof", "-sess_in", session, said=ask)
        self.assertIn("Reused, TLSv1.3", again)
        self.assertIn("<p>hello</p>", again)
        self.wait(self.resumed, "no record of a session that went on", 10)

    def test_new_keys(self) -> None:
        """A client may change the keys at any time, and ask that the gateway does (KeyUpdate)."""
        command = ("openssl", "s_client", "-connect", f"{SERVER}:443", "-servername", GOOD)
        log = self.scene.folder / "s_client.log"
        with log.open("wb") as output:
            client = self.client.start(
                *command, stdin=subprocess.PIPE, stdout=output, stderr=output
            )
        self.addCleanup(client.wait, 10)
        self.addCleanup(client.kill)
        assert client.stdin is not None

        def updates() -> int:
            return log.read_bytes().count(b"KEYUPDATE")

        for number in range(1, 5):
            client.stdin.write(b"K\n")
            client.stdin.flush()
            self.wait(lambda n=number: updates() >= n, "no new keys", 10)
        client.stdin.write(b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % GOOD.encode())
        client.stdin.flush()
        self.wait(lambda: b"<p>hello</p>" in log.read_bytes(), "no answer", 10)
