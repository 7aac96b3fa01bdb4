"""Values of settings: how the operator writes them, and what is wrong with them."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_network

from protocols.smtp.grammar.address import canonical, is_domain
from protocols.smtp.grammar.command import RULES
from protocols.smtp.grammar.extension import EXTENSIONS
from protocols.smtp.grammar.reply import configured

Networks = tuple[IPv4Network | IPv6Network, ...]

MECHANISMS = frozenset(
    {
        *("PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2", "OAUTHBEARER"),
        *("SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"),
    }
)
"""None of these encrypts what follows, as GSSAPI, NTLM and DIGEST-MD5 may."""


def networks(texts: tuple[str, ...]) -> Networks:
    """Read networks and addresses."""
    return tuple(ip_network(text) for text in texts)


def commands(words: frozenset[str]) -> frozenset[str]:
    """Read verbs of SMTP."""
    return _known(words, RULES, "command")


def extensions(words: frozenset[str]) -> frozenset[str]:
    """Read keywords of extensions."""
    return _known(words, EXTENSIONS, "extension")


def mechanisms(words: frozenset[str]) -> frozenset[str]:
    """Read names of mechanisms."""
    return _known(words, MECHANISMS, "mechanism")


def _known(words: frozenset[str], table: object, what: str) -> frozenset[str]:
    known = frozenset(table)  # type: ignore[call-overload]
    for word in sorted(words - known):
        raise ValueError(f"{word!r} is no {what} that is understood: {', '.join(sorted(known))}")
    return words


def domains(words: tuple[str, ...]) -> tuple[str, ...]:
    """Read domains: C{"example.net"}, C{".example.net"} for all below it, C{"*"} for all."""
    for word in words:
        if word != "*" and not re.fullmatch(
            r"\.?[^\s@*.]+(?:\.[^\s@*.]+)*|\[[0-9A-Za-z.:]+\]", word
        ):
            raise ValueError(f'{word!r} is no domain: write "a.example", ".example" or "*"')
    return tuple(canonical(word) for word in words)


def host_name(text: str) -> str:
    """Read the name of a host, or nothing."""
    if text and not (is_domain(text) and text.isascii()):
        raise ValueError(f"{text!r} is not the name of a host")
    return text


def refusal(text: str) -> str:
    """Read a reply that refuses."""
    configured(text)
    return text
