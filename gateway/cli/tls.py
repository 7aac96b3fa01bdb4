"""C{tproxygw tls}: makes a root, and shows what a client would be given in a server's place."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from time import time

import click
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.cli.arguments import config_option
from gateway.cli.configuration import load_policy
from gateway.cli.terminal import Terminal
from gateway.tls.issuer import Issuer, make_root
from gateway.tls.key import write_root
from gateway.tls.show import NotShown, shown
from gateway.tls.template import NAME
from gateway.tls.uri import TOKEN

DAYS = 3650

FILE = click.Path(dir_okay=False, path_type=Path)


@click.group("tls")
def command() -> None:
    """Roots and certificates for inspecting TLS."""


@command.command("root")
@click.argument("file", type=FILE, default=Path("root.pem"))
@click.option("--name", default="tproxygw", show_default=True, help="The name that people read.")
@click.option("--days", type=click.IntRange(1, 36500), default=DAYS, show_default=True)
@click.option(
    "--permitted",
    multiple=True,
    metavar="DOMAIN",
    help="A domain that it may issue for, with all below; several times. Left out: all names.",
)
@click.option("--token", metavar="URI", help='Sign with this key of a PKCS#11 token ("pkcs11:…").')
def root(file: Path, name: str, days: int, permitted: tuple[str, ...], token: str | None) -> None:
    """Make a root that signs certificates for inspected connections.

    FILE gets the key and the certificate, for root to read only; beside it, with
    the ending .crt, is the certificate alone, for clients. What is there is not
    overwritten. With --token the key stays in its token, and FILE is not made.

    \b
    tproxygw tls root /etc/tproxygw/root.pem --name "Example Ltd. gateway"
    tproxygw tls root --permitted example.org --permitted example.net
    """
    for domain in permitted:
        if not NAME.fullmatch(domain.removeprefix(".")) or "*" in domain:
            raise click.BadParameter(f'"{domain}" is no domain', param_hint="--permitted")
    made = _made(name, days, permitted, token)
    public = file.with_suffix(".crt")
    try:
        if token is None:
            write_root(file, made)
        with public.open("xb") as output:
            output.write(made.certificate.public_bytes(Encoding.PEM))
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from None
    _tell(made, file, public, token)


def _made(name: str, days: int, permitted: tuple[str, ...], token: str | None) -> Issuer:
    key = None
    if token is not None:
        from gateway.tls.token import open_key
        from gateway.tls.uri import RootError

        try:
            key = open_key(token if token.startswith(TOKEN) else TOKEN + token)
        except RootError as error:
            raise click.ClickException(str(error)) from None
    try:
        return make_root(name, datetime.now(UTC), days, permitted, key)
    except ValueError as error:
        raise click.ClickException(str(error)) from None


def _tell(made: Issuer, file: Path, public: Path, token: str | None) -> None:
    from cryptography.hazmat.primitives import hashes

    terminal = Terminal()
    fingerprint = made.certificate.fingerprint(hashes.SHA256()).hex(":").upper()
    where = f'root = "{token}"\nroot_certificate = "{public}"' if token else f'root = "{file}"'
    terminal.say(f"{public}: the certificate, for clients to trust.")
    terminal.say(f"    SHA-256 {fingerprint}")
    if token is None:
        terminal.say(f"{file}: the key too. Whoever can read it can pretend to be any server.")
    terminal.say(f"Now write into gateway.toml:\n\n[tls]\n{where}")


@command.command("show")
@config_option
@click.argument("server", metavar="NAME|ADDRESS[:PORT]")
@click.option("--name", help="The name to ask for, if SERVER is an address.")
def show(directory: Path, server: str, name: str | None) -> None:
    """Show what a client would be given in this server's place, and why.

    Connects from this host: what it says is what the gateway would see, if the
    network treats both alike.

    \b
    tproxygw tls show www.example.org
    tproxygw tls show 198.51.100.7:8443 --name www.example.org
    """
    host, port = _host(server)
    try:
        text = shown(load_policy(directory).tls, host, port, name or host, time)
    except NotShown as error:
        raise click.ClickException(str(error)) from None
    Terminal().say(text)


def _host(server: str) -> tuple[str, int]:
    """C{name}, C{name:port}, C{[address]:port} or an address."""
    if server.count(":") > 1 and not server.startswith("["):
        return server, 443
    host, colon, port = server.rpartition(":")
    if not colon or server.endswith("]"):
        return server.strip("[]"), 443
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise click.BadParameter(f'"{port}" is no port')
    return host.strip("[]"), int(port)
