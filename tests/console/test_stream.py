"""What pages are told without asking, and what they know of the past."""

from __future__ import annotations

import json
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, fail

from gateway.console.stream import PATIENCE_SECONDS
from gateway.control.question import Answer
from tests.console.case import HOST, SETTINGS, Connection, ConsoleCase

BEARER = "Authorization: Bearer screen's"
DENIED = {"verdict": "denied", "reason": "<b>", "rule": "services/web.toml:4"}


class StreamTests(ConsoleCase):
    """Server-sent events."""

    def open(self, path: str = "/api/now", value: object = None, *fields: str) -> Connection:
        """A stream."""
        connection = self.connect()
        body = "" if value is None else json.dumps(value)
        length = (f"Content-Length: {len(body)}", "Content-Type: application/json") if body else ()
        line = f"{'POST' if body else 'GET'} {path} HTTP/1.1"
        connection.say(line, f"Host: {HOST}", *(fields or (BEARER,)), *length, body=body)
        return connection

    def events(self, connection: Connection) -> list[tuple[str, Any]]:
        """What came since the last time."""
        said = connection.value().decode()
        connection.clear()
        blocks = [block for block in said.replace("\r\n", "\n").split("\n\n") if "event: " in block]
        told = []
        for block in blocks:
            fields = dict(
                line.split(": ", 1)
                for line in block.split("\n")
                if line.startswith(("event", "data"))
            )
            told.append((fields["event"], json.loads(fields["data"])))
        return told

    def test_now(self) -> None:
        """A page hears at once how the gateway is, and then every two seconds."""
        connection = self.open()
        self.assertIn(b"text/event-stream", connection.value())
        self.assertEqual([name for name, _ in self.events(connection)], ["past", "now"])
        for _ in range(3):
            self.reactor.advance(2)
            ((name, status),) = self.events(connection)
            self.assertEqual((name, status["now"]), ("now", 1000.0 + self.reactor.seconds()))

    def test_asks_once_for_all(self) -> None:
        """Three pages cost no more questions than one; none costs a fifth of that."""
        self.status.asked.clear()
        self.reactor.pump([2] * 10)
        self.assertEqual(len(self.status.asked), 2)
        for _ in range(3):
            self.open()
        self.status.asked.clear()
        self.reactor.pump([2] * 10)
        self.assertEqual(len(self.status.asked), 10)

    def test_past(self) -> None:
        """Whoever opens the page sees the last hour, and what was refused in it, but no more."""
        self.reactor.pump([2] * 2500)
        for number in range(250):
            self.records.write(flow_id=number, gateway=DENIED)
        self.records.write(flow_id=999, gateway={"verdict": "passed"})
        self.reactor.advance(2)
        (name, past), _ = self.events(self.open())
        self.assertEqual((name, past["seconds"], len(past["steps"])), ("past", 10.0, 361))
        self.assertEqual(past["steps"][-1]["running"], {"web": 2})
        self.assertEqual(past["steps"][-1]["ended"], {"passed": 8, "denied": 1})
        self.assertEqual(past["steps"][-1]["bytes"], {"to_server": 15, "to_client": 200})
        self.assertEqual(past["steps"][-1]["refused"], 3)
        self.assertEqual([one["flow_id"] for one in past["refused"]], list(range(50, 250)))

    def test_odd_answer(self) -> None:
        """If the gateway can't be asked, or answers oddly, pages wait, and it is tried again."""
        connection = self.open()
        self.events(connection)
        good = self.status._answer
        for odd in ({"problem": "busy"}, {"now": 1}, lambda: fail(RuntimeError("gone"))):
            self.status._answer = odd
            self.reactor.pump([2] * 6)
            self.assertNotIn("refused", [name for name, _ in self.events(connection)])
        self.status._answer = good
        self.reactor.advance(2)
        self.assertEqual([name for name, _ in self.events(connection)], ["now"])
        self.assertTrue(self.flushLoggedErrors())

    def test_refused_once(self) -> None:
        """What is refused just when a page opens is told once."""
        self.records.write(flow_id=7, gateway=DENIED)
        connection = self.open()
        self.reactor.advance(2)
        told = self.events(connection)
        self.assertEqual([name for name, _ in told], ["past", "now", "refused", "now"])
        self.assertEqual(told[0][1]["refused"], [])

    def test_refused(self) -> None:
        """A refusal is told to open pages; of a flood, fifty at a time and how many more."""
        connection = self.open()
        self.events(connection)
        self.records.write(flow_id=7, gateway=DENIED)
        self.reactor.advance(2)
        (name, record), _ = self.events(connection)
        self.assertEqual((name, record["flow_id"]), ("refused", 7))
        for number in range(120):
            self.records.write(flow_id=number, gateway=DENIED)
        self.reactor.advance(2)
        first, *refused, _ = self.events(connection)
        self.assertEqual(first, ("left-out", 70))
        self.assertEqual([record["flow_id"] for _, record in refused], list(range(70, 120)))

    def test_slow_page(self) -> None:
        """A page that takes nothing is kept waiting for a minute, costs no memory, and is left."""
        connection = self.open()
        self.events(connection)
        connection.producer.pauseProducing()
        self.reactor.pump([2] * 20)
        self.assertEqual(connection.value(), b"")
        connection.producer.resumeProducing()
        self.reactor.advance(2)
        self.assertEqual([name for name, _ in self.events(connection)], ["now"])
        connection.producer.pauseProducing()
        self.reactor.pump([2] * int(PATIENCE_SECONDS / 2 + 5))
        self.assertTrue(connection.aborted)

    def test_gone(self) -> None:
        """A page that has gone costs nothing any more."""
        connection = self.open()
        connection.gone()
        self.status.asked.clear()
        self.reactor.pump([2] * 10)
        self.assertEqual(len(self.status.asked), 2)

    def test_over(self) -> None:
        """Whose right is taken away hears no more within seconds, by whatever way he came."""
        cookie, key = self.log_in("screen's")
        both = [self.open(), self.open("/api/now", None, cookie, key)]
        for connection in both:
            self.events(connection)
        self.adopt(tokens=SETTINGS.tokens[:1])
        self.reactor.advance(6)
        for connection in both:
            self.assertEqual(self.events(connection)[-1], ("over", {}))
            said = connection.value()
            self.reactor.advance(6)
            self.assertEqual(connection.value(), said)

    def test_stays_in(self) -> None:
        """A page that is open is in use: its login is not over before its day is."""
        login = self.log_in("screen's")
        self.open("/api/now", None, *login)
        self.reactor.pump([5] * 1000)
        self.assertEqual(self.ask("GET /api/me", *login)[0], 200)
        self.reactor.pump([5] * 8000)
        self.assertEqual(self.ask("GET /api/me", *login)[0], 401)

    def test_follow(self) -> None:
        """Records that match are told as they are written; what can't be asked for is said."""
        connection = self.open("/api/follow", {"id": 7})
        self.records.write(flow_id=7, http={"url": "/"})
        self.records.write(flow_id=8)
        ((name, record),) = self.events(connection)
        self.assertEqual((name, record["flow_id"], record["http"]), ("record", 7, {"url": "/"}))
        connection.producer.pauseProducing()
        self.records.write(flow_id=7)
        self.records.write(flow_id=7)
        connection.producer.resumeProducing()
        self.assertEqual(self.events(connection), [("missed", 2)])
        wrong = self.open("/api/follow", {"colour": "red"})
        status, _, answer = wrong.heard()
        self.assertEqual(status, 400)
        self.assertIn("colour: no such key", json.loads(answer)["problem"])

    def test_stop(self) -> None:
        """The gateway stops: all pages are told, and nothing is left behind."""
        streams = [self.open(), self.open("/api/follow", {"id": 7})]
        self.console.stop()
        self.assertTrue(all(each.aborted or each.disconnecting for each in streams))
        self.assertEqual(self.reactor.listening, {})
        self.assertIsNone(self.records.tell)
        for each in streams:
            each.gone()
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class ListenTests(ConsoleCase):
    """A reload may have it listen elsewhere, begin, or end."""

    def test_moves(self) -> None:
        """It goes where the new policy says, and connections to the old place end."""
        connection = self.connect()
        self.adopt(listen="127.0.0.1:9182")
        self.assertEqual(list(self.reactor.listening), [9182])
        self.assertTrue(connection.aborted)

    def test_taken(self) -> None:
        """If that place is taken, nothing has changed."""
        self.reactor.taken.add(9182)
        settings = evolve(SETTINGS, listen="127.0.0.1:9182")
        self.assertRaises(OSError, self.console.prepare, settings)
        self.console.abandon()
        self.assertEqual(list(self.reactor.listening), [9181])

    def test_abandoned(self) -> None:
        """A policy that does not come leaves no open port."""
        self.console.prepare(evolve(SETTINGS, listen="127.0.0.1:9182"))
        self.console.abandon()
        self.assertEqual(list(self.reactor.listening), [9181])

    def test_begins_while_it_looks(self) -> None:
        """An answer that comes when the console has ended and begun again begins nothing twice."""
        answers: list[Deferred[Answer]] = []
        answer = self.status._answer
        self.status._answer = lambda: answers.append(Deferred()) or answers[-1]
        self.reactor.pump([2] * 5)
        self.assertEqual(len(answers), 1)
        self.adopt(listen="")
        self.adopt()
        self.status._answer = answer
        for each in answers:
            each.callback(answer())
        self.status.asked.clear()
        self.reactor.pump([2] * 10)
        self.assertEqual(len(self.status.asked), 2)
        self.console.stop()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_ends_and_begins(self) -> None:
        """Without a console nobody looks at the gateway; then somebody does again."""
        self.adopt(listen="")
        self.assertEqual(self.reactor.listening, {})
        self.assertIsNone(self.records.tell)
        self.status.asked.clear()
        self.reactor.pump([2] * 10)
        self.assertEqual(self.status.asked, [])
        self.adopt()
        self.reactor.advance(2)
        self.assertTrue(self.status.asked)
        self.assertEqual(list(self.reactor.listening), [9181])
