#!/bin/bash
# Chromium takes a 408 on a connection that it has used before for the end of that connection, whatever the request was, and
# sends it again on the next one: a PUT whose body it has already sent goes out once for each connection that is idle, and
# once more. Only the last 408, on a fresh connection, reaches the page. A 400 reaches it at once.
#
# Seen: Chromium 156 (chromium-headless-shell, Debian 12): 7 PUTs for a 408 with six idle connections, 1 for a 400.
# Where it matters: protocols/http/http1/watch.py answers 400, not 408, once some of a body has come.
#
# Usage: findings/chromium-408.sh      It wants Debian's chromium-headless-shell, and installs it if it is missing (as root).

set -uo pipefail
command -v chromium-headless-shell >/dev/null || apt-get install -qq -y chromium-headless-shell >/dev/null || exit 2
exec python3 - <<'END'
import http.server
import subprocess
import sys
import tempfile
import threading

PAGE = b"""<!DOCTYPE html><p id="said"></p><script>
async function upload() {
  await Promise.all(Array.from({length: 6}, (_, number) => fetch("/warm?" + number)));
  const answer = await fetch("/upload", {method: "PUT", body: "x".repeat(1000)});
  document.getElementById("said").textContent = "status " + answer.status;
}
upload();
</script>"""


class Server(http.server.ThreadingHTTPServer):
    """@ivar status: of the answer to an upload."""

    status = uploads = 0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    warm = threading.Barrier(6)

    def answer(self, status, content=b"", close=False):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        if close:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self):
        if self.path.startswith("/warm"):
            self.warm.wait(10)  # so that there are six connections
        self.answer(200, PAGE if self.path == "/" else b"")

    def do_PUT(self):
        self.server.uploads += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(self.server.status, close=True)

    def log_message(self, *_):
        pass


def uploads(status):
    """How often Chromium sends an upload that is answered so, and what the page hears."""
    server = Server(("127.0.0.1", 0), Handler)
    server.status = status
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        page = subprocess.run(
            [
                *("chromium-headless-shell", "--no-sandbox", "--disable-gpu", "--no-proxy-server"),
                *("--disable-background-networking", "--disable-dev-shm-usage"),
                *(f"--user-data-dir={folder}", "--virtual-time-budget=20000", "--dump-dom"),
                f"http://127.0.0.1:{server.server_address[1]}/",
            ],
            capture_output=True,
            timeout=90,
        ).stdout
    heard = b"status %d" % status in page
    print(f"{status}: sent {server.uploads} times; the page hears of it: {heard}")
    return server.uploads, heard


late, wrong = uploads(408), uploads(400)
same = late[0] > 2 and wrong == (1, True)
print("as it was seen" if same else "this has changed")
sys.exit(not same)
END
