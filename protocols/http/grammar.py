"""
Grammar: the patterns of RFC 9110, RFC 9112 and RFC 3986, named as there.

They are for text decoded as Latin-1. Where the standards leave a choice
between lenient and strict, these are strict.
"""

from __future__ import annotations

import re

# RFC 9110, section 5.6.2.
token = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"

# RFC 9110, section 5.5: printable characters and obs-text, with spaces and tabs between.
field_content = r"[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?"

TOKEN = re.compile(token)
FIELD_VALUE = re.compile(rf"(?:{field_content})?")
