"""The console: where browsers reach it, and who may do what there."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from attrs import frozen

from gateway.policy.document import Entry
from gateway.policy.holders import TokenHolder, read_token_file
from gateway.policy.notation import HOST, NUMERIC, read_address, read_listen
from gateway.policy.settings import option
from gateway.policy.tls import read_certificates, read_identity


def read_host_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of this host, in small letters."""
    for name in names:
        if not HOST.fullmatch(name) or NUMERIC.fullmatch(name):
            raise ValueError(f'"{name}" is not the name of a host')
    return tuple(name.lower().rstrip(".") for name in names)


@frozen
class ConsoleSettings:
    """The C{[console]} table of gateway.toml."""

    listen: str = option(
        'Address and port of the console, such as "127.0.0.1:9181". An address that is not '
        'loopback needs a `certificate`. "": none.',
        "",
        read=read_listen,
    )
    names: tuple[str, ...] = option(
        "Names of this host by which browsers come. Its address is always one, and `localhost` if "
        "that is loopback. Any other is refused, so that no page of somebody else's can have its "
        "own name point here (DNS rebinding).",
        (),
        read=read_host_names,
    )
    certificate: Any = option(
        "A PEM file with the console's certificate, those above it, and its key.",
        None,
        file=read_identity,
    )
    tokens: Any = option(
        "A file of those who have a token, one a line, which `tproxygw console token` makes. It "
        "holds hashes only.",
        None,
        file=read_token_file,
    )
    client_authorities: tuple[Any, ...] = option(
        "PEM files with certificates of authorities. Who has a certificate of theirs, with a name "
        "that `readers` or `writers` lists, needs no token.",
        (),
        file=read_certificates,
    )
    readers: tuple[str, ...] = option(
        "Names in clients' certificates (common name, mail address or DNS name) whose holders may "
        "look at everything.",
        (),
    )
    writers: tuple[str, ...] = option(
        "The same, of those who may also end sessions and reload.", ()
    )
    clients: int = option(
        "Connections at one time. One more takes the place of the oldest that has not shown who "
        "it is; if all have, it is closed at once. A page has one or two.",
        64,
        unit="connections",
        precedent="Prometheus' web.max-connections is 512",
        minimum=2,
    )
    request_bytes: int = option(
        "The largest request, without its header.", 65536, unit="bytes", minimum=1024
    )
    request_seconds: float = option(
        "Time for a connection to send a request, its TLS handshake included.",
        10.0,
        unit="seconds",
        precedent="nginx's client_header_timeout is 60",
        minimum=1.0,
    )
    idle_seconds: float = option(
        "A login is over when no page has asked for anything for so long. A page that is seen asks "
        "all the time.",
        1800.0,
        unit="seconds",
        precedent="OWASP's cheat sheet for sessions: 15 to 30 minutes",
        minimum=10.0,
    )
    login_seconds: float = option(
        "A login is over after so long, whatever its page does.",
        43200.0,
        unit="seconds",
        precedent="OWASP's cheat sheet for sessions: a working day",
        minimum=60.0,
    )
    attempts_per_minute: int = option(
        "Wrong tokens from one address; after those, no token from there is looked at for the rest "
        "of the minute, whoever's it is. Who is logged in is not concerned.",
        10,
        unit="attempts",
        precedent="fail2ban's maxretry is 5 in 10 minutes",
        minimum=1,
    )

    @property
    def holders(self) -> tuple[TokenHolder, ...]:
        """Who has a token."""
        return self.tokens or ()

    @property
    def loopback(self) -> bool:
        """Whether only this host reaches it."""
        return bool(self.listen) and ip_address(read_address(self.listen).host).is_loopback


def check_console(entry: Entry, settings: ConsoleSettings) -> None:
    """What can't be meant is said to C{entry}: the C{[console]} table."""
    if not settings.listen:
        return
    written = entry.value
    if not settings.loopback and "certificate" not in written:
        entry.at("listen").complain(
            "is not a loopback address: tokens would cross the network in the clear; give it a "
            "certificate, or listen on 127.0.0.1 and come by way of SSH"
        )
    if "client_authorities" in written and "certificate" not in written:
        entry.at("client_authorities").complain("has no effect without a certificate of our own")
    named = [key for key in ("readers", "writers") if key in written]
    if named and "client_authorities" not in written:
        entry.at(named[0]).complain("has no effect without client_authorities")
    if "tokens" not in written and not named:
        entry.at("listen").complain(
            "nobody could log in: it needs tokens, or client_authorities and readers or writers"
        )
