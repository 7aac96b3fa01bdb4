"""Permission: who may send to whom. Pure decisions, each of them a L{Refusal} or nothing."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

from protocols.smtp.grammar.address import Mailbox, Path, canonical, is_domain
from protocols.smtp.grammar.command import is_literal
from protocols.smtp.grammar.refusal import Refusal, refusal
from protocols.smtp.grammar.reply import configured
from protocols.smtp.rules import AddressRule
from protocols.smtp.settings import SMTPSettings
from protocols.smtp.transaction import Discard


def check_hello(name: str, settings: SMTPSettings) -> None:
    """
    Decide upon the name in EHLO or HELO.

    @raise Refusal: it is not of the required form.
    """
    host = is_domain(name) or is_literal(name)
    full = is_literal(name) or (host and "." in name)
    if not {"any": True, "host": host, "full": full}[settings.helo]:
        raise refusal(501, "5.5.4 Say your full host name", f"EHLO {name[:100]!r}", "helo")


def check_sender(path: Path, settings: SMTPSettings) -> Discard | None:
    """
    Decide upon the path of MAIL.

    @return: why what it sends is to be discarded; C{None} if it is not.
    @raise Refusal: it is refused.
    """
    _check_route(path, settings)
    return _check_rules("sender", path.mailbox, settings.senders)


def check_recipient(path: Path, client: str, settings: SMTPSettings) -> Discard | None:
    """
    Decide upon the path of RCPT.

    @param client: the address of who sends it.
    @return: why what it would get is to be discarded; C{None} if it is not.
    @raise Refusal: it is refused.
    """
    mailbox = path.mailbox
    _check_route(path, settings)
    if not settings.rerouting and not mailbox.postmaster and set(mailbox.local) & set("%!@"):
        raise refusal(
            550,
            "5.7.1 Not by this way",
            f"recipient {mailbox} names another way",
            "rerouting",
        )
    if not (_may_go(mailbox, settings) or _may_relay(client, settings)):
        raise refusal(
            550,
            "5.7.1 Relaying denied",
            f"recipient {mailbox} of another domain",
            "recipient_domains",
        )
    if mailbox.postmaster:
        return None
    return _check_rules("recipient", mailbox, settings.recipients)


def _check_route(path: Path, settings: SMTPSettings) -> None:
    if path.route and not settings.rerouting:
        raise refusal(550, "5.7.1 No source routes", f"a source route to {path}", "rerouting")


def _check_rules(what: str, mailbox: Mailbox, rules: Iterable[AddressRule]) -> Discard | None:
    for rule in rules:
        why = _matching(mailbox, rule)
        if why:
            reason, by = f"{what} {mailbox.canonical!r} {why}", rule.by or f"{what}s"
            if rule.action == "reject":
                raise Refusal(configured(rule.reply), reason, by)
            if rule.action == "discard":
                return Discard(reason, by)
            return None
    return None


def _matching(mailbox: Mailbox, rule: AddressRule) -> str:
    """Why a rule is about an address; empty if it is not."""
    if rule.match is not None and rule.match.fullmatch(mailbox.canonical):
        return f"matches {rule.match.pattern!r}"
    for each in rule.lists:
        entry = each.find(mailbox)
        if entry is not None:
            return f'is in {each.name} as "{entry}"'
    return ""


def _may_go(mailbox: Mailbox, settings: SMTPSettings) -> bool:
    domain, allowed = canonical(mailbox.domain), settings.recipient_domains
    if allowed is None:
        allowed = () if settings.recipient_domain_lists else ("*",)
    if not domain:  # Postmaster, of the server itself
        return True
    return any(
        each == "*" or domain == each or (each[0] == "." and domain.endswith(each))
        for each in allowed
    ) or any(each.find(mailbox) is not None for each in settings.recipient_domain_lists)


def _may_relay(client: str, settings: SMTPSettings) -> bool:
    address = ip_address(client)
    return any(
        address.version == network.version and address in network
        for network in settings.relay_clients
    )
