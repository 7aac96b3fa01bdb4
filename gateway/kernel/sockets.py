"""
Every socket of the gateway is made here: the only place that calls setsockopt.

What each option is for:

  - IP_TRANSPARENT / IPV6_TRANSPARENT: accept for, and bind to, addresses that
    are not ours. IP_FREEBIND is no substitute (connect: ENETUNREACH).
  - SO_REUSEADDR before bind: a client may use one port to several servers at
    the same time, so may we.
  - IP_BIND_ADDRESS_NO_PORT before bind(address, 0): the port is chosen at
    connect, when the destination is known; otherwise all destinations share
    some 28,000 ports.
  - SO_MARK: tells the packet filter which leg a packet belongs to, so that our
    own connections are not diverted again.
  - SO_OOBINLINE: the byte sent as TCP urgent data stays in its place in the
    stream. FTP's ABOR loses a letter otherwise, and inspection can be evaded.
  - SO_LINGER of 0: if this process is killed, its peers get resets. An orderly end would tell them
    that what they have is complete. L{close} takes it back.

Accepted sockets inherit mark, SO_OOBINLINE, TCP_NODELAY and SO_LINGER from the listener.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from gateway.interfaces import Address
from gateway.policy.divert import Mark

IP_TRANSPARENT = 19
IP_RECVORIGDSTADDR = 20
IP_BIND_ADDRESS_NO_PORT = 24
IPV6_HDRINCL = 36
IPV6_TRANSPARENT = 75
IPV6_RECVORIGDSTADDR = 74
SO_ATTACH_REUSEPORT_CBPF = 51
SO_SNDBUFFORCE = 32
SO_RCVBUFFORCE = 33
SOL_NETLINK = 270
NETLINK_ADD_MEMBERSHIP = 1

DATAGRAM_QUEUE = 4 * 1024 * 1024
"""Bytes (the kernel's, some 1 KiB for a small datagram) that a UDP listener's queue holds."""

NETLINK_QUEUE = 64 * 1024 * 1024
"""Bytes that a socket to the kernel may send at once, a large ruleset, or hold for us, its news."""

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: closing sends a reset and forgets what was not sent."""

ORDERLY = struct.pack("ii", 0, 0)
"""SO_LINGER: what was not sent is sent after closing, and then the end."""

IN_USE = frozenset({errno.EADDRINUSE, errno.EADDRNOTAVAIL})
"""The client's port can't be had: somebody has it, or the 4-tuple is in TIME_WAIT."""

Socket = socket.SocketType
"""The class of streams' sockets. What C{socket.socket} adds to it in Python costs at each one."""

# Options with their values: to find each of the names takes half as long as the kernel does.
_REUSED = socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
_RESET = socket.SOL_SOCKET, socket.SO_LINGER, RESET
_ORDERLY = socket.SOL_SOCKET, socket.SO_LINGER, ORDERLY
_AT_ONCE = socket.IPPROTO_TCP, socket.TCP_NODELAY, 1

_STREAM = (socket.SOL_SOCKET, socket.SO_OOBINLINE, 1), _AT_ONCE, _RESET
"""Options that every stream socket wants, the accepted ones by inheritance."""

_WAITING = struct.Struct("=24xI")
"""As much of C{struct tcp_info} as L{waiting} wants: C{tcpi_unacked}."""

_SENT = struct.Struct("=144xI8xI")
"""As much of it as L{has_sent} wants: C{tcpi_notsent_bytes} and C{tcpi_data_segs_out}."""

_TRANSPARENT = {
    socket.AF_INET: (socket.IPPROTO_IP, IP_TRANSPARENT),
    socket.AF_INET6: (socket.IPPROTO_IPV6, IPV6_TRANSPARENT),
}

_HEADER_INCLUDED = {
    socket.AF_INET: (socket.IPPROTO_IP, socket.IP_HDRINCL),
    socket.AF_INET6: (socket.IPPROTO_IPV6, IPV6_HDRINCL),
}


_NOBODY = {
    socket.AF_INET: Address("127.0.0.1", 9),
    socket.AF_INET6: Address("::1", 9),
}
"""The port of RFC 863, which says nothing."""


class Opened(NamedTuple):
    """A socket on its way to a server, and whether it has the port that was wanted."""

    socket: Socket
    port_kept: bool


def family_of(host: str) -> socket.AddressFamily:
    """The address family of an address in text form."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _transparent(sock: Socket, family: socket.AddressFamily) -> None:
    """
    Let C{sock} use addresses that are not this host's.

    @raise PermissionError: CAP_NET_RAW is missing.
    """
    level, name = _TRANSPARENT[family]
    try:
        sock.setsockopt(level, name, 1)
    except PermissionError:
        raise PermissionError(
            errno.EPERM,
            "transparent sockets need the capability CAP_NET_RAW: start as root, or see "
            "AmbientCapabilities in tproxygw.service",
        ) from None


def _new(family: int, kind: int, mark: int) -> Socket:
    """A non-blocking socket that carries C{mark}."""
    sock = Socket(family, kind | socket.SOCK_NONBLOCK)
    if mark:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
    return sock


def send_at_once(sock: Socket) -> None:
    """
    Of a TCP socket: what is sent does not wait for the peer to acknowledge what was sent before,
    which takes it 40 ms if it has nothing to say.
    """
    sock.setsockopt(*_AT_ONCE)


def _prepare_stream(sock: Socket) -> None:
    for option in _STREAM:
        sock.setsockopt(*option)


def listen(address: Address, mark: int, backlog: int, group: bool = False) -> Socket:
    """
    A transparent TCP listener, on an address of ours or of somebody else.

    @param group: others of ours listen there, too, and the kernel chooses.
    @raise OSError: the address is in use, or privileges are missing.
    """
    family = family_of(address.host)
    sock = _new(family, socket.SOCK_STREAM, mark)
    try:
        _share(sock, group)
        _prepare_stream(sock)
        _transparent(sock, family)
        _only_ipv6(sock, family)
        sock.bind(address)
        sock.listen(backlog)
    except BaseException:
        sock.close()
        raise
    return sock


def _share(sock: Socket, group: bool) -> None:
    """Let others use the same port: with other addresses, or, in a C{group}, the same ones."""
    sock.setsockopt(*_REUSED)
    if group:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)


def _only_ipv6(sock: Socket, family: socket.AddressFamily) -> None:
    """There is one listener for each family, so that addresses never come in mapped form."""
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)


def inherited(descriptor: int) -> Socket:
    """A socket that another process has made for us."""
    return Socket(*_kind_of(descriptor), 0, descriptor)


def _kind_of(descriptor: int) -> tuple[int, int]:
    with socket.socket(fileno=os.dup(descriptor)) as sock:
        return sock.family, sock.type


def choose_by(sock: Socket, program: bytes) -> None:
    """
    Let a program of classic BPF choose in the group of listeners that C{sock} is of, in the place
    of another one.

    @raise OSError: the kernel doesn't take it.
    """
    code = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog
    pointer = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(code))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, pointer)


def accept(listener: Socket) -> tuple[Socket, Address, Address]:
    """
    The next connection: its socket, who made it, and where it was going.

    The original destination is the socket's own name: SO_ORIGINAL_DST can lie
    about TPROXY sockets.

    @raise BlockingIOError: there is none now.
    @raise OSError: it is gone already, or descriptors or memory ran out.
    """
    # What accept() of socket.socket does, but that looks up in enums what is known here.
    accepting: Any = listener
    descriptor, peer = accepting._accept()
    family = socket.AF_INET if len(peer) == 2 else socket.AF_INET6
    sock = Socket(family, socket.SOCK_STREAM, 0, descriptor)
    try:
        sock.setblocking(False)
        name = sock.getsockname()
    except OSError:
        sock.close()
        raise
    return sock, Address(peer[0], peer[1]), Address(name[0], name[1])


def waiting(listener: Socket) -> int:
    """
    How many connections wait to be accepted.

    The kernel says so in C{tcpi_unacked} of a listener's C{struct tcp_info}, see C{tcp_get_info} in
    C{net/ipv4/tcp.c}; C{ss -l} shows it as Recv-Q.
    """
    (count,) = _WAITING.unpack(
        listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _WAITING.size)
    )
    return int(count)


def open_towards(
    server: Address, source: Address | None, mark: int, strict: bool = False
) -> Opened:
    """
    Begin to connect to C{server}, from C{source} if given (a port of 0: any).

    If the port of C{source} can't be had, any other port of the same address
    is taken, unless C{strict}.

    @raise OSError: no route, no permission, no free port, no descriptors.
    """
    if source is None:
        return Opened(_open(server, None, mark), False)
    if source.port:
        try:
            return Opened(_open(server, source, mark), True)
        except OSError as error:
            if strict or error.errno not in IN_USE:
                raise
    return Opened(_open(server, Address(source.host, 0), mark), False)


def _open(server: Address, source: tuple[str, int] | None, mark: int) -> Socket:
    family = family_of(server.host)
    sock = _new(family, socket.SOCK_STREAM, mark)
    try:
        _prepare_stream(sock)
        if source is not None:
            _bind_foreign(sock, family, source)
        code = sock.connect_ex(server)  # connect() would raise an exception for each connection
        if code and code != errno.EINPROGRESS:
            raise OSError(code, os.strerror(code))
    except BaseException:
        sock.close()
        raise
    return sock


def stand_in(family: socket.AddressFamily, mark: int) -> Socket:
    """
    A socket that is to be put into a running connection (L{gateway.kernel.repair}).

    @raise OSError: privileges are missing, or there are no descriptors.
    """
    sock = _new(family, socket.SOCK_STREAM, mark)
    try:
        _prepare_stream(sock)
        _transparent(sock, family)  # and repair mode lets it share its port
    except BaseException:
        sock.close()
        raise
    return sock


def has_sent(sock: Socket) -> bool:
    """Whether a stream's socket has sent data, or would."""
    told = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SENT.size)
    return any(_SENT.unpack(told))


