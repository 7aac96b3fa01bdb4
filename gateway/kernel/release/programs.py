"""
The programs, loaded, and the devices they hang on.

On Linux 6.6 and later by links, which stand beside others' programs and go with the last
descriptor of them; before that as filters of the C{clsact} queueing discipline.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from errno import EEXIST, EINVAL
from importlib.resources import files
from typing import Any

from attrs import frozen

from gateway.kernel.capabilities import missing, without
from gateway.kernel.errors import KernelError
from gateway.kernel.release import bpf
from gateway.kernel.release.bpf import Attach, Map
from gateway.kernel.release.elf import Object, Program
from gateway.kernel.release.pins import Pins
from gateway.kernel.release.table import Table
from gateway.kernel.routing import netlink

LOADING = "CAP_PERFMON"
"""What some kernels want to load them, and nothing else wants."""

OBJECT = "program/release.bpf.o"
"""Beside this module. C{make program} makes it anew."""

_LINK = "link-"
"""How the names of pinned links begin."""

_ETHERNET = 1
_UP = 1
_CLSACT = {Attach.TCX_INGRESS: 0xFFFFFFF2, Attach.TCX_EGRESS: 0xFFFFFFF3}
"""The parents of filters (C{TC_H_MIN_INGRESS} and C{..._EGRESS} of linux/pkt_sched.h)."""

_ETH_P_ALL = 0x0003

_WHERE = {
    "arrive_v4": Attach.TCX_INGRESS,
    "arrive_v6": Attach.TCX_INGRESS,
    "leave_v4": Attach.TCX_EGRESS,
    "leave_v6": Attach.TCX_EGRESS,
}


@frozen
class Device:
    """A network device."""

    index: int
    name: str


class Programs:
    """
    The programs of this process.

    @param table: what they look into.
    @param pins: what keeps their links.
    @raise KernelError: privileges are missing, or the kernel refuses them.
    """

    def __init__(self, table: Table, pins: Pins | None = None) -> None:
        self._pins = pins or Pins(None)
        made = Object(files(__package__).joinpath(OBJECT).read_bytes())
        self._loaded = {
            program.name: _load(program, made.license(), table.maps)
            for program in made.programs("tc/")
        }
        self._links: dict[int, list[int]] = {}

    def attach(self) -> None:
        """
        Hang them on every Ethernet device that is up and does not belong to another one.
        Harmless where they hang already.

        @raise KernelError: the kernel refuses.
        """
        with netlink() as kernel:
            there = {device.index: device for device in _devices(kernel)}
            for gone in self._links.keys() - there.keys():
                _close(self._links.pop(gone))
            self._forget(there.keys())
            for index in there.keys() - self._links.keys():
                self._attach(kernel, there[index])

    def _attach(self, kernel: Any, device: Device) -> None:
        links: list[int] = []
        try:
            for name, where in _WHERE.items():
                links.append(self._link(name, device.index, where))
        except OSError as error:
            _close(links)
            if error.errno != EINVAL:
                raise KernelError(f"{device.name} takes no program: {error}") from error
            self._filter(kernel, device)
            links = []
        self._links[device.index] = links

    def _link(self, name: str, device: int, where: Attach) -> int:
        """The link of a predecessor, with our program, or a new one."""
        pinned = f"{_LINK}{name}-{device}"
        link = self._pins.get(pinned)
        if link is not None:
            try:
                bpf.replace(link, self._loaded[name])
            except OSError:
                # of a device that had this number before
                os.close(link)
                self._pins.remove(pinned)
            else:
                return link
        link = bpf.attach(self._loaded[name], device, where)
        self._pins.put(pinned, link)
        return link

    def _forget(self, there: Collection[int]) -> None:
        """Nobody needs the links of devices that are gone."""
        for name in self._pins.names(_LINK):
            if int(name.rpartition("-")[2]) not in there:
                self._pins.remove(name)

    def _filter(self, kernel: Any, device: Device) -> None:
        """As filters, before Linux 6.6."""
        from pyroute2 import NetlinkError

        try:
            kernel.tc("add", "clsact", device.index)
        except NetlinkError as error:
            if error.code != EEXIST:
                raise
        for preference, (name, where) in enumerate(_WHERE.items(), start=1):
            kernel.tc(
                "replace-filter",
                "bpf",
                device.index,
                handle=1,
                prio=preference,
                fd=self._loaded[name],
                name=f"tproxygw_{name}",
                parent=_CLSACT[where],
                protocol=_ETH_P_ALL,
                direct_action=True,
            )

    def close(self) -> None:
        """Take them away from all devices, unless somebody else keeps their links."""
        for links in self._links.values():
            _close(links)
        self._links.clear()
        _close(list(self._loaded.values()))
        self._loaded.clear()


def _load(program: Program, license: bytes, maps: Mapping[str, Map]) -> int:
    """
    Load it without C{CAP_PERFMON}, if the kernel lets us; else with it, if that is permitted.
    Linux 6.1's verifier follows our loops further than any processor does, and gives up.
    """
    if not missing({LOADING}):
        with without({LOADING}), suppress(KernelError):
            return bpf.load(program, license, maps)
    return bpf.load(program, license, maps)


def _devices(kernel: Any) -> Iterator[Device]:
    for link in kernel.get_links():
        master = link.get_attr("IFLA_MASTER")
        if link["ifi_type"] == _ETHERNET and link["flags"] & _UP and not master:
            yield Device(link["index"], link.get_attr("IFLA_IFNAME"))


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
