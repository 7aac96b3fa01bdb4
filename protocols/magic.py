"""
Magic: what a body is by its first bytes, whatever its header says.

Signatures are those of the formats' own specifications, as collected in the
WHATWG's MIME Sniffing standard (sections 6 and 7) and in file(1)'s magic(5). Only what
policies are about: programs, archives, documents, images, sound, video, markup.
"""

from __future__ import annotations

import re
import zlib

from attrs import frozen

LOOK = 512
"""How many bytes it takes: WHATWG's "resource header" is 1445; tar's signature is at 257."""


@frozen
class Kind:
    """
    What a signature says.

    @ivar type: the media type.
    @ivar also: types that bodies with this signature may rightly be called.
    """

    type: str
    also: re.Pattern[str] = re.compile("(?!)")


def _kind(type: str, also: str = "(?!)") -> Kind:
    return Kind(type, re.compile(also))


PROGRAM = "application/x-executable"
"""Stands for programs of all systems."""

_ZIP = (
    r"application/(x-zip(-compressed)?|java-archive|epub\+zip|vnd\.android\.package-archive|"
    r"vnd\.openxmlformats-officedocument\..*|vnd\.oasis\.opendocument\..*|vnd\.ms-.*|.*\+zip|"
    r"x-xpinstall|x-chrome-extension|octet-stream)"
)
_XML = r"(text|application)/xml|.*\+xml|text/html"

SIGNATURES: tuple[tuple[re.Pattern[bytes], Kind], ...] = tuple(
    (re.compile(signature, re.DOTALL), kind)
    for signature, kind in (
        # Programs: PE and DOS (Microsoft's PE format, section 2), ELF (gABI, chapter 4), Mach-O
        # (loader.h), Java (JVMS, section 4.1; not a fat Mach-O, whose next word is small),
        # WebAssembly (core specification, section 5.5.16), scripts (execve(2)).
        (rb"MZ", _kind(PROGRAM, r"application/(x-msdownload|x-msdos-program|vnd\.microsoft.*)")),
        (rb"\x7fELF", _kind(PROGRAM, r"application/(x-elf|x-sharedlib|x-pie-executable)")),
        (rb"[\xce\xcf]\xfa\xed\xfe|\xfe\xed\xfa[\xce\xcf]", _kind(PROGRAM)),
        (rb"\xca\xfe\xba\xbe", _kind(PROGRAM, r"application/(java-vm|x-java.*|x-mach-binary)")),
        (rb"\0asm", _kind("application/wasm")),
        (rb"#!", _kind("text/x-shellscript", r"text/.*|application/(x-sh|x-.*|javascript)")),
        # OLE 2 compound files: old Office documents and MSI (MS-CFB, section 2.2)
        (
            rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
            _kind("application/x-ole-storage", r"application/(msword|vnd\.ms-.*|x-msi|.*msi.*)"),
        ),
        # Windows shortcut (MS-SHLLINK, section 2.1)
        (rb"L\0\0\0\x01\x14\x02\0", _kind("application/x-ms-shortcut")),
        # Archives
        (rb"PK(?:\x03\x04|\x05\x06|\x07\x08)", _kind("application/zip", _ZIP)),
        (rb"Rar!\x1a\x07", _kind("application/vnd.rar", r"application/x-rar(-compressed)?")),
        (rb"7z\xbc\xaf\x27\x1c", _kind("application/x-7z-compressed")),
        (
            rb"\x1f\x8b\x08",
            _kind("application/gzip", r"application/(x-gzip|x-tar|x-gtar|x-compressed.*|.*gzip)"),
        ),
        (rb"BZh[1-9]", _kind("application/x-bzip2", r"application/(x-bzip|x-tar)")),
        (rb"\xfd7zXZ\0", _kind("application/x-xz", r"application/x-tar")),
        (rb"\x28\xb5\x2f\xfd", _kind("application/zstd", r"application/x-zstd")),
        (rb"MSCF", _kind("application/vnd.ms-cab-compressed")),
        (rb".{257}ustar", _kind("application/x-tar", r"application/x-gtar|application/x-ustar")),
        (rb"!<arch>\n", _kind("application/x-archive", r"application/.*(debian|deb).*")),
        (rb"\xed\xab\xee\xdb", _kind("application/x-rpm", r"application/x-redhat.*")),
        # Documents
        (rb"%PDF-", _kind("application/pdf")),
        (rb"%!PS", _kind("application/postscript")),
        (rb"\{\\rtf", _kind("application/rtf", r"text/rtf")),
        # Images
        (rb"\x89PNG\r\n\x1a\n", _kind("image/png", r"image/(apng|x-png|vnd\.mozilla\.apng)")),
        (rb"\xff\xd8\xff", _kind("image/jpeg", r"image/(jpg|pjpeg)")),
        (rb"GIF8[79]a", _kind("image/gif")),
        (rb"RIFF....WEBP", _kind("image/webp")),
        (rb"BM.{4}\0{4}", _kind("image/bmp", r"image/x-(ms-)?bmp")),
        (rb"\0\0\x01\0", _kind("image/x-icon", r"image/vnd\.microsoft\.icon")),
        (rb"II\*\0|MM\0\*", _kind("image/tiff")),
        (rb"....ftyp(?:avif|avis|heic|mif1)", _kind("image/avif", r"image/(heic|heif).*")),
        # Sound and video
        (rb"....ftyp", _kind("video/mp4", r"(video|audio)/.*|application/mp4")),
        (rb"\x1a\x45\xdf\xa3", _kind("video/webm", r"(video|audio)/.*")),
        (rb"OggS\0", _kind("application/ogg", r"(video|audio)/.*")),
        (rb"RIFF....AVI ", _kind("video/x-msvideo", r"video/.*")),
        (rb"RIFF....WAVE", _kind("audio/wav", r"audio/.*")),
        (rb"ID3|\xff[\xfb\xf3\xf2]", _kind("audio/mpeg", r"audio/.*")),
        (rb"fLaC", _kind("audio/flac", r"audio/.*")),
        (rb"FLV\x01", _kind("video/x-flv", r"video/.*")),
        # Fonts
        (rb"wOF[F2]", _kind("font/woff", r"font/.*|application/(x-)?font-.*")),
        # Markup: WHATWG MIME Sniffing, section 7.1
        (
            rb"(?:\xef\xbb\xbf)?[\t\n\f\r ]*(?i:<!doctype html|<(?:html|head|body|script|iframe|"
            rb"title|table|style|div|h1|br|p|a|b|font|!--)[ >])",
            _kind("text/html", r"application/xhtml\+xml|.*xml|text/.*"),
        ),
        (rb"(?:\xef\xbb\xbf)?[\t\n\f\r ]*<\?xml", _kind("text/xml", _XML)),
        (rb"(?:FWS|CWS|ZWS)[\x01-\x40]", _kind("application/x-shockwave-flash")),
    )
)


