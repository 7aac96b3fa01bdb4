"""
bpf(2): maps, programs, links. The only place that makes this system call.

There is no library for it that pip brings; the calls are those of C{linux/bpf.h}, and
few. Descriptors are the caller's to close.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
from collections.abc import Iterator, Mapping
from enum import IntEnum
from errno import EPERM
from struct import Struct, pack, pack_into

from gateway.kernel.errors import KernelError
from gateway.kernel.release.elf import Program

_NUMBER = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "ppc64le": 361, "s390x": 351}
"""Of the system call, by machine."""

_libc = ctypes.CDLL(None, use_errno=True)

_NAME = 15
"""Bytes of an object's name, at most."""

_LOG = 1 << 24
"""Bytes of what the verifier may say of a program that it refuses."""

_INSTRUCTION = 8
_PSEUDO_MAP_FD = 1


class Command(IntEnum):
    """What bpf(2) is asked for."""

    MAP_CREATE = 0
    MAP_LOOKUP_ELEM = 1
    MAP_UPDATE_ELEM = 2
    MAP_DELETE_ELEM = 3
    MAP_GET_NEXT_KEY = 4
    PROG_LOAD = 5
    OBJ_PIN = 6
    OBJ_GET = 7
    PROG_TEST_RUN = 10
    OBJ_GET_INFO_BY_FD = 15
    LINK_CREATE = 28
    LINK_UPDATE = 29


class MapType(IntEnum):
    """How a map keeps what is in it."""

    HASH = 1
    ARRAY = 2
    LRU_HASH = 9
    RINGBUF = 27


class Flag(IntEnum):
    """Of a map."""

    NO_PREALLOC = 1
    MMAPABLE = 1 << 10


class Attach(IntEnum):
    """Where a program hangs on a device."""

    TCX_INGRESS = 46
    TCX_EGRESS = 47


_SCHED_CLS = 3
"""The type of programs that classify packets of a device."""

_ELEMENT = Struct("=IIQQQ")
_MAP_INFO = Struct("=IIIII")
_TEST = Struct("=IiIIQQI4x")


def _call(command: Command, attributes: bytes) -> int:
    """@raise OSError: the kernel refuses."""
    return _call_with(command, ctypes.create_string_buffer(attributes, len(attributes)))


def _call_with(command: Command, attributes: ctypes.Array[ctypes.c_char]) -> int:
    """The same, of attributes in which the kernel answers."""
    number = _NUMBER.get(platform.machine())
    if number is None:
        raise OSError(0, f"bpf(2) has no known number on {platform.machine()}")
    result = int(_libc.syscall(number, int(command), attributes, len(attributes)))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def _address(buffer: ctypes.Array[ctypes.c_char]) -> int:
    return ctypes.addressof(buffer)


class Map:
    """
    A map in the kernel.

    @ivar descriptor: it lives as long as somebody has one.
    """

    def __init__(self, descriptor: int, key: int, value: int, entries: int) -> None:
        self.descriptor = descriptor
        self.entries = entries
        self._key = key
        self._value = value

    @classmethod
    def create(
        cls, kind: MapType, key: int, value: int, entries: int, flags: int, name: str
    ) -> Map:
        """
        Make one.

        @param key: bytes of a key.
        @param value: bytes of a value.
        @raise KernelError: it can't be made, for lack of privileges or memory.
        """
        attributes = pack(
            "=IIIIIII16s", kind, key, value, entries, flags, 0, 0, name[:_NAME].encode()
        )
        try:
            return cls(_call(Command.MAP_CREATE, attributes), key, value, entries)
        except OSError as error:
            raise KernelError(_explained(f"the map {name}", error)) from error

    @classmethod
    def of(cls, descriptor: int) -> Map:
        """One that is there already."""
        info = ctypes.create_string_buffer(_MAP_INFO.size)
        attributes = pack("=IIQ", descriptor, _MAP_INFO.size, _address(info))
        _call(Command.OBJ_GET_INFO_BY_FD, attributes)
        _, _, key, value, entries = _MAP_INFO.unpack(info.raw)
        return cls(descriptor, key, value, entries)

    @property
    def shape(self) -> tuple[int, int]:
        """Bytes of a key and of a value."""
        return self._key, self._value

    def put(self, key: bytes, value: bytes) -> None:
        """@raise KernelError: the map is full."""
        wanted, given = self._buffer(key, self._key), self._buffer(value, self._value)
        try:
            _call(
                Command.MAP_UPDATE_ELEM,
                _ELEMENT.pack(self.descriptor, 0, _address(wanted), _address(given), 0),
            )
        except OSError as error:
            raise KernelError(f"a map of {self.entries} entries takes no more: {error}") from error

    def get(self, key: bytes) -> bytes | None:
        """The value of C{key}, if it is there."""
        wanted = self._buffer(key, self._key)
        found = ctypes.create_string_buffer(self._value)
        try:
            _call(
                Command.MAP_LOOKUP_ELEM,
                _ELEMENT.pack(self.descriptor, 0, _address(wanted), _address(found), 0),
            )
        except FileNotFoundError:
            return None
        return found.raw

    def remove(self, key: bytes) -> None:
        """Harmless if it is not there."""
        wanted = self._buffer(key, self._key)
        try:
            _call(
                Command.MAP_DELETE_ELEM,
                _ELEMENT.pack(self.descriptor, 0, _address(wanted), 0, 0),
            )
        except FileNotFoundError:
            pass

    def keys(self) -> Iterator[bytes]:
        """All that are there. What is put or removed meanwhile may be missing, or be twice."""
        present = None
        while True:
            # kept in a variable: what is garbage would be somebody else's memory in the call
            following = ctypes.create_string_buffer(self._key)
            at = 0 if present is None else _address(present)
            try:
                _call(
                    Command.MAP_GET_NEXT_KEY,
                    _ELEMENT.pack(self.descriptor, 0, at, _address(following), 0),
                )
            except FileNotFoundError:
                return
            yield following.raw
            present = following

    def memory(self) -> mmap.mmap:
        """The values of an array, as memory that the kernel sees too."""
        each = (self._value + 7) // 8 * 8
        return mmap.mmap(self.descriptor, _pages(each * self.entries))

    @staticmethod
    def _buffer(data: bytes, size: int) -> ctypes.Array[ctypes.c_char]:
        assert len(data) == size, f"{len(data)} bytes in place of {size}"
        return ctypes.create_string_buffer(data, size)


