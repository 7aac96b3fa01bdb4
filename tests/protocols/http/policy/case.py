"""Messages and settings for tests of the policy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import Address, IInspectorMaker
from gateway.maker import InspectorMaker
from gateway.policy.load import load
from gateway.policy.problem import PolicyError
from protocols.http.decision import Decision, Pass, Refuse
from protocols.http.message import Field, Form, Headers, Request, Response, Target
from protocols.http.policy.decisions import Decisions
from protocols.http.policy.settings import HttpSettings

SERVICE = 'inspector = "http"\n[http]\n'
"""Two lines."""

SERVER = Address("198.51.100.7", 80)
CLIENT = Address("192.0.2.1", 50001)

MAKER = InspectorMaker("http", "protocols.http.inspector:HttpInspector", "HTTP")


def find(name: str, plugin_path: tuple[Path, ...]) -> IInspectorMaker:
    return MAKER


def asks(
    target: str = "/", method: str = "GET", host: str = "www.example.com", *fields: Field
) -> Request:
    """A request. C{target} is a path with or without query, or C{host:port} with CONNECT."""
    headers = Headers([("Host", host), *fields])
    if method == "CONNECT":
        name, _, port = target.rpartition(":")
        return Request(
            method, Target(target, Form.AUTHORITY, "", None, "", name, int(port)), "1.1", headers
        )
    path, mark, query = target.partition("?")
    asked = Target(target, Form.ORIGIN, path, query if mark else None)
    return Request(method, asked, "1.1", headers, host)


def answers(
    status: int = 200,
    type: str | None = "text/html",
    *fields: Field,
    request: Request | None = None,
) -> Response:
    """A response."""
    named = [] if type is None else [("Content-Type", type)]
    return Response("1.1", status, "", Headers([*named, *fields]), request or asks())


class PolicyCase(SynchronousTestCase):
    """Tests of what an operator writes."""

    def folder(self, text: str, files: Mapping[str, str | bytes] | None = None) -> Path:
        """A configuration whose table C{[http]} begins with C{text}."""
        folder = Path(self.mktemp())
        (folder / "services").mkdir(parents=True)
        everything = {"gateway.toml": "", "services/web.toml": SERVICE + text, **(files or {})}
        for name, content in everything.items():
            octets = content if isinstance(content, bytes) else content.encode()
            (folder / name).write_bytes(octets)
        return folder

    def settings(self, text: str, files: Mapping[str, str | bytes] | None = None) -> HttpSettings:
        settings = load(self.folder(text, files), find).services["web"].settings
        assert isinstance(settings, HttpSettings)
        return settings

    def decisions(self, text: str, files: Mapping[str, str | bytes] | None = None) -> Decisions:
        return Decisions(self.settings(text, files), SERVER)

    def problems(self, text: str, files: Mapping[str, str | bytes] | None = None) -> list[str]:
        """What is said about a configuration."""
        try:
            load(self.folder(text, files), find)
        except PolicyError as error:
            return [str(problem) for problem in error.problems]
        return []

    def decide(self, decisions: Decisions, request: Request) -> Decision:
        """What is decided, at once or when it fires."""
        decision = decisions.request(request, SERVER, CLIENT)
        return self.successResultOf(decision) if isinstance(decision, Deferred) else decision

    def passes(self, decisions: Decisions, request: Request) -> bool:
        return isinstance(self.decide(decisions, request), Pass)

    def refused(self, decision: object) -> Refuse:
        assert isinstance(decision, Refuse), decision
        return decision

    def passed(self, decision: object) -> Request | Response:
        assert isinstance(decision, Pass), decision
        return decision.message
