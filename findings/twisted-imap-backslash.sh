#!/bin/bash
# Twisted's readers of IMAP's quoted strings know no backslash but before a quote: "a\\b", which is a\b (RFC 9051, section 9:
# QUOTED-CHAR), stays a\\b, and "\\", which is one backslash, is "mismatched quoting". So a password or the name of a mailbox
# with a backslash in it is another one for a server made with it.
#
# Seen: Twisted 25.5.0, 26.10.0.
# Where it matters: tests/protocols/imap/test_grammar.py compares with it, without backslashes.
#
# Usage: findings/twisted-imap-backslash.sh [VERSION]   In an environment of its own, from PyPI.

set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place"
"$place/bin/pip" install -q "Twisted==${1:-26.10.0}"
"$place/bin/python" - <<'END'
import sys

import twisted
from twisted.mail import imap4


def read(text):
    try:
        return imap4.parseNestedParens(text)
    except imap4.MismatchedQuoting as error:
        return type(error).__name__


seen = [read(text) for text in (rb'"a\"b"', rb'"a\\b"', rb'"\\"')]
print(f"Twisted {twisted.__version__}:", *seen)
sys.exit(seen != [[b'a"b'], [rb"a\\b"], "MismatchedQuoting"])
END
