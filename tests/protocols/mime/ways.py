"""
Ways to write the name of an attached file, right and wrong ones, and ways to
put an attachment into a message, each as a whole message.

All of them mean x.exe, at least to somebody who wants to.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator

PROGRAM = b"MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff\0\0"
BODY = b64encode(PROGRAM).decode()

NAME = "x.exe"

Ways = Iterator[tuple[str, bytes]]
"""What it is, and the message."""


def b(text: str, charset: str = "utf-8", label: str | None = None, how: str = "b") -> str:
    """An encoded word in base64 (RFC 2047)."""
    data = b64encode(text.encode(charset)).decode()
    return f"=?{charset if label is None else label}?{how}?{data}?="


def q(text: str, charset: str = "utf-8", label: str | None = None, how: str = "q") -> str:
    """An encoded word in quoted-printable, every byte of it."""
    data = "".join(f"={byte:02X}" for byte in text.encode(charset))
    return f"=?{charset if label is None else label}?{how}?{data}?="


def percent(text: str, charset: str = "utf-8") -> str:
    """Every byte as RFC 2231 has it."""
    return "".join(f"%{byte:02X}" for byte in text.encode(charset))


WORDS = [
    *(q(NAME), b(NAME), q(NAME, how="Q"), b(NAME, how="B"), "=?utf-8?q?x.exe?="),
    *(q(NAME, label="UTF-8"), q(NAME, label="utf8"), q(NAME, label="us-ascii")),
    *(q(NAME, label="utf-8*en"), b(NAME, label="utf-8*de-CH"), q(NAME, label="utf-8*")),
    *(q(NAME, label="x-unknown"), b(NAME, label="x-unknown"), q(NAME, label="")),
    *(q(NAME, label=" utf-8"), q(NAME, label='"utf-8"'), q(NAME, label="utf_8")),
    *(b(NAME, charset) for charset in ("utf-16", "utf-16-be", "utf-16-le", "utf-32", "utf-7")),
    *(b(NAME, "utf-16-le", "utf-16"), b(NAME, "utf-16-be", "utf-16")),
    *(b(NAME, "utf-32-le", "utf-32"), b(NAME, "utf-32-be", "utf-32")),
    *(b(NAME, "utf-16-le", "ucs-2"), b(NAME, "utf-16-be", "iso-10646-ucs-2")),
    *(b(NAME, charset) for charset in ("cp037", "cp500", "iso-2022-jp", "koi8-r", "hz")),
    *(b(NAME, "utf-8", charset) for charset in ("utf-16", "cp037", "rot13", "hex", "idna")),
    *("=?utf-8?q?x.?= =?utf-8?q?exe?=", "=?utf-8?q?x.?=\r\n =?utf-8?q?exe?="),
    *("=?utf-8?q?x.?==?utf-8?q?exe?=", "=?utf-8?b?eC4=?= =?utf-8?q?exe?="),
    *("x.=?utf-8?q?exe?=", "=?utf-8?q?x.?=exe", "=?utf-8?q?x?=.exe", "x=?utf-8?q?.?=exe"),
    *("=?utf-8?q?x.?= exe", "x. =?utf-8?q?exe?=", "=?utf-8?q?a?= =?x-unknown?q?x.exe?="),
    *("=?utf-8?b?eC5leGU?=", "=?utf-8?b?eC5l!eGU=?=", "=?utf-8?b?eC5 leGU=?="),
    *("=?utf-8?b?eC5leGU==?=", "=?utf-8?b?eC5leGU=eA==?=", "=?utf-8?b?=eC5leGU?="),
    *("=?utf-8?q?x.e xe?=", "=?utf-8?q?x.exe? =", "=?utf-8?q?x.exe", "=?utf-8?q?x.exe?"),
    *("=?utf-8?x?x.exe?=", "=?utf-8??x.exe?=", "=?utf-8?q?x=2Ee=78e?=", "=?utf-8?q?x=.exe?="),
    *("=?utf-8?q?x=2eexe?=", "=?utf-8?Q?x.exe_?=", "=?utf-8?q?=FFx.exe?=", "=?utf-8?q??=x.exe"),
    *(b(q(NAME)), q(q(NAME)), b("=?utf-8?q?x.?=") + "exe", b("\0x.exe"), b("x.exe\0.txt")),
    *(q(NAME) + " a.txt", "a.txt " + q(NAME), q("a.txt") + q(NAME), q(NAME) + q(".txt")),
    *("=?iso-8859-1?q?x.exe?=", "=?utf-8?q?x.exe?=\t", "=?utf-8?q?x.exe?=\r\n\t"),
]

PLAIN = [
    *("=x.exe", '="x.exe"', "='x.exe'", ' = "x.exe"', " =x.exe", '=\t"x.exe"', "==x.exe"),
    *('="x.exe', '=x.exe"', '="x".exe', '="x."exe', '="x.""exe"', '="x." "exe"', '=x."exe"'),
    *('="x\\.exe"', '="x.\\e\\x\\e"', '="\\x.exe"', '="a\\"x.exe"', '="x.exe\\"', '="x.exe\\""'),
    *('=""x.exe""', "=\"'x.exe'\"", '=\\"x.exe\\"', "=x\\.exe", '="\\"x.exe\\""', '="x.ex\\e'),
    *('="x.exe" (comment)', "=x.exe(comment)", "=(comment)x.exe", "=x(comment).exe", "=(x.exe)"),
    *('="x.exe";;', '="x.exe"junk', '=junk"x.exe"', "=my x.exe", "=x .exe", "=x. exe", "=x.exe;"),
    *('="x.exe;"', '="x;.exe"', "=x;.exe", '="x.exe "', '="x.exe."', '=" x.exe"', '="x.exe\t"'),
    *('="x.\r\n exe"', '="x.\r\n\texe"', "=\r\n x.exe", "=\r\n\tx.exe", '="x.exe\r\n "'),
    *("=x.\r\n exe", '="\r\n x.exe"', "\r\n =x.exe", "=x.exe\r\n ;", '="x.e\r\n\r\n xe"'),
    *('="dir/x.exe"', '="C:\\dir\\x.exe"', '="C:\\\\dir\\\\x.exe"', "=C:\\dir\\x.exe", '="/x.exe"'),
    *('="x.exe/"', '="x.exe::$DATA"', '="x.exe:a.txt"', '="X.EXE"', '="x.ExE"', "=x.exe.", "=.exe"),
    *('="x%2Eexe"', "=x%2Eexe", '="x=2Eexe"', '="x&#46;exe"', '="x.exe%00.txt"', '="x\uff0eexe"'),
    *(
        '="a.txt;x.exe"',
        '="a.txt\\";x.exe"',
        '="a.txt"; x.exe',
        '="x.exe>"',
        "=<x.exe>",
        "=[x.exe]",
    ),
    *(
        '="x.exe\\\\"',
        '="x.exe,"',
        "=x.exe,",
        "=x.exe?",
        "=x@b/x.exe",
        '="x.exe\x7f"',
        '="x.exe\x01"',
    ),
    *("='x.exe", '="\tx.exe"', '=" "x.exe', "='x.exe'.txt", '="x.exe".txt', "=\u201cx.exe\u201d"),
]
"""Behind C{filename}, without an encoding."""

EXTENDED = [
    *("*=utf-8''x.exe", "*=utf-8''x%2Eexe", "*=utf-8'en'x%2eexe", "*=\"utf-8''x%2Eexe\""),
    *("*=''x%2Eexe", "*=x%2Eexe", "*=x.exe", "*=x-unknown''x%2Eexe", "*=utf-8'x%2Eexe"),
    *("*=utf-8''x.exe''", "*=utf-8'''x.exe", "*=utf-8''x%2eex%zz", "*=utf-8''x%2eexe%", "*='x.exe"),
    *(
        f"*={charset}''{percent(NAME, charset)}"
        for charset in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7", "cp037", "hz")
    ),
    *(f"*=utf-16''{percent(NAME, 'utf-16-le')}", f"*=utf-16''{percent(NAME, 'utf-16-be')}"),
    *(f"*=utf-32''{percent(NAME, 'utf-32-le')}", f"*=utf-32''{percent(NAME, 'utf-32-be')}"),
    *(
        f"*=utf-8''{percent(q(NAME))}",
        "*=utf-8''%22x.exe%22",
        "*=utf-8''x.exe%20",
        "*=utf-8''x.exe%00",
    ),
    *("*0=x.; X*1=exe", '*0="x."; X*1="exe"', "*1=exe; X*0=x.", "*0=x.exe", "*0*=utf-8''x.exe"),
    *("*0=a.; X*0=x.; X*1=exe", "*0=x.; X*0=a.; X*1=exe", "*0=x.; X*1=exe; X*1=txt"),
    *(
        "*0=x.; X*1=txt; X*1=exe",
        "*0=x.; X*2=exe",
        "*1=x.; X*2=exe",
        "*00=x.; X*01=exe",
        "*=x.exe;",
    ),
    *("*0*=utf-8''x%2E; X*1=exe", "*0*=utf-8''x%2E; X*1*=%65xe", "*0=x.; X*1*=%65xe"),
    *("*0*=utf-8''x; X*1=%2E; X*2=exe", "*0*=x-unknown''x.; X*1=exe", "*0*=''x.; X*1=exe"),
    *("*0=x.exe; X=a.txt", "=a.txt; X*0=x.; X*1=exe", "=x.exe; X*0=a.txt", "*0=a.txt; X=x.exe"),
    *("=a.txt; X*=utf-8''x.exe", "*=utf-8''x.exe; X=a.txt", "=x.exe; X*=utf-8''a.txt"),
    *(
        "*=utf-8''a.txt; X*0=x.; X*1=exe",
        "*0=x.; X*1=exe; X*=utf-8''a.txt",
        "*0*=utf-8''x.exe; X=a",
    ),
    *("=a.txt; X=x.exe", "=x.exe; X=a.txt", "=a.txt; x=y; X=x.exe", "= ; X=x.exe", '=""; X=x.exe'),
    *("*0=x; X*10=exe; X*9=.", "*0=x; X*1=.; X*2=e; X*3=xe", "*0*=utf-8''x; X*1=.e; X*2*=%78e"),
    *('*0="x."\r\n ;X*1="exe"', "*0 =x.; X*1 =exe", "*=utf-8'' x.exe", " *=utf-8''x.exe"),
    *(
        "* =utf-8''x.exe",
        "*0 *=utf-8''x.exe",
        "**=utf-8''x.exe",
        "*a=x.exe",
        "*-1=x.exe",
        "*0**=x.exe",
    ),
    *('*0="x.\\"; X*1="exe"', "*0=x.; X*1=exe; X*3=.txt", "*0=x.; X*1=exe; X*2*=%2Etxt; X*2=y"),
]
"""RFC 2231. X is the parameter's name."""


