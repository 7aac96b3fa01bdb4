"""Clients: each sends one message from a file, with lines as files have them."""

from __future__ import annotations

import smtplib
from collections.abc import Callable, Mapping
from email import message_from_bytes, policy
from pathlib import Path

from gateway.lab.namespace import Namespace

FROM = "alice@a.example"
TO = "bob@b.example"
HELO = "client.example"

Client = Callable[[Namespace, str, int, Path], object]


def swaks(namespace: Namespace, host: str, port: int, message: Path) -> str:
    """Perl, with pipelining. Gives back the whole dialogue."""
    return namespace.run(
        *("swaks", "--server", host, "--port", f"{port}", "--from", FROM, "--to", TO),
        *("--helo", HELO, "--pipeline", "--data", f"@{message}"),
    )


def msmtp(namespace: Namespace, host: str, port: int, message: Path) -> str:
    """A client in place of sendmail."""
    return namespace.run(
        *("msmtp", "--file=/dev/null", f"--host={host}", f"--port={port}", "--tls=off"),
        *(f"--from={FROM}", f"--domain={HELO}", TO),
        input=message.read_text(),
    )


def python(namespace: Namespace, host: str, port: int, message: Path) -> None:
    """The standard library's client."""
    with namespace.entered():
        client = smtplib.SMTP(host, port, local_hostname=HELO, timeout=20)
    with client:
        parsed = message_from_bytes(message.read_bytes(), policy=policy.SMTP)
        client.send_message(parsed, FROM, [TO], mail_options=["BODY=8BITMIME"])


def curl(namespace: Namespace, host: str, port: int, message: Path) -> str:
    """libcurl."""
    return namespace.run(
        *("curl", "-sS", "--crlf", f"smtp://{host}:{port}/{HELO}", "--mail-from", FROM),
        *("--mail-rcpt", TO, "--upload-file", f"{message}"),
    )


def smtp_source(namespace: Namespace, host: str, port: int, message: Path) -> str:
    """Postfix's own generator of mail, once."""
    return namespace.run(
        *("smtp-source", "-4", "-f", FROM, "-t", TO, "-M", HELO, "-F", f"{message}"),
        f"{host}:{port}",
    )


CLIENTS: Mapping[str, Client] = {
    "swaks": swaks,
    "msmtp": msmtp,
    "smtplib": python,
    "curl": curl,
    "smtp_source": smtp_source,
}
