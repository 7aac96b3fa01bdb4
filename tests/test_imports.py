"""Who may import whom: the layout in L{gateway}'s docstring, kept true."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parent.parent
"""The repository."""

IO_MODULES = (
    "asyncio",
    "ftplib",
    "http.client",
    "multiprocessing",
    "os",
    "random",
    "requests",
    "select",
    "selectors",
    "shutil",
    "smtplib",
    "socket",
    "socketserver",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "urllib.request",
)
"""What no Sans-I/O code needs: the world outside, clocks and chance included."""

MAY_IMPORT = {
    "gateway.interfaces": ("gateway.agreement", "gateway.envelope"),
    "gateway.envelope": (),
    "gateway.tools": (),
    "gateway.inspector": (
        "gateway.interfaces",
        "gateway.inspector",
        "gateway.policy.addresses.Addresses",
        "gateway.policy.settings",
        "gateway.policy.tls.ServerTerms",
        "gateway.policy.tls.Identity",
        "gateway.policy.tls.Terms",
        "gateway.policy.tls.read_identity",
    ),
    "gateway.policy": ("gateway.interfaces", "gateway.policy"),
    "gateway.kernel": ("gateway.interfaces", "gateway.policy", "gateway.kernel"),
    "gateway.kernel.filter": ("gateway.policy", "gateway.kernel.filter"),
    "gateway.observe": (
        "gateway.interfaces",
        "gateway.agreement",
        "gateway.policy",
        "gateway.observe",
    ),
    "gateway.agreement": (),
    "gateway.tls": (
        "gateway.interfaces",
        "gateway.agreement",
        "gateway.kernel.child",
        "gateway.kernel.doctor.finding",
        "gateway.policy",
        "gateway.systemd",
        "gateway.tls",
    ),
    "gateway.wire": (
        "gateway.interfaces",
        "gateway.agreement",
        "gateway.policy.service",
        "gateway.policy.tls",
        "gateway.kernel.sockets",
        "gateway.observe.log",
        "gateway.tls",
        "gateway.wire",
    ),
    "gateway.release": (
        "gateway.interfaces",
        "gateway.policy",
        "gateway.kernel",
        "gateway.observe",
        "gateway.release",
    ),
    "gateway.session": (
        "gateway.counts",
        "gateway.release",
        "gateway.interfaces",
        "gateway.policy",
        "gateway.kernel.sockets",
        "gateway.observe",
        "gateway.wire",
        "gateway.session",
        "gateway.agreement",
        "gateway.envelope",
        "gateway.scanning",
        "gateway.tls",
        "gateway.tools.may_change",
    ),
    "gateway.admission": (
        "gateway.counts",
        "gateway.interfaces",
        "gateway.policy",
        "gateway.kernel.handshake.words",
        "gateway.kernel.companion",
        "gateway.kernel.packets",
        "gateway.kernel.sockets",
        "gateway.observe",
        "gateway.session",
        "gateway.wire.connector",
        "gateway.admission",
    ),
    "gateway.scanning": (
        "gateway.counts",
        "gateway.kernel.doctor.finding",
        "gateway.kernel.sockets.send_at_once",
        "gateway.tools",
        "gateway.policy",
        "gateway.observe",
        "gateway.scanning",
    ),
    "gateway.life": (
        "gateway.release",
        "gateway.policy",
        "gateway.kernel",
        "gateway.registry",
        "gateway.observe.metrics",
        "gateway.control",
        "gateway.systemd",
        "gateway.life",
    ),
    "gateway.control": (
        "gateway.interfaces",
        "gateway.agreement",
        "gateway.policy",
        "gateway.observe",
        "gateway.control",
    ),
    "gateway.port": ("gateway.policy.notation",),
    "gateway.console": (
        "gateway.port",
        "gateway.control.following",
        "gateway.control.question",
        "gateway.observe.log",
        "gateway.policy",
        "gateway.console",
    ),
    "gateway.counts": (),
    "gateway.workers": (
        "gateway.admission",
        "gateway.control",
        "gateway.interfaces",
        "gateway.counts",
        "gateway.kernel",
        "gateway.life",
        "gateway.observe",
        "gateway.policy",
        "gateway.release",
        "gateway.scanning",
        "gateway.session",
        "gateway.tls",
        "gateway.wire",
        "gateway.workers",
    ),
    "gateway.systemd": (),
    "gateway.registry": ("gateway.interfaces", "gateway.maker"),
    "protocols": (
        "gateway.interfaces",
        "gateway.agreement",
        "gateway.envelope",
        "gateway.tools",
        "gateway.inspector",
        "protocols",
    ),
    "protocols.scanners.clamd.command": (),
    "protocols.scanners.clamd.reply": ("protocols.scanners.fault",),
    "protocols.scanners.clamd.version": (),
    "protocols.mime": (
        "gateway.envelope",
        "gateway.interfaces",
        "gateway.inspector",
        "protocols.magic",
        "protocols.mime",
    ),
    "protocols.mailbox": (
        "gateway.interfaces",
        "gateway.inspector",
        "protocols.mailbox",
        "protocols.mime",
        "protocols.tls",
    ),
    "protocols.pop3": (
        "gateway.envelope",
        "gateway.interfaces",
        "gateway.inspector",
        "protocols.mailbox",
        "protocols.mime",
        "protocols.options",
        "protocols.pop3",
        "protocols.sasl",
        "protocols.tls.encryption",
    ),
    "protocols.imap": (
        "gateway.envelope",
        "gateway.interfaces",
        "gateway.inspector",
        "protocols.imap",
        "protocols.mailbox",
        "protocols.mime",
        "protocols.options",
        "protocols.sasl",
        "protocols.tls.encryption",
    ),
    "protocols.smtp.grammar": (
        "gateway.interfaces",
        "gateway.inspector",
        "protocols.smtp.grammar",
    ),
    "protocols.smtp.content": (
        "gateway.envelope",
        "gateway.interfaces",
        "gateway.inspector",
        "protocols.mime",
        "protocols.smtp.content",
        "protocols.smtp.grammar",
        "protocols.smtp.rules",
        "protocols.smtp.settings",
    ),
}
"""Package or module: what of our own code it may import."""

SERVICE = tuple(
    f"gateway.systemd.{name}" for name in ("Systemd", "say", "ERROR", "WARNING", "INFORMATION")
)
"""What a process of its own says of itself."""

EXCEPTIONS = {
    "gateway.kernel.handshake.__main__": ("gateway.registry.find", *SERVICE),
    "gateway.kernel.release.__main__": ("gateway.registry.find", *SERVICE),
    "gateway.kernel.keeper.__main__": ("gateway.registry.find", "gateway.systemd.kept", *SERVICE),
}
"""Keeper, carrier and usher are processes of their own, which compose themselves: they load the
policy, so they must find inspectors. The gateway must tell them where our packages are."""

CONVERSIONS = ("socket.AF_INET", "socket.AF_INET6", "socket.inet_ntop", "socket.inet_pton")
"""What the socket module has that is arithmetic."""

TWISTED_WITHOUT_IO = ("twisted.internet.defer", "twisted.python.failure")


class Module:
    """
    A source file, and what it imports and uses. (Not its tree: those of all of them are millions
    of objects.)
    """

    def __init__(self, path: Path) -> None:
        parts = path.relative_to(ROOT).with_suffix("").parts
        self.name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        nodes = list(ast.walk(ast.parse(path.read_text(), str(path))))
        self._imports = tuple(name for node in nodes for name in self._imported(node))
        self._attributes = frozenset(n.attr for n in nodes if isinstance(n, ast.Attribute))

    def imports(self) -> tuple[str, ...]:
        """Dotted names, as deep as the statement says: C{from a import b} is C{a.b}."""
        return self._imports

    def _imported(self, node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{self.name}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)

    def attributes(self) -> frozenset[str]:
        """The names of all attributes that are used."""
        return self._attributes


def within(name: str, packages: tuple[str, ...]) -> bool:
    """Whether C{name} is one of C{packages} or inside one of them."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


