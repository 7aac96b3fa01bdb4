#!/bin/bash
# Two replies that RFC 5321 has, and clients take for errors. "250" without a text (section 4.2: the text is optional, and clients should look at the
# code alone) is "an invalid reply" to msmtp. "251 User not local; will forward" to RCPT (section 4.2.3: the recipient is accepted) is a refusal
# to swaks, which sends no mail then.
#
# Seen: msmtp 1.8.23, swaks 20201014.0 (Debian 12), 2026-11-30. curl 7.88.1 takes both.
# Where it matters: protocols/smtp/grammar/reply.py writes "250 " where a server writes "250"; a 251 passes as it is.
#
# Usage: findings/smtp-replies.sh      It wants Debian's curl, swaks and msmtp, and installs them if they are missing (as root).

set -uo pipefail
needed=(curl swaks msmtp)
dpkg-query --show "${needed[@]}" >/dev/null 2>&1 || apt-get install -qq -y "${needed[@]}" >/dev/null || exit 2
exec python3 - <<'END'
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


CURL = ("curl", "--silent", "--url", "smtp://127.0.0.1:PORT", "--mail-from", "a@example.org", "--mail-rcpt", "b@example.org", "--upload-file", "-")
MSMTP = ("msmtp", "--file=/dev/null", "--host=127.0.0.1", "--port=PORT", "--tls=off", "--from=a@example.org", "b@example.org")
SWAKS = ("swaks", "--server", "127.0.0.1:PORT", "--from", "a@example.org", "--to", "b@example.org")
FORWARDED = {b"RCPT": b"251 User not local; will forward\r\n"}
CASES = (
    ("MAIL: 250 fine", {}, MSMTP, True),
    ("MAIL: 250", {b"MAIL": b"250\r\n"}, CURL, True),
    ("MAIL: 250", {b"MAIL": b"250\r\n"}, MSMTP, False),
    ("RCPT: 250 fine", {}, SWAKS, True),
    ("RCPT: 251", FORWARDED, CURL, True),
    ("RCPT: 251", FORWARDED, SWAKS, False),
)
amiss = 0
for what, answers, command, expected in CASES:
    status, heard = sent(answers, *command)
    print(f"{what}: {command[0]} {'ended with status ' + str(status) if status else 'sent the mail'}")
    amiss += (not status and b"DATA" in heard) != expected
sys.exit(amiss)
END
