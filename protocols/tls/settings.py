"""The settings of the inspector of TLS: whom it lets pass, how, and whose certificates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from attrs import frozen

from gateway.agreement import Certificate, Invalid
from gateway.inspector import Identity, option, read_identity
from protocols.hosts import Hosts, read_hosts
from protocols.tls.conditions import Conditions
from protocols.tls.encryption import BothTerms

Mode = Literal["inspect", "splice", "refuse"]
Answer = Literal["show", "page", "deny"]


@frozen
class Rule(Conditions):
    """A C{[[tls.rule]]}: all of its conditions must hold. Inspected servers always prove names."""

    mode: Mode = option(
        '"inspect" what is inside, "splice" client and server together, so that nobody looks into '
        'it, or "refuse".',
        needs_root=("inspect",),
    )
    certificate_name: Hosts | None = option(
        "A name in the server's certificate, which must be one that is to be believed. It is asked "
        "for by a connection of the gateway's own. Left out: any.",
        None,
        read=read_hosts,
    )
    issuer: tuple[str, ...] = option(
        "Texts of which one is in the name of the issuer of the server's certificate, such as "
        '"O=Let\'s Encrypt"; likewise.',
        (),
    )
    subject: tuple[str, ...] = option(
        'Texts of which one is in the subject of the server\'s certificate, such as "O=Example"; '
        "likewise.",
        (),
    )
    inside: str = option(
        "The service that inspects what is inside. Left out: that of the table above.",
        "",
        names_service=True,
    )

    own_certificate: Identity | None = option(
        "A PEM file with a certificate of the gateway's own and its key: inspected servers that "
        "ask for the client's certificate get this one. Only for servers that you mean by a name.",
        None,
        file=read_identity,
    )

    @property
    def asks_server(self) -> bool:
        """Whether the server's certificate has to be known."""
        return bool(self.certificate_name or self.issuer or self.subject)

    def accepts(self, certificate: Certificate) -> bool:
        """Whether a server with this certificate is meant."""
        names, wanted = certificate.names, self.certificate_name
        return (
            (wanted is None or any(name.removeprefix("*.") in wanted for name in names))
            and (not self.issuer or any(text in certificate.issuer for text in self.issuer))
            and (not self.subject or any(text in certificate.subject for text in self.subject))
        )


@frozen
class Answers:
    """The table C{[tls.invalid]}: what becomes of servers that are not to be believed."""

    expired: Answer = option("Not valid any more, or not yet.", "show")
    name: Answer = option("For somebody else.", "show")
    untrusted: Answer = option("By no authority that is trusted.", "show")
    incomplete: Answer = option("The certificate of its issuer was not sent.", "show")
    revoked: Answer = option("Taken back by its issuer.", "show")
    weak: Answer = option("With keys or signatures that can be forged.", "show")

    def of(self, kind: Invalid) -> Answer:
        """For one kind of flaw."""
        return _ANSWERS[kind](self)


_ANSWERS: Mapping[Invalid, Callable[[Answers], Answer]] = {
    Invalid.EXPIRED: lambda answers: answers.expired,
    Invalid.NAME: lambda answers: answers.name,
    Invalid.UNTRUSTED: lambda answers: answers.untrusted,
    Invalid.INCOMPLETE: lambda answers: answers.incomplete,
    Invalid.REVOKED: lambda answers: answers.revoked,
    Invalid.WEAK: lambda answers: answers.weak,
}


@frozen
class TlsSettings(BothTerms):
    """The table C{[tls]} of a service."""

    mode: Mode = option(
        'What becomes of connections that no [[tls.rule]] is about: "inspect" what is inside, '
        '"splice" client and server together, so that nobody looks into it, or "refuse".',
        "inspect",
        needs_root=("inspect",),
    )
    inside: str = option(
        "The service that inspects what is inside: its inspector, its table. Needed to inspect.",
        "",
        names_service=True,
    )
    rule: tuple[Rule, ...] = option(
        "Which connections are treated otherwise. The first that is about a connection decides.",
        (),
    )
    without_name: Mode = option(
        "What becomes of clients that say no name, and that no rule is about. To inspect one, the "
        "server needs a certificate for its address.",
        "refuse",
        needs_root=("inspect",),
    )
    invalid: Answer | Answers = option(
        "What becomes of an inspected server whose certificate is not to be believed. "
        '"show": the client gets one with the same fault, so that it tells its user itself. '
        '"page": a page of the gateway tells (for HTTP). "deny": the connection is refused. One '
        "word for all, or a table.",
        "show",
        precedent="Squid: page; mitmproxy: page; sslsplit: lets them pass",
    )
    client_certificate: Literal["none", "splice", "deny"] = option(
        "What becomes of servers that ask for the client's certificate, which can't be shown them "
        'by somebody else. "none": they get none, and may go on without. "deny": the client is '
        'refused. "splice": so it is, but when it tries again within an hour, it is spliced to '
        "this server. So any server that a client works together with can evade inspection: only "
        'for names that you trust. A rule\'s "own_certificate" goes before.',
        "none",
    )
    probe_seconds: float = option(
        "How long it is remembered what certificate a server has, that was asked for it by a "
        "connection of the gateway's own.",
        3600.0,
        unit="seconds",
        minimum=0,
    )
    alpn: tuple[str, ...] = option(
        "Protocols that the service inside understands, best first. Clients and servers agree on "
        "nothing else.",
        ("http/1.1",),
    )
    pages: bool = option(
        "Whether what is inside is HTTP, so that a person can be told by a page why something "
        "does not work, such as that a server is not there.",
        True,
    )
    refuse_with: Literal["alert", "page"] = option(
        'How a client learns that it is refused: by the alert "access_denied", which programs '
        "show and browsers do not; or by a page, under a certificate of ours for the name.",
        "alert",
        needs_root=("page",),
    )
    hello_seconds: float = option(
        "Time for a client to say what it wants.",
        5.0,
        unit="seconds",
        precedent="HAProxy's examples: inspect-delay 5s",
        minimum=0.25,
    )
    hello_bytes: int = option(
        "How long a client's first message may be.",
        16384,
        unit="bytes",
        precedent="browsers' have 2,000",
        minimum=512,
        maximum=65536,
    )
    hello_records: int = option(
        "In so many records it may come. All but those of programs that want to hide a name come "
        "in one.",
        16,
        unit="records",
        minimum=1,
    )

    def __attrs_post_init__(self) -> None:
        """
        Whether the settings go together.

        @raise ValueError: they don't.
        """
        if self.mode == "inspect" and not self.inside:
            raise ValueError('"inside" is missing: the service that inspects what is inside')
        for rule in self.rule:
            if rule.mode == "inspect" and not (rule.inside or self.inside):
                raise ValueError(f'{rule.place}: to inspect, "inside" is needed here or above')
            if rule.own_certificate and (rule.mode != "inspect" or not rule.name):
                raise ValueError(
                    f'{rule.place}: "own_certificate" is for inspected servers of some "name"'
                )
        if self.without_name == "inspect" and not self.inside:
            raise ValueError('"without_name" means nothing without "inside"')

    def answer(self, kind: Invalid) -> Answer:
        """What becomes of a server with such a flaw."""
        return self.invalid.of(kind) if isinstance(self.invalid, Answers) else self.invalid
