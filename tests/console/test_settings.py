"""What the policy says about the console: what would be open to strangers is refused."""

from __future__ import annotations

from hashlib import sha256

from gateway.policy.holders import Right
from gateway.policy.load import load
from tests.policy.case import RULE, LoadCase, find
from tests.test_cli import CommandCase
from tests.tls.pki import Authority

DIGEST = f"sha256:{sha256(b'x').hexdigest()}"
TOKENS = f"anna write {DIGEST}\n"
PEM = Authority.root("here").issue("gateway.example").pem.decode()


class SettingsTests(LoadCase):
    """Told where it is written."""

    def wrong(self, console: str, **files: str) -> list[str]:
        """What is wrong with a C{[console]} table."""
        named = {name.replace("_", "."): text for name, text in files.items()}
        gateway = {"gateway.toml": f"[console]\n{console}"}
        return self.problems({"services/web.toml": RULE, **gateway, **named})

    def test_off(self) -> None:
        """Without a word there is none."""
        self.assertEqual(self.load(web=RULE).console.listen, "")

    def test_good(self) -> None:
        """A loopback address and tokens are enough."""
        toml = '[console]\nlisten = "[::1]:9181"\ntokens = "t"\nnames = ["Gateway.Example."]\n'
        tokens = f"# who\n\nanna write {DIGEST}  # she\nscreen read sha256:{'0' * 64}\n"
        folder = self.write({"services/web.toml": RULE, "gateway.toml": toml, "t": tokens})
        console = load(folder, find).console
        self.assertEqual(console.names, ("gateway.example",))
        told = [(each.name, each.right, len(each.digest)) for each in console.holders]
        self.assertEqual(told, [("anna", Right.WRITE, 32), ("screen", Right.READ, 32)])
        self.assertNotIn(DIGEST[8:20], repr(console))

    def test_network(self) -> None:
        """From the network only by TLS."""
        for address in ("0.0.0.0", "[::]", "192.0.2.1", "[fd00::1]"):
            found = self.wrong(f'listen = "{address}:9181"\ntokens = "t"', t=TOKENS)
            self.assertEqual(len(found), 1, found)
            self.assertIn("gateway.toml:2:1: console.listen: is not a loopback address", found[0])
        good = 'listen = "0.0.0.0:9181"\ntokens = "t"\ncertificate = "c_pem"'
        self.assertEqual(self.wrong(good.replace("_", "."), t=TOKENS, c_pem=PEM), [])

    def test_nobody(self) -> None:
        """A console that nobody could use is a mistake, and so is what has no effect."""
        listen = 'listen = "127.0.0.1:9181"\n'
        for more, message in (
            ("", "console.listen: nobody could log in"),
            ('client_authorities = ["c.pem"]\ntokens = "t"', "no effect without a certificate"),
            ('writers = ["anna"]\ntokens = "t"', "no effect without client_authorities"),
        ):
            (found,) = self.wrong(listen + more, t=TOKENS, c_pem=PEM)
            self.assertIn(message, found)

    def test_names(self) -> None:
        """Names of hosts, not addresses or more than one name."""
        for name in ("", "a b", "127.0.0.1", "*.example", "https://gateway.example", "-x"):
            (found,) = self.wrong(f'names = ["{name}"]')
            self.assertIn("is not the name of a host", found)

    def test_tokens(self) -> None:
        """Each line that is wrong is told; a token that stands there in the clear is not shown."""
        text = f"anna write\nanna write secret-token\nb admin {DIGEST}\n1 read {DIGEST}\n"
        text += f"anna read {DIGEST}\nanna write {DIGEST}\n"
        found = self.wrong('listen = "127.0.0.1:9181"\ntokens = "t"', t=text)
        self.assertEqual([each.split(":")[1] for each in found], ["1", "2", "3", "4", "6"])
        self.assertNotIn("secret-token", "\n".join(found))
        self.assertIn('"admin" is no right', found[2])
        self.assertIn('"anna" is there twice', found[4])


class CommandTests(CommandCase):
    """C{tproxygw console token}"""

    def test_token(self) -> None:
        """The token is for its holder's eyes; its line is for the file, and good there."""
        result = self.tproxygw("console", "token", "anna", "--write")
        token = result.stderr.split()[-1]
        line = result.stdout
        self.assertEqual(line, f"anna write sha256:{sha256(token.encode()).hexdigest()}\n")
        self.assertGreaterEqual(len(token), 43)
        gateway = '[console]\nlisten = "127.0.0.1:9181"\ntokens = "console.tokens"\n'
        folder = self.policy(gateway, web='inspector = "relay"\n[[rule]]\nports = [80]\n')
        (folder / "console.tokens").write_text(line)
        self.assertEqual(self.tproxygw("check", folder).exit_code, 0)

    def test_reader(self) -> None:
        """Without a word it may only look, and a name that the file could not hold is refused."""
        self.assertTrue(
            self.tproxygw("console", "token", "screen").stdout.startswith("screen read ")
        )
        for name in ("a b", "a#", "", "1"):
            self.assertEqual(self.tproxygw("console", "token", name).exit_code, 2)
