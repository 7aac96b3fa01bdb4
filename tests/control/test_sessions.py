"""C{sessions}: the operator sees what runs, and picks out what matters."""

from __future__ import annotations

from attrs import evolve

from gateway.interfaces import Address
from gateway.policy.notation import read_network
from gateway.policy.zone import Zone
from gateway.testing.world.world import inspecting
from protocols.relay import RelayInspector
from tests.control.case import ROOT, ControlCase


class SessionsTests(ControlCase):
    """Some sessions."""

    def test_row(self) -> None:
        """Each session says who talks to whom, by which rule, since when, and how much."""
        client = self.comes()
        client.says(b"x" * 100)
        self.world.settle()
        self.servers[0].says(b"y" * 7)
        self.world.pass_time(3)
        answer = self.ask("sessions")
        self.assertEqual((answer["running"], answer["found"]), (1, 1))
        (row,) = answer["sessions"]
        self.assertEqual(row["client"], {"ip": "192.0.2.1", "port": 50001})
        self.assertEqual(row["server"], {"ip": "198.51.100.2", "port": 7})
        self.assertEqual((row["service"], row["protocol"], row["state"]), ("web", "tcp", "open"))
        self.assertEqual(row["bytes"], {"to_server": 100, "to_client": 7})
        self.assertEqual((row["age"], row["parent"]), (3.0, 0))
        self.assertAlmostEqual(row["idle"], 3.0, delta=0.5)
        self.assertEqual(row["id"], next(iter(self.world.register.running)))

    def test_filters(self) -> None:
        """Filters pick sessions out; all of them must match."""
        self.comes("192.0.2.1", 1)
        self.comes("192.0.2.9", 2, Address("203.0.113.7", 80))
        client = self.comes("2001:db8::1", 3, Address("2001:db8:1::2", 80))
        client.says(b"x" * 5000)
        self.world.pass_time(1)
        self.comes("192.0.2.1", 4)
        for filters, ports in (
            ({}, [1, 2, 3, 4]),
            ({"client": "192.0.2.1"}, [1, 4]),
            ({"client": "192.0.2.0/29"}, [1, 4]),
            ({"client": "2001:db8::/32"}, [3]),
            ({"server": "203.0.113.7"}, [2]),
            ({"age": 0.9}, [1, 2, 3]),
            ({"bytes": 5000}, [3]),
            ({"client": "192.0.2.1", "age": 0.9}, [1]),
            ({"service": "web"}, [1, 2, 3, 4]),
            ({"service": "mail"}, []),
            ({"state": "open", "protocol": "tcp", "idle": 0.5}, [1, 2, 3]),
            ({"protocol": "udp"}, []),
            ({"parent": 5}, []),
        ):
            found = [row["client"]["port"] for row in self.listed(**filters)]
            self.assertEqual(found, ports, filters)
        numbers = [row["id"] for row in self.listed()]
        self.assertEqual([row["id"] for row in self.listed(id=numbers[2])], numbers[2:3])
        self.assertEqual([row["id"] for row in self.listed(id=numbers[1:3])], numbers[1:3])

    def test_zone(self) -> None:
        """A zone picks out the sessions with an end in it; one that is not there is a mistake."""
        zone = Zone("lab", (read_network("192.0.2.8/29"),))
        self.policy = evolve(self.policy, zones={"lab": zone})
        self.comes("192.0.2.1", 1)
        self.comes("192.0.2.9", 2)
        self.comes("192.0.2.1", 3, Address("192.0.2.10", 80))
        self.assertEqual([row["client"]["port"] for row in self.listed(zone="lab")], [2, 3])
        self.assertProblem("no zone 'lap'; there are lab", self.ask("sessions", zone="lap"))

    def test_sorted_and_paged(self) -> None:
        """The busiest first; or page after page, in the order in which they began."""
        for port, count in ((1, 10), (2, 3000), (3, 200)):
            self.comes(port=port).says(b"x" * count)
            self.world.pass_time(1)
        ports = [row["client"]["port"] for row in self.listed(sort="bytes", limit=2)]
        self.assertEqual(ports, [2, 3])
        ports = [row["client"]["port"] for row in self.listed(sort="age")]
        self.assertEqual(ports, [1, 2, 3])
        (first, second) = self.listed(limit=2)
        (third,) = self.listed(limit=2, after=second["id"])
        self.assertEqual([each["client"]["port"] for each in (first, second, third)], [1, 2, 3])

    def test_rates(self) -> None:
        """Rates are what moved since the last look; who filters by them gets two looks."""
        idle, busy = self.comes(port=1), self.comes(port=2)
        idle.says(b"x" * 1000)
        self.assertEqual([row["rate"] for row in self.listed()], [None, None])
        self.world.pass_time(2)
        busy.says(b"x" * 4000)
        self.world.pass_time(2)
        rates = [row["rate"]["to_server"] for row in self.listed()]
        self.assertEqual(rates, [250.0, 1000.0])
        self.world.pass_time(60)
        answered = self.questions.ask({"ask": "sessions", "rate": 1000}, ROOT)
        self.world.settle()
        self.assertNoResult(answered)
        busy.says(b"x" * 4000)
        self.world.pass_time(0.25)
        (row,) = self.successResultOf(answered)["sessions"]
        self.assertEqual((row["client"]["port"], row["rate"]["to_server"]), (2, 16000.0))

    def test_mistakes(self) -> None:
        """What can't be meant is said, not ignored: nobody kills the wrong sessions."""
        for more, words in (
            ({"clinet": "192.0.2.1"}, "clinet: no such key; there are id, service, client"),
            ({"client": "nobody"}, "neither an address nor a network"),
            ({"client": 5}, "client: not a text"),
            ({"age": -1}, "age: not a number"),
            ({"age": True}, "age: not a number"),
            ({"age": float("nan")}, "age: not a number"),
            ({"id": "5"}, "id: neither a session's number"),
            ({"id": [1, True]}, "id: neither a session's number"),
            ({"limit": 501}, "limit: more than 500"),
            ({"sort": "size"}, "sort: by none of id"),
            ({"service": None}, "service: not a text"),
        ):
            self.assertProblem(words, self.ask("sessions", **more))

    def test_workers(self) -> None:
        """What several workers have answered is one answer: counts added up, lists in order."""
        answers = []
        for port in (1, 2, 3):
            self.comes(port=port).says(b"x" * port)
            self.world.settle()
            answers.append(self.ask("sessions", id=[row["id"] for row in self.listed()][-1]))
        asked = {"ask": "sessions", "sort": "bytes", "limit": 2}
        merged = self.questions.merge(asked, answers)
        self.assertEqual((merged["running"], merged["found"]), (6, 3))
        self.assertEqual([row["client"]["port"] for row in merged["sessions"]], [3, 2])


class ManyTests(ControlCase):
    """As many as there may be."""

    services = (inspecting(RelayInspector),)

    def test_pieces(self) -> None:
        """Traffic has its turns while many sessions are looked at."""
        self.world.register.descriptors = 10_000
        for number in range(1000):
            self.world.comes(Address(f"192.0.2.{number % 2}", 1 + number))
        self.world.settle()
        turns = []
        call_later = self.world.reactor.callLater
        self.patch(
            self.world.reactor,
            "callLater",
            lambda *arguments: (turns.append(arguments[0]), call_later(*arguments))[1],
        )
        self.assertEqual(self.ask("sessions", limit=1)["found"], 1000)
        self.assertGreaterEqual(turns.count(0), 3)
