"""IMAP end to end: real clients, and dovecot, through the gateway."""

from __future__ import annotations

import imaplib
import ssl
from typing import ClassVar

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError

from tests.netns.case import SERVER, hear
from tests.netns.mailbox_case import BAD, GOOD, MAILS, SECONDS, MailboxCase
from tests.netns.scene import ZONES
from tests.netns.tls_case import TrustingCase

NAME = "imap.example"

DOVECOT = """
auth_mechanisms = plain login cram-md5
mail_location = maildir:{folder}/mail/%u:LAYOUT=fs
imap_capability = +COMPRESS=DEFLATE
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Archive {{
    auto = create
    special_use = \\Archive
  }}
  mailbox Secret {{
    auto = create
  }}
}}
"""

SERVICE = """
inspector = "imap"
[[rule]]
from = ["office"]
ports = [143]
[imap]
starttls = "inspect"
[imap.tls]
invalid = "deny"
[[imap.mailboxes]]
name = "Archive"
access = "read"
[[imap.mailboxes]]
name = "Secret"
access = "none"
[[imap.attachments]]
extensions = ["exe"]
"""
IMPLICIT = SERVICE.replace("[143]", "[993]").replace('starttls = "inspect"', "implicit = true")

STRUCTURES = {
    "a text": b"Subject: x\r\nX-A: 1\r\n folded\r\n\r\nhello\r\nthere\r\n",
    "nothing but a header": b"Subject: x\r\n\r\n",
    "alternatives": b"""\
Subject: alternatives
Content-Type: multipart/alternative; boundary="a b"

a preamble
--a b
Content-Type: text/plain

one
--a b
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: base64

PHA+
--a b--
an epilogue
""".replace(b"\n", b"\r\n"),
    "parts in parts": b"""\
Subject: parts in parts
Content-Type: multipart/mixed; boundary=x

--x
Content-Type: multipart/alternative; boundary=y

--y

plain
--y
Content-Type: text/html

<p>
--y--

--x
Content-Type: message/rfc822

From: inner@a.example
Subject: inside
Content-Type: multipart/mixed; boundary=z

--z

first

--z
Content-Type: application/pdf; name=a.pdf

%PDF
--z--
--x
Content-Type: message/rfc822

Subject: only text

text within
--x--
""".replace(b"\n", b"\r\n"),
}
SECTIONS = [
    f"[{section}]{partial}"
    for section in (
        *("", "HEADER", "TEXT", "1", "2", "3", "4", "1.MIME", "2.MIME", "3.MIME", "1.1", "1.2"),
        *("1.2.MIME", "2.1", "2.2", "2.2.MIME", "2.HEADER", "2.TEXT", "3.1", "3.HEADER", "3.TEXT"),
        *("HEADER.FIELDS (SUBJECT X-A)", "HEADER.FIELDS.NOT (SUBJECT)", "2.HEADER.FIELDS (FROM)"),
        *("1.1.1", "3.1.MIME"),
    )
    for partial in ("", "<3.5>", "<100000.5>")
    if not (partial and section.startswith("HEADER"))
]


class ImapCase(MailboxCase):
    """By IMAP."""

    protocol = "imap"
    port = 143
    name = NAME
    users = ("joe", "ann", "bob", "eve", "sue", "kim")
    dovecot = DOVECOT


