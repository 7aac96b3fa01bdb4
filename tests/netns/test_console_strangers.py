"""The console in a real browser, of a real gateway: what strangers can't do."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

from gateway.observe.eve import EVE
from tests.netns.case import SERVER
from tests.netns.console_case import ANNA, PAGE, PORT, ConsoleCase
from tests.netns.test_release import client_hello

OTHER_PORT = 9182
"""Where somebody else's pages come from."""

HTML = "<img/src=x/onerror=document.title='owned'>"


class StrangerTests(ConsoleCase):
    """Who has no token, or has somebody else's browser send it."""

    def test_wrong_token(self) -> None:
        """A wrong token is told so, and nothing more; nothing is answered without one."""
        page = self.page()
        page.click("#token")
        page.type("guessed")
        page.key("Enter")
        page.wait_for_text("nobody has this token")
        self.assertEqual(page.run("document.cookie"), "")
        self.assertEqual(
            page.run(
                "fetch('api/now', {headers: {'X-Tproxygw': 'x'}}).then((told) => told.status)"
            ),
            401,
        )
        for fields in ((), ("Authorization: Bearer guessed",), (f"Authorization: Basic {ANNA}",)):
            status, _ = self.question(
                {"ask": "status"}, *fields, "X-Tproxygw: x", f"Origin: {PAGE[:-1]}"
            )
            self.assertEqual(status, 401, fields)
        status, _, _ = self.ask(
            "GET /api/me?token=anna HTTP/1.1", f"Host: 127.0.0.1:{PORT}", "X-Tproxygw: x"
        )
        self.assertEqual(status, 404)

    def test_html(self) -> None:
        """Names that are HTML are text: URL, host, SNI. Else the page's policy would stop them."""
        self.listen(80)
        web = self.dial((SERVER, 80))
        web.sendall(f"GET /refused/{HTML} HTTP/1.1\r\nHost: www.example\r\n\r\n".encode())
        web.recv(65536)
        other = self.dial((SERVER, 80))
        other.sendall(f"GET /refused HTTP/1.1\r\nHost: {HTML}\r\n\r\n".encode())
        other.recv(65536)
        listener = self.listen(443)
        plain = "a" * (len(HTML) - 8) + ".example"
        tls = self.dial((SERVER, 443))
        tls.sendall(client_hello(plain).replace(plain.encode(), HTML.encode()))
        tls.close()
        listener.close()
        page = self.page(ANNA, "refused")
        page.wait("document.querySelectorAll('.record').length >= 3")
        for view in ("refused", "now"):
            page.run(f"location.hash = '#{view}'")
            page.wait(f"document.body.innerText.includes({json.dumps(HTML)})")
            self.assertEqual(
                page.run("document.querySelectorAll('main img, main script').length"), 0
            )
        self.assertIn("tproxygw", page.run("document.title"))
        self.assertIn(
            "Error",
            page.run(
                "try { document.body.innerHTML = '<b>x</b>' } catch (error) { String(error) }"
            ),
        )
        self.assertIn("Error", page.run("try { eval('1') } catch (error) { String(error) }"))

    def test_records(self) -> None:
        """Records of all kinds can be read; one that lacks everything does no harm."""
        known = {
            "dns": {"queries": [{"rrname": "www.example", "rrtype": "AAAA"}], "rcode": "REFUSED"},
            "imap": {"request": {"command": "COPY", "args": ["1:*", "Trash"]}},
            "pop3": {"request": {"command": "RETR", "args": ["1"]}},
            "email": {"subject": "<b>", "from": "a@b", "attachment": ["x.exe"]},
            "smtp": {"mail_from": "<a@b>", "rcpt_to": ["<c@d>", "<e@f>"]},
            "alert": {"signature": "Eicar", "category": "Malware"},
            "audit": {"ended": "worker 1", "reason": "SIGKILL", "sessions": 37},
            "line": {"command": "stats", "more": {"x": [1]}},
        }
        told = [{"event_type": kind, kind: fields} for kind, fields in known.items()]
        empty = [{"event_type": kind, **more} for kind in EVE for more in ({}, {kind: {}})]
        lines = "(one) => parts.line({timestamp: '', ...one}).textContent"
        asked = f"import('./records.js').then((parts) => {json.dumps(told + empty)}.map({lines}))"
        found = self.page(ANNA).run(asked)
        for line, words in zip(
            found,
            (
                *(
                    "www.example AAAA REFUSED",
                    "COPY 1:*, Trash",
                    "RETR 1",
                    "<b> from a@b with x.exe",
                ),
                *("<a@b> to <c@d>, <e@f>", "Eicar Malware", "worker 1 ended with 37 sessions"),
                'stats more {"x":[1]}',
            ),
            strict=False,
        ):
            self.assertIn(words, line)

    def test_forged(self) -> None:
        """With the right token, too, other names of this host and other pages are refused."""
        token = f"Authorization: Bearer {ANNA}"
        status = {"ask": "status"}
        self.assertEqual(self.question(status, token)[0], 200)
        for host in (
            "evil.example",
            f"evil.example:{PORT}",
            "127.0.0.2",
            "localhost.evil.example",
            "",
        ):
            self.assertEqual(self.question(status, token, host=host)[0], 421, host)
        self.assertEqual(self.question(status, token, host=f"localhost:{PORT}")[0], 200)
        self.assertEqual(self.question(status, token, "Host: evil.example")[0], 421)
        for origin in (
            "null",
            "http://evil.example",
            f"https://127.0.0.1:{PORT}",
            f"http://127.0.0.1:{OTHER_PORT}",
        ):
            self.assertEqual(self.question(status, token, f"Origin: {origin}")[0], 403, origin)
        for site in ("cross-site", "same-site", "none"):
            self.assertEqual(self.question(status, token, f"Sec-Fetch-Site: {site}")[0], 403, site)

    def test_rebinding(self) -> None:
        """A browser that was told that evil.example is here is shown nothing."""
        page = self.browsers[0].page(context=True)
        self.addCleanup(page.close)
        page.go(f"http://evil.example:{PORT}/")
        page.wait_for_text("this console is not called so")

    def test_other_page(self) -> None:
        """A page of another port, which shares the cookies, can neither ask nor end anything."""
        ours, theirs, _ = self.pair()
        page = self.page(ANNA)
        with self.elsewhere() as address:
            page.go(address)
            kill = json.dumps({"ask": "kill", "all": True})
            for options in (
                {"method": "POST", "mode": "no-cors", "body": kill},
                {"method": "POST", "body": kill, "headers": {"Content-Type": "application/json"}},
                {"method": "POST", "body": kill, "headers": {"X-Tproxygw": "x"}},
            ):
                script = (
                    f"fetch('{PAGE}api/ask', {json.dumps({**options, 'credentials': 'include'})})"
                )
                self.assertIn(
                    page.run(f"{script}.then((told) => told.type, (error) => 'failed')"),
                    ("opaque", "failed"),
                )
            page.run(f"""(() => {{
                const form = document.createElement("form");
                form.action = "{PAGE}api/logout"; form.method = "post"; form.enctype = "text/plain";
                document.body.append(form); form.submit();
            }})()""")
            page.wait_for_text("somebody else's")
        page.go(PAGE)
        page.wait("document.querySelector('.tiles')")  # still logged in
        ours.sendall(b"alive")
        self.assertEqual(theirs.recv(100), b"alive")
        cookies = page.ask("Network.getCookies", urls=[PAGE])["cookies"]
        self.assertEqual(
            [(one["httpOnly"], one["sameSite"]) for one in cookies], [(True, "Strict")]
        )

    @contextmanager
    def elsewhere(self) -> Iterator[str]:
        """A page of another origin, and the address of it."""
        listener = self.listen(OTHER_PORT, "127.0.0.1", self.router)

        def serve() -> None:
            while True:
                try:
                    theirs, _ = listener.accept()
                except OSError:
                    return
                theirs.settimeout(10)
                theirs.recv(65536)
                head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"
                theirs.sendall(f"{head}<!DOCTYPE html><body>elsewhere</body>".encode())
                theirs.close()

        listener.settimeout(None)
        thread = Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{OTHER_PORT}/"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)
