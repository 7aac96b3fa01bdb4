"""Options that POP3 and IMAP have, in the same words; see L{protocols.options}."""

from __future__ import annotations

from typing import Any, Literal

from gateway.inspector import option, pattern

ANYBODY = ".*"
"""Of C{users}: all may log in."""

Decision = Literal["pass", "refuse", "deny"]
"""For a command: it passes, it is answered by the gateway, or it ends the session."""

INSPECTED = ("inspect", "require")
"""Of TLS within the session: it is spoken with the gateway."""

MECHANISMS = frozenset(
    {
        *("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "OAUTHBEARER"),
        *("XOAUTH2", "ANONYMOUS", "EXTERNAL"),
    }
)
"""Those that only say who somebody is. Others may go on to encrypt the session, unseen."""


def mechanisms(command: str) -> Any:
    """How clients may log in by a command that has mechanisms."""
    return option(
        f"With which mechanisms clients may log in by {command}. One that would encrypt the "
        "session (GSSAPI, DIGEST-MD5) is not understood.",
        MECHANISMS,
    )


def users() -> Any:
    """Who may log in: anybody, if the operator does not say."""
    return option(
        "User names that may log in: a regular expression for all of the name. Where it does not "
        "match everything, nobody logs in by a mechanism that does not say who it is.",
        pattern(ANYBODY),
        read=pattern,
    )


def auth_lines(precedent: str) -> Any:
    """How much may be said in SASL."""
    return option(
        "So many lines a client may say in one authentication.",
        8,
        unit="lines",
        minimum=1,
        precedent=precedent,
    )


def errors() -> Any:
    """How much may be refused."""
    return option(
        "How many commands in a row may be refused; then the session ends. 0: any number.",
        20,
        minimum=0,
        precedent="dovecot ends it at the 20th command that it does not know",
    )


def login_seconds() -> Any:
    """How long a client may take to log in."""
    return option(
        "Time for a client to log in. 0: no limit.",
        180.0,
        unit="seconds",
        minimum=0,
        precedent="dovecot: 3 minutes",
    )


def reply_seconds() -> Any:
    """How long a server may be silent."""
    return option(
        "A server that says nothing for so long, though it was asked, is given up. 0: never.",
        300.0,
        unit="seconds",
        minimum=0,
        in_silence=True,
        precedent="fetchmail's timeout",
    )
