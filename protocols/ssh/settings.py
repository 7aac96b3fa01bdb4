"""What of SSH is allowed."""

from __future__ import annotations

import re

from attrs import Factory, frozen

from gateway.inspector import option, pattern

_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")

_ANY = re.compile(".*", re.DOTALL)

REFUSED = (
    *("none", "*-cbc", "*-cbc@*", "arcfour*", "hmac-md5*", "hmac-sha1-96*", "hmac-ripemd160*"),
    *("ssh-dss*", "diffie-hellman-group1-sha1", "rsa1024-sha1"),
)


def read_fingerprints(hosts: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """
    Read the keys of servers.

    @raise ValueError: one is not as C{ssh-keygen -l} writes them.
    """
    for host, fingerprints in hosts.items():
        for each in fingerprints:
            if not _FINGERPRINT.fullmatch(each):
                raise ValueError(f'{host}: {each!r} is no fingerprint like "SHA256:…" (43 letters)')
    return hosts


@frozen
class SshSettings:
    """Who may talk to whom, and by which algorithms."""

    client_software: re.Pattern[str] = option(
        "Which programs may connect: a regular expression for all of what the client's first "
        'line has behind "SSH-2.0-", comments apart.',
        _ANY,
        read=pattern,
    )
    server_software: re.Pattern[str] = option(
        "The same for servers.",
        _ANY,
        read=pattern,
    )
    protocols: frozenset[str] = option(
        'Which versions a first line may name. "1.99" is a server that speaks version 1 as well; '
        "what follows is version 2 all the same.",
        frozenset({"2.0", "1.99"}),
    )
    kex: tuple[str, ...] = option(
        "Methods of key exchange that may be agreed on; a star stands for anything. Names can't be "
        "taken out of what the two sides offer, as their keys are made from it: a connection that "
        "would use another one is ended.",
        ("*",),
    )
    host_keys: tuple[str, ...] = option("The same for algorithms of host keys.", ("*",))
    ciphers: tuple[str, ...] = option("The same for ciphers.", ("*",))
    macs: tuple[str, ...] = option("The same for MACs, where the cipher needs one.", ("*",))
    compression: tuple[str, ...] = option("The same for compression.", ("*",))
    refused: tuple[str, ...] = option(
        'What none of these may be, whatever stands there. ("none" is allowed for compression.)',
        REFUSED,
        precedent="OpenSSH 9; RFC 9142; RFC 8758",
    )
    fingerprints: dict[str, tuple[str, ...]] = option(
        "The keys of servers: by address, the fingerprints that `ssh-keygen -l` shows. A server "
        "that shows another one is not reached.",
        Factory(dict),
        read=read_fingerprints,
    )
    unknown_hosts: bool = option(
        "Whether servers that `fingerprints` does not name may be connected to.", True
    )
    banner_lines: int = option(
        "Lines that a server may say before it says what it is (RFC 4253, section 4.2).",
        50,
        minimum=0,
        unit="lines",
        precedent="OpenSSH's client: 1,024",
    )
    banner_line_bytes: int = option(
        "The longest of them.", 1024, minimum=1, unit="bytes", precedent="OpenSSH: 8,192"
    )
    packet_bytes: int = option(
        "The longest packet before encryption.",
        35000,
        minimum=256,
        unit="bytes",
        precedent="RFC 4253, section 6.1",
    )
    packets: int = option("Packets of one side before encryption.", 64, minimum=4, unit="packets")
    handshake_seconds: float = option(
        "Until the keys are in use.",
        120.0,
        minimum=0.1,
        unit="seconds",
        precedent="OpenSSH's LoginGraceTime",
        in_silence=True,
    )