def taken(descriptor: int, family: socket.AddressFamily) -> Socket:
    """A stream's socket that another process has made, by its descriptor."""
    sock = Socket(family, socket.SOCK_STREAM, 0, descriptor)
    sock.setblocking(False)
    return sock


def _bind_foreign(sock: Socket, family: socket.AddressFamily, source: tuple[str, int]) -> None:
    """Bind to an address that is, in general, not ours."""
    _transparent(sock, family)
    sock.setsockopt(*_REUSED)
    if not source[1]:
        sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    sock.bind(source)


def connect_error(sock: Socket) -> int:
    """How a connection attempt ended: 0, or an errno."""
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def close(sock: Socket) -> None:
    """Close in an orderly way."""
    try:
        sock.setsockopt(*_ORDERLY)
    except OSError:
        pass  # gone already
    sock.close()


def reset(sock: Socket) -> None:
    """Close with a reset, so that the peer can't take what it has for complete."""
    try:
        sock.setsockopt(*_RESET)
    except OSError:
        pass  # gone already
    sock.close()


def is_ours(host: str) -> bool:
    """Whether C{host} is an address of this very host."""
    with socket.socket(family_of(host), socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            return False
    return True


# UDP


def listen_datagrams(address: Address, mark: int, group: bool = False) -> Socket:
    """
    A transparent UDP socket that is told the original destination of each datagram.

    @param group: as for L{listen}.
    @raise OSError: the address is in use, or privileges are missing.
    """
    family = family_of(address.host)
    sock = _new(family, socket.SOCK_DGRAM, mark)
    try:
        _share(sock, group)
        _transparent(sock, family)
        _only_ipv6(sock, family)
        _enlarge_queue(sock)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVORIGDSTADDR, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, IP_RECVORIGDSTADDR, 1)
        sock.bind(address)
    except BaseException:
        sock.close()
        raise
    return sock