_ANY = re.compile(b"|".join(b"(?:%b)" % each.pattern for each, _ in SIGNATURES), re.DOTALL)
"""All of them at once: most bodies have none."""


def recognise(beginning: bytes) -> Kind | None:
    """What a body is that begins so; C{None} if it has no signature that is known."""
    if not _ANY.match(beginning):
        return None
    for signature, kind in SIGNATURES:
        if signature.match(beginning):
            return kind
    return None


DECODED = ("", "identity", "gzip", "x-gzip", "deflate")
"""Content codings that L{decoded} can read."""

GZIP = 31
"""What zlib calls it."""


def decoded(beginning: bytes, coding: str) -> bytes:
    """
    The first bytes of what is in a compressed body. Never more than L{LOOK}, however
    much they would grow.

    @param coding: one of L{DECODED}.
    @raise ValueError: it is not compressed so.
    """
    if coding in ("", "identity"):
        return beginning
    try:
        if coding == "deflate":
            return zlib.decompressobj().decompress(beginning, LOOK)
        return _members(beginning)
    except zlib.error as error:
        if coding == "deflate":
            return _raw(beginning)
        raise ValueError(f"it is not {coding}: {error}") from None


def _members(beginning: bytes) -> bytes:
    """Of several members, what is in all of them is one content (RFC 1952, section 2.2)."""
    found = b""
    while beginning and len(found) < LOOK:
        member = zlib.decompressobj(GZIP)
        found += member.decompress(beginning, LOOK - len(found))
        beginning = member.unused_data
    return found


def _raw(beginning: bytes) -> bytes:
    """Deflate without its envelope, as many servers send it (RFC 9110, section 8.4.1.2)."""
    try:
        return zlib.decompressobj(-15).decompress(beginning, LOOK)
    except zlib.error as error:
        raise ValueError(f"it is not deflate: {error}") from None
