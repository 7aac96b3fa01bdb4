"""
A web server that has files in all forms, and keeps what is uploaded.

Usage: python -m tests.netns.scanning.web_server FOLDER PORT
"""

from __future__ import annotations

import socket
import struct
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

CHUNK = 10_000


class Server(ThreadingHTTPServer):
    """With room for a hundred at once."""

    request_queue_size = 200
    daemon_threads = True


class Handler(BaseHTTPRequestHandler):
    """C{/NAME?form=chunked&coding=gzip&pause=0.1&cut=100}; C{PUT /NAME}."""

    protocol_version = "HTTP/1.1"
    folder: Path

    def log_message(self, format: str, *arguments: Any) -> None:
        """Silent."""

    def do_GET(self) -> None:
        """A file, in the form that is asked for."""
        url = urlsplit(self.path)
        how = dict(parse_qsl(url.query))
        if "zeros" in how:
            self._zeros(int(how["zeros"]))
            return
        content = (self.folder / url.path[1:]).read_bytes()
        form = how.get("form", "length")
        self.send_response(200)
        if "type" in how:
            self.send_header("Content-Type", how["type"])
        if "coding" in how:
            self.send_header("Content-Encoding", how["coding"])
        if form == "length":
            self.send_header("Content-Length", str(len(content)))
        elif form == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if "cut" in how:
            self.wfile.write(content[: int(how["cut"])])
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True
            return
        self._send(content, form == "chunked", float(how.get("pause", "0")))

    def _send(self, content: bytes, chunked: bool, pause: float) -> None:
        for at in range(0, len(content), CHUNK):
            piece = content[at : at + CHUNK]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            time.sleep(pause)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _zeros(self, size: int) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        block = bytes(1 << 20)
        for _ in range(size >> 20):
            self.wfile.write(block)

    def do_PUT(self) -> None:
        """Kept."""
        length = self.headers["Content-Length"]
        content = self._chunks() if length is None else self.rfile.read(int(length))
        (self.folder / f"put-{self.path[1:]}").write_bytes(content)
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _chunks(self) -> bytes:
        content = b""
        while size := int(self.rfile.readline(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content


if __name__ == "__main__":
    Handler.folder = Path(sys.argv[1])
    Server(("", int(sys.argv[2])), Handler).serve_forever()
