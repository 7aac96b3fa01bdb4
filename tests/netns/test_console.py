"""The console in a real browser, of a real gateway: what operators see and do."""

from __future__ import annotations

from threading import Event, Thread

from tests.console.browser import Page
from tests.netns.case import SERVER
from tests.netns.console_case import ANNA, SCREEN, TOKENS, ConsoleCase
from tests.netns.test_release import client_hello

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


class ConsoleTests(ConsoleCase):
    """An operator."""

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
        self.listen(443)
        self.dial((SERVER, 443)).sendall(client_hello("games.example"))
        page.run("location.hash = '#policy'")
        page.wait("document.querySelector('tr.never')?.innerText.includes('unused')")
        rows = "[...document.querySelectorAll('tbody tr')].map((row) => row.innerText)"
        page.wait(f"{rows}.some((row) => row.includes('services/names.toml:9\\t1'))")
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
        page.run("location.hash = '#explain?from=10.1.2.3&to=198.51.100.7:80'")
        page.wait_for_text("198.51.100.7:80, where the client wanted to go")
        page.click("details.more summary")
        page.click("#e-url")
        page.type("http://www.example/refused/x")
        page.key("Enter")
        page.wait("document.querySelector('.rows').innerText.includes('services/web.toml:8')")
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
            for width, dark in ((360, False), (360, True), (1024, False), (1280, True)):
                page.look(width, 800, dark)
                self.assertLessEqual(page.run("document.documentElement.scrollWidth"), width, view)
                cut = "[...document.querySelectorAll('.scroll')].filter((each) => "
                cut += "each.scrollWidth > each.clientWidth + 1).length"
                self.assertFalse(page.run(cut), (view, width))
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