def _pages(size: int) -> int:
    return (size + mmap.PAGESIZE - 1) // mmap.PAGESIZE * mmap.PAGESIZE


def load(program: Program, license: bytes, maps: Mapping[str, Map]) -> int:
    """
    Load a program.

    @param maps: those that it refers to, by the names that it has for them.
    @return: its descriptor.
    @raise KernelError: privileges are missing, or the kernel's verifier refuses it.
    """
    code = bytearray(program.code)
    for at, name in program.references:
        code[at + 1] = code[at + 1] & 0x0F | _PSEUDO_MAP_FD << 4
        pack_into("<i", code, at + 4, maps[name].descriptor)
    instructions = ctypes.create_string_buffer(bytes(code), len(code))
    terms = ctypes.create_string_buffer(license, len(license))

    def attributes(log: tuple[int, int, int] = (0, 0, 0)) -> bytes:
        return pack(
            "=IIQQIIQII16s",
            *(_SCHED_CLS, len(code) // _INSTRUCTION, _address(instructions), _address(terms)),
            *(*log, 0, 0, program.name[:_NAME].encode()),
        )

    try:
        return _call(Command.PROG_LOAD, attributes())
    except OSError as error:
        if error.errno == EPERM:
            raise KernelError(_explained(f"the program {program.name}", error)) from error
    said = ctypes.create_string_buffer(_LOG)
    try:
        return _call(Command.PROG_LOAD, attributes((1, _LOG, _address(said))))
    except OSError as error:
        last = said.value.decode(errors="replace").strip().splitlines()[-3:]
        why = f"the kernel refuses the program {program.name}: {error}: {'; '.join(last)}"
        raise KernelError(why) from error


def attach(program: int, device: int, where: Attach) -> int:
    """
    Hang a program on a device, beside those of others (Linux 6.6).

    @param device: its index.
    @return: the descriptor of the link: the program hangs there as long as somebody has one.
    @raise OSError: the kernel is older (EINVAL), or refuses.
    """
    return _call(Command.LINK_CREATE, pack("=IIIIIIQ", program, device, where, 0, 0, 0, 0))


def replace(link: int, program: int) -> None:
    """
    Let another program hang where one hangs, without a moment between.

    @raise OSError: the device is gone (ENOLINK).
    """
    _call(Command.LINK_UPDATE, pack("=IIII", link, program, 0, 0))


def run(program: int, packet: bytes) -> tuple[int, bytes]:
    """
    Run a program once, now, on a packet that is given to it and goes nowhere.

    @param packet: from its Ethernet header on.
    @return: what the program returns, as a signed number; and the packet, as the program left it.
    @raise OSError: the kernel refuses.
    """
    size = len(packet)
    given = ctypes.create_string_buffer(packet, size)
    left = ctypes.create_string_buffer(size)
    attributes = ctypes.create_string_buffer(
        _TEST.pack(program, 0, size, size, _address(given), _address(left), 1), _TEST.size
    )
    _call_with(Command.PROG_TEST_RUN, attributes)
    _, returned, *_ = _TEST.unpack_from(attributes)
    return int(returned), left.raw


def pin(descriptor: int, path: str) -> None:
    """
    Let a file of a BPF file system keep a map, program or link.

    @raise OSError: it can't be, or is there already.
    """
    name = ctypes.create_string_buffer(path.encode())
    _call(Command.OBJ_PIN, pack("=QII", _address(name), descriptor, 0))


def pinned(path: str) -> int:
    """
    What a file of a BPF file system keeps.

    @return: a descriptor.
    @raise OSError: there is none.
    """
    name = ctypes.create_string_buffer(path.encode())
    return _call(Command.OBJ_GET, pack("=QII", _address(name), 0, 0))


def _explained(what: str, error: OSError) -> str:
    if error.errno == EPERM:
        return f"{what} can't be made: that needs CAP_BPF and CAP_NET_ADMIN"
    return f"{what} can't be made: {error}"