def fields() -> Iterator[tuple[str, str]]:
    """Header fields of a part, each of which says how the file is called."""
    values = [*PLAIN, *EXTENDED, *(f'="{word}"' for word in WORDS), *(f"={word}" for word in WORDS)]
    for value in values:
        yield (
            f"filename{value}",
            f"Content-Disposition: attachment; filename{_x(value, 'filename')}",
        )
    for value in values:
        yield f"name{value}", f"Content-Type: application/octet-stream; name{_x(value, 'name')}"
    yield from ((field, field) for field in _FIELDS)


def _x(value: str, name: str) -> str:
    return value.replace("; X", f"; {name}").replace(";X", f";{name}")


_FILE = "Content-Disposition: attachment; filename"

_FIELDS = [
    "Content-Disposition: attachment, filename=x.exe",
    "Content-Disposition: attachment filename=x.exe",
    "Content-Disposition: attachment;; filename=x.exe",
    "Content-Disposition: attachment;filename=x.exe;",
    "Content-Disposition: ; filename=x.exe",
    "Content-Disposition: filename=x.exe",
    "Content-Disposition: x.exe",
    "Content-Disposition: attachment; x.exe",
    "Content-Disposition: attachment; name=x.exe",
    "Content-Disposition: attachment; file=x.exe",
    'Content-Disposition: attachment; "filename"=x.exe',
    "Content-Disposition: attachment; filename: x.exe",
    "Content-Disposition: attachment; filename x.exe",
    "Content-Disposition: attachment; FILENAME=x.exe",
    "Content-Disposition: (a) attachment; filename=x.exe",
    "Content-Disposition: attachment (a); filename=x.exe",
    "Content-Disposition: attachment; (a) filename=x.exe",
    "Content-Disposition: attachment; filename (a) =x.exe",
    'Content-Disposition: "attachment"; filename=x.exe',
    'Content-Disposition: attachment; a="; filename=x.exe',
    'Content-Disposition: attachment; a="\\"; filename=x.exe"',
    "Content-Disposition: attachment; a='; filename=x.exe'",
    'Content-Disposition: attachment; a="; filename=x.exe; "',
    'Content-Disposition: attachment; a=b"c; filename=x.exe; d="',
    "Content-Disposition: attachment; a=(; filename=x.exe)",
    "Content-Disposition: attachment; a=\\; filename=x.exe",
    "Content-Disposition:\r\n attachment;\r\n filename=x.exe",
    "Content-Disposition: attachment;\r\n \r\n filename=x.exe",
    "Content-Disposition: attachment;\r\n\t\r\n\tfilename=x.exe",
    "Content-Disposition : attachment; filename=x.exe",
    "Content-Disposition\t: attachment; filename=x.exe",
    " Content-Disposition: attachment; filename=x.exe",
    "content-disposition:attachment;filename=x.exe",
    f"{_FILE}=a.txt\r\n{_FILE}=x.exe",
    f"{_FILE}=x.exe\r\n{_FILE}=a.txt",
    "Content-Type: a/b; name=a.txt\r\nContent-Type: a/b; name=x.exe",
    "Content-Type: a/b; name=x.exe\r\nContent-Type: a/b; name=a.txt",
    "Content-Type: a/b; name=x.exe\r\nContent-Disposition: attachment; filename=a.txt",
    "Content-Type: a/b; name=a.txt\r\nContent-Disposition: attachment; filename=x.exe",
    "Content-Type: a/b\r\nno field\r\nContent-Disposition: attachment; filename=x.exe",
    "no field\r\nContent-Disposition: attachment; filename=x.exe",
    "Content-Type: application/x-exe name=x.exe",
    "Content-Type: application; name=x.exe",
    "Content-Type: x.exe",
    "Content-Type: ; name=x.exe",
    "Content-Type: text/plain; name=x.exe",
    "Content-Type: text/plain; file=x.exe",
    "Content-Type: text/plain, application/octet-stream; name=x.exe",
    "Content-Type: application/x-exe; charset=utf-8; name = x.exe",
    "Content-Type: name=x.exe",
    "Content-Name: x.exe",
    "Content-Description: x.exe",
    "Content-Location: x.exe",
    "Content-Id: <x.exe>",
    "Content-Type: application/octet-stream\r\nContent-Description: x.exe",
    "Content-Type: application/octet-stream\r\nContent-Location: http://a.example/x.exe",
    "Content-Type: application/octet-stream\r\nContent-Name: x.exe",
]


