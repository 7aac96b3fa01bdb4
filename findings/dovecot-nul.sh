#!/bin/sh
# Dovecot 2.3.19.1 (Debian 12), seen 2026-11-30: of a mail that has a NUL, IMAP's BODY[] shows the byte 0x80 in its place (RFC 9051, section 4.3: a literal
# has no NUL), BINARY[] the NUL, and POP3's RETR the NUL too, which RFC 1939 has no place for either. All have the same size. So a hash or
# a signature that was made of a mail as one protocol shows it does not match what the other shows.
# Where it matters: what a scanner is given is what the client gets, protocol by protocol (docs/imap.md, docs/pop3.md).
# Prints: BODY[TEXT] 618062; BINARY[1] 610062; RETR 610062
# Usage: as root (a network namespace of its own)
set -eu
dpkg-query --show dovecot-imapd dovecot-pop3d > /dev/null 2>&1 || apt-get -qq -y install dovecot-imapd dovecot-pop3d > /dev/null 2>&1
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
mkdir -p "$place/run" "$place/home/joe" "$place/mail/joe/new" "$place/mail/joe/cur" "$place/mail/joe/tmp"
printf 'Subject: example\n\na\0b\n' > "$place/mail/joe/new/1"
echo 'joe:{PLAIN}sesame' > "$place/users"
chmod -R 777 "$place"
cat > "$place/dovecot.conf" <<SETTINGS
base_dir = $place/run
state_dir = $place/run
log_path = $place/log
protocols = imap pop3
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
mail_location = maildir:$place/mail/%u
first_valid_uid = 1
passdb {
  driver = passwd-file
  args = scheme=plain $place/users
}
userdb {
  driver = static
  args = uid=65534 gid=65534 home=$place/home/%u
}
SETTINGS
cat > "$place/ask.py" <<'PROGRAM'
import imaplib
import poplib
import socket
import sys
import time

for port in (143, 110):
    for _ in range(100):
        if not socket.socket().connect_ex(("127.0.0.1", port)):
            break
        time.sleep(0.1)
imap = imaplib.IMAP4("127.0.0.1", timeout=20)
imap.login("joe", "sesame")
imap.select(readonly=True)
seen = {part: imap.fetch("1", part)[1][0][1] for part in ("BODY[TEXT]", "BINARY[1]")}
pop = poplib.POP3("127.0.0.1", timeout=20)
pop.user("joe")
pop.pass_("sesame")
seen["RETR"] = pop.retr(1)[1][-1]
shown = {name: data.rstrip(b"\r\n").hex() for name, data in seen.items()}
print("; ".join(f"{name} {data}" for name, data in shown.items()))
sys.exit(shown != {"BODY[TEXT]": "618062", "BINARY[1]": "610062", "RETR": "610062"})
PROGRAM
export place
unshare --net --pid --fork --mount-proc sh -eu <<'END_OF_WORLD'
ip link set lo up
/usr/sbin/dovecot -F -c "$place/dovecot.conf" > /dev/null 2>&1 &
python3 "$place/ask.py"
END_OF_WORLD
