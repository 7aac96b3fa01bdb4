"""
Runs tlsfuzzer's scripts, named without C{test_}, against a server of its own, and notes how each
conversation ended. It runs in the folder of tlsfuzzer's source.
"""

# mypy: ignore-errors

import datetime
import ipaddress
import json
import os
import re
import ssl
import subprocess
import sys
import threading
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SECONDS = 60
"""For one script."""

SAMPLE = "8"
"""Conversations of those scripts that have hundreds of a kind."""

# The scripts' clients know RSA only; the gateway's certificates are on P-256.
SCRIPT = """
import importlib, random, sys
from tlslite.extensions import SignatureAlgorithmsExtension as Algorithms
create, p256 = Algorithms.create, (4, 3)
Algorithms.create = lambda self, them: create(self, [*them, p256] if them else them)
random.seed(1)
name = sys.argv[1]
sys.argv = [name, "-p", sys.argv[2], "-n", sys.argv[3]]
importlib.import_module(f"tlsfuzzer._apps.test_{name}").main()
"""

BEGUN = re.compile(r"^(.*) \.\.\.$", re.MULTILINE)


class Page(BaseHTTPRequestHandler):
    """The same page for everybody."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    """Handshakes do not wait for each other, and those that fail are nobody's business."""

    daemon_threads = True
    request_queue_size = 128

    def finish_request(self, request, address):
        try:
            with self.context.wrap_socket(request, server_side=True) as secure:
                super().finish_request(secure, address)
                secure.settimeout(2)
                secure.unwrap()
        except OSError:
            pass


def issued():
    """A certificate for this host, by the authority that all know, in a file."""
    pem = Path(os.environ["CONFORMANCE_AUTHORITY"]).read_bytes()
    issuer, signing = x509.load_pem_x509_certificate(pem), load_pem_private_key(pem, None)
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    local = (ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1"))
    names = [x509.DNSName("localhost"), *map(x509.IPAddress, local)]
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=9))
        .add_extension(x509.SubjectAlternativeName(names), False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .sign(signing, hashes.SHA256())
    )
    file = Path("server.pem")
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(secret + made.public_bytes(Encoding.PEM))
    return file


def run(name, port):
    """The conversations of one script, and how they ended."""
    command = [sys.executable, "-c", SCRIPT, name, str(port), SAMPLE]
    try:
        fixed = {**os.environ, "PYTHONHASHSEED": "0"}  # the same sample on both sides
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, env=fixed)
    except subprocess.TimeoutExpired as error:
        said = (error.stdout or b"").decode()
    else:
        said = done.stdout
        print(name, done.returncode, done.stderr[-2000:], flush=True)
    print(said, flush=True)
    *said, last = BEGUN.split(said)[1:] or ("", "")
    pieces = [*said, last.partition("Test end")[0]]
    return dict(zip(pieces[::2], pieces[1::2], strict=True))


def main():
    """The scripts that are asked for, or single conversations: C{NAME: CONVERSATION}."""
    patterns = json.loads(os.environ["CONFORMANCE_LEFT_OUT"])
    server = Server(("127.0.0.1", 0), Page)
    server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.context.load_cert_chain(issued())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    record = Path(os.environ["CONFORMANCE_RECORD"])
    chosen = {word.partition(": ")[0]: set() for word in sys.argv[1:]}
    for word in sys.argv[1:]:
        chosen[word.partition(": ")[0]].add(word.partition(": ")[2])
    for name, only in chosen.items():
        for conversation, said in run(name, server.server_port).items():
            test = f"{name}: {conversation}"
            if any(fnmatchcase(test, pattern) for pattern in patterns):
                continue
            if only == {""} or conversation in only:
                outcome = "passed" if said.strip().startswith("OK") else "failed"
                with record.open("a") as file:
                    file.write(json.dumps([test, outcome]) + "\n")
    os._exit(0)


main()
