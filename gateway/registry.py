"""
Where inspectors are found by the name that a service file gives.

There are three places:
  - Twisted plugins: an L{InspectorMaker<gateway.maker.InspectorMaker>} in any
    module of C{twisted/plugins};
  - single files in the folders of C{plugin_path}: the file C{redis.py} declares
    the inspector C{redis}, with the same line as a Twisted plugin. Only a file
    that is asked for is loaded; one that has changed is loaded again at the
    next reload;
  - C{package.module:Class}, for a class that nobody declared.

A plugin that is asked for and can't be loaded raises what its import raised.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from importlib import import_module
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

from twisted.plugin import getPlugins

import twisted.plugins
from gateway.interfaces import CONTRACT, IInspectorMaker
from gateway.maker import InspectorMaker, importing


def find(name: str, plugin_path: Iterable[Path] = ()) -> IInspectorMaker:
    """
    The maker of the inspector that a service file calls C{name}.

    @raise LookupError: there is none, or more than one; the message is for the
        operator.
    @raise Exception: whatever the import of the plugin raises.
    """
    if ":" in name:
        return _maker_of_class(name)
    files = _files(plugin_path)
    found = [_load(path) for path in files.get(name, ())]
    found += [maker for maker in _twisted_makers() if maker.name == name]
    if not found:
        raise _unknown(name, files)
    return _only(name, found)


def makers(plugin_path: Iterable[Path] = ()) -> list[IInspectorMaker]:
    """
    Every inspector there is, by name. Loads every file of C{plugin_path}.

    @raise LookupError: two have the same name.
    @raise Exception: whatever the import of a file raises.
    """
    found: dict[str, list[IInspectorMaker]] = {}
    for maker in _twisted_makers():
        found.setdefault(maker.name, []).append(maker)
    for name, paths in _files(plugin_path).items():
        found.setdefault(name, []).extend(map(_load, paths))
    return [_only(name, found[name]) for name in sorted(found)]


def _maker_of_class(target: str) -> IInspectorMaker:
    # The settings are in a table of the maker's name, and that should be a word.
    word = target.rpartition(":")[2].removesuffix("Inspector").lower()
    maker = InspectorMaker(word, target, f"the class {target}")
    maker.inspector  # noqa: B018  (what can't be imported is to be known now)
    return maker


def _only(name: str, found: list[IInspectorMaker]) -> IInspectorMaker:
    if len(found) > 1:
        raise LookupError(
            f"{len(found)} plugins are called {name!r}: {', '.join(map(repr, found))}; "
            "remove all but one of them"
        )
    _check_contract(found[0])
    return found[0]


def _check_contract(maker: IInspectorMaker) -> None:
    """
    Check that this gateway keeps the contract that the inspector was written for.

    @raise LookupError: it does not.
    """
    (major, minor), wanted = CONTRACT, maker.contract
    if wanted[0] != major or wanted[1] > minor:
        newer = wanted > CONTRACT
        raise LookupError(
            f"the inspector {maker.name!r} is written for version {wanted[0]}.{wanted[1]} of the "
            f"inspectors' contract, and this gateway has {major}.{minor}: "
            + ("install a newer gateway" if newer else "ask its author for a newer one")
        )


def _unknown(name: str, files: dict[str, list[Path]]) -> Exception:
    broken = _broken_plugin()
    if broken is not None:
        return broken
    known = sorted({maker.name for maker in _twisted_makers()} | set(files))
    near = get_close_matches(name, known, n=1)
    if near:
        return LookupError(f"there is no inspector {name!r}; did you mean {near[0]!r}?")
    return LookupError(f"there is no inspector {name!r}; there are: {', '.join(known)}")


# Twisted plugins


def _twisted_makers() -> Iterator[IInspectorMaker]:
    yield from getPlugins(IInspectorMaker)


def _broken_plugin() -> Exception | None:
    """
    Why a module of C{twisted/plugins} that declares inspectors can't be imported.

    Twisted logs that and goes on, since most plugins are somebody else's. But
    if a name was not found, this module may well be the one that declares it.
    """
    for path in _plugin_modules():
        if "InspectorMaker" in path.read_text(encoding="utf-8", errors="replace"):
            try:
                with importing(str(path)):
                    import_module(f"{twisted.plugins.__name__}.{path.stem}")
            except Exception as error:
                return error
    return None


def _plugin_modules() -> Iterator[Path]:
    for folder in twisted.plugins.__path__:
        yield from sorted(Path(folder).glob("*.py"))


# Files in plugin_path


def _files(plugin_path: Iterable[Path]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for folder in map(Path, plugin_path):
        if not folder.is_dir():
            raise LookupError(f"plugin_path: {folder} is not a folder")
        for path in sorted(folder.glob("*.py")):
            if not path.name.startswith(("_", ".")):
                found.setdefault(path.stem, []).append(path)
    return found


def _load(path: Path) -> IInspectorMaker:
    module = _module(path)
    for value in vars(module).values():
        if IInspectorMaker.providedBy(value) and value.name == path.stem:
            return value
    raise LookupError(
        f"{path} declares no inspector {path.stem!r}: it must hold a line such as "
        f'{path.stem} = InspectorMaker("{path.stem}", TheClass, "one line about it")'
    )


def _module(path: Path) -> ModuleType:
    """The module in this file; the one that was loaded before, if it has not changed."""
    name = f"tproxygw_plugin_path.{path.stem}"
    spec = spec_from_loader(name, _Loader(name, str(path)))
    assert spec is not None
    spec.loader_state = _version(path)
    before = sys.modules.get(name)
    if before is not None and _same(before.__spec__, spec):
        return before
    return _execute(spec, before)


def _execute(spec: ModuleSpec, before: ModuleType | None) -> ModuleType:
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # attrs looks for the module of an annotation there
    try:
        with importing(str(spec.origin)):
            spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(spec.name)
        if before is not None:
            sys.modules[spec.name] = before
        raise
    return module


def _version(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_mtime_ns, status.st_size


def _same(before: ModuleSpec | None, now: ModuleSpec) -> bool:
    return before is not None and (before.origin, before.loader_state) == (
        now.origin,
        now.loader_state,
    )


class _Loader(SourceFileLoader):
    """Loads a source file and leaves nothing in the folder: it may be C{/etc}."""

    def set_data(self, path: str, data: Any, *, _mode: int = 0o666) -> None:
        """Byte code is not kept."""
