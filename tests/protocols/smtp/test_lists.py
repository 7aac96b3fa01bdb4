"""Addresses and domains from files."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import IInspectorMaker
from gateway.maker import InspectorMaker
from gateway.policy.files import NamedFile
from gateway.policy.load import load
from gateway.policy.problem import PolicyError
from protocols.smtp.grammar.address import parse_path
from protocols.smtp.grammar.refusal import Refusal
from protocols.smtp.lists import AddressList, read_addresses, read_domains
from protocols.smtp.permission import check_recipient, check_sender
from protocols.smtp.rules import AddressRule
from protocols.smtp.settings import SMTPSettings

CONTENT = """
# people
bob@a.example
Alice@B.Example   # in any letters
"quo ted"@a.example
root@
c.example
@d.example
.below.example
[192.0.2.9]
 \u00fc@xn--tda.example
u.\u00fc.example
"""

MAKER = InspectorMaker("smtp", "protocols.smtp.inspector:SMTPInspector", "SMTP")


def made(text: str, read: object = read_addresses) -> tuple[AddressList, list[str]]:
    """A list, and what is wrong with it."""
    file = NamedFile("list.txt", "key", text.encode())
    found = read(file)  # type: ignore[operator]
    return found, [str(each) for each in file.problems]


def listed(addresses: AddressList, path: str) -> bool:
    return addresses.find(parse_path(f"<{path}>")[0].mailbox) is not None


class AddressListTests(SynchronousTestCase):
    """A file, a line for each."""

    def test_forms(self) -> None:
        """Everything that is meant by a line is found, and nothing else."""
        found, said = made(CONTENT)
        self.assertEqual(said, [])
        self.assertEqual(len(found), 10)
        for path in (
            *("bob@a.example", "BOB@A.example", "alice@b.example", '"quo ted"@a.example'),
            *("root@anywhere.example", "x@c.example", "x@d.example", "x@y.below.example"),
            *("x@z.y.below.example", "x@[192.0.2.9]", "\u00fc@\u00fc.example"),
            *("\u00fc@xn--tda.example", "x@u.xn--tda.example", "x@u.\u00fc.example", '"root"@x'),
        ):
            self.assertTrue(listed(found, path), path)
        for path in (
            *(
                "bob@b.example",
                "xbob@a.example",
                "alice@a.example",
                "x@y.c.example",
                "x@below.example",
            ),
            *("x@notbelow.example", "x@[192.0.2.8]", "Postmaster", "root.x@y", "x@example"),
        ):
            self.assertFalse(listed(found, path), path)
        self.assertIsNone(found.find(parse_path("<>")[0].mailbox))

    def test_wrong(self) -> None:
        """A line that is something else is said with its place."""
        for line in (
            "a@b@c",
            "a b",
            "@",
            "a..b",
            "*.example",
            "<a@b.example>",
            "http://a.example/",
            "a@.b",
        ):
            found = made(f"good.example\n {line}\n")[1]
            self.assertEqual(len(found), 1, line)
            self.assertTrue(found[0].startswith("list.txt:2:2: "), found)
            self.assertIn("neither an address nor a domain", found[0])
        file = NamedFile("list.txt", "key", b"\xff.example\n")
        read_addresses(file)
        self.assertIn("not UTF-8", str(file.problems[0]))

    def test_domains_only(self) -> None:
        """Where only domains are of use, addresses are wrong."""
        found, said = made("a.example\n.b.example\n@c.example\n", read_domains)
        self.assertEqual((len(found), said), (3, []))
        for line in ("bob@a.example", "Bob@a.example", "bob@"):
            self.assertEqual(len(made(line, read_domains)[1]), 1, line)

    @settings(max_examples=200, deadline=None)
    @given(
        st.lists(
            st.sampled_from(["a@b.c", "b.c", ".c", "a@", ".b.c", "x-y.c", "d@x-y.c", "D@B.c"])
        ),
        st.sampled_from(["a", "b", "d"]),
        st.sampled_from(["b.c", "a.b.c", "x-y.c", "c", "B.C"]),
    )
    def test_model(self, lines: list[str], local: str, domain: str) -> None:
        """A list means what a slow reader would say."""
        found, said = made("\n".join(lines))
        self.assertEqual(said, [])
        asked = domain.lower()
        expected = any(
            line in (f"{local}@{asked}", f"{local}@", asked)
            or (line.startswith(".") and asked.endswith(line))
            for line in (line.lower() for line in lines)
        )
        self.assertEqual(listed(found, f"{local}@{domain}"), expected)

    def test_large(self) -> None:
        """Hundreds of thousands of them are no burden."""
        found, said = made("".join(f"user{n}@d{n % 999}.example\n" for n in range(200000)))
        self.assertEqual((len(found), said), (200000, []))
        self.assertTrue(listed(found, "user199999@d199.example"))
        self.assertFalse(listed(found, "user199999@d198.example"))
        self.assertLess(found.size, 200000 * 60)


class RuleTests(SynchronousTestCase):
    """What files are for."""

    people = made("bob@ours.example\nalice@\n.below.example\n")[0]

    def answered(self, path: str, **some: object) -> str:
        try:
            check_recipient(parse_path(path)[0], "192.0.2.1", SMTPSettings(**some))  # type: ignore[arg-type]
        except Refusal as refused:
            return refused.reason
        return ""

    def test_refused(self) -> None:
        """By a list, with the file and the entry in the audit."""
        rule = AddressRule(lists=(self.people,), reply="450 4.7.1 Later")
        self.assertIn(
            'list.txt as "alice@"', self.answered("<alice@x.example>", recipients=(rule,))
        )
        self.assertEqual(self.answered("<carol@x.example>", recipients=(rule,)), "")
        with self.assertRaises(Refusal) as caught:
            check_sender(parse_path("<bob@ours.example>")[0], SMTPSettings(senders=(rule,)))
        self.assertEqual(caught.exception.reply.text, "450 4.7.1 Later")

    def test_known_recipients(self) -> None:
        """Those on a list are accepted, all others refused."""
        rules = (AddressRule(lists=(self.people,), action="accept"), AddressRule(re.compile(".*")))
        self.assertEqual(self.answered("<bob@ours.example>", recipients=rules), "")
        self.assertEqual(self.answered("<Postmaster@ours.example>", recipients=rules), "")
        self.assertIn("'.*'", self.answered("<carol@ours.example>", recipients=rules))

    def test_domains(self) -> None:
        """Only to the domains in a file, and in the setting, if there is one."""
        domains = made("ours.example\n.below.example\n", read_domains)[0]
        for path, also, allowed in (
            ("<a@ours.example>", None, True),
            ("<a@x.below.example>", None, True),
            ("<Postmaster>", None, True),
            ("<a@other.example>", None, False),
            ("<a@other.example>", ("other.example",), True),
            ("<a@ours.example>", ("other.example",), True),
            ("<a@third.example>", ("other.example",), False),
            ("<a@third.example>", ("*",), True),
        ):
            why = self.answered(path, recipient_domain_lists=(domains,), recipient_domains=also)
            self.assertEqual(why == "", allowed, path)

    def test_of_nobody(self) -> None:
        """A rule that says of nobody is told to the operator."""
        self.assertRaises(ValueError, AddressRule)

    def test_in_a_policy(self) -> None:
        """Files are beside the configuration, read again with it, and wrong as loudly."""
        folder = Path(self.mktemp())
        (folder / "services").mkdir(parents=True)
        (folder / "gateway.toml").write_text("")
        (folder / "spam.txt").write_text("a@spam.example\n")
        (folder / "ours.txt").write_text("ours.example\n")
        (folder / "services" / "mail.toml").write_text(
            'inspector = "smtp"\n[[rule]]\nports = [25]\n[smtp]\n'
            'recipient_domain_lists = ["ours.txt"]\n[[smtp.senders]]\nlists = ["spam.txt"]\n'
        )

        def find(name: str, plugin_path: tuple[Path, ...]) -> IInspectorMaker:
            return MAKER

        before = load(folder, find).services["mail"].settings
        self.assertEqual([len(each) for each in before.senders[0].lists], [1])
        (folder / "ours.txt").write_text("ours.example\nmore.example\n")
        after = load(folder, find).services["mail"].settings
        self.assertEqual([len(each) for each in after.recipient_domain_lists], [2])
        (folder / "ours.txt").write_text("bob@ours.example\n")
        with self.assertRaises(PolicyError) as caught:
            load(folder, find)
        self.assertIn("ours.txt:1:1: smtp.recipient_domain_lists: ", str(caught.exception))

    def test_stacked_service(self) -> None:
        """The service that a message runs through has to be there."""
        folder = Path(self.mktemp())
        (folder / "services").mkdir(parents=True)
        (folder / "gateway.toml").write_text("")
        (folder / "services" / "mail.toml").write_text(
            'inspector = "smtp"\n[[rule]]\nports = [25]\n[smtp]\nstack = "scan"\n'
        )
        with self.assertRaises(PolicyError) as caught:
            load(folder, lambda name, path: MAKER)
        self.assertIn("smtp.stack: ", str(caught.exception))
