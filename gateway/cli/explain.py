"""C{tproxygw explain}: what would happen to this connection, and why?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gateway.cli.arguments import CLIENT, SERVER, config_option
from gateway.cli.configuration import load_policy
from gateway.cli.terminal import Terminal
from gateway.interfaces import Address
from gateway.policy.connection import Connection, Protocol
from gateway.policy.explain import check, explain
from gateway.policy.foretelling import Said
from gateway.policy.judging import Asks, read_headers


@click.command("explain")
@config_option
@click.option("--from", "client", type=CLIENT, metavar="ADDRESS[:PORT]", required=True)
@click.option("--to", "server", type=SERVER, metavar="ADDRESS:PORT", required=True)
@click.option(
    "--protocol",
    type=click.Choice([protocol.value for protocol in Protocol]),
    default=Protocol.TCP.value,
    show_default=True,
)
@click.option("--interface", metavar="NAME", help="The interface that it comes in by.")
@click.option("--sni", metavar="NAME", help="The name that its client asks for, in TLS.")
@click.option("--alpn", metavar="PROTOCOLS", help='The protocols that it offers: "h2,http/1.1".')
@click.option("--query", metavar="NAME[/TYPE]", help="What its client asks of DNS.")
@click.option("--url", default="", metavar="URL", help="What it asks for, in HTTP.")
@click.option("--method", default="GET", show_default=True, help="With --url.")
@click.option(
    "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="With --url; several times."
)
@click.option("--mail-from", "sender", metavar="ADDRESS", help="Who sends a mail.")
@click.option("--rcpt", multiple=True, metavar="ADDRESS", help="Who is to get it; several times.")
@click.option(
    "--attachment", multiple=True, metavar="NAME", help="A file that is attached; several times."
)
@click.option(
    "--command",
    "commands",
    multiple=True,
    metavar="LINE",
    help="What it says in FTP, or IMAP; several times.",
)
def command(
    directory: Path,
    client: Address,
    server: Address,
    protocol: str,
    interface: str | None,
    sni: str | None,
    alpn: str | None,
    query: str | None,
    headers: tuple[str, ...],
    rcpt: tuple[str, ...],
    attachment: tuple[str, ...],
    **asked: Any,
) -> None:
    """Explain what would happen to one connection, and why.

    Its zones, every rule that matches, the one that wins and why, what the
    kernel does and what the gateway does. And what the inspector decides about a
    request, a mail or commands: by which test, list or setting.

    \b
    tproxygw explain --from 10.1.2.3 --to 198.51.100.7:80
    tproxygw explain --from fd00::1 --to '[2001:db8::1]:53' --protocol udp
    tproxygw explain --from 10.1.2.3 --to 198.51.100.7:443 --sni www.example.org
    tproxygw explain --from 10.1.2.3 --to 198.51.100.7:53 --protocol udp --query ads.example/A
    tproxygw explain --from 10.1.2.3 --to 198.51.100.7:80 --url http://www.example.org/x
    tproxygw explain --from 10.1.2.3 --to 198.51.100.7:25 --mail-from a@a.example --rcpt b@b.example
    tproxygw explain --from 10.1.2.3 --to 198.51.100.7:21 --command "STOR /pub/x"
    """
    connection = Connection(client, server, Protocol(protocol), interface)
    try:
        check(connection)
    except ValueError as error:
        raise click.UsageError(f"--from, --to: {error}") from None
    said = None
    if sni is not None or alpn is not None or query:
        said = Said(sni or "", tuple(filter(None, (alpn or "").split(","))), query or "")
    try:
        asks = Asks(headers=read_headers(headers), recipients=rcpt, attachments=attachment, **asked)
        text = explain(load_policy(directory), connection, said, asks)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    Terminal().say(text.rstrip("\n"))