def _enlarge_queue(sock: Socket) -> None:
    """The first datagrams of all sessions come to one socket: make room for a burst of them."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, DATAGRAM_QUEUE)
    except PermissionError:  # without CAP_NET_ADMIN as much as net.core.rmem_max allows
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, DATAGRAM_QUEUE)


def receive_datagram(sock: Socket, size: int) -> tuple[bytes, Address, Address | None]:
    """
    A datagram, its sender, and where it was going.

    @raise BlockingIOError: there is none now.
    """
    data, ancillary, _, sender = sock.recvmsg(size, 256)
    return data, Address(sender[0], sender[1]), _original_destination(ancillary)


def _original_destination(ancillary: list[tuple[int, int, bytes]]) -> Address | None:
    """Read the sockaddr_in or sockaddr_in6 that came along."""
    for level, kind, value in ancillary:
        if kind == IP_RECVORIGDSTADDR and level == socket.IPPROTO_IP:
            return _read_address(socket.AF_INET, value[2:8])
        if kind == IPV6_RECVORIGDSTADDR and level == socket.IPPROTO_IPV6:
            return _read_address(socket.AF_INET6, value[2:4] + value[8:24])
    return None


@lru_cache(maxsize=256)
def _read_address(family: int, packed: bytes) -> Address:
    """A port and an address. Of servers that are talked to by UDP there are few."""
    return Address(socket.inet_ntop(family, packed[2:]), int.from_bytes(packed[:2], "big"))


def open_datagrams(local: Address | None, remote: Address, mark: int) -> Socket:
    """
    A UDP socket between C{local} (usually not our address) and C{remote}.

    @raise OSError: no route, or the pair of addresses is in use.
    """
    family = family_of(remote.host)
    sock = _new(family, socket.SOCK_DGRAM, mark)
    try:
        if local is not None:
            _transparent(sock, family)
            sock.setsockopt(*_REUSED)
            sock.bind(local)
        sock.connect(remote)
        _discard_datagrams(sock)
    except BaseException:
        sock.close()
        raise
    return sock


def open_sender(local: Address, mark: int) -> Socket:
    """
    A UDP socket that only sends, to anybody, from C{local} (usually not our address).

    It is connected to a port of this host that nothing comes from: so the kernel brings it no
    datagram that is for a session, or for a listener.

    @raise OSError: the address is in use, or privileges are missing.
    """
    family = family_of(local.host)
    return open_datagrams(local, _NOBODY[family], mark)


def _discard_datagrams(sock: Socket) -> None:
    """Between bind and connect anybody could send to it: what came then is nobody's."""
    try:
        while True:
            sock.recv(1)
    except OSError:
        pass


