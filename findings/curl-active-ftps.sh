#!/bin/bash
# curl with `--ftp-port -` (active FTP) and `--ssl-reqd` can't use TLS on a data connection that it has accepted: it ends
# with status 18, "sa_addr inet_ntop() failed with errno 97: Address family not supported by protocol". Without TLS it
# works, and other clients (lftp, CPython's ftplib) do both.
#
# Seen: curl 7.88.1 (Debian 12), with pyftpdlib 1.5.7 as the server.
# Where it matters: tests/netns/test_ftp_tls.py has curl in passive mode only.
#
# Usage: findings/curl-active-ftps.sh      It wants Debian's curl and python3-pyftpdlib, and installs them if they are
# missing (as root).

set -uo pipefail
needed=(curl openssl python3-pyftpdlib python3-openssl)
dpkg-query --show "${needed[@]}" >/dev/null 2>&1 || apt-get install -qq -y "${needed[@]}" >/dev/null || exit 2
server=
folder=$(mktemp -d)
trap 'rm -rf "$folder"; kill "$server" 2>/dev/null' EXIT
cd "$folder" || exit 2
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key -out certificate -days 1 \
    -subj /CN=localhost 2>/dev/null
cat key certificate >pem
mkdir root
cat >server.py <<'END'
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import TLS_FTPHandler
from pyftpdlib.servers import FTPServer

authorizer = DummyAuthorizer()
authorizer.add_anonymous("root", perm="elradfmwMT")
TLS_FTPHandler.certfile = "pem"
TLS_FTPHandler.authorizer = authorizer
server = FTPServer(("127.0.0.1", 0), TLS_FTPHandler)
open("port", "w").write(str(server.address[1]))
server.serve_forever()
END
/usr/bin/python3 server.py 2>/dev/null &
server=$!
until [ -s port ]; do
    kill -0 "$server" 2>/dev/null || { echo "the server did not start"; exit 2; }
    sleep 0.1
done
url="ftp://127.0.0.1:$(cat port)/sent"
curl -sS --max-time 20 --ftp-port - -T pem "$url"
plain=$?
curl -sS --max-time 20 --ftp-port - --insecure --ssl-reqd -T pem "$url"
encrypted=$?
echo "in plain text: $plain, in TLS: $encrypted"
[ "$plain $encrypted" = "0 18" ] && echo "as it was seen" || { echo "this has changed"; exit 1; }
