"""
Runs tlsfuzzer's scripts, named without C{test_}, against a server of its own, and notes how each
conversation ended. It runs in the folder of tlsfuzzer's source.
"""

# mypy: ignore-errors

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

from issued import issued

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
    server.context.load_cert_chain(issued(Path("server.pem")))
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
