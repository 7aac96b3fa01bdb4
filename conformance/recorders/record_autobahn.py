"""
Runs the cases of Autobahn's fuzzing server against a client that sends back whatever it gets.

The cases are the test suite's own, and so is the version of the protocol that they run on; the
suite's own server is for Python 2 and for people who read reports.
"""

# mypy: ignore-errors

import asyncio
import json
import os
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import autobahn_cases
import txaio
import websockets
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet import reactor

FOLDER = Path("autobahntestsuite/case")
PORT = 9001
AT_ONCE = 16
SECONDS = 10

GOOD = {"OK", "NON-STRICT", "INFORMATIONAL"}


class FuzzingProtocol(WebSocketServerProtocol):
    """What a case asks of the protocol, and what it is told."""

    case = None
    connectionWasOpen = False
    trafficStats = None
    txFrameStats = None

    # Told

    def onConnect(self, request):
        self.txFrameStats = {0: 0, 1: 0}
        self.number = request.path.lstrip("/")
        self.case = self.factory.cases[self.number](self)

    def onOpen(self):
        self.connectionWasOpen = True
        self.case.onOpen()

    def onMessage(self, payload, isBinary):
        self.case.onMessage(autobahn_cases.text(payload), isBinary)

    def onPong(self, payload):
        self.case.onPong(autobahn_cases.text(payload))

    def onClose(self, wasClean, code, reason):
        if self.case:
            self.case.onClose(wasClean, code, reason)

    def connectionLost(self, reason):
        super().connectionLost(reason)
        if self.case:
            self.case.onConnectionLost(self.failedByMe)
            self.factory.note(self.number, self.case)

    def logRxOctets(self, data):
        pass

    def logTxOctets(self, data, sync):
        pass

    def logRxFrame(self, header, payload):
        pass

    def logTxFrame(self, header, *_):
        self.txFrameStats[header.opcode] = self.txFrameStats.get(header.opcode, 0) + 1

    # Asked

    def sendFrame(self, opcode, payload=b"", **options):
        super().sendFrame(opcode, autobahn_cases.octets(payload), **options)

    def sendMessage(self, payload, *arguments, **options):
        super().sendMessage(autobahn_cases.octets(payload), *arguments, **options)

    def sendMessageFrameData(self, payload, *arguments, **options):
        super().sendMessageFrameData(autobahn_cases.octets(payload), *arguments, **options)

    def sendPing(self, payload=b""):
        super().sendPing(autobahn_cases.octets(payload))

    def sendCloseFrame(self, code=None, reasonUtf8=None, isReply=False):
        super().sendCloseFrame(code, autobahn_cases.octets(reasonUtf8), isReply)

    def enableWirelog(self, enable):
        pass

    def continueLater(self, delay, function, tag=None):
        self._later(delay, function)

    def killAfter(self, delay):
        self._later(delay, self.failConnection)

    def closeAfter(self, delay):
        self._later(delay, self.sendClose)

    def _later(self, delay, function):
        reactor.callLater(delay, lambda: self.state == self.STATE_CLOSED or function())


class FuzzingFactory(WebSocketServerFactory):
    """Notes how each case ended."""

    protocol = FuzzingProtocol

    def __init__(self, cases):
        super().__init__(f"ws://127.0.0.1:{PORT}")
        self.cases = cases
        self.logOctets = self.logFrames = True
        self.setProtocolOptions(failByDrop=False)

    def note(self, number, case):
        word = "passed" if {case.behavior, case.behaviorClose} <= GOOD else "failed"
        said = f"{case.behavior}, closing {case.behaviorClose}, code {case.p.remoteCloseCode}"
        with Path(os.environ["CONFORMANCE_RECORD"]).open("a") as record:
            record.write(json.dumps([number, f"{word}: {said}"]) + "\n")


def serve():
    """The fuzzing server, for ever; it prints the numbers of its cases as soon as it listens."""
    txaio.use_twisted()
    factory = FuzzingFactory(autobahn_cases.load(FOLDER))
    reactor.listenTCP(PORT, factory, interface="127.0.0.1")
    reactor.callWhenRunning(lambda: print(json.dumps([*factory.cases]), flush=True))
    reactor.run()


async def run_all(numbers):
    """Each case on a connection of its own, some at a time. How it ended, the server notes."""
    some = asyncio.Semaphore(AT_ONCE)

    async def run(number):
        async with some:
            try:
                await asyncio.wait_for(echo(number), SECONDS)
            except (TimeoutError, OSError, websockets.WebSocketException) as error:
                print(number, repr(error))

    await asyncio.gather(*map(run, numbers))


async def echo(number):
    """Send back every message of one case."""
    uri = f"ws://127.0.0.1:{PORT}/{number}"
    async with websockets.connect(uri, max_size=None, ping_interval=None, compression=None) as ws:
        async for message in ws:
            await ws.send(message)


def main(patterns):
    """Those cases of a server of our own whose numbers one of the patterns fits."""
    server = subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, text=True)
    try:
        numbers = json.loads(server.stdout.readline())
        chosen = [one for one in numbers if any(fnmatchcase(one, pattern) for pattern in patterns)]
        asyncio.run(run_all(chosen))
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main(sys.argv[1:]) if sys.argv[1:] else serve()
