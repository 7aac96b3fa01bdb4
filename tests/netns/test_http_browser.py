"""A browser, through the real gateway: pages of many parts, and the gateway's own pages."""

from __future__ import annotations

import json
from typing import ClassVar

from tests.netns.case import SERVER
from tests.netns.web import BODIES, OPEN, STACKED, WEB, NginxCase

PARTS = 25
"""Of each kind. A browser opens six connections to a server."""

PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="1"></svg>'

PAGE = """<!DOCTYPE html>
<html><head><meta charset="utf-8">
{head}
</head><body>
{body}
<p id="said"></p>
<script>
  var ask = new XMLHttpRequest();
  ask.open("PUT", "/upload/browser", false);
  ask.send("x".repeat(100000));
  onload = function () {{
    var pictures = Array.from(document.images).map(each => each.naturalWidth);
    var styled = Array.from(document.querySelectorAll("i"));
    var styles = styled.map(each => getComputedStyle(each).width);
    document.getElementById("said").textContent =
      [pictures, styles, scripts, ask.status, document.cookie].map(String).join(";");
  }};
</script>
</body></html>
"""

REFUSING = WEB.replace(
    "[http]",
    """[http]
[[http.request]]
path = ["/refused"]
action = "deny"
message = "Not <here>."
""",
)


class BrowserCase(NginxCase):
    """Chromium, without a window, and a page for it."""

    def prepare(self) -> None:
        """A page of pictures, styles and scripts."""
        super().prepare()
        head, body = ["<script>var scripts = 0;</script>"], []
        for number in range(PARTS):
            width = number + 1
            parts = {
                f"{number}.svg": PICTURE.format(width=width),
                f"{number}.css": f"#i{number} {{ display: inline-block; width: {width}px }}" * 20,
                f"{number}.js": f"scripts += {width};" + " " * 5000,
            }
            for name, content in parts.items():
                (self.www / name).write_text(content)
            head.append(f'<link rel="stylesheet" href="{number}.css">')
            head.append(f'<script src="{number}.js"></script>')
            body.append(f'<img src="{number}.svg"><i id="i{number}"></i>')
        page = PAGE.format(head="\n".join(head), body="\n".join(body))
        (self.www / "page.html").write_text(page)

    def browse(self, path: str) -> str:
        """The document that the browser has in the end."""
        return self.client.run(
            *("chromium-headless-shell", "--no-sandbox", "--disable-gpu", "--no-proxy-server"),
            *("--disable-background-networking", "--disable-dev-shm-usage"),
            f"--user-data-dir={self.scene.folder / 'browser'}",
            *("--dump-dom", f"http://{SERVER}{path}"),
            seconds=60,
        )

    def look(self) -> None:
        """See that every part of the page arrives, and what the page sends."""
        said = self.browse("/page.html")
        pictures = ",".join(str(number + 1) for number in range(PARTS))
        styles = ",".join(f"{number + 1}px" for number in range(PARTS))
        scripts = sum(number + 1 for number in range(PARTS))
        self.assertIn(f'<p id="said">{pictures};{styles};{scripts};201;</p>', said)
        self.assertEqual((self.www / "upload" / "browser").read_bytes(), b"x" * 100000)
        self.http_records(3 * PARTS + 2, verdict="passed")


class BrowserTests(BrowserCase):
    """What users see."""

    services: ClassVar = {"web": REFUSING, "open": OPEN, "stacked": STACKED, "bodies": BODIES}

    def test_page(self) -> None:
        """Every part of a page arrives, compressed or not, and so does what the page sends."""
        self.look()

    def test_refused_program(self) -> None:
        """Programs read the same as text or JSON, and may go on over the same connection."""
        refused, small = f"http://{SERVER}/refused", f"http://{SERVER}/small"
        said = self.curl("-w", "%{http_code} %{num_connects} ", refused, refused, small)
        self.assertEqual(said.count("403 Forbidden\n\nNot <here>.\n"), 2, said)
        self.assertEqual(said.count("403 0 "), 1, said)
        self.assertTrue(said.endswith("hello\n200 0 "), said)
        problem = json.loads(self.curl("-H", "Accept: application/json", refused))
        self.assertEqual((problem["status"], problem["detail"]), (403, "Not <here>."))

    def test_refused(self) -> None:
        """What the policy refuses, the user reads on a page."""
        said = self.browse("/refused")
        self.assertIn("<h1>Forbidden</h1>", said)
        self.assertIn("Not &lt;here&gt;.", said)
        record, *_ = self.http_records(1, url="/refused")
        self.assertEqual((record["verdict"], record["status"]), ("denied", 403))
