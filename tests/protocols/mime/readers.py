"""
Readers: what other people's programs find in a message.

They read messages as they are after a gateway that has changed or passed them,
so each of them is a judge of what somebody could have walked around.
"""

from __future__ import annotations

import re
import subprocess
from base64 import b64decode
from collections.abc import Iterable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from pathlib import Path
from quopri import decodestring
from tempfile import TemporaryDirectory

from attrs import frozen

ROOT = Path(__file__).resolve().parents[3]
REFORMIME = ROOT / ".make/unpacked/maildrop/usr/bin/reformime"

# MIME::Parser is what amavisd reads by. One process for many messages: Perl takes its time.
_PERL = r"""
use MIME::Parser; use MIME::WordDecoder;
binmode STDOUT, ':utf8';
sub show { my ($e, $n) = @_;
    my $b = $e->bodyhandle;
    my $s = defined $b ? substr($b->as_string, 0, 64) : '';
    for my $name (grep { defined && length } $e->head->recommended_filename,
            $e->head->mime_attr('content-type.name'),
            $e->head->mime_attr('content-disposition.filename'), '') {
        $name =~ s/[\r\n\t]/ /g;
        print join("\t", $n, mime_to_perl_string($name), unpack('H*', $s)), "\n";
    }
    show($_, $n) for $e->parts;
}
for my $n (@ARGV) {
    my $p = MIME::Parser->new; $p->output_to_core(1); $p->tmp_to_core(1);
    $p->decode_headers(0); $p->extract_nested_messages(1); $p->extract_uuencode(1);
    my $e = eval { $p->parse_open($n) };
    show($e, $n) if $e;
}
"""


@frozen
class File:
    """
    What a reader would put on the disk.

    @ivar name: what it calls it; empty if it has no name.
    @ivar beginning: its first bytes.
    """

    name: str
    beginning: bytes


Found = dict[int, list[File]]
"""What was found in the messages, by their number."""


def python(messages: list[bytes]) -> Found:
    """The standard library's email package, in both of its ways to read."""
    return {number: list(_python(data)) for number, data in enumerate(messages)}


def _python(data: bytes) -> Iterator[File]:
    for mode in (policy.compat32, policy.default):
        try:
            message: Message | EmailMessage = message_from_bytes(data, policy=mode)
        except Exception:  # what it can't read, it shows to nobody
            continue
        for part in message.walk():
            yield from _python_part(part)


def _python_part(part: Message | EmailMessage) -> Iterator[File]:
    try:
        content = part.get_payload(decode=True)
    except Exception:
        content = b""
    beginning = content[:64] if isinstance(content, bytes) else b""
    yield File("", beginning)
    for header in ("content-disposition", "content-type"):
        for parameter in ("filename", "name"):
            try:
                name = part.get_param(parameter, None, header)
            except Exception:
                continue
            if isinstance(name, tuple):
                name = part.get_filename() if parameter == "filename" else name[2]
            if isinstance(name, str):
                yield File(name, beginning)


def ripmime(messages: list[bytes]) -> Found:
    """ripMIME, which mail filters use to take messages apart."""
    return _each(
        messages,
        lambda file, folder: ["ripmime", "-i", str(file), "-d", str(folder), "--no-nameless"],
    )


def munpack(messages: list[bytes]) -> Found:
    """munpack, the oldest of them, which reads what was before MIME too."""
    return _each(
        messages, lambda file, folder: ["munpack", "-q", "-f", "-t", "-C", str(folder), str(file)]
    )


def reformime(messages: list[bytes]) -> Found:
    """Courier's reformime, by the names and places that it tells of all parts."""
    found: Found = {}
    for number, data in enumerate(messages):
        text = data.replace(b"\r\n", b"\n")
        output = subprocess.run(
            [REFORMIME, "-i"], input=text, check=False, capture_output=True, timeout=60
        ).stdout.decode("utf-8", "replace")
        found[number] = [
            file for part in output.split("\n\n") for file in _reformime_part(part, text)
        ]
    return found


def _reformime_part(part: str, text: bytes) -> Iterator[File]:
    said = dict(line.split(": ", 1) for line in part.split("\n") if ": " in line)
    begin, end = int(said.get("starting-pos-body", 0)), int(said.get("ending-pos", 0))
    body = text[begin:end]
    if said.get("content-transfer-encoding") == "base64":
        body = b64decode(re.sub(rb"[^A-Za-z0-9+/]", b"", body)[:88] + b"==")
    elif said.get("content-transfer-encoding") == "quoted-printable":
        body = decodestring(body)
    for key in ("content-name", "content-disposition-filename"):
        yield File(said.get(key, ""), body[:64])


def mime_tools(messages: list[bytes]) -> Found:
    """Perl's MIME-tools, by which amavisd reads."""
    found: Found = {number: [] for number in range(len(messages))}
    with TemporaryDirectory() as name:
        folder = Path(name)
        for number, data in enumerate(messages):
            (folder / str(number)).write_bytes(data.replace(b"\r\n", b"\n"))
        for some in _batches(range(len(messages)), 500):
            output = _run(["perl", "-e", _PERL, *map(str, some)], folder)
            for line in output.decode("utf-8", "replace").split("\n"):
                fields = line.split("\t")
                if len(fields) == 3 and fields[0].isdigit():
                    found[int(fields[0])].append(File(fields[1], bytes.fromhex(fields[2])))
    return found


def _each(messages: list[bytes], command: object) -> Found:
    found: Found = {}
    for number, data in enumerate(messages):
        with TemporaryDirectory() as name:
            file, folder = Path(name, "message"), Path(name, "parts")
            folder.mkdir()
            file.write_bytes(data.replace(b"\r\n", b"\n"))
            _run(command(file, folder), Path(name))  # type: ignore[operator]
            found[number] = [
                File(part.name, part.read_bytes()[:64])
                for part in sorted(folder.rglob("*"))
                if part.is_file()
            ]
    return found


def _batches(numbers: Iterable[int], size: int) -> Iterator[list[int]]:
    rest = list(numbers)
    while rest:
        yield rest[:size]
        rest = rest[size:]


def _run(command: list[str], folder: Path) -> bytes:
    return subprocess.run(command, cwd=folder, check=False, capture_output=True, timeout=60).stdout


READERS = {
    "Python": python,
    "ripmime": ripmime,
    "munpack": munpack,
    "reformime": reformime,
    "MIME-tools": mime_tools,
}
