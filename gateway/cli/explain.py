"""C{tproxygw explain}: what would happen to this connection, and why?"""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.arguments import CLIENT, SERVER, config_option
from gateway.cli.configuration import load_policy
from gateway.cli.terminal import Terminal
from gateway.interfaces import Address
from gateway.policy.connection import Connection, Protocol
from gateway.policy.explain import check, explain
from gateway.policy.foretelling import Said


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
def command(
    directory: Path,
    client: Address,
    server: Address,
    protocol: str,
    interface: str | None,
    sni: str | None,
    alpn: str | None,
    query: str | None,
) -> None:
    """Explain what would happen to one connection, and why.

    Its zones, every rule that matches, the one that wins and why, what the
    kernel does and what the gateway does.

    \b
    tproxygw explain --from 10.1.2.3 --to 198.51.100.7:80
    tproxygw explain --from fd00::1 --to '[2001:db8::1]:53' --protocol udp
    tproxygw explain --from 10.1.2.3 --to 198.51.100.7:443 --sni www.example.org
    tproxygw explain --from 10.1.2.3 --to 198.51.100.7:53 --protocol udp --query ads.example/A
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
        text = explain(load_policy(directory), connection, said)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    Terminal().say(text.rstrip("\n"))
