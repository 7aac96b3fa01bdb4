"""What may be said in SMTP, and how much of it: the table C{[smtp]} of a service file."""

from __future__ import annotations

from typing import Literal

from attrs import Factory, frozen

from gateway.inspector import option
from protocols.mime.settings import ContentSettings
from protocols.options import auth_bytes, implicit
from protocols.smtp.lists import AddressList, read_domains
from protocols.smtp.rules import AddressRule, AttachmentRule, HeaderRule
from protocols.smtp.values import (
    MECHANISMS,
    Networks,
    commands,
    domains,
    extensions,
    host_name,
    mechanisms,
    networks,
    refusal,
)
from protocols.tls.encryption import Encryption


@frozen
class SMTPSettings(ContentSettings):
    """Which mail may pass."""

    commands: frozenset[str] = option(
        "Which commands may be used; the others are answered 502.",
        frozenset(
            {
                *("HELO", "EHLO", "MAIL", "RCPT", "DATA", "BDAT", "RSET", "NOOP", "HELP"),
                *("AUTH", "STARTTLS", "QUIT"),
            }
        ),
        read=commands,
    )
    extensions: frozenset[str] = option(
        "Which extensions of the server a client may hear of. AUTH and STARTTLS also depend on "
        "settings of their own.",
        frozenset(
            {
                *("8BITMIME", "AUTH", "CHUNKING", "DSN", "ENHANCEDSTATUSCODES", "PIPELINING"),
                *("SIZE", "SMTPUTF8", "STARTTLS"),
            }
        ),
        read=extensions,
    )
    helo: Literal["any", "host", "full"] = option(
        'What EHLO and HELO must name: "any" thing, a "host" name or address literal, or a "full" '
        "name with a domain, or address literal. In place of what is no word, the server hears "
        "the client's address.",
        "any",
    )
    addresses: Literal["lenient", "strict"] = option(
        'Which addresses are taken: "strict" ones, of the standard\'s grammar; or "lenient"ly '
        "what mail servers take too: dots where there should be none, more than 64 characters, no "
        "angle brackets, no domain. They are written as the standard has them.",
        "lenient",
    )
    starttls: Literal["hide", "refuse", "pass", "require", "inspect"] = option(
        'TLS within the session: "hide" that the server has it; "refuse" it for now; "pass" it, '
        'with all that follows unseen; "require" it before mail, and pass it; "inspect": the '
        "gateway speaks it with both, and what follows is inspected as before.",
        "hide",
        needs_root=("inspect",),
    )
    implicit: bool = implicit(465)
    tls_required: Literal["no", "server", "client"] = option(
        'Whether there is mail without TLS: "server": it reaches no server in plaintext; for a '
        "client that does not ask for TLS, the gateway asks the server for it. "
        '"client": it is taken from no client in plaintext either.',
        "no",
        precedent="Postfix: smtp_tls_security_level, smtpd_tls_security_level = may",
    )
    tls: Encryption = option(
        "What must be agreed in TLS that is inspected, and which servers are believed.",
        Factory(Encryption),
    )
    auth: Literal["never", "tls", "always"] = option(
        'Whether clients may log in: "tls" is only within TLS that is inspected; "always" lets '
        "passwords pass in plaintext.",
        "tls",
    )
    auth_required: bool = option("Whether mail is taken only from clients that logged in.", False)
    auth_mechanisms: frozenset[str] = option(
        "With which mechanisms. Those that would encrypt the session are not understood.",
        MECHANISMS,
        read=mechanisms,
    )
    bare_newline: Literal["deny", "repair"] = option(
        "What becomes of a message with a CR or LF that is not part of a CRLF, or a NUL: it is "
        "denied, or they are made CRLF, and NULs left out. Neither way can they end the message.",
        "deny",
    )
    recipient_domains: tuple[str, ...] | None = option(
        'To which domains mail may go: "a.example", ".a.example" for all below it, "*" for all, '
        "an address literal. Left out: all, unless there are recipient_domain_lists.",
        None,
        read=domains,
    )
    recipient_domain_lists: tuple[AddressList, ...] = option(
        "To which domains too: files with one in each line.", (), file=read_domains
    )
    relay_clients: Networks = option("From where mail may go to all domains.", (), read=networks)
    rerouting: bool = option(
        "Whether the local part of a recipient may hold another way to go (a%b@c, a!b@c, "
        '"a@b"@c), and addresses may have source routes, which are taken off.',
        False,
    )
    senders: tuple[AddressRule, ...] = option(
        "Which senders are refused; the first rule that matches counts, and what none matches is "
        "not.",
        (),
    )
    recipients: tuple[AddressRule, ...] = option(
        "Which recipients are refused, in the same way; Postmaster never is.", ()
    )
    recipients_per_message: int = option(
        "How many; the others are answered 452, and a client sends them later.",
        1000,
        minimum=1,
        precedent="Postfix: smtpd_recipient_limit",
    )
    recipients_overshoot: int = option(
        "How many more may be tried in one message; then the client is answered 421.",
        1000,
        minimum=0,
        precedent="Postfix: smtpd_recipient_overshoot_limit",
    )
    messages_per_session: int = option(
        "How many; then the client is answered 421.",
        1000,
        minimum=1,
        precedent="Exim: smtp_accept_max_per_connection",
    )
    message_bytes: int = option(
        "The largest message.",
        52428800,
        unit="bytes",
        minimum=1024,
        precedent="Exim: message_size_limit",
    )
    line_bytes: int = option(
        "The longest line of a message. The standard says 998.",
        2048,
        unit="bytes",
        minimum=998,
        maximum=65536,
        precedent="Postfix: smtp_line_length_limit; Sendmail: MAXLINE",
    )
    long_lines: Literal["repair", "deny"] = option(
        "What becomes of a message with a line of more than line_bytes: denied, or, where it is "
        "base64, in which that changes nothing, made several lines.",
        "repair",
    )
    command_bytes: int = option(
        "The longest command. Longer parameters come with extensions.",
        2048,
        unit="bytes",
        minimum=512,
        maximum=65536,
        precedent="Postfix: line_length_limit",
    )
    auth_bytes: int = auth_bytes()
    errors: int = option(
        "How many commands may be refused since the session began or a message was taken, for "
        "now or for good; then the client is answered 421.",
        20,
        minimum=1,
        precedent="Postfix: smtpd_hard_error_limit",
    )
    error_delay: float = option(
        "How long the answer to a refused command waits, times the number of those that were "
        "refused before it in the session; a minute at most.",
        0.0,
        unit="seconds",
        minimum=0,
        maximum=60,
        precedent="Postfix: smtpd_error_sleep_time is 1 s",
    )
    command_seconds: int = option(
        "How long a client may take for a command.",
        300,
        unit="seconds",
        minimum=1,
        in_silence=True,
        precedent="RFC 5321, section 4.5.3.2.7",
    )
    data_seconds: int = option(
        "How long a client may take for the next lines of a message, when the server has taken "
        "all before; and how long the server may take none of them.",
        180,
        unit="seconds",
        minimum=1,
        in_silence=True,
        precedent="RFC 5321, section 4.5.3.2.5",
    )
    reply_seconds: int = option(
        "How long a server may take for its greeting, and for an answer.",
        300,
        unit="seconds",
        minimum=1,
        in_silence=True,
        precedent="RFC 5321, sections 4.5.3.2.1 to 4.5.3.2.3",
    )
    message_seconds: int = option(
        "How long a server may take to answer to a message.",
        600,
        unit="seconds",
        minimum=1,
        in_silence=True,
        precedent="RFC 5321, section 4.5.3.2.6",
    )
    received_by: str = option(
        "What the gateway calls itself in a Received field that it adds to every message: its "
        "full name. Empty: it adds none.",
        "",
        read=host_name,
    )
    unreachable: str = option(
        "What a client hears in place of a greeting if the server can't be reached.",
        "421 4.4.1 The mail server can't be reached; try again later",
        read=refusal,
    )
    stack: str = option(
        "The service whose inspector the whole message runs through, and which may refuse or "
        "rewrite it.",
        "",
        names_service=True,
    )

    headers: tuple[HeaderRule, ...] = option(
        "What becomes of header fields; the rules are applied one after the other.", ()
    )
    attachments: tuple[AttachmentRule, ...] = option(
        "Which attachments may pass; the first rule that matches counts, and what none matches "
        "may pass.",
        (),
    )

    def __attrs_post_init__(self) -> None:
        """
        Whether the settings go together.

        @raise ValueError: they don't.
        """
        if self.implicit and self.starttls != "hide":
            raise ValueError('"implicit" and "starttls": there is no TLS within TLS')
        if self.tls_required == "client" and not (self.implicit or self.starttls == "inspect"):
            raise ValueError('"tls_required": clients have no TLS with "starttls" as it is')
        if self.tls_required == "server" and self.starttls in ("pass", "require"):
            raise ValueError('"tls_required": of what passes unseen, nobody knows that it is TLS')

    @property
    def holds(self) -> bool:
        """Whether messages wait to be judged."""
        return self.hold_bytes > 0 and bool(self.stack or self.headers or self.judges_parts)