class ImapTests(TrustingCase, ImapCase):
    """One of the three messages may not pass."""

    services: ClassVar = {"imap": SERVICE, "imaps": IMPLICIT}

    def test_curl(self) -> None:
        """In plain text, by STARTTLS, and on port 993; whole messages, and parts."""
        common = ("curl", "-sS", "--max-time", str(SECONDS), "-u", "joe:sesame")
        trust = ("--cacert", str(self.trusted))
        resolve = ("--resolve", f"{NAME}:993:{SERVER}")
        for way, url in (
            ((), f"imap://{SERVER}/INBOX"),
            ((*trust, "--ssl-reqd"), f"imap://{SERVER}/INBOX"),
            ((*trust, *resolve), f"imaps://{NAME}/INBOX"),
        ):
            mails = [
                self.client.run(*common, *way, f"{url};MAILINDEX={name}").encode()
                for name in sorted(MAILS)
            ]
            self.check(mails)
        part = self.client.run(*common, f"imap://{SERVER}/INBOX;MAILINDEX=1;SECTION=TEXT")
        self.assertTrue(part.startswith(".a line"))
        part = self.client.run(*common, f"imap://{SERVER}/INBOX;MAILINDEX=2;SECTION=TEXT")
        self.assertNotIn("a program", part)
        names = [one["tls"] for one in self.scene.records() if one["event_type"] == "tls"]
        self.assertIn(NAME, [one.get("sni") for one in names])

    def test_imaplib(self) -> None:
        """CPython's: in TLS; messages put into mailboxes, mailboxes that may only be read."""
        context = ssl.create_default_context(cafile=str(self.trusted))
        with self.client.entered():
            client = imaplib.IMAP4(SERVER, timeout=SECONDS)
            client.starttls(context)
        self.assertNotIn("STARTTLS", client.capabilities)
        self.assertNotIn("COMPRESS=DEFLATE", client.capabilities)
        client.login_cram_md5("ann", "sesame")
        self.assertEqual(client.select()[1], [b"3"])
        mails = []
        for number in ("1", "2", "3"):
            _, data = client.fetch(number, "(FLAGS RFC822)")
            mails.append(data[0][1])
        self.check(mails)
        self.assertEqual(client.append("INBOX", "\\Seen", None, GOOD)[0], "OK")
        self.assertEqual(client.append("INBOX", None, None, BAD)[0], "NO")
        self.assertEqual(client.append("Archive", None, None, GOOD)[0], "NO")
        status, data = client.search(None, "SUBJECT", '"good"')
        self.assertEqual((status, data), ("OK", [b"1 3 4"]))
        self.assertEqual(client.store("4", "+FLAGS", "\\Deleted")[0], "OK")
        self.assertEqual(client.expunge()[1], [b"4"])
        self.assertNotIn(b"Secret", b"".join(client.list()[1]))
        self.assertEqual(client.select("Secret")[0], "NO")
        self.assertEqual(client.select("Archive", readonly=True)[0], "OK")
        self.assertEqual(client.xatom("COMPRESS", "DEFLATE")[0], "NO")
        client.logout()
        self.wait(lambda: len(self.denied("APPEND")) == 2, "records are missing in the audit")

    def test_imapclient(self) -> None:
        """imapclient: names beyond ASCII, literals, ENABLE, IDLE, MOVE, SORT and THREAD."""
        context = ssl.create_default_context(cafile=str(self.trusted))
        with self.client.entered():
            client = IMAPClient(SERVER, port=143, ssl=False, timeout=SECONDS)
            watcher = IMAPClient(SERVER, port=143, ssl=False, timeout=SECONDS)
        for each in (client, watcher):
            each.starttls(context)
            each.login("bob", "sesame")
        self.assertIn(b"IMAP4REV1", client.capabilities())
        client.id_({"name": "test"})
        self.assertTrue(client.namespace())
        name = 'Entw\u00fcrfe & mehr "x"'
        client.create_folder(name)
        self.assertIn(name, [each[2] for each in client.list_folders()])
        watcher.select_folder(name)
        watcher.idle()
        client.select_folder("INBOX")
        self.assertEqual(client.sort(["REVERSE SUBJECT"]), [1, 2, 3])
        self.assertTrue(client.thread())
        self.assertEqual(client.search(["SUBJECT", "gr\u00fcn"], "UTF-8"), [])
        client.move([1], name)
        self.assertTrue(any(b"EXISTS" in each for each in watcher.idle_check(SECONDS)))
        watcher.idle_done()
        client.select_folder(name)
        found = client.fetch(
            client.search(),
            ["UID", "ENVELOPE", "BODYSTRUCTURE", "BODY.PEEK[]<0.20>", "RFC822.SIZE"],
        )
        (message,) = found.values()
        self.assertEqual(message[b"ENVELOPE"].subject, b"good")
        self.assertEqual(message[b"BODY[]<0>"], b"From: alice@a.exampl")
        self.assertRaises(IMAPClientError, client.select_folder, "Secret")
        client.append(name, GOOD, flags=("\\Draft",))
        self.assertEqual(client.folder_status(name, "MESSAGES")[b"MESSAGES"], 2)
        client.rename_folder(name, "renamed")
        client.delete_folder("renamed")
        for each in (client, watcher):
            each.logout()

    def test_mbsync(self) -> None:
        """isync, which sends its commands ahead and fetches whole messages, in both directions."""
        folder = self.scene.folder / "mbsync"
        (folder / "mail").mkdir(parents=True)
        settings = folder / "rc"
        settings.write_text(
            f"IMAPAccount far\nHost {SERVER}\nUser sue\nPass sesame\nSSLType None\n"
            "PipelineDepth 10\n\n"
            "IMAPStore far\nAccount far\n\n"
            f"MaildirStore near\nPath {folder}/mail/\nInbox {folder}/inbox\nSubFolders Verbatim\n\n"
            "Channel all\nFar :far:\nNear :near:\nPatterns INBOX\nCreate Both\nExpunge Both\n"
            f"SyncState {folder}/\n"
        )
        environment = ("env", f"HOME={folder}")
        command = (*environment, "mbsync", "-c", str(settings), "-V", "all")
        self.client.run(*command, seconds=SECONDS)
        mails = [
            path.read_bytes()
            for path in (folder / "inbox").rglob("*")
            if path.is_file() and path.parent.name in ("new", "cur")
        ]
        order = (b"Subject: good", b"was refused", b"also good")
        self.check([next(mail for mail in mails if mark in mail) for mark in order])
        (folder / "inbox" / "cur" / "fresh").write_bytes(b"Subject: fresh\n\nfrom here\n")
        self.client.run(*command, seconds=SECONDS)
        mailbox = self.scene.folder / "dovecot" / "mail" / "sue"
        there = [
            path.read_bytes() for part in ("cur", "new") for path in (mailbox / part).iterdir()
        ]
        self.assertTrue(any(b"Subject: fresh" in mail for mail in there))

    def test_fetchmail(self) -> None:
        """fetchmail, which fetches headers and bodies apart: both are of the same message."""
        folder = self.scene.folder / "fetchmail"
        folder.mkdir()
        settings = folder / "rc"
        settings.write_text(
            f"poll {SERVER} protocol imap auth password user kim password sesame keep fetchall "
            f'sslproto "auto" sslcertfile "{self.trusted}" sslcommonname "{NAME}" '
            f"mda \"sh -c 'cat >{folder}/$$'\""
        )
        settings.chmod(0o600)
        command = ("fetchmail", "-f", str(settings), "--pidfile", str(folder / "pid"))
        self.client.run(*command, "--nodetach", "--nosyslog", "-v", seconds=SECONDS)
        mails = [path.read_bytes() for path in folder.iterdir() if path.name.isdecimal()]
        order = (b"Subject: good", b"was refused", b"also good")
        self.check([next(mail for mail in mails if mark in mail) for mark in order])

    def test_sections(self) -> None:
        """
        A part that is cut out of what was examined is what the server would have cut out. (Where a
        multipart ends in another one, dovecot leaves it the line end that RFC 2046, section 5.1.1,
        gives to the outer one's boundary.)
        """
        with self.client.entered():
            through = imaplib.IMAP4(SERVER, timeout=SECONDS)
        with self.server.entered():
            direct = imaplib.IMAP4(SERVER, timeout=SECONDS)
        for one in (direct, through):
            one.login("eve", "sesame")
        for name, message in STRUCTURES.items():
            self.assertEqual(direct.append("INBOX", None, None, message)[0], "OK", name)
        for one in (direct, through):
            one.select("INBOX", readonly=True)
        number, differ = len(MAILS), []
        for name in STRUCTURES:
            number += 1
            for item in SECTIONS:
                found = [self.section(one, str(number), item) for one in (direct, through)]
                if found[0].removesuffix(b"\r\n") != found[1].removesuffix(b"\r\n"):
                    differ.append((name, item, *found))
        self.assertEqual(differ, [], "\n".join(map(repr, differ)))

    @staticmethod
    def section(one: imaplib.IMAP4, number: str, item: str) -> bytes:
        """What a section is; nothing, and no section at all, are the same to a client."""
        status, data = one.fetch(number, f"(BODY.PEEK{item})")
        assert status == "OK", data
        parts = [each[1] for each in data if isinstance(each, tuple)]
        return parts[0] if parts else b""

    def test_early(self) -> None:
        """
        A client that does not wait for the greeting, and says what no server knows more often than
        dovecot would bear, still gets in.
        """
        ours = self.dial((SERVER, 143), seconds=SECONDS)
        ours.settimeout(SECONDS)
        unknown = b"".join(b"%d XYZ\r\n" % number for number in range(6))
        ours.sendall(b"a CAPABILITY\r\n" + unknown + b"b LOGIN {3+}\r\njoe sesame\r\nc LOGOUT\r\n")
        heard = hear(ours)
        self.assertTrue(heard.startswith(b"* OK "), heard)
        self.assertEqual(heard.count(b" BAD Unknown command\r\n"), 6)
        self.assertIn(b"\r\nb OK ", heard)
        self.assertTrue(heard.endswith(b"\r\n"))
        self.assertIn(b"\r\nc OK ", heard)


