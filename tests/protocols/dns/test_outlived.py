"""DNS by TCP on a simulated network: servers that are lost while they are come to."""

from __future__ import annotations

from dns.message import Message
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import Outcome
from gateway.testing.world.network import Attempt
from gateway.testing.world.socket import SimulatedSocket
from gateway.testing.world.world import World, inspecting
from protocols.dns.inspector import DnsInspector
from protocols.dns.settings import DnsSettings
from tests.protocols.dns.speak import NAME, answer, query, wire


def framed(message: bytes) -> bytes:
    """With its length before it."""
    return len(message).to_bytes(2, "big") + message


def answered(asked: Message) -> bytes:
    """The answer to a query."""
    return framed(wire(answer(asked, f"{asked.question[0].name} 300 IN A 198.51.100.7")))


class LostAtOnceTests(SynchronousTestCase):
    """A server may accept a connection and close it before the gateway has turned round."""

    def test_asked_again(self) -> None:
        """The next one is asked everything, and once; the client gets all of its answers."""
        world = World([inspecting(DnsInspector, settings=DnsSettings())])
        attempts: list[Attempt] = []
        world.network.asked = attempts.append
        client = world.comes()
        world.settle()
        queries = [query(f"n{number}.{NAME}", id=number) for number in range(5)]
        everything = b"".join(framed(wire(asked)) for asked in queries)
        client.says(everything)
        world.settle()
        attempts[0].accepts().closes()
        world.settle()
        self.assertEqual(len(attempts), 2)
        server = attempts[1].accepts()
        world.settle()
        self.assertEqual(server.heard, everything)
        said = b"".join(map(answered, queries))
        server.says(said)
        client.ends()
        world.settle()
        server.ends()
        world.settle()
        self.assertEqual(client.heard, said)
        (flow,) = world.flows
        self.assertEqual(flow.verdict.outcome, Outcome.PASSED)

    def test_answers_while_it_is_asked(self) -> None:
        """What it has answered before it closes, as dnsmasq does, is not asked of the next one."""
        world = World([inspecting(DnsInspector, settings=DnsSettings())])
        attempts: list[Attempt] = []
        world.network.asked = attempts.append
        client = world.comes()
        world.settle()
        queries = [query(f"n{number}.{NAME}", id=number) for number in range(5)]
        client.says(b"".join(framed(wire(each)) for each in queries))
        world.settle()
        first = attempts[0].accepts()
        send = SimulatedSocket.send

        def sends(sock: SimulatedSocket, data: bytes | memoryview, flags: int = 0) -> int:
            count = send(sock, data, flags)
            if not first.has_ended:
                first.says(b"".join(map(answered, queries[:2])))
                first.closes()
            return count

        self.patch(SimulatedSocket, "send", sends)
        world.settle()
        second = attempts[1].accepts()
        world.settle()
        self.assertEqual(second.heard, b"".join(framed(wire(each)) for each in queries[2:]))
        self.assertEqual(client.heard, b"".join(map(answered, queries[:2])))