def part(field: str) -> bytes:
    """A message with a text and this part."""
    return (
        "From: a@a.example\r\nSubject: s\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/mixed; boundary="xyz"\r\n\r\n'
        "--xyz\r\nContent-Type: text/plain\r\n\r\nHi\r\n"
        f"--xyz\r\n{field}\r\nContent-Transfer-Encoding: base64\r\n\r\n{BODY}\r\n--xyz--\r\n"
    ).encode()


_MIXED = "Content-Type: multipart/mixed; boundary"
HEAD = "From: a@a.example\r\nSubject: s\r\nMIME-Version: 1.0\r\n"
EXE = (
    "Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=x.exe\r\n"
    f"Content-Transfer-Encoding: base64\r\n\r\n{BODY}\r\n"
)
INNER = f"--xyz\r\n{EXE}--xyz--\r\n"
_ENCODED = b64encode((HEAD + EXE).encode()).decode()
_ENCODED_PARTS = b64encode(INNER.encode()).decode()

_STRUCTURES = [
    *(
        f"Content-Type: {kind}\r\n\r\n{INNER}"
        for kind in (
            "multipart/mixed; boundary=xyz",
            "text/plain; boundary=xyz",
            "text/html; boundary=xyz",
            "text/plain",
            "application/octet-stream; boundary=xyz",
            "application/octet-stream",
            "message/rfc822; boundary=xyz",
            "message/delivery-status",
            "message/partial; id=a; number=1; total=1",
            "message/external-body; access-type=x",
            "message/x-other",
            "multipart/mixed",
            "multipart/mixed; boundary",
            "multipart/mixed; boundary=",
            'multipart/mixed; boundary=""',
            "multipart; boundary=xyz",
            "multipart/; boundary=xyz",
            "/mixed; boundary=xyz",
            "MULTIPART/MIXED; BOUNDARY=xyz",
            "multipart/x-other; boundary=xyz",
            "multipart/digest; boundary=xyz",
            "multipart/mixed; boundary='xyz'",
            'multipart/mixed; boundary="xyz',
            'multipart/mixed; boundary=xyz"',
            'multipart/mixed; boundary="x\\yz"',
            'multipart/mixed; boundary="x"yz',
            'multipart/mixed; boundary="xyz "',
            'multipart/mixed; boundary=" xyz"',
            "multipart/mixed; boundary=x yz",
            "multipart/mixed; boundary=xyz (a)",
            "multipart/mixed; boundary=(a)xyz",
            "multipart/mixed; boundary=xyz;;",
            "multipart/mixed; boundary = xyz",
            "multipart/mixed; boundary=abc; boundary=xyz",
            "multipart/mixed; boundary=xyz; boundary=abc",
            "multipart/mixed; boundary*=utf-8''xyz",
            "multipart/mixed; boundary*=utf-8''x%79z",
            "multipart/mixed; boundary*0=x; boundary*1=yz",
            "multipart/mixed; boundary=abc; boundary*0=xyz",
            "multipart/mixed; boundary==?utf-8?q?xyz?=",
            'multipart/mixed; boundary="=?utf-8?q?xyz?="',
            "multipart/mixed, boundary=xyz",
            "multipart/mixed boundary=xyz",
            "(a) multipart/mixed; boundary=xyz",
            "multipart (a) /mixed; boundary=xyz",
            "multipart/mixed (a); boundary=xyz",
            "multipart/mixed;\r\n boundary=xyz",
            "multipart/mixed;\r\n \r\n boundary=xyz",
            "multipart/mixed;\r\n\r\n boundary=xyz",
            'multipart/mixed; a="; boundary=xyz',
            'multipart/mixed; a="\\"; boundary=xyz"; boundary=abc',
            "multipart/mixed; boundary=xy",
            "multipart/mixed; boundary=xyzz",
            "multipart/mixed; boundary=XYZ",
            'multipart/mixed; boundary="--xyz"',
            "multipart/mixed; boundary=abc\r\nContent-Type: multipart/mixed; boundary=xyz",
            "multipart/mixed; boundary=xyz\r\nContent-Type: multipart/mixed; boundary=abc",
            "text/plain\r\nContent-Type: multipart/mixed; boundary=xyz",
            "multipart/mixed; boundary=xyz\r\nContent-Type: text/plain",
            "text/plain; a=b\r\nno field\r\nContent-Type: multipart/mixed; boundary=xyz",
            "multipart/mixed; boundary=xyz\r\nContent-Transfer-Encoding: base64",
            "multipart/mixed; boundary=xyz\r\nContent-Transfer-Encoding: quoted-printable",
            "multipart/mixed; boundary=xyz\r\nContent-Transfer-Encoding: x-unknown",
            "multipart/mixed; boundary=xyz\r\nContent-Transfer-Encoding: 8-bit",
            "multipart/mixed; boundary=xyz\r\nContent-Disposition: attachment; filename=a.txt",
        )
    ),
    INNER,
    "\r\n" + INNER,
    "X: y\r\n\r\n" + INNER,
    EXE,
    "\r\n" + EXE,
    *(
        f"Content-Type: multipart/mixed; boundary=xyz\r\n\r\n{body}"
        for body in (
            f"--xyz\r\n\r\n{EXE}--xyz--\r\n",
            f"--xyz\r\n \r\n{EXE}--xyz--\r\n",
            f"--xyz\r\n\r\n\r\n{EXE}--xyz--\r\n",
            f"--xyz\r\nX: y\r\n\r\n{EXE}--xyz--\r\n",
            f"--xyz\r\n no field\r\n{EXE}--xyz--\r\n",
            f"--xyz \r\n{EXE}--xyz--\r\n",
            f"--xyz\t\r\n{EXE}--xyz--\r\n",
            f"--xyz--\r\n{EXE}--xyz--\r\n",
            f"--xyz--\r\n--xyz\r\n{EXE}--xyz--\r\n",
            f"--xyz--\r\n\r\n{EXE}",
            f"--xyz\r\n\r\nHi\r\n--xyz--\r\n--xyz\r\n{EXE}--xyz--\r\n",
            f"--xyz\r\n\r\nHi\r\n--xyzz\r\n{EXE}--xyz--\r\n",
            f"--xyz\r\n\r\nHi\r\n--xyz-\r\n{EXE}--xyz--\r\n",
            f"--xyz\r\n\r\nHi\r\n--xyz--x\r\n{EXE}--xyz--\r\n",
            f"--xyz\r\n\r\nHi\r\n--xyz x\r\n{EXE}--xyz--\r\n",
            f"--xyz\r\n\r\nHi\r\n --xyz\r\n{EXE}--xyz--\r\n",
            f"--xyz\r\n\r\nHi\r\n-- xyz\r\n{EXE}--xyz--\r\n",
            f"--xyz\r\n\r\nHi\r\nxyz\r\n{EXE}--xyz--\r\n",
            f"--xyz\r\n\r\nHi\r\n--XYZ\r\n{EXE}--xyz--\r\n",
            f"--xyz\r\n\r\nHi--xyz\r\n{EXE}--xyz--\r\n",
            f"--xyz\r\n--xyz\r\n{EXE}--xyz--\r\n",
            f"--xyz\r\n{EXE}",
            EXE,
            "\r\n" + EXE,
            f"preamble\r\n{EXE}--xyz--\r\n",
            f"--xyz\r\n\r\nHi\r\n--xyz--\r\n{EXE}",
            f"--xyz\r\n{EXE.partition(chr(13))[0]}\r\n\r\n--xyz\r\n{EXE}--xyz--\r\n",
            f"--xyz\r\nContent-Type: message/rfc822\r\n\r\n{HEAD}{EXE}--xyz--\r\n",
            f"--xyz\r\nContent-Type: message/rfc822\r\n\r\n\r\n{HEAD}{EXE}--xyz--\r\n",
            f"--xyz\r\nContent-Type: message/rfc822\r\n\r\n{EXE}--xyz--\r\n",
            f"--xyz\r\nContent-Type: message/rfc822; charset=a\r\n\r\n{HEAD}{EXE}--xyz--\r\n",
            f"--xyz\r\nContent-Type: message/global\r\n\r\n{HEAD}{EXE}--xyz--\r\n",
            f"--xyz\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            f"{_ENCODED}\r\n--xyz--\r\n",
            f"--xyz\r\nContent-Type: application/octet-stream; name=a.eml\r\n"
            f"Content-Transfer-Encoding: base64\r\n\r\n{_ENCODED}\r\n--xyz--\r\n",
            f"--xyz\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8-bit\r\n\r\n"
            f"{HEAD}{EXE}--xyz--\r\n",
            f"--xyz\r\n{_MIXED}=in\r\n\r\n--in\r\n{EXE}--in--\r\n--xyz--\r\n",
            f"--xyz\r\n{_MIXED}=xyz\r\n\r\n--xyz\r\n{EXE}--xyz--\r\n--xyz--\r\n",
            f"--xyz\r\n{_MIXED}=xy\r\n\r\n--xy\r\n{EXE}--xy--\r\n--xyz--\r\n",
            f"--xyz\r\n{_MIXED}=xyzz\r\n\r\n--xyzz\r\n{EXE}--xyzz--\r\n--xyz--\r\n",
            f"--xyz\r\nContent-Type: multipart/mixed; boundary=in\r\n\r\n--in\r\n\r\nHi\r\n"
            f"--xyz\r\n\r\nHi\r\n--in\r\n{EXE}--in--\r\n--xyz--\r\n",
            f"--xyz\r\n{_MIXED}=in\r\n\r\nHi\r\n--xyz\r\n{EXE}--xyz--\r\n",
            f"--xyz\r\nContent-Type: multipart/mixed\r\n\r\n--in\r\n{EXE}--in--\r\n--xyz--\r\n",
            f"--xyz\r\nContent-Type: text/plain; boundary=in\r\n\r\n"
            f"--in\r\n{EXE}--in--\r\n--xyz--\r\n",
            f"--xyz\r\nContent-Type: text/plain\r\n\r\n--in\r\n{EXE}--in--\r\n--xyz--\r\n",
            f"--xyz\r\nContent-Type: text/plain\r\n\r\nSee:\r\n\r\n{EXE}--xyz--\r\n",
            f"--xyz\r\nContent-Type: multipart/mixed; boundary=in\r\n"
            f"Content-Transfer-Encoding: base64\r\n\r\n"
            f"{b64encode(INNER.replace('xyz', 'in').encode()).decode()}\r\n--xyz--\r\n",
            f"--xyz\r\n{EXE.replace('base64', 'base64;')}--xyz--\r\n",
            f"--xyz\r\n{EXE.replace('base64', 'base64 (a)')}--xyz--\r\n",
            f"--xyz\r\n{EXE.replace('base64', '(a) base64')}--xyz--\r\n",
            f"--xyz\r\n{EXE.replace('base64', chr(34) + 'base64' + chr(34))}--xyz--\r\n",
            f"--xyz\r\n{EXE.replace('base64', 'base-64')}--xyz--\r\n",
            f"--xyz\r\nContent-Transfer-Encoding: 7bit\r\n{EXE}--xyz--\r\n",
            f"--xyz\r\n{EXE.replace(BODY, '!' + BODY)}--xyz--\r\n",
            f"--xyz\r\n{EXE.replace(BODY, '=' + BODY)}--xyz--\r\n",
            f"--xyz\r\n{EXE.replace(BODY, 'AA==' + BODY)}--xyz--\r\n",
            f"--xyz\r\n{EXE.replace(BODY, '-- ' + chr(13) + chr(10) + BODY)}--xyz--\r\n",
        )
    ),
    f"Content-Type: multipart/mixed; boundary=xyz\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    f"{_ENCODED_PARTS}\r\n",
    f"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n{_ENCODED}\r\n",
    "Content-Type: text/plain\r\n\r\nHi\r\nbegin 644 x.exe\r\n#35J0\r\n`\r\nend\r\n",
    "Content-Type: text/plain\r\n\r\nHi\r\n\r\nbegin 0644  x.exe\r\n#35J0\r\n`\r\nend\r\n",
    f"Content-Type: text/plain\r\n\r\nHi\r\nbegin-base64 644 x.exe\r\n{BODY}\r\n====\r\n",
    "Content-Type: text/html\r\n\r\n<p>Hi</p>\r\nbegin 644 x.exe\r\n#35J0\r\n`\r\nend\r\n",
    "Content-Type: application/x\r\n\r\nbegin 644 x.exe\r\n#35J0\r\n`\r\nend\r\n",
    "Content-Type: multipart/mixed; boundary=xyz\r\n\r\nbegin 644 x.exe\r\n#35J0\r\n`\r\nend\r\n"
    "--xyz\r\n\r\nHi\r\n--xyz--\r\n",
    "Content-Type: multipart/mixed; boundary=xyz\r\n\r\n--xyz\r\n\r\nHi\r\n--xyz--\r\n"
    "begin 644 x.exe\r\n#35J0\r\n`\r\nend\r\n",
    f"no field\r\n{EXE}",
    f" no field\r\n{EXE}",
    f"X: y\r\n \r\n{EXE}",
    f"X: y\r\n \r\n \r\n{EXE}",
    f"X : y\r\n{EXE}",
    f"From a@a.example Mon Jan  1 00:00:00 2024\r\n{EXE}",
]


def names() -> Ways:
    """Ways to write a name."""
    for what, field in fields():
        yield what, part(field)


def structures() -> Ways:
    """Ways to put the attachment where not everybody looks for it."""
    for rest in _STRUCTURES:
        yield rest[:200], (HEAD + rest).encode()
    for first in (
        "\r\n",
        " \r\n",
        "no field\r\n",
        ">From a\r\n",
        "From a@b Mon Jan 1\r\n",
        " x\r\n",
    ):
        yield f"{first!r} first", (first + HEAD + EXE).encode()


def all_ways() -> Ways:
    """All of them."""
    yield from names()
    yield from structures()