OURS = ("gateway", "protocols", "twisted")
"""Where the product is."""

BESIDE = ("bench", "conformance", "tests")
"""What looks at it."""


@cache
def modules(*folders: str) -> tuple[Module, ...]:
    """All modules in these folders; by default, the product's."""
    return tuple(
        Module(path) for folder in folders or OURS for path in sorted((ROOT / folder).rglob("*.py"))
    )


def loaded_by(statement: str) -> set[str]:
    """The names of the modules that are loaded after C{statement}, in a process of its own."""
    program = f"{statement}\nimport sys\nprint(*sys.modules)"
    output = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, timeout=60
    ).stdout
    return set(output.decode().split())


class ImportTests(SynchronousTestCase):
    """A reader can rely on the layout: what it forbids does not happen."""

    def test_parts(self) -> None:
        """Every part imports only those parts that it is allowed to know."""
        wrong = [
            f"{module.name} imports {name}"
            for module in modules()
            for package, allowed in MAY_IMPORT.items()
            if within(module.name, (package,))
            for name in module.imports()
            if within(name, ("gateway", "protocols")) and not within(name, allowed)
            if name not in EXCEPTIONS.get(module.name, ())
        ]
        self.assertEqual(wrong, [])

    def test_no_circles(self) -> None:
        """
        Everything can be read, tested and replaced without what is built on it: modules have an
        order. Imports for types' sake, and those within a function, count too: whoever needs
        another one's type writes down, as a Protocol, what is used of it.
        """
        every = {module.name: module for module in modules(*OURS, *BESIDE)}

        def module_of(name: str) -> str:
            return name if name in every else name.rpartition(".")[0]

        order = TopologicalSorter(
            {
                name: {module_of(each) for each in module.imports()} & every.keys() - {name}
                for name, module in every.items()
            }
        )
        try:
            order.prepare()
        except CycleError as error:
            self.fail(" imports ".join(reversed(error.args[1])))

    def test_http_versions(self) -> None:
        """
        What another version of HTTP will use does not depend on how the first one is written, and
        that does not depend on what the policy says.
        """
        http, first = "protocols.http", "protocols.http.http1"
        outside = ("protocols.http.inspector", "protocols.http.shared", first)  # they compose
        wrong = [
            f"{module.name} imports {name}"
            for module in modules()
            for name in module.imports()
            if (
                (within(module.name, (http,)) and not within(module.name, outside))
                and within(name, (first,))
            )
            or (within(module.name, (first,)) and within(name, ("protocols.http.policy",)))
        ]
        self.assertEqual(wrong, [])

    def test_protocols_do_no_io(self) -> None:
        """An inspector cannot reach the world but through its session."""
        wrong = [
            f"{module.name} imports {name}"
            for module in modules()
            if within(module.name, ("protocols", "gateway.inspector"))
            for name in module.imports()
            if within(name, IO_MODULES)
            or (within(name, ("twisted",)) and not within(name, TWISTED_WITHOUT_IO))
        ]
        self.assertEqual(wrong, [])

    def test_policy_is_pure(self) -> None:
        """
        The policy asks no clock, no network and no dice: the same files, the same decisions.
        Nor does what renders it as rules of a packet filter.
        """
        wrong = [
            f"{module.name} imports {name}"
            for module in modules()
            if within(module.name, ("gateway.policy", "gateway.kernel.filter"))
            for name in module.imports()
            if within(name, (*IO_MODULES, "twisted")) and name not in CONVERSIONS
        ]
        self.assertEqual(wrong, [])

    def test_policy_loads_without_twisted(self) -> None:
        """Not even by way of something else does the policy depend on Twisted."""
        loaded = loaded_by("import gateway.policy.load, gateway.policy.explain")
        self.assertEqual([name for name in loaded if within(name, ("twisted",))], [])

    def test_only_the_service_imports_the_reactor(self) -> None:
        """Everything but the composition root can be tested without a reactor."""
        importers = {
            module.name
            for module in modules()
            for name in module.imports()
            if within(name, ("twisted.internet.reactor",))
        }
        self.assertEqual(importers - {"gateway.service", "gateway.workers.__main__"}, set())

    def test_nobody_imports_the_service(self) -> None:
        """The composition root is the top: nothing depends on how things are put together."""
        importers = [
            module.name
            for module in modules()
            for name in module.imports()
            if within(name, ("gateway.service",))
        ]
        self.assertEqual(importers, [])

    def test_socket_options_have_one_place(self) -> None:
        """Whoever wants to know what is asked of the kernel's sockets reads two files."""
        users = {
            module.name
            for module in modules()
            if "setsockopt" in module.attributes() and not within(module.name, ("gateway.lab",))
        }
        self.assertEqual(users - {"gateway.kernel.sockets", "gateway.kernel.repair"}, set())

    def test_plugins_are_light(self) -> None:
        """C{twistd} lists its plugins without importing the gateway or a protocol."""
        loaded = loaded_by("import twisted.plugins.tproxygw_plugin")
        heavy = (
            *("gateway.service", "gateway.admission", "gateway.session", "gateway.wire"),
            *("gateway.kernel", "protocols", "pyroute2"),
        )
        self.assertEqual([name for name in loaded if within(name, heavy)], [])
