"""WebSocket, through the real gateway, by a library that people use."""

from __future__ import annotations

import json

from tests.netns.case import SERVER
from tests.netns.web import HttpCase


class WebSocketTests(HttpCase):
    """Where the service allows it, it works; else the client hears why not."""

    def talk(self, port: int) -> object:
        """What comes of a conversation."""
        return json.loads(self.program("client_websocket", f"ws://{SERVER}:{port}/chat"))

    def test_allowed(self) -> None:
        """Texts, bytes, large messages and pings, compressed as the two agree; an orderly end."""
        self.start_program("server_websocket", port=82)
        self.assertEqual(
            self.talk(82),
            {
                "same": 6,
                "several": True,
                "protocol": "chat",
                "compressed": "permessage-deflate",
                "closed": 1000,
            },
        )
        (record,) = self.http_records(1, url="/chat", status=101)
        self.assertEqual(record["verdict"], "passed")

    def test_refused(self) -> None:
        """The server never hears of it."""
        listener = self.listen(80)
        self.assertEqual(self.talk(80), {"status": 403})
        self.assertQuiet(listener)
        (record,) = self.http_records(1, url="/chat", status=403, verdict="denied")
        self.assertIn("websocket", record["reason"])
