"""Policies for tests, generated and fixed, made without any file."""

from __future__ import annotations

from ipaddress import ip_network

from hypothesis import strategies as st

from gateway.interfaces import Address
from gateway.policy.connection import Connection, Protocol
from gateway.policy.divert import Divert
from gateway.policy.policy import Policy
from gateway.policy.rule import ALL_PORTS, Rule
from gateway.policy.service import Action, Reply, Service

SERVICES = {
    "inspect": Service("inspect"),
    "forward": Service("forward", action=Action.FORWARD),
    "reset": Service("reset", action=Action.DENY),
    "unreachable": Service("unreachable", action=Action.DENY, reply=Reply.HOST_UNREACHABLE),
    "drop": Service("drop", action=Action.DENY, reply=Reply.DROP),
}

HOSTS = [f"10.0.{third}.{last}" for third in (0, 1) for last in (0, 1, 2, 255)]
HOSTS += ["0.0.0.0", "255.255.255.255", "9.255.255.255", "192.0.2.7"]
HOSTS6 = ["::", "fd00::", "fd00::1", "fd00:0:0:1::1", "fcff::1", "ffff:ffff:ffff::ffff"]
PORTS = [0, 1, 20, 21, 22, 79, 80, 81, 65534, 65535]
INTERFACES = ["lan0", "lan1", "wan0"]


def policy(rules: tuple[Rule, ...], **divert: object) -> Policy:
    """A policy with these rules, in this deciding order."""
    return Policy(divert=Divert(**divert), services=SERVICES, rules=rules)  # type: ignore[arg-type]


def _networks() -> st.SearchStrategy[object]:
    four = st.builds(
        lambda host, bits: ip_network(f"{host}/{bits}", strict=False),
        st.sampled_from(HOSTS),
        st.sampled_from([0, 8, 24, 25, 31, 32]),
    )
    six = st.builds(
        lambda host, bits: ip_network(f"{host}/{bits}", strict=False),
        st.sampled_from(HOSTS6),
        st.sampled_from([0, 8, 64, 127, 128]),
    )
    return st.one_of(four, four, six)


def _port_ranges() -> st.SearchStrategy[object]:
    one = st.tuples(st.sampled_from(PORTS), st.sampled_from(PORTS)).map(sorted).map(tuple)
    return st.one_of(st.just(ALL_PORTS), st.lists(one, min_size=1, max_size=3).map(tuple))


def rules() -> st.SearchStrategy[Rule]:
    """Any rule, with addresses and ports that are close to each other."""
    sets = st.lists(_networks(), max_size=3).map(tuple)
    return st.builds(
        Rule,
        service=st.sampled_from(sorted(SERVICES)),
        sources=sets,
        destinations=sets,
        ports=_port_ranges(),
        protocol=st.sampled_from(Protocol),
        interfaces=st.frozensets(st.sampled_from(INTERFACES), max_size=2),
    )


def policies() -> st.SearchStrategy[Policy]:
    """Any policy."""
    return st.builds(
        lambda all_rules, limited: policy(all_rules, interfaces=limited),
        st.lists(rules(), max_size=14).map(tuple),
        st.sampled_from([(), (), ("lan0",), ("lan0", "wan0")]),
    )


def connections() -> st.SearchStrategy[Connection]:
    """Any connection, close to the rules."""

    def between(hosts: list[str]) -> st.SearchStrategy[Connection]:
        return st.builds(
            lambda source, to, port, protocol, interface: Connection(
                Address(source, 40000), Address(to, port), protocol, interface
            ),
            st.sampled_from(hosts),
            st.sampled_from(hosts),
            st.sampled_from(PORTS),
            st.sampled_from(Protocol),
            st.sampled_from([None, *INTERFACES, "other"]),
        )

    return st.one_of(between(HOSTS), between(HOSTS), between(HOSTS6))


SAMPLE = (
    Rule("inspect", ports=((80, 80),)),
    Rule("reset", ports=((81, 81),)),
    Rule("unreachable", ports=((82, 82),)),
    Rule("drop", ports=((83, 83),)),
    Rule("forward", ports=((84, 84),)),
    Rule("inspect", ports=((80, 80),), protocol=Protocol.UDP),
    Rule("reset", ports=((81, 81),), protocol=Protocol.UDP),
)
"""One port for everything that can become of a connection. (85: no rule.)"""
