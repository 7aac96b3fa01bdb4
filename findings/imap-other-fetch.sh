#!/bin/bash
# An IMAP server may say at any time what has become of a message's flags ("* 1 FETCH (FLAGS (\Seen))", RFC 9051, section 7.5.2); dovecot does
# when another client of the same mailbox has read it. If that comes before what a FETCH has asked for, curl ends with status 8, "Failed to
# parse FETCH response.", and fetchmail with status 7. isync takes the message. So the same fetch fails now and then, and never in a
# test with one client.
#
# Seen: curl 7.88.1, fetchmail 6.4.37, isync 1.4.4 (Debian 12), 2026-11-30.
# Where it matters: protocols/imap passes such answers on where the server says them; a fetch that fails so is not the gateway's.
#
# Usage: findings/imap-other-fetch.sh      It wants Debian's curl, fetchmail and isync, and installs them if they are missing (as root).

set -uo pipefail
needed=(curl fetchmail isync)
dpkg-query --show "${needed[@]}" >/dev/null 2>&1 || apt-get install -qq -y "${needed[@]}" >/dev/null || exit 2
folder=$(mktemp -d)
server=
trap 'kill "$server" 2>/dev/null; rm -rf "$folder"' EXIT
cd "$folder" || exit 2
cat >server.py <<'END'
import re
import socket
import sys
import threading

WHOLE = b"From: a@example.org\r\nSubject: hello\r\nMessage-ID: <1@example.org>\r\n\r\nhello\r\n"
HEADER, _, TEXT = WHOLE.partition(b"\r\n\r\n")
SAID = {b"": WHOLE, b"HEADER": HEADER + b"\r\n\r\n", b"TEXT": TEXT}
ANSWERS = {
    b"CAPABILITY": b"* CAPABILITY IMAP4rev1 UIDPLUS\r\n",
    b"LIST": b'* LIST () "/" INBOX\r\n',
    b"SELECT": b"* 1 EXISTS\r\n* 0 RECENT\r\n* FLAGS (\\Seen)\r\n* OK [UIDVALIDITY 1] new\r\n* OK [UIDNEXT 2] next\r\n",
    b"SEARCH": b"* SEARCH 1\r\n",
    b"LOGOUT": b"* BYE\r\n",
}
PARTS = rb"BODY(?:\.PEEK)?\[(HEADER|TEXT|)\]|RFC822\.(HEADER|TEXT)"


def fetched(asked):
    """What is asked for, as literals."""
    said = [b"UID 1", b"FLAGS ()"] if b"FLAGS" in asked else [b"UID 1"]
    if b"SIZE" in asked:
        said.append(b"RFC822.SIZE %d" % len(WHOLE))
    for part in re.finditer(PARTS, asked):
        data = SAID[part[1] if part[1] is not None else part[2]]
        said.append(b"%s {%d}\r\n%s" % (part[0].replace(b".PEEK", b""), len(data), data))
    other = b"* 1 FETCH (FLAGS (\\Seen))\r\n" if "other" in sys.argv else b""
    return other + b"* 1 FETCH (" + b" ".join(said) + b")\r\n"


def serve(peer):
    with peer, peer.makefile("rb") as lines:
        peer.sendall(b"* OK [CAPABILITY IMAP4rev1 UIDPLUS] ready\r\n")
        for line in lines:
            tag, verb, *rest = line.upper().split()
            verb = rest[0] if verb == b"UID" else verb
            said = fetched(line.upper()) if verb == b"FETCH" else ANSWERS.get(verb, b"")
            peer.sendall(said + tag + b" OK done\r\n")
            if verb == b"LOGOUT":
                return


listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
END

begin() {
    rm -f port
    python3 server.py "$1" >port &
    server=$!
    until [ -s port ] || ! kill -0 "$server"; do sleep 0.1; done
    port=$(cat port)
}
by_curl() {
    timeout 20 curl --silent --user a:b "imap://127.0.0.1:$port/INBOX;UID=1" >/dev/null
}
by_fetchmail() {
    echo "poll 127.0.0.1 protocol imap port $port auth password user a password b sslproto '' mda 'cat >/dev/null'" >fetchmailrc
    chmod 600 fetchmailrc
    FETCHMAILHOME=$folder timeout 20 fetchmail --fetchmailrc fetchmailrc --nodetach --nosyslog --all --keep >/dev/null 2>&1
}
by_isync() {
    rm -rf mail
    mkdir mail
    cat >mbsyncrc <<END
IMAPAccount theirs
Host 127.0.0.1
Port $port
User a
Pass b
SSLType None
AuthMechs LOGIN

IMAPStore far
Account theirs

MaildirStore near
Path $folder/mail/
Inbox $folder/mail/inbox

Channel both
Far :far:
Near :near:
Create Near
SyncState *
END
    timeout 20 mbsync --config mbsyncrc both >/dev/null 2>&1
}
for kind in alone other; do
    begin "$kind"
    for client in curl fetchmail isync; do
        "by_$client"
        echo "$kind: $client ended with status $?"
    done
    kill "$server"
    wait "$server" 2>/dev/null
done | tee seen
diff seen - <<'END'
alone: curl ended with status 0
alone: fetchmail ended with status 0
alone: isync ended with status 0
other: curl ended with status 8
other: fetchmail ended with status 7
other: isync ended with status 0
END
