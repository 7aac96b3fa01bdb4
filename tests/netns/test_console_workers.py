"""The console of a gateway with several workers: one gateway to look at."""

from __future__ import annotations

from tests.netns.case import SERVER
from tests.netns.console_case import ANNA, GATEWAY, ConsoleCase

WORKERS = """
[workers]
count = 2
steer = "connection"
"""


class ConsoleWorkersTests(ConsoleCase):
    """An operator, whose sessions are in any worker."""

    gateway = f"{GATEWAY}{WORKERS}"

    def test_sessions(self) -> None:
        """All sessions are listed, told of, ended and recorded, whichever worker has them."""
        page = self.page(ANNA, "sessions")
        clients = [self.pair()[0] for _ in range(8)]
        page.wait_for_text("8 of 8 sessions")
        page.run("location.hash = '#state'")
        page.wait("document.body.innerText.includes('Workers')")
        rows = "[...document.querySelectorAll('section')].find((each) => "
        rows += "each.innerText.startsWith('Workers')).querySelectorAll('tbody tr').length"
        page.wait(f"{rows} >= 2")
        for ours in clients[:4]:
            page.run("location.hash = '#sessions'")
            name = "{}:{}".format(*ours.getsockname())
            links = "[...document.querySelectorAll('main a')]"
            link = f"{links}.find((each) => each.innerText.includes('{name}'))"
            page.wait(link)
            page.run(f"{link}.click()")
            page.wait_for_text("Why it is here")
            page.wait(f"document.querySelector('h1').innerText.startsWith('{name} ')")
            page.click("#end")
            page.key("Enter")
            page.wait_for_text("killed by anna (console)")
            self.assertReset(ours)
        page.run("location.hash = '#sessions'")
        page.wait_for_text("4 of 4 sessions")

    def test_refused(self) -> None:
        """What any of them refuses is told."""
        page = self.page(ANNA, "refused")
        for number in range(4):
            self.listen(80).close()
            ours = self.dial((SERVER, 80))
            ours.sendall(f"GET /refused/{number} HTTP/1.1\r\nHost: www.example\r\n\r\n".encode())
            ours.recv(65536)
            page.wait_for_text(f"/refused/{number} 403")
