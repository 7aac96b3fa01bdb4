"""QUIC through the real gateway: by name, from the client's own port, or refused at once."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any, ClassVar

from tests.netns.case import SERVER
from tests.netns.tls_case import BANK, GOOD, TlsCase, gateway_root, pem, public, public_root

QUIC = f"""
inspector = "quic"
[[rule]]
from = ["office"]
to = ["internet"]
ports = [443]
protocol = "udp"
[[quic.rule]]
name = ["{GOOD}", "{BANK}"]
mode = "splice"
check_name = true
[[quic.rule]]
name = ["liar.example"]
mode = "splice"
check_name = true
[[expect]]
from = "10.1.2.3"
to = "198.51.100.7:443"
protocol = "udp"
sni = "{GOOD}"
mode = "splice"
"""

SPEAKER = """
import asyncio, json, ssl, sys
from aioquic.asyncio import QuicConnectionProtocol, connect, serve
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, StreamDataReceived

role, host, name, file, versions, retry = json.loads(sys.argv[1])

class Speaking(QuicConnectionProtocol):
    over, size = None, 0
    def quic_event_received(self, event):
        if isinstance(event, ConnectionTerminated):
            self.over = event
        if role == "client" or not isinstance(event, StreamDataReceived):
            return super().quic_event_received(event)
        self.size += len(event.data)
        if event.end_stream:
            address = self._quic._network_paths[0].addr
            said = json.dumps([self.size, *address[:2]]).encode()
            self._quic.send_stream_data(event.stream_id, said, True)
            self.transmit()

async def server():
    made = QuicConfiguration(is_client=False, alpn_protocols=["h3"], supported_versions=versions)
    made.load_cert_chain(file, file)
    await serve(host, 443, configuration=made, create_protocol=Speaking, retry=retry)
    print("ready", flush=True)
    await asyncio.Event().wait()

async def client():
    made = QuicConfiguration(alpn_protocols=["h3"], server_name=name, original_version=versions[-1],
                             supported_versions=versions)
    made.load_verify_locations(file)
    try:
        async with connect(host, 443, configuration=made, create_protocol=Speaking,
                           wait_connected=False) as speaking:
            speaking.transmit()
            await asyncio.wait_for(speaking.wait_connected(), 5)
            reader, writer = await speaking.create_stream()
            writer.write(b"x" * 100000)
            writer.write_eof()
            answer = json.loads(await reader.read())
            print(json.dumps([*answer, speaking._quic._version]))
    except ConnectionError:
        print(json.dumps([speaking.over.error_code, speaking.over.reason_phrase]))

asyncio.run(globals()[role]())
"""

V1, V2 = 1, 0x6B3343CF


class QuicTests(TlsCase):
    """A real client and a real server, that speak QUIC."""

    services: ClassVar = {"quic": QUIC}

    def prepare(self) -> None:
        super().prepare()
        (self.scene.folder / "speaker.py").write_text(SPEAKER)
        issued = public().issue(GOOD, BANK)
        (self.scene.folder / "quic.pem").write_bytes(issued.pem)
        self.assertTrue(pem(gateway_root().certificate, public_root().issued.certificate))
        log = self.scene.folder / "quic.log"
        with log.open("wb") as output:
            self.server.start(
                *self.speaker("server", SERVER, "", "quic.pem", [V2, V1]),
                stdout=output,
                stderr=output,
            )
        self.wait(lambda: b"ready" in log.read_bytes(), "no QUIC server", 20)

    def speaker(
        self, role: str, host: str, name: str, file: str, versions: list[int], retry: bool = False
    ) -> list[str]:
        """The command of a client, or of a server."""
        given = json.dumps([role, host, name, str(self.scene.folder / file), versions, retry])
        return [sys.executable, str(self.scene.folder / "speaker.py"), given]

    def ask(self, name: str, versions: list[int]) -> list[Any]:
        """What a client gets: what the server has seen of it, or why it was refused."""
        command = [
            *self.client.prefix,
            *self.speaker("client", SERVER, name, "public.crt", versions),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        answer: list[Any] = json.loads(done.stdout)
        return answer

    def test_by_name(self) -> None:
        """
        Allowed names pass, in both versions and when the version changes, from the client's own
        address; others, and such as the server can't prove, are told at once.
        """
        for versions, agreed in (([V1], V1), ([V2], V2), ([V2, V1], V2)):
            size, host, _, version = self.ask(GOOD, versions)
            self.assertEqual((size, host, version), (100000, "10.1.2.3", agreed))
        begun = time.monotonic()
        self.assertEqual(self.ask("other.example", [V1]), [0x131, "other.example is refused"])
        self.assertLess(time.monotonic() - begun, 4)
        code, reason = self.ask("liar.example", [V1])
        self.assertEqual(code, 0x131)
        self.assertIn("it is not for liar.example", reason)

        def told() -> list[tuple[str, str]]:
            records = [one for one in self.scene.records() if one["event_type"] == "quic"]
            return [(one["quic"]["sni"], one["gateway"]["verdict"]) for one in records]

        wanted = [(GOOD, "passed")] * 3
        wanted += [("other.example", "denied"), ("liar.example", "denied")]
        self.wait(lambda: told() == wanted, f"not recorded: {told()}")
