"""
Grammar: the patterns of RFC 9110, RFC 9112 and RFC 3986, named as there.

They are for text decoded as Latin-1. Where the standards leave a choice
between lenient and strict, these are strict. Quantifiers are possessive where
input may be long, so that nothing costs more than one pass.
"""

from __future__ import annotations

import re

# RFC 9110, section 5.6.2.
tchar = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
token = rf"{tchar}++"

# RFC 9110, section 5.6.4.
quoted_string = r'"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*+"'

# RFC 9110, section 5.5: what a value consists of, white space around it included.
field_line_rest = r"[\t\x20-\x7e\x80-\xff]*+"

# RFC 9112, section 5, without obs-fold (section 5.2).
field_line = rf"({token}):({field_line_rest})"

# RFC 3986, section 3.3, and what browsers leave unescaped (WHATWG URL, "path percent-encode
# set", older ones). Neither "\", which some servers take for "/", nor "#".
path = r"/[\x21\x24-\x3b\x3d\x40-\x5b\x5d-\x7e]*+"

# RFC 3986, section 3.4, and WHATWG URL, "query percent-encode set".
query = r"[\x21\x24-\x3b\x3d\x3f-\x7e]*+"

# RFC 3986, section 3.2.2, as far as it can be a host's name (RFC 1123, section 2.1, and "_").
label = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
host_name = rf"(?=[^:/?]{{1,255}}(?:[:/?]|$)){label}(?:\.{label})*\.?"
ip_literal = r"\[[0-9A-Fa-f:.]{2,45}\]"
host = rf"(?:{host_name}|{ip_literal})"
port = r"[0-9]{1,5}"

TOKEN = re.compile(token)
FIELD_VALUE = re.compile(r"(?![\t ])[\t\x20-\x7e\x80-\xff]*+(?<![\t ])")
FIELD_LINE = re.compile(field_line)

# Each of several that follow a CRLF, without the white space before its value.
FIELD_LINES = re.compile(rf"\r\n({token}):[\t ]*+({field_line_rest})(?=\r\n)")

# RFC 9112, section 5.1: white space before the colon is to be removed from responses.
PADDED_FIELD_LINE = re.compile(rf"({token})[\t ]*+:({field_line_rest})")

# RFC 9112, section 3: single spaces, nothing around.
REQUEST_LINE = re.compile(rf"({token}) ([\x21-\x7e]++) HTTP/([0-9]\.[0-9])")

# The same with what nobody escaped in the target: the last space but one is not in it.
raw_target = r"[\x20-\x7e\x80-\xff]"
RAW_REQUEST_LINE = re.compile(rf"({token}) ({raw_target}+) HTTP/([0-9]\.[0-9])")

# RFC 9112, section 4. The space before an empty reason is often left out.
STATUS_LINE = re.compile(r"HTTP/([0-9]\.[0-9]) ([1-9][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*+))?")


def _begun_version(rest: str) -> str:
    """The beginnings of "HTTP/1.1", and of what follows it."""
    return rf"(?:H(?:T(?:T(?:P(?:/(?:[0-9](?:\.(?:[0-9]{rest})?)?)?)?)?)?)?)?"


_CR = r"\r?"

# How both may begin, CR included: what is matched can still become one, what follows it can't.
BEGUN_REQUEST_LINE = re.compile(rf"(?:{token}(?: (?:[\x21-\x7e]++(?: {_begun_version(_CR)})?)?)?)?")
BEGUN_RAW_REQUEST_LINE = re.compile(rf"(?:{token}(?: {raw_target}*+{_CR})?)?")
BEGUN_STATUS_LINE = re.compile(
    _begun_version(r"(?: (?:[1-9](?:[0-9](?:[0-9](?: [\t\x20-\x7e\x80-\xff]*+)?\r?)?)?)?)?")
)

# RFC 9112, section 3.2.
ORIGIN_FORM = re.compile(rf"({path})(?:\?({query}))?")
ABSOLUTE_FORM = re.compile(
    rf"([A-Za-z][A-Za-z0-9+.-]*)://({host})(?::({port}))?({path})?(?:\?({query}))?"
)
AUTHORITY_FORM = re.compile(rf"({host}):({port})")

# RFC 9110, section 7.2. A port without digits is two things to two readers.
HOST = re.compile(rf"({host})(?::({port}))?")

# An IPv6 address as some clients write it, without brackets, its colons escaped (wget2 1.99).
ESCAPED_HOST = re.compile(rf"((?:[0-9A-Fa-f.]|%3[Aa]){{2,64}})(?::({port}))?")

# RFC 6838, section 4.2, and parameters (RFC 9110, section 5.6.6) of any kind, but without commas,
# which make several types of it to many readers; a quoted one may have some if nothing is escaped.
restricted_name = r"[0-9A-Za-z][0-9A-Za-z!#$&^_.+-]*+"
_parameters = r"""(?:[^",]|"[^"\\]*+"|"(?:[^",\\]|\\[^,])*+")*+"""
MEDIA_TYPE = re.compile(rf"({restricted_name}/{restricted_name})[\t ]*+(?:;{_parameters})?")

# RFC 9110, section 8.6; more digits than that nobody can count.
CONTENT_LENGTH = re.compile(r"[0-9]{1,18}")

# RFC 9112, section 7.1, without the white space that section 7.1.1 calls bad.
chunk_ext = rf"(?:;{token}(?:=(?:{token}|{quoted_string}))?)*+"
CHUNK_LINE = re.compile(rf"([0-9A-Fa-f]{{1,15}}){chunk_ext}")

# The same with it, and with that which old servers leave room with behind a size.
bws = r"[\t ]*+"
padded_chunk_ext = rf"(?:{bws};{bws}{token}(?:{bws}={bws}(?:{token}|{quoted_string}))?)*+{bws}"
PADDED_CHUNK_LINE = re.compile(rf"([0-9A-Fa-f]{{1,15}}){padded_chunk_ext}")
