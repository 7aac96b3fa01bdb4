"""FTP conversations, for the promises that every inspector keeps."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, ISession, Outcome
from gateway.testing import END, Conversation, InspectorSuite
from protocols.ftp.command import Command
from protocols.ftp.data import DataInspector
from protocols.ftp.inspector import FtpInspector
from protocols.ftp.settings import FtpSettings
from protocols.ftp.transfer import Quota, Transfer
from tests.protocols.tls.hellos import body, message, records

HELLO = records(message(body([])))
READ_WRITE = FtpSettings(profile="read-write")
PATHS = FtpSettings(profile="read-write", write_paths=re.compile("/in/.*"))

LOGIN = [
    (SERVER, b"220-hello\r\n220 ready\r\n"),
    (CLIENT, b"user anonymous\r\n"),
    (SERVER, b"331 any password\r\n"),
    (CLIENT, b"PASS guess@\r\n"),
    (SERVER, b"230-welcome\r\n 227 (1,2,3,4,5,6)\r\n230 logged in\r\n"),
]
PASSIVE = [
    (CLIENT, b"PASV\r\n"),
    (SERVER, b"227 Entering Passive Mode (198,51,100,2,156,64).\r\n"),
]
QUIT = [
    (CLIENT, b"QUIT\r\n"),
    (SERVER, b"221 goodbye\r\n"),
    (SERVER, END),
    (CLIENT, END),
]


def talk(*steps: tuple[bytes, bytes]) -> list[tuple[object, bytes]]:
    """Commands and their replies."""
    return [
        (side, line + b"\r\n")
        for command, reply in steps
        for side, line in ((CLIENT, command), (SERVER, reply))
    ]


class FtpSuite(InspectorSuite, SynchronousTestCase):
    """What every inspector has to pass."""

    inspector = FtpInspector
    conversations = (
        Conversation("in and out", [*LOGIN, *QUIT]),
        Conversation(
            "around",
            [
                *LOGIN,
                *talk(
                    (b"FEAT", b"211-Features:\r\n MDTM\r\n AUTH TLS\r\n211 End"),
                    (b"OPTS UTF8 ON", b"200 fine"),
                    (b"SYST", b"215 UNIX Type: L8"),
                    (b"PWD", b'257 "/"'),
                    (b"CWD pub", b"250 fine"),
                    (b"TYPE I", b"200 fine"),
                    (b"SIZE a", b"213 7"),
                    (b"MDTM a", b"213 20200101000000"),
                    (b"REST 5", b"350 fine"),
                    (b"MLST a", b"250-\r\n type=file; a\r\n250 end"),
                    (b"CDUP", b"250 fine"),
                    (b"STAT", b"211-\r\n fine\r\n211 end"),
                ),
                *QUIT,
            ],
        ),
        Conversation(
            "rename",
            [
                *LOGIN,
                *talk((b"RNFR a", b"350 and?"), (b"RNTO b", b"250 done"), (b"MKD c", b'257 "c"')),
                *QUIT,
            ],
            settings=READ_WRITE,
        ),
        Conversation(
            "a download without data, and the next without a reply",
            [
                *LOGIN,
                *PASSIVE,
                (CLIENT, b"RETR a\r\n"),
                (SERVER, b"150 here it comes\r\n226 done\r\n"),
                *PASSIVE,
                (CLIENT, b"RETR b\r\n"),
                (SERVER, b"550 none\r\n"),
                *QUIT,
            ],
        ),
        Conversation(
            "active",
            [
                *LOGIN,
                *talk(
                    (b"PORT 192,0,2,1,200,1", b"200 fine"),
                    (b"EPRT |1|192.0.2.1|50000|", b"200 fine"),
                    (b"EPSV", b"229 (|||40000|)"),
                    (b"EPSV ALL", b"200 fine"),
                ),
                *QUIT,
            ],
        ),
        Conversation(
            "aborted",
            [
                *LOGIN,
                *PASSIVE,
                (CLIENT, b"RETR a\r\n"),
                (SERVER, b"150 here it comes\r\n"),
                (CLIENT, b"\xff\xf4\xff\xf2ABOR\r\n"),
                (SERVER, b"426 aborted\r\n226 fine\r\n"),
                *QUIT,
            ],
        ),
        Conversation(
            "a passive client, an active server",
            [
                *LOGIN,
                *talk((b"PASV", b"200 fine"), (b"EPSV", b"500 no"), (b"EPSV", b"200 fine")),
                *QUIT,
            ],
            settings=FtpSettings(data_mode="active"),
            replays=False,
        ),
        Conversation(
            "an active client, a passive server",
            [
                *LOGIN,
                (CLIENT, b"PORT 192,0,2,1,200,1\r\n"),
                (SERVER, b"227 (198,51,100,2,156,64)\r\n"),
                (CLIENT, b"RETR a\r\n"),
                (SERVER, b"550 none\r\n"),
                *QUIT,
            ],
            settings=FtpSettings(data_mode="passive"),
            replays=False,
        ),
        Conversation(
            "status in the middle",
            [
                *LOGIN,
                *PASSIVE,
                (CLIENT, b"RETR a\r\n"),
                (SERVER, b"150 here it comes\r\n"),
                (CLIENT, b"\xff\xf4\xff\xf2STAT\r\n"),
                (SERVER, b"213-half\r\n of it\r\n213 end\r\n"),
                (SERVER, b"426 broken\r\n"),
                *QUIT,
            ],
        ),
        Conversation(
            "sent ahead",
            [
                (SERVER, b"220 ready\r\n"),
                (CLIENT, b"USER a\r\nPASS b\r\nPWD\r\nQUIT\r\n"),
                (SERVER, b"331 password\r\n"),
                (SERVER, b"230 fine\r\n"),
                (SERVER, b'257 "/"\r\n'),
                (SERVER, b"221 bye\r\n"),
                (SERVER, END),
                (CLIENT, END),
            ],
            replays=False,  # what waits for its turn was read, and looks like nobody's
        ),
        Conversation(
            "directories are asked for",
            [
                (SERVER, b"220 ready\r\n"),
                (CLIENT, b"USER a\r\n"),
                (SERVER, b"230 fine\r\n"),
                (SERVER, b'257 "/in"\r\n'),
                (CLIENT, b"MKD b\r\n"),
                (SERVER, b'257 "/in/b"\r\n'),
                *QUIT,
            ],
            settings=PATHS,
            replays=False,
        ),
        Conversation(
            "refused by us",
            [
                *LOGIN,
                (CLIENT, b"AUTH TLS\r\n"),
                (CLIENT, b"STOR a\r\nDELE b\r\nLPSV\r\nNONE\r\nTYPE E\r\nRETR\r\nRNTO x\r\n"),
                *QUIT,
            ],
        ),
        Conversation(
            "a server that the client names",
            [
                (CLIENT, b"NOOP\r\n"),
                (CLIENT, b"USER joe@198.51.100.9\r\n"),
                (SERVER, b"120 wait\r\n220 ready\r\n"),
                (SERVER, b"230 in\r\n"),
                *QUIT,
            ],
            settings=FtpSettings(user_servers=re.compile(".*")),
            replays=False,
        ),
        Conversation(
            "encrypted",
            [
                (SERVER, b"220 ready\r\n"),
                (CLIENT, b"AUTH TLS\r\n"),
                (SERVER, b"234 go on\r\n"),
                (CLIENT, b"\x16\x03\x01\x00\x05hello"),
                (SERVER, b"\x16\x03\x03\x00\x05hello"),
                (SERVER, END),
                (CLIENT, END),
            ],
            settings=FtpSettings(auth="release"),
        ),
        Conversation(
            "plaintext behind AUTH",
            [(SERVER, b"220 ready\r\n"), (CLIENT, b"AUTH TLS\r\nNOOP\r\n")],
            outcome=Outcome.DENIED,
            settings=FtpSettings(auth="release"),
        ),
        Conversation(
            "the server says no",
            [(SERVER, b"530 full\r\n"), (SERVER, END)],
            outcome=Outcome.FAILED,
        ),
        Conversation(
            "time out",
            [*LOGIN, (SERVER, b"421 bye\r\n"), (SERVER, END), (CLIENT, END)],
            outcome=Outcome.FAILED,
        ),
        Conversation("not FTP", [(CLIENT, b"GET / HTTP/1.1\r\n")], outcome=Outcome.DENIED),
        Conversation("cut off", [*LOGIN, (CLIENT, b"PW"), (CLIENT, END)], outcome=Outcome.DENIED),
        Conversation("NUL", [*LOGIN, (CLIENT, b"CWD a\x00b\r\n")], outcome=Outcome.DENIED),
        Conversation("unasked", [*LOGIN, (SERVER, b"200 fine\r\n")], outcome=Outcome.DENIED),
        Conversation(
            "theft",
            [*LOGIN, (CLIENT, b"PASV\r\n"), (SERVER, b"227 (198,51,100,3,156,64)\r\n")],
            outcome=Outcome.DENIED,
            settings=FtpSettings(pasv_address="deny"),
        ),
    )


class EncryptedSuite(InspectorSuite, SynchronousTestCase):
    """With TLS; where that begins, a fake session can't tell what is plaintext."""

    inspector = FtpInspector
    conversations = (
        Conversation(
            "inspected TLS",
            [
                (SERVER, b"220 ready\r\n"),
                (CLIENT, b"AUTH TLS\r\n"),
                (SERVER, b"234 go on\r\n"),
                (CLIENT, HELLO),
                (CLIENT, b"USER a\r\n"),
                (SERVER, b"230 in\r\n"),
                *talk((b"PBSZ 0", b"200 fine"), (b"PROT P", b"200 fine")),
                *QUIT,
            ],
            settings=FtpSettings(auth="inspect"),
            replays=False,
            turns=(3,),
        ),
        Conversation(
            "TLS from the first byte on",
            [(CLIENT, HELLO), *LOGIN, *QUIT],
            settings=FtpSettings(implicit=True),
            replays=False,
            turns=(0,),
        ),
    )


def inspecting(session: ISession) -> DataInspector:
    """A data connection; the settings are the command that it is for, if one was given yet."""
    transfer = Transfer(READ_WRITE, Quota(0, "session_bytes"), CLIENT, "passive")
    if session.settings is not None:
        transfer.begin(session.settings, 0)
    return DataInspector(session, transfer)


class DataSuite(InspectorSuite, SynchronousTestCase):
    """The data connection is one more inspector."""

    inspector = staticmethod(inspecting)
    conversations = (
        Conversation(
            "a download",
            [(SERVER, b"the "), (SERVER, b"file"), (SERVER, END), (CLIENT, END)],
            settings=Command("RETR", b"a"),
        ),
        Conversation(
            "the wrong way",
            [(CLIENT, b"a file")],
            settings=Command("RETR", b"a"),
            outcome=Outcome.DENIED,
        ),
        Conversation(
            "before there was a command",
            [(CLIENT, b"a file"), (CLIENT, END)],
            outcome=Outcome.CLOSED,
        ),
    )
