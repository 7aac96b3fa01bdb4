"""HTTP conversations through the inspector: bytes in, bytes out."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Outcome
from gateway.testing import END, Conversation, InspectorSuite
from protocols.http.inspector import HttpInspector
from protocols.http.limits import Limits
from protocols.http.policy.content import ContentPolicy
from protocols.http.policy.patterns import Texts
from protocols.http.policy.settings import HttpSettings
from protocols.http.settings import Tunnels

GET = b"GET /a?b=c HTTP/1.1\r\nHost: example.com\r\nAccept: */*\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nHost: example.com\r\n\r\n"
OLD = b"GET / HTTP/1.0\r\n\r\n"
OLD_KEPT = b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"
POST = b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
CHUNKS = (
    b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'3\r\nabc\r\nA;x=y;z="q"\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n'
)
EXPECTING = b"PUT /e HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
UPGRADE = b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: x\r\n\r\nhello"
OK_CHUNKS = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"
)
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
NOT_MODIFIED = b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"
LAST = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n\r\nhello"
SMALL = Limits(
    request_line_bytes=64,
    header_line_bytes=64,
    head_bytes=256,
    headers=4,
    request_body_bytes=10,
    response_body_bytes=10,
    chunk_bytes=8,
    requests=2,
    pipelined=2,
    interim_responses=1,
)
TIGHT = HttpSettings(limits=SMALL)
LOOKING = HttpSettings(request_content=ContentPolicy(allow=Texts(("*",))))
TUNNELS = HttpSettings(upgrades=frozenset({"websocket"}), connect=True)


class HttpSuite(InspectorSuite, SynchronousTestCase):
    """What every inspector has to pass."""

    inspector = HttpInspector
    memory = 2 * 65536 + 4 * 65536
    conversations = (
        Conversation(
            "kept alive",
            [
                (CLIENT, GET),
                (SERVER, OK),
                (CLIENT, HEAD),
                (SERVER, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
                (CLIENT, POST),
                (SERVER, OK_CHUNKS),
                (CLIENT, CHUNKS),
                (SERVER, NOT_MODIFIED),
                (CLIENT, END),
                (SERVER, END),
            ],
        ),
        Conversation(
            "pipelined",
            [
                (CLIENT, GET + HEAD + POST),
                (SERVER, OK),
                (SERVER, NOT_MODIFIED),
                (SERVER, LAST),
                (SERVER, END),
                (CLIENT, END),
            ],
            turns=(1, 2),  # with an answer, the next request goes
        ),
        Conversation(
            "one server after the other",
            [
                (CLIENT, GET),
                (SERVER, LAST),
                (SERVER, END),
                (CLIENT, POST),
                (SERVER, b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"),
                (CLIENT, HEAD),
                (SERVER, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
                (SERVER, END),
                (CLIENT, END),
            ],
            replays=False,  # what the client got is not what a server says that is to end
            turns=(1, 4),  # the next request goes to another server, who has said nothing yet
        ),
        Conversation(
            "HTTP/1.0",
            [(CLIENT, OLD), (SERVER, b"HTTP/1.0 200 OK\r\n\r\nhi"), (SERVER, END), (CLIENT, END)],
        ),
        Conversation(
            "HTTP/1.0, kept alive",
            [
                (CLIENT, OLD_KEPT),
                (SERVER, b"HTTP/1.0 200\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n"),
                (CLIENT, OLD_KEPT),
                (SERVER, b"HTTP/1.0 404 No\r\nContent-Length: 0\r\n\r\n"),
                (SERVER, END),
                (CLIENT, END),
            ],
        ),
        Conversation(
            "expects to be asked",
            [
                (CLIENT, EXPECTING),
                (SERVER, CONTINUE),
                (CLIENT, b"abc"),
                (SERVER, OK),
                (CLIENT, END),
                (SERVER, END),
            ],
        ),
        Conversation(
            "until the connection closes",
            [(CLIENT, GET), (SERVER, UNTIL_CLOSE), (SERVER, b"more"), (SERVER, END), (CLIENT, END)],
        ),
        Conversation(
            "websocket",
            [
                (CLIENT, UPGRADE),
                (SERVER, SWITCHING),
                (CLIENT, b"\x81\x00"),
                (SERVER, b"\x81\x01a"),
                (CLIENT, END),
                (SERVER, END),
            ],
            settings=TUNNELS,
        ),
        Conversation(
            "tunnel",
            [
                (CLIENT, b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"),
                (SERVER, b"HTTP/1.1 200 OK\r\n\r\n"),
                (CLIENT, b"\x16"),
                (SERVER, b"\x15"),
                (CLIENT, END),
                (SERVER, END),
            ],
            settings=TUNNELS,
        ),
        Conversation(
            "looked at",
            [(CLIENT, CHUNKS + POST), (SERVER, OK), (SERVER, OK), (CLIENT, END), (SERVER, END)],
            settings=LOOKING,
            turns=(1,),  # the same
        ),
        Conversation(
            "asked for by the gateway",
            [(CLIENT, EXPECTING), (CLIENT, b"abc"), (SERVER, OK), (CLIENT, END), (SERVER, END)],
            settings=LOOKING,
            replays=False,
        ),
        Conversation(
            "handed over",
            [
                (CLIENT, UPGRADE),
                (SERVER, SWITCHING),
                (CLIENT, b"\x81\x00"),
                (SERVER, b"\x81\x01a"),
                (CLIENT, END),
                (SERVER, END),
            ],
            settings=HttpSettings(
                upgrades=frozenset({"websocket"}), tunnels=Tunnels(upgrades={"websocket": "ws"})
            ),
            turns=(0, 1),  # what was unread is the next inspector's
        ),
        Conversation(
            "a name that nobody knows",
            [(CLIENT, GET)],
            settings=HttpSettings(host_check="resolve"),
            outcome=Outcome.FAILED,
        ),
        Conversation("nothing asked", [(CLIENT, END)]),
        Conversation("cut off", [(CLIENT, GET[:-3]), (CLIENT, END)], outcome=Outcome.DENIED),
        Conversation("no websocket", [(CLIENT, UPGRADE)], outcome=Outcome.DENIED),
        Conversation(
            "two lengths",
            [(CLIENT, POST.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n"))],
            outcome=Outcome.DENIED,
        ),
        Conversation(
            "a body that is too large",
            [(CLIENT, CHUNKS)],
            settings=TIGHT,
            outcome=Outcome.DENIED,
        ),
        Conversation(
            "an answer that is too large",
            [(CLIENT, GET), (SERVER, UNTIL_CLOSE), (SERVER, b"hello!")],
            settings=TIGHT,
            outcome=Outcome.DENIED,
            turns=(1,),  # what has left can't be answered with 502
        ),
        Conversation(
            "an answer to nothing",
            [(CLIENT, GET), (SERVER, OK + OK)],
            outcome=Outcome.DENIED,
            turns=(0,),  # what is unread when an answer comes is the next request
        ),
        Conversation(
            "a bad answer",
            [(CLIENT, GET), (SERVER, b"HTTP/1.1 200 OK\nContent-Length: 0\n\n")],
            outcome=Outcome.DENIED,
        ),
    )