SCANNED = """
inspector = "imap"
[[rule]]
from = ["office"]
ports = [143]
[imap]
stack = "scan"
hold_bytes = 100000
"""
SCAN = """
inspector = "program"
[program]
command = ["{folder}/scan"]
"""
SCRIPT = """#!/bin/sh
if grep -q 'for internal use only'; then
    echo Internal
    exit 1
fi
exit 0
"""
LARGE = b"Subject: large\n\n" + b"a line of many, and nothing in it\n" * 100000


class ScannedTests(ImapCase):
    """Messages that a program has to let pass."""

    services: ClassVar = {"imap": SCANNED, "scan": SCAN}

    def prepare(self) -> None:
        """A program that knows some words."""
        super().prepare()
        script = self.scene.folder / "scan"
        script.write_text(SCRIPT)
        script.chmod(0o755)

    def begin(self) -> None:
        """Not as root, who would not run programs."""
        self.scene.folder.chmod(0o777)
        self.scene.daemon.options = ("--uid=65534", "--gid=65534")
        services = {"imap": SCANNED, "scan": SCAN.format(folder=self.scene.folder)}
        self.scene.configure(services, self.gateway, ZONES)
        self.scene.daemon.start()

    def test_large(self) -> None:
        """Of a message that is larger than what may be held nothing comes, or goes, unjudged."""
        secret = LARGE + b"for internal use only\n"
        with self.server.entered():
            direct = imaplib.IMAP4(SERVER, timeout=SECONDS)
        direct.login("joe", "sesame")
        for message in (LARGE, secret):
            self.assertEqual(direct.append("INBOX", None, None, message)[0], "OK")
        direct.logout()
        with self.client.entered():
            client = imaplib.IMAP4(SERVER, timeout=SECONDS)
        client.login("joe", "sesame")
        client.select("INBOX")
        good, bad = (client.fetch(number, "(BODY[])")[1][0][1] for number in ("4", "5"))
        self.assertEqual(good.replace(b"\r\n", b"\n"), LARGE)
        self.assertIn(b"Subject: A message was refused", bad)
        self.assertEqual(client.append("INBOX", None, None, LARGE)[0], "OK")
        self.assertEqual(client.append("INBOX", None, None, secret)[0], "NO")
        self.assertEqual(client.select("INBOX")[1], [b"6"])
        client.logout()
        self.wait(lambda: len(self.denied("APPEND")) == 1, "a record is missing in the audit")
