"""Replacement: a part of a header's value becomes another one."""

from __future__ import annotations

import re
from string import Template

from attrs import field, frozen

from gateway.inspector import option, pattern
from protocols.http.message import Headers
from protocols.http.policy.patterns import read_free_name


class Groups(Template):
    """A text with places for groups of a regular expression: C{$1}, C{${1}}; C{$$} is a dollar."""

    idpattern = "[0-9]{1,2}"


@frozen
class Replacement:
    """A table of C{[[http.request_headers.replace]]} or C{[[http.response_headers.replace]]}."""

    name: str = option("The name of the header.", read=read_free_name)
    pattern: re.Pattern[str] = option(
        "A regular expression: each part of the value that is like this is replaced.", read=pattern
    )
    with_: str = option(
        'What it becomes; "$1" stands for what the first group matched, "$0" for all of it, "$$" '
        "for a dollar. A header of which nothing is left is dropped.",
        "",
        precedent="Zorp's HTTP_HDR_CHANGE_REGEXP",
    )
    _text: Groups = field(init=False, repr=False, eq=False)

    @_text.default
    def _places(self) -> Groups:
        return Groups(self.with_)

    def __attrs_post_init__(self) -> None:
        """
        Whether the new part can be written.

        @raise ValueError: it has a group that the pattern has not, or what no header can have.
        """
        for found in Groups.pattern.finditer(self.with_):
            number = found["named"] or found["braced"]
            if found["invalid"] is not None or int(number or 0) > self.pattern.groups:
                raise ValueError(f'"{found[0]}" is no group of the pattern; a dollar sign is $$')
        Headers().with_(self.name, self.with_.strip(" \t"))

    def apply(self, headers: Headers) -> Headers:
        """The headers with this replaced."""
        fields = []
        for name, value in headers:
            if name.lower() == self.name:
                changed = self._replaced(value).strip(" \t")
                if not changed and value:
                    continue
                value = changed
            fields.append((name, value))
        return Headers(fields)

    def _replaced(self, value: str) -> str:
        """As sed does it: nothing is no part of its own, right behind a part that was replaced."""
        made: list[str] = []
        end, last = 0, -1
        for found in self.pattern.finditer(value):
            if found.start() == found.end() == last:
                continue
            made += value[end : found.start()], self._put(found)
            end = last = found.end()
        return "".join([*made, value[end:]])

    def _put(self, found: re.Match[str]) -> str:
        groups = (found[0], *found.groups(""))
        return self._text.substitute({str(at): group for at, group in enumerate(groups)})
