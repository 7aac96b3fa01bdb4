"""What SSH's two sides say, in the tests' own words."""

from __future__ import annotations

from collections.abc import Sequence

from protocols.ssh.packet import packed, string

CLIENT_BANNER = b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"
SERVER_BANNER = b"SSH-2.0-dropbear_2022.83\r\n"
KEX = ("curve25519-sha256", "diffie-hellman-group14-sha256", "ext-info-c")
HOST_KEYS = ("ssh-ed25519", "rsa-sha2-256")
CIPHERS = ("chacha20-poly1305@openssh.com", "aes128-ctr")
MACS = ("hmac-sha2-256", "hmac-sha1")
COMPRESSION = ("none", "zlib@openssh.com")
KEY = string(b"ssh-ed25519") + string(b"k" * 32)
FINGERPRINT = "SHA256:sArVyTbDlP2ByuRNM59Xf/iwOUmdy69sxylyNl3iUQQ"
"""As C{ssh-keygen -l} shows it."""


def names(*values: str) -> bytes:
    return string(",".join(values).encode())


def kexinit(
    kex: Sequence[str] = KEX,
    host_keys: Sequence[str] = HOST_KEYS,
    ciphers: Sequence[str] = CIPHERS,
    macs: Sequence[str] = MACS,
    compression: Sequence[str] = COMPRESSION,
    end: bytes = b"\0" * 5,
) -> bytes:
    """A KEXINIT; the same for both directions."""
    lists = (kex, host_keys, ciphers, ciphers, macs, macs, compression, compression, (), ())
    return packed(b"\x14" + b"c" * 16 + b"".join(names(*each) for each in lists) + end)


def message(number: int, content: bytes = b"") -> bytes:
    return packed(bytes((number,)) + content)


NEWKEYS = message(21)
KEX_INIT = message(30, string(b"q" * 32))
KEX_REPLY = message(31, string(KEY) + string(b"Q" * 32) + string(b"signature"))
