"""The console in a real browser, of a real gateway: what operators do, and strangers can't."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from threading import Event, Thread
from typing import Any, ClassVar

from tests.console.browser import Browser, Page
from tests.netns.case import SERVER, SceneCase
from tests.netns.test_release import client_hello

PORT = 9181
PAGE = f"http://127.0.0.1:{PORT}/"

OTHER_PORT = 9182
"""Where somebody else's pages come from."""

ANNA, SCREEN = "anna's token, nobody else's", "the token of the screen on the wall"

TOKENS = f"""
# who    may    hash
anna     write  sha256:{sha256(ANNA.encode()).hexdigest()}
screen   read   sha256:{sha256(SCREEN.encode()).hexdigest()}
"""

GATEWAY = f"""
[console]
listen = "127.0.0.1:{PORT}"
tokens = "console.tokens"
attempts_per_minute = 1000
"""

RELAY = """
inspector = "relay"
[[rule]]
from = ["office"]
to = ["internet"]
"""

WEB = """
inspector = "http"
[[rule]]
from = ["office"]
to = ["internet"]
ports = [80]
[http]
[[http.request]]
path = ["/refused*"]
action = "deny"
"""

NAMES = """
inspector = "tls"
[[rule]]
from = ["office"]
to = ["internet"]
ports = [443]
[tls]
mode = "splice"
[[tls.rule]]
name = ["games.example"]
mode = "refuse"
"""

UNUSED = """
inspector = "relay"
[[rule]]
from = ["10.1.99.0/24"]
to = ["internet"]
ports = [7]
"""

HTML = "<img/src=x/onerror=document.title='owned'>"

CONTRAST = """
(() => {
  const curve = (value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const channel = (value) => curve(value / 255);
  const colour = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const [r, g, b, a = 1] = colour(getComputedStyle(node).backgroundColor);
      if (a > 0.99) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const poor = new Set();
  for (const node of document.body.querySelectorAll("*")) {
    const own = [...node.childNodes].some((each) => each.nodeType === 3 && each.textContent.trim());
    const apart = ".hidden, .skip, svg, :disabled";
    if (!own || !node.getClientRects().length || node.closest(apart)) continue;
    const [one, other] = [light(colour(getComputedStyle(node).color)), light(behind(node))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (ratio < 4.5) poor.add(`${node.className}: ${ratio} (${node.textContent.slice(0, 30)})`);
  }
  return [...poor];
})()
"""
"""What is hard to read: WCAG 2.2, section 1.4.3."""

VIEWS = ("now", "sessions", "refused", "policy", "explain", "state")


