#!/bin/bash
# A mail server that announces "auth PLAIN" in lower case (RFC 5321, section 2.4: keywords are not case sensitive) is one without AUTH to curl, to
# swaks and to Twisted. curl, which was given a user and a password, then sends the mail *without* logging in, and says nothing (status 0);
# the others end with an error. msmtp and CPython's smtplib log in.
#
# Seen: curl 7.88.1, swaks 20201014.0, msmtp 1.8.23 (Debian 12), Twisted 26.10.0, smtplib of CPython 3.11.7; 2026-11-30.
# Where it matters: protocols/smtp/grammar/extension.py announces what the server does in capitals, however the server writes it.
#
# Usage: findings/smtp-lower-keyword.sh      It wants Debian's curl, swaks and msmtp, and installs them if they are missing (as root).

set -uo pipefail
needed=(curl swaks msmtp)
dpkg-query --show "${needed[@]}" >/dev/null 2>&1 || apt-get install -qq -y "${needed[@]}" >/dev/null || exit 2
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" --quiet install twisted==26.10.0
cat >"$place/twisted_sender.py" <<'END'
import sys
from io import BytesIO

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.mail.smtp import ESMTPSenderFactory

sent = Deferred()
factory = ESMTPSenderFactory(
    b"u", b"p", b"a@example.org", b"b@example.org", BytesIO(b"hello\n"), sent, retries=0, requireTransportSecurity=False
)
outcome = []
sent.addCallbacks(lambda _: outcome.append(0), lambda _: outcome.append(1)).addBoth(lambda _: reactor.stop())
reactor.connectTCP("127.0.0.1", int(sys.argv[1]), factory)
reactor.run()
sys.exit(outcome[0])
END
cat >"$place/smtplib_sender.py" <<'END'
import smtplib
import sys

with smtplib.SMTP("127.0.0.1", int(sys.argv[1])) as server:
    server.login("u", "p")
    server.sendmail("a@example.org", "b@example.org", "hello")
END
exec "$place/venv/bin/python" - "$place" <<'END'
import socket
import subprocess
import sys
import threading

DEFAULTS = {b"DATA": b"354 go\r\n", b"QUIT": b"221 bye\r\n"}
MAIL = b"From: a@example.org\r\nSubject: hello\r\n\r\nhello\r\n"


def serve(listener, answers, heard):
    peer, _ = listener.accept()
    with peer, peer.makefile("rb") as lines:
        peer.sendall(answers.get(b"", b"220 ready\r\n"))
        for line in lines:
            verb = line[:4].upper()
            heard.append(verb)
            if verb == b"AUTH" and len(line.split()) == 2:  # without an initial response
                peer.sendall(b"334 \r\n")
                lines.readline()
            peer.sendall(answers.get(verb, DEFAULTS.get(verb, b"250 fine\r\n")))
            if verb == b"DATA":
                while lines.readline().rstrip() != b".":
                    pass
                peer.sendall(answers.get(b".", b"250 fine\r\n"))
            elif verb == b"QUIT":
                return


def sent(answers, *command):
    """Whether the program is content, and what it said."""
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener, answers, heard), daemon=True).start()
        port = str(listener.getsockname()[1])
        done = subprocess.run([each.replace("PORT", port) for each in command], input=MAIL, capture_output=True, timeout=30, check=False)
    return done.returncode, heard


place = sys.argv[1]
ENDS = ("--from", "a@example.org", "--to", "b@example.org")
CLIENTS = {
    "curl": ("curl", "--silent", "--url", "smtp://127.0.0.1:PORT", "--user", "u:p", "--mail-from", "a@example.org",
             "--mail-rcpt", "b@example.org", "--upload-file", "-"),
    "swaks": ("swaks", "--server", "127.0.0.1:PORT", *ENDS, "--auth", "PLAIN", "--auth-user", "u", "--auth-password", "p"),
    "msmtp": ("msmtp", "--file=/dev/null", "--host=127.0.0.1", "--port=PORT", "--auth=plain", "--user=u", "--tls=off",
              "--passwordeval=echo p", "--from=a@example.org", "b@example.org"),
    "smtplib": (sys.executable, f"{place}/smtplib_sender.py", "PORT"),
    "Twisted": (sys.executable, f"{place}/twisted_sender.py", "PORT"),
}
EXPECTED = {"curl": (True, False), "swaks": (False, False), "msmtp": (True, True), "smtplib": (True, True), "Twisted": (False, False)}
amiss = 0
for word in (b"AUTH", b"auth"):
    answers = {b"EHLO": b"250-here\r\n250 " + word + b" PLAIN\r\n", b"AUTH": b"235 welcome\r\n"}
    for name, command in CLIENTS.items():
        status, heard = sent(answers, *command)
        seen = (b"DATA" in heard and not status, b"AUTH" in heard)
        print(f"{word.decode()}: {name} {'sent the mail' if seen[0] else 'gave up'}, {'logged in' if seen[1] else 'without logging in'}")
        amiss += seen != (EXPECTED[name] if word == b"auth" else (True, True))
sys.exit(amiss)
END
