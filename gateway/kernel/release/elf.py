"""
The object file that a compiler makes for BPF: programs, and which maps they refer to.

As much of ELF as such a file has (System V ABI, "Object Files", and the kernel's
C{Documentation/bpf/llvm_reloc.rst}). The file is ours: what is wrong with it is a bug.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from attrs import frozen

_HEADER_SECTIONS_AT = Struct("<40xQ")
_HEADER_SECTIONS = Struct("<58xHHH")
_SECTION = Struct("<IIQQQQIIQQ")
_SYMBOL = Struct("<IBBHQQ")
_RELOCATION = Struct("<QQ")
_MAGIC = b"\x7fELF\x02\x01\x01"

_PROGBITS = 1
_SYMTAB = 2
_REL = 9
_R_BPF_64_64 = 1
"""The only kind of reference that the program makes: to a map, from a 64-bit load."""


class Reference(NamedTuple):
    """An instruction that wants the descriptor of a map."""

    at: int
    """Bytes from the beginning of the code."""

    map: str


@frozen
class Program:
    """One program as the compiler has made it."""

    name: str
    code: bytes
    references: tuple[Reference, ...]


class _Section(NamedTuple):
    name: int
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry_size: int


class Object:
    """
    An object file.

    @param data: all of it.
    """

    def __init__(self, data: bytes) -> None:
        assert data.startswith(_MAGIC), "not a 64-bit little-endian ELF file"
        self._data = data
        (begin,) = _HEADER_SECTIONS_AT.unpack_from(data)
        size, count, names = _HEADER_SECTIONS.unpack_from(data)
        self._sections = [
            _Section(*_SECTION.unpack_from(data, begin + number * size)) for number in range(count)
        ]
        self._names = self._sections[names]
        (self._symbols,) = (each for each in self._sections if each.kind == _SYMTAB)

    def programs(self, prefix: str) -> Iterator[Program]:
        """The programs whose sections' names begin with C{prefix}, named by the rest."""
        for number, section in enumerate(self._sections):
            name = self._text(self._names, section.name)
            if section.kind == _PROGBITS and section.size and name.startswith(prefix):
                references = tuple(self._references(number))
                yield Program(name.removeprefix(prefix), self._content(section), references)

    def license(self) -> bytes:
        """Under which license the kernel is told that it is."""
        (section,) = (s for s in self._sections if self._text(self._names, s.name) == "license")
        return self._content(section)

    def _references(self, number: int) -> Iterator[Reference]:
        for section in self._sections:
            if section.kind == _REL and section.info == number:
                for at, info in _RELOCATION.iter_unpack(self._content(section)):
                    assert info & 0xFFFFFFFF == _R_BPF_64_64, f"relocation {info:#x}"
                    yield Reference(at, self._symbol(info >> 32))

    def _symbol(self, number: int) -> str:
        at = self._symbols.offset + number * _SYMBOL.size
        name, *_ = _SYMBOL.unpack_from(self._data, at)
        return self._text(self._sections[self._symbols.link], name)

    def _content(self, section: _Section) -> bytes:
        return self._data[section.offset : section.offset + section.size]

    def _text(self, table: _Section, at: int) -> str:
        begin = table.offset + at
        return self._data[begin : self._data.index(b"\0", begin)].decode()
