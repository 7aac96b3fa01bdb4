#!/bin/sh
# pyOpenSSL 26.4.0 (cryptography 50.0.2, OpenSSL 4.0.3), seen 2026-11-30: Connection.get_verified_chain() gives a chain also where nothing was verified: with
# VERIFY_NONE, no roots, and a certificate that its server made itself. OpenSSL builds and judges a chain whatever the mode is, and keeps it when the
# verdict is bad. Its own documentation says to look at the result of the verification as well; pyOpenSSL's says "the verified certificate
# chain of the peer", and has no way to that result: the mode, or a callback, has to have demanded it.
# Where it matters: gateway/tls/trust.py verifies by a store of its own, and takes the chain from there.
# Prints: nothing was verified; get_verified_chain() has 1 certificate
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" --quiet install pyopenssl==26.4.0 cryptography==50.0.2
"$place/venv/bin/python" - <<'PROGRAM'
import datetime
import sys

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from OpenSSL.SSL import TLS_CLIENT_METHOD, TLS_SERVER_METHOD, VERIFY_NONE, Connection, Context, WantReadError

key = ec.generate_private_key(ec.SECP256R1())
name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "www.example.org")])
now = datetime.datetime.now(datetime.timezone.utc)
own = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1)).sign(key, SHA256())
server, client = Context(TLS_SERVER_METHOD), Context(TLS_CLIENT_METHOD)
server.use_certificate(own)
server.use_privatekey(key)
client.set_verify(VERIFY_NONE)
ends = [Connection(client, None), Connection(server, None)]
ends[0].set_connect_state()
ends[1].set_accept_state()
for _ in range(4):
    for end, other in (ends, ends[::-1]):
        try:
            end.do_handshake()
        except WantReadError:
            pass
        try:
            other.bio_write(end.bio_read(65536))
        except WantReadError:
            pass
chain = ends[0].get_verified_chain()
print(f"nothing was verified; get_verified_chain() has {len(chain or ())} certificate")
sys.exit(not chain)
PROGRAM
