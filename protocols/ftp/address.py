"""
Addresses of data connections, as commands and replies announce them: RFC 959
(PORT, 227) and RFC 2428 (EPRT, EPSV, 229). Read strictly, written in one form.
"""

from __future__ import annotations

import re
from ipaddress import ip_address

from gateway.interfaces import Address

LEAST_PORT = 1024
"""Servers that matter listen below; a data connection never goes there (RFC 2577, section 3)."""

_NUMBER = rb"(\d{1,3})"
_PORT = re.compile(b",".join([_NUMBER] * 6))
# RFC 1123, section 4.1.2.6: a client has to search for the digits, whatever is around them.
# Some servers put blanks behind the commas.
_LISTS = re.compile(rb"\d+(?:[ \t]*,[ \t]*\d+)+")
_PASSIVE = re.compile(rb"[ \t]*,[ \t]*".join([_NUMBER] * 6))
_EPRT = re.compile(rb"([!-~])([12])\1([0-9A-Fa-f.:]{2,45})\1(\d{1,5})\1")
_EXTENDED = re.compile(rb"\(([!-~])\1\1(\d{1,5})\1\)")

FAMILY = {"1": 4, "2": 6}
"""What RFC 2428 calls the IP versions."""


def family_of(host: str) -> int:
    """The IP version of an address in text form."""
    return 6 if ":" in host else 4


class WrongAddress(Exception):
    """It is no address, in words for the operator."""


def read_port(argument: bytes) -> Address:
    """
    The argument of PORT.

    @raise WrongAddress: it is none.
    """
    found = _PORT.fullmatch(argument)
    if found is None:
        raise WrongAddress(f"{argument!r} is no address")
    return _of_numbers(found)


def read_passive(text: bytes) -> Address:
    """
    The address in the text of a 227.

    @raise WrongAddress: there is none, or more than one.
    """
    found = list(filter(None, map(_PASSIVE.fullmatch, _LISTS.findall(text))))
    if len(found) != 1:
        raise WrongAddress(f"{len(found)} addresses in {text!r}")
    return _of_numbers(found[0])


def read_eprt(argument: bytes) -> Address:
    """
    The argument of EPRT.

    @raise WrongAddress: it is none, or not of the IP version that it claims.
    """
    found = _EPRT.fullmatch(argument)
    if found is None:
        raise WrongAddress(f"{argument!r} is no address")
    try:
        address = ip_address(found[3].decode("ascii"))
    except ValueError:
        raise WrongAddress(f"{argument!r} is no address") from None
    if address.version != FAMILY[found[2].decode("ascii")]:
        raise WrongAddress(f"{argument!r}: not of the IP version that it claims")
    return Address(str(address), _port(int(found[4])))


def read_extended(text: bytes) -> int:
    """
    The port in the text of a 229.

    @raise WrongAddress: there is none, or more than one.
    """
    found = list(_EXTENDED.finditer(text))
    if len(found) != 1:
        raise WrongAddress(f"{len(found)} ports in {text!r}")
    return _port(int(found[0][2]))


def port(address: Address) -> bytes:
    """The argument of PORT. Of an IPv4 address."""
    numbers = [*address.host.split("."), str(address.port >> 8), str(address.port & 255)]
    return ",".join(numbers).encode("ascii")


def eprt(address: Address) -> bytes:
    """The argument of EPRT."""
    family = 2 if ":" in address.host else 1
    return f"|{family}|{address.host}|{address.port}|".encode("ascii")


def _of_numbers(found: re.Match[bytes]) -> Address:
    numbers = [int(number) for number in found.groups()]
    if max(numbers) > 255:
        raise WrongAddress(f"{found[0]!r} has a number over 255")
    host = ".".join(str(number) for number in numbers[:4])
    return Address(host, _port(numbers[4] * 256 + numbers[5]))


def _port(number: int) -> int:
    if not 0 < number < 65536:
        raise WrongAddress(f"{number} is no port")
    return number
