#!/bin/sh
# aioquic 1.7.2, seen on Python 3.11: a client that was told to go on in QUIC version 2 (RFC 9368) sends its next
# Initial packet with version 2 in its header, but protected with the keys of version 1, of the same connection identifier.
# Nobody notices: a server drops what it can't open (RFC 9001, section 5.2), and the Handshake packet in the same datagram is good.
# Here: who looks into Initial packets must not refuse a connection for one that can't be opened; protocols/quic/inspector.py takes it
# out of its datagram.
# Prints: "opens with version 2's keys: False, with version 1's: True"
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/environment"
"$place/environment/bin/pip" --quiet --disable-pip-version-check install "aioquic==1.7.2"
"$place/environment/bin/python" - "$place" <<'PROGRAM'
import datetime, sys
from aioquic.buffer import Buffer
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.crypto import CryptoError, CryptoPair
from aioquic.quic.packet import pull_quic_header
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

V1, V2 = 1, 0x6B3343CF
key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.timezone.utc)
name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a.example")])
day = datetime.timedelta(days=1)
made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - day).not_valid_after(now + day).sign(key, hashes.SHA256()))
file = sys.argv[1] + "/server.pem"
with open(file, "wb") as pem:
    pem.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + made.public_bytes(Encoding.PEM))
near = QuicConnection(configuration=QuicConfiguration(
    is_client=True, server_name="a.example", verify_mode=0, original_version=V1, supported_versions=[V2, V1]))
serving = QuicConfiguration(is_client=False, supported_versions=[V2, V1])
serving.load_cert_chain(file, file)
near.connect(("192.0.2.1", 443), 0.0)
first = near.datagrams_to_send(0.0)
original = pull_quic_header(Buffer(data=first[0][0])).destination_cid
far = QuicConnection(configuration=serving, original_destination_connection_id=original)
for data, _ in first:
    far.receive_datagram(data, ("192.0.2.2", 5000), 0.0)
for data, _ in far.datagrams_to_send(0.1):
    near.receive_datagram(data, ("192.0.2.1", 443), 0.1)
answer = near.datagrams_to_send(0.2)[0][0]
buffer = Buffer(data=answer)
header = pull_quic_header(buffer)
assert header.version == V2 and header.packet_type.name == "INITIAL", header
packet, at = answer[: header.packet_length], buffer.tell()

def opens(version):
    pair = CryptoPair()
    pair.setup_initial(original, is_client=False, version=version)
    try:
        pair.decrypt_packet(packet, at, 0)
    except CryptoError:
        return False
    return True

seen = opens(V2), opens(V1)
print(f"opens with version 2's keys: {seen[0]}, with version 1's: {seen[1]}")
sys.exit(seen != (False, True))
PROGRAM