def is_transparent(sock: Socket) -> bool:
    """Whether C{sock} may use addresses that are not this host's."""
    found = _TRANSPARENT.get(socket.AddressFamily(sock.family))
    return found is not None and bool(sock.getsockopt(*found))


def has_mark(sock: Socket, mark: Mark) -> bool:
    """Whether packets of C{sock} carry a mark."""
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_MARK) & mark.mask == mark.value


def open_raw(family: socket.AddressFamily, mark: int) -> socket.socket:
    """
    For packets of TCP that are written with their IP header.

    @raise OSError: CAP_NET_RAW is missing.
    """
    sock = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
        sock.setsockopt(*_HEADER_INCLUDED[family], 1)
    except BaseException:
        sock.close()
        raise
    return sock


def name_of(sock: Socket) -> Address:
    """The address that C{sock} is bound to."""
    name: Any = sock.getsockname()
    return Address(name[0], name[1])


# Netlink


def netlink(protocol: int, groups: Iterable[int] = ()) -> socket.socket:
    """
    A socket to the kernel itself.

    @param protocol: C{NETLINK_ROUTE} and the like.
    @param groups: the multicast groups of what it is to be told.
    @raise OSError: this kernel hasn't got it.
    """
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
    try:
        for name in (SO_SNDBUFFORCE, SO_RCVBUFFORCE):
            try:
                sock.setsockopt(socket.SOL_SOCKET, name, NETLINK_QUEUE)
            except PermissionError:
                pass  # without CAP_NET_ADMIN little can be asked for anyway
        sock.bind((0, 0))
        for group in groups:
            sock.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
    except BaseException:
        sock.close()
        raise
    return sock
