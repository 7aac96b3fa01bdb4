#!/bin/bash
# A line of an IMAP server that ends in "{5}" is taken for the beginning of a literal by CPython's imaplib, whatever the line
# is: also the text of an answer, where RFC 9051, section 9 ("resp-text", "TEXT-CHAR"), has any characters, and literals have
# no place. The next five bytes, which are the server's next answer, become a part of that text. So does imapclient, which
# reads by imaplib.
#
# Seen: imaplib of 3.11.7, 3.12.1, 3.13.0.
# Where it matters: protocols/imap/reply.py writes braces at the end of a text as parentheses.
#
# Usage: findings/imaplib-text-as-literal.sh [PYTHON]

set -euo pipefail
"${1:-python3}" - <<'END'
import imaplib
import socket
import sys
import threading

TEXT = b"* OK see chapter {5}\r\n"


def serve(listener):
    peer, _ = listener.accept()
    with peer, peer.makefile("rb") as lines:
        peer.sendall(b"* OK [CAPABILITY IMAP4rev1] ready\r\n")
        for line in lines:
            tag, verb = line.split()[:2]
            said = b"* CAPABILITY IMAP4rev1\r\n" if verb == b"CAPABILITY" else TEXT + b"* 3 EXISTS\r\n"
            peer.sendall(said + tag + b" OK done\r\n")


listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=serve, args=(listener,), daemon=True).start()
client = imaplib.IMAP4(*listener.getsockname(), timeout=10)
client.noop()
exists, text = client.response("EXISTS")[1], client.response("OK")[1]
print(f"Python {sys.version.split()[0]}: EXISTS {exists}, OK {text}")
sys.exit(exists != [None])
END
