#!/bin/bash
# An FTP server may greet with "120 Service ready in 1 minute", and then with 220 (RFC 959, section 5.4). Of five clients one waits for the 220. curl ends
# at once (status 8); wget, ncftp and CPython's ftplib take the 120 for the greeting, and each later reply for that to the command before it, and
# give up at different places, none of which says why.
#
# Seen: curl 7.88.1, wget 1.21.3, lftp 4.9.2, ncftp 3.2.6 (Debian 12), ftplib of CPython 3.11.7; 2026-11-30.
# Where it matters: protocols/ftp keeps a 120 from the client, which hears the 220 alone.
#
# Usage: findings/ftp-120-greeting.sh      It wants Debian's curl, wget, lftp and ncftp, and installs them if they are missing (as root).

set -uo pipefail
needed=(curl wget lftp ncftp)
dpkg-query --show "${needed[@]}" >/dev/null 2>&1 || apt-get install -qq -y "${needed[@]}" >/dev/null || exit 2
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place" || exit 2
exec python3 - <<'END'
import socket
import subprocess
import sys
import threading
from pathlib import Path

ANSWERS = {
    b"USER": b"331 password\r\n",
    b"PASS": b"230 welcome\r\n",
    b"PWD": b'257 "/" is it\r\n',
    b"SYST": b"215 UNIX Type: L8\r\n",
    b"TYPE": b"200 fine\r\n",
    b"SIZE": b"213 6\r\n",
    b"CWD": b"250 fine\r\n",
    b"QUIT": b"221 bye\r\n",
}
FTPLIB = """
import ftplib, sys
server = ftplib.FTP()
server.connect("127.0.0.1", int(sys.argv[1]), timeout=10)
server.login()
with open("fetched", "wb") as file:
    server.retrbinary("RETR file", file.write)
"""
CLIENTS = {
    "curl": ("curl", "--silent", "--output", "fetched", "ftp://127.0.0.1:PORT/file"),
    "wget": ("wget", "--quiet", "--tries=1", "--timeout=10", "--output-document=fetched", "ftp://127.0.0.1:PORT/file"),
    "lftp": ("lftp", "-c", "set ftp:ssl-allow no; set net:max-retries 1; get ftp://127.0.0.1:PORT/file -o fetched"),
    "ncftp": ("ncftpget", "-V", "-t", "5", "-r", "1", "-P", "PORT", "-C", "127.0.0.1", "file", "fetched"),
    "ftplib": (sys.executable, "-c", FTPLIB, "PORT"),
}


def serve(listener, greeting):
    while True:
        try:
            peer, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=talk, args=(peer, greeting), daemon=True).start()


def talk(peer, greeting):
    data = None
    try:
        with peer, peer.makefile("rb") as lines:
            peer.sendall(greeting)
            for line in lines:
                verb, *more = line.upper().split()
                if verb in (b"EPSV", b"PASV"):
                    data = socket.create_server(("127.0.0.1", 0))
                    port = data.getsockname()[1]
                    short = b"229 go (|||%d|)\r\n" % port, b"227 go (127,0,0,1,%d,%d)\r\n" % divmod(port, 256)
                    peer.sendall(short[verb == b"PASV"])
                elif verb == b"RETR" and data is not None:
                    peer.sendall(b"150 here it is\r\n")
                    data.settimeout(5)
                    with data, data.accept()[0] as receiver:
                        receiver.sendall(b"hello\n")
                    peer.sendall(b"226 done\r\n")
                else:
                    peer.sendall(ANSWERS.get(verb, b"500 not here\r\n"))
    except OSError:
        return


def fetches(greeting, command):
    """Whether the file is fetched."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener, greeting), daemon=True).start()
        port = str(listener.getsockname()[1])
        Path("fetched").unlink(missing_ok=True)
        words = [word.replace("PORT", port) for word in command]
        subprocess.run(words, capture_output=True, timeout=60, check=False)
    file = Path("fetched")
    return file.exists() and file.read_bytes() == b"hello\n"


amiss = 0
for greeting in (b"220 ready\r\n", b"120 in a minute\r\n220 ready\r\n"):
    for name, command in CLIENTS.items():
        seen = fetches(greeting, command)
        print(f"{greeting[:3].decode()}: {name} {'has the file' if seen else 'has nothing'}")
        amiss += seen != (name == "lftp" or greeting.startswith(b"220"))
sys.exit(amiss)
END
