"""
A receiver that is as lenient as receivers have been: lenient_server.py HOST PORT FOLDER CERTIFICATE

CR, LF and CRLF end a line, NULs are left out, blanks at the end of a line too, and what then is a
dot alone ends a message; whatever follows is commands, no matter when it came. BDAT is taken by
its length. It delivers into FOLDER as others do into a maildir.
"""

import re
import socketserver
import sys
from pathlib import Path

REPLIES = {
    b"EHLO": b"250-lenient\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 CHUNKING\r\n",
    b"DATA": b"354 Go on\r\n",
    b"QUIT": b"221 Bye\r\n",
}


class Session(socketserver.BaseRequestHandler):
    """One connection, to its end."""

    def handle(self) -> None:
        """Read what there is, and answer to it."""
        self.buffer = b""
        self.request.sendall(b"220 lenient\r\n")
        content = b""
        while (line := self.line()) is not None:
            verb = line[:4].upper()
            if verb == b"DATA":
                self.request.sendall(REPLIES[verb])
                self.deliver(self.message())
                verb = b""
            elif verb == b"BDAT":
                _, size, *last = line.split()
                content += self.exactly(int(size))
                if last:
                    self.deliver(content)
                    content = b""
            self.request.sendall(REPLIES.get(verb, b"250 Ok\r\n"))
            if verb == b"QUIT":
                return

    def message(self) -> bytes:
        """What follows DATA, up to the dot; or nothing, if there is none."""
        lines = []
        while (line := self.line()) is not None:
            if line == b".":
                return b"".join(lines)
            lines.append(line.removeprefix(b".") + b"\r\n")
        return b""

    def line(self) -> "bytes | None":
        """The next line, whatever ends it; none at the end of the stream."""
        # A CR at the end of what is there may be half of a CRLF, but so lenient it is.
        while not (found := re.search(rb"\r\n|\r|\n", self.buffer)):
            if not self.more():
                return None
        line, self.buffer = self.buffer[: found.start()], self.buffer[found.end() :]
        if found[0] == b"\r" and self.buffer[:1] == b"\n":
            self.buffer = self.buffer[1:]
        return line.replace(b"\0", b"").rstrip(b" \t")

    def exactly(self, size: int) -> bytes:
        """So many bytes."""
        while len(self.buffer) < size and self.more():
            pass
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def more(self) -> bool:
        """Wait for more; false at the end."""
        try:
            data = self.request.recv(65536)
        except ConnectionResetError:
            return False
        self.buffer += data
        return bool(data)

    def deliver(self, message: bytes) -> None:
        """Into a file."""
        if message:
            assert isinstance(self.server, Server)
            self.server.deliver(message)


class Server(socketserver.ThreadingTCPServer):
    """One thread for each connection."""

    allow_reuse_address = True
    daemon_threads = True
    folder: Path
    count = 0

    def deliver(self, message: bytes) -> None:
        """Into a file of its own."""
        self.count += 1
        path = self.folder / f"{self.count:06}"
        path.write_bytes(message)
        path.rename(self.folder / "new" / path.name)


def main(host: str, port: str, folder: str, certificate: str) -> None:
    """Serve until killed."""
    with Server((host, int(port)), Session) as server:
        server.folder = Path(folder)
        server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