class ConsoleTests(SceneCase):
    """One browser, beside the gateway: it comes by loopback."""

    services: ClassVar[Mapping[str, str]] = {
        "relay": RELAY,
        "web": WEB,
        "names": NAMES,
        "unused": UNUSED,
    }
    gateway = GATEWAY
    browsers: ClassVar[list[Browser]] = []

    def begin(self) -> None:
        """The gateway with the console's tokens, then the browser."""
        self.scene.configure(self.services, self.gateway, self.zones)
        self.tokens.write_text(TOKENS)
        self.scene.daemon.start()
        options = ("--host-resolver-rules=MAP *.example 127.0.0.1",)
        home = self.scene.folder / "home"
        home.mkdir(exist_ok=True)
        self.browsers[:] = [Browser(home, self.router.prefix, options)]

    @property
    def tokens(self) -> Path:
        return self.scene.config / "console.tokens"

    def page(self, token: str = "", view: str = "now") -> Page:
        """A page of its own; logged in, if there is a token."""
        page = self.browsers[0].page(context=True)
        self.addCleanup(page.close)
        page.go(f"{PAGE}#{view}")
        if token:
            page.click("#token")
            page.type(token)
            page.key("Enter")
            page.wait("document.querySelector('#bar:not([hidden])')")
        return page

    def ask(self, *lines: str, body: str = "") -> tuple[int, Mapping[str, str], bytes]:
        """A request as any program can send it: status, headers, body."""
        ours = self.router.socket()
        ours.settimeout(10)
        self.addCleanup(ours.close)
        ours.connect(("127.0.0.1", PORT))
        ours.sendall("\r\n".join((*lines, "Connection: close", "", body)).encode())
        heard = b""
        while more := ours.recv(65536):
            heard += more
        head, _, content = heard.partition(b"\r\n\r\n")
        status, *fields = head.decode().split("\r\n")
        headers = dict(field.lower().split(": ", 1) for field in fields)
        return int(status.split()[1]), headers, content

    def question(
        self, question: Mapping[str, Any], *headers: str, host: str = f"127.0.0.1:{PORT}"
    ) -> tuple[int, dict[str, Any]]:
        """A question, and its answer."""
        body = json.dumps(question)
        fields = (f"Content-Length: {len(body)}", "Content-Type: application/json", *headers)
        asked = ("POST /api/ask HTTP/1.1", f"Host: {host}", *fields)
        status, _, answer = self.ask(*asked, body=body)
        return status, json.loads(answer)

    # What an operator does

    def test_session(self) -> None:
        """Log in, see a session appear, read its story, end it, and see its end."""
        page = self.page(ANNA, "sessions")
        page.wait_for_text("No session matches.")
        ours, _, _ = self.pair()
        client = "{}:{}".format(*ours.getsockname())
        page.wait_for_text(client)
        page.click("a[href^='#session/']")
        page.wait_for_text("Why it is here")
        page.wait_for_text("services/relay.toml:3")
        page.wait_for_text("no other rule matches")
        ours.sendall(b"x" * 4321)
        page.wait("document.querySelector('.story').innerText.includes('4.32 kB')")
        page.click("#end")
        page.type("ticket 7")
        page.key("Enter")
        page.wait_for_text("One session was ended.")
        page.wait_for_text("killed by anna (console): ticket 7")
        self.assertReset(ours)
        flow = self.flow(ours.getsockname()[:2])
        self.assertEqual(flow["gateway"]["reason"], "killed by anna (console): ticket 7")
        page.run("location.hash = '#sessions'")
        page.wait_for_text("No session matches.")

    def test_sessions(self) -> None:
        """A filter finds some, its address says so, and all that it has found can be ended."""
        ours, _, _ = self.pair()
        others = [self.pair()[0] for _ in range(2)]
        page = self.page(ANNA, "sessions")
        page.wait_for_text("3 of 3 sessions")
        self.assertTrue(page.run("[...document.querySelectorAll('.danger')].length >= 3"))
        self.assertFalse(page.run("document.querySelector('.summary .danger').checkVisibility()"))
        page.click("#f-server")
        page.type("198.51.100.7")
        page.wait("location.hash == '#sessions?server=198.51.100.7'")
        page.click("details summary")
        page.click("#f-bytes")
        page.type("1000")
        page.wait_for_text("0 of 3 sessions")
        ours.sendall(b"x" * 2000)
        page.wait_for_text("1 of 3 sessions")
        page.click(".summary .danger")
        page.wait_for_text("This ends 1 session that matches")
        page.key("Enter")
        page.wait_for_text("One session was ended.")
        self.assertReset(ours)
        for other in others:
            other.setblocking(False)
            self.assertRaises(BlockingIOError, other.recv, 1)
        page.ask("Page.reload")
        page.wait_for_text("of 2 sessions")
        self.assertEqual(page.run("document.querySelector('#f-bytes').value"), "1000")

    def test_busiest(self) -> None:
        """Who sends most at this moment stands on the first page."""
        page = self.page(ANNA)
        page.wait_for_text("Nothing is being sent.")
        ours, theirs, _ = self.pair()
        over = Event()

        def send() -> None:
            while not over.wait(0.01):
                ours.sendall(b"x" * 1000)
                theirs.recv(65536)

        thread = Thread(target=send, daemon=True)
        thread.start()
        try:
            page.wait_for_text("{}:{}".format(*ours.getsockname()))
            page.wait("/ [kM]B\\/s/.test(document.body.innerText)")
        finally:
            over.set()
            thread.join(10)

    def test_hidden(self) -> None:
        """A page that nobody sees leaves its connections to others, and catches up later."""
        page = self.page(ANNA)
        page.wait("document.querySelector('#health').innerText == 'Inspecting'")
        self.browsers[0].heard.clear()
        hidden = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true}); "
        event = "document.dispatchEvent(new Event('visibilitychange'))"
        page.run(
            "window.real = setTimeout; window.setTimeout = (call, after) => real(call, after / 20)"
        )
        page.run("window.asked = []; window.told = fetch")
        page.run("window.fetch = (path, more) => (asked.push(path), told(path, more))")
        page.run(hidden % "true" + event)
        self.wait(lambda: self.canceled(page), "its stream stays", 20)
        self.assertEqual(page.run("asked.filter((path) => path == 'api/now').length"), 0)
        page.run(hidden % "false" + event)
        page.wait("asked.includes('api/now')")

    def canceled(self, page: Page) -> bool:
        """Whether the page has given up an answer that was still coming."""
        page.run("1")  # what the browser tells is heard while it is asked
        heard = [one for one in self.browsers[0].heard if one["method"] == "Network.loadingFailed"]
        return any(one["params"]["canceled"] for one in heard)

    def test_keys(self) -> None:
        """Everything can be done from the keyboard: log in, go from view to view, read, end."""
        page = self.page(view="now")
        page.wait("document.activeElement.id == 'token'")
        page.type(ANNA)
        page.key("Enter")
        page.wait("document.querySelector('.tiles')")
        for number, name in enumerate(VIEWS, 1):
            page.key(str(number))
            page.wait(f"location.hash == '#{name}'")
            page.wait(f"document.querySelector('[aria-current]').hash == '#{name}'")
        page.key("1")
        page.wait("document.querySelector('.chart')")
        page.run("document.querySelector('.chart').focus()")
        page.key("ArrowLeft")
        page.wait("/^\\d\\d:\\d\\d: /.test(document.querySelector('.reading').innerText)")
        ours, _, _ = self.pair()
        page.key("2")
        page.wait_for_text("{}:{}".format(*ours.getsockname()))
        page.key("/")
        page.wait("document.activeElement.id == 'f-client'")
        page.type("10.1.0.0/16")
        for _ in range(12):
            page.key("Tab")
            if page.run("document.activeElement.matches('a[href^=\"#session/\"]')"):
                break
        page.key("Enter")
        page.wait_for_text("Why it is here")
        page.click("#end")
        page.key("Escape")
        page.wait("!document.querySelector('dialog')")
        ours.sendall(b"still there")
        page.wait("document.querySelector('.story').innerText.includes('11 B')")

    def test_reader(self) -> None:
        """Who may only look sees everything, and can't end anything: neither here nor by asking."""
        ours, theirs, _ = self.pair()
        page = self.page(SCREEN, "sessions")
        page.wait_for_text("{}:{}".format(*ours.getsockname()))
        self.assertFalse(
            page.run("document.querySelectorAll('button.danger:not([hidden])').length")
        )
        page.click("a[href^='#session/']")
        page.wait_for_text("Why it is here")
        self.assertTrue(page.run("document.querySelector('#end').hidden"))
        self.assertIn("may look", page.text())
        for question in ({"ask": "kill", "all": True}, {"ask": "reload"}):
            status, answer = self.question(question, f"Authorization: Bearer {SCREEN}")
            self.assertEqual(status, 200)
            self.assertIn("may look, and not change anything", answer["problem"])
        ours.sendall(b"alive")
        self.assertEqual(theirs.recv(100), b"alive")

    def test_refusals(self) -> None:
        """What was refused before anybody looked is there, with reason and the policy's line."""
        listener = self.listen(80)
        ours = self.dial((SERVER, 80))
        ours.sendall(b"GET /refused/today HTTP/1.1\r\nHost: www.example\r\n\r\n")
        self.assertIn(b"403", ours.recv(65536))
        listener.close()
        page = self.page(ANNA, "refused")
        page.wait_for_text("GET www.example/refused/today 403")
        page.wait_for_text("services/web.toml:8")
        page.run("location.hash = '#now'")
        page.wait_for_text("www.example/refused/today")
        page.wait("document.querySelector('#health').innerText == 'Inspecting'")
        page.click(".record a.who")
        page.wait_for_text("Its records")
        page.wait(
            "document.querySelector('#story-records').innerText.includes('/refused/today 403')"
        )
        page.run("location.hash = '#policy'")
        page.wait("document.querySelector('tr.never')?.innerText.includes('unused')")
        rows = "[...document.querySelectorAll('tbody tr')].map((row) => row.innerText)"
        page.wait(f"{rows}.some((row) => row.includes('services/web.toml:8\\t1'))")
        page.run("location.hash = '#state'")
        page.wait_for_text("in force")

    def test_explain(self) -> None:
        """The same answer that the command gives, in a form; and what is wrong with a question."""
        page = self.page(ANNA, "explain")
        page.click("#e-from")
        page.type("10.1.2.3")
        page.click("#e-to")
        page.type("198.51.100.7:443")
        page.click("#e-sni")
        page.type("games.example")
        page.key("Enter")
        page.wait_for_text("it is narrower in ports")
        page.wait_for_text("refuse")
        page.click("#e-from")
        page.type("x")
        page.key("Enter")
        page.wait("document.querySelector('[role=alert]').innerText.startsWith('from: ')")

    def test_reload(self) -> None:
        """A broken policy is refused with its place; whose token is taken away is out at once."""
        page, screen = self.page(ANNA, "state"), self.page(SCREEN, "state")
        web = self.scene.config / "services" / "web.toml"
        good = web.read_text()
        self.addCleanup(web.write_text, good)
        self.addCleanup(self.tokens.write_text, TOKENS)
        web.write_text(good.replace('"deny"', '"denny"'))
        page.click("#reload")
        page.wait_for_text("services/web.toml:10:1")
        page.wait_for_text("The configuration is broken")
        web.write_text(good)
        self.tokens.write_text(TOKENS.replace("screen ", "# screen "))
        page.click("#reload")
        page.wait_for_text("Reloaded: the new policy is in force.")
        screen.wait("document.querySelector('#token')")
        self.assertIn("State", page.text())

    # How it looks

    def test_readable(self) -> None:
        """On a phone nothing is beside the screen; light or dark, all is legible and has a name."""
        self.pair()
        page = self.page(ANNA)
        for view in VIEWS:
            page.run(f"location.hash = '#{view}'")
            page.wait("document.querySelector('main h1')")
            for width, dark in ((360, False), (360, True), (1400, True)):
                page.look(width, 800, dark)
                self.assertLessEqual(page.run("document.documentElement.scrollWidth"), width, view)
                self.assertEqual(page.run(CONTRAST), [], (view, width, dark))
            nodes = page.ask("Accessibility.getFullAXTree")["nodes"]
            asked = (
                "button",
                "link",
                "textbox",
                "searchbox",
                "combobox",
                "spinbutton",
                "checkbox",
                "image",
            )
            unnamed = [
                node
                for node in nodes
                if node.get("role", {}).get("value") in asked
                and not node.get("name", {}).get("value")
                and not node["ignored"]
            ]
            self.assertEqual(unnamed, [], view)

    # What strangers can't do

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
