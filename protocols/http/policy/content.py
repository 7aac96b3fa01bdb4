"""ContentPolicy: which media types pass, by what they are called and by what they are."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from attrs import field, frozen

from gateway.inspector import option
from protocols.http.coding import coding_of
from protocols.http.message import Headers, Request, Response
from protocols.http.policy.codings import readable
from protocols.http.policy.length import is_empty
from protocols.http.policy.mediatype import NoType, is_container, media_type
from protocols.http.policy.patterns import Texts, read_types
from protocols.http.status import PARTIAL_CONTENT
from protocols.magic import DECODED, LOOK, Kind, decoded, recognise

UNKNOWN = "application/octet-stream"
"""What a body without a Content-Type may be taken for (RFC 9110, section 8.3)."""

LEAST = 64
"""Bytes that the first L{LOOK} of a compressed body must give: what is compressed for good does."""


class Objection(NamedTuple):
    """
    Why a message can't pass, in words.

    @ivar by: the name of the setting.
    """

    reason: str
    by: str


@frozen
class ContentPolicy:
    """
    The table C{[http.request_content]}.

    With L{look}, both names must be allowed: that of the header, and that which the first bytes
    have (L{protocols.magic}), if they have one.
    """

    TABLE: ClassVar[str] = "request_content"

    allow: Texts | None = option(
        'Only these media types pass: "text/html", "image/*". Left out: all.',
        None,
        read=read_types,
    )
    refuse: Texts | None = option(
        "These media types don't pass. Programs of all systems are "
        '"application/x-executable"; Office documents and Java archives are "application/zip" too.',
        None,
        read=read_types,
    )
    containers: Texts | None = option(
        "MIME containers that pass with whatever is in them although there is something to "
        'refuse: "multipart/form-data" (forms with files), "multipart/*", "message/*". Nobody '
        "looks into them, so that others don't pass then.",
        None,
        read=read_types,
    )
    look: bool = option(
        "Whether the first bytes of a body are looked at, and not only its header.", True
    )
    unseen: Texts | None = option(
        "Media types that go by their header alone, since nothing of what is looked at passes "
        'before its first 512 bytes: "text/event-stream". Anything may be called so.',
        None,
        read=read_types,
    )

    judges: bool = field(init=False, repr=False, eq=False)
    looks: bool = field(init=False, repr=False, eq=False)

    @judges.default
    def _judges(self) -> bool:
        """Whether media types matter."""
        return self.allow is not None or self.refuse is not None

    @looks.default
    def _looks(self) -> bool:
        """Whether first bytes matter."""
        return self.look and self.judges

    def looks_at(self, message: Request | Response) -> bool:
        """
        Whether those of this message matter.

        @raise NoType: its type is none.
        """
        if not self.looks or is_empty(message):
            return False
        return self.unseen is None or media_type(message.headers) not in self.unseen

    def head(self, message: Request | Response) -> Objection | None:
        """Why a message can't pass, by its header; C{None} if it may."""
        if not self.judges or is_empty(message):
            return None
        try:
            type = media_type(message.headers)
        except NoType as wrong:
            return self._object(str(wrong), "refuse" if self.refuse is not None else "allow")
        if not type:
            return None if self.looks else self._named(UNKNOWN)
        return self._named(type) or self._coded(message)

    def _coded(self, message: Request | Response) -> Objection | None:
        coding = coding_of(message.headers)
        if coding not in DECODED and self.looks_at(message):
            return self._object(f"a body coded as {coding!r}, which can't be looked into", "look")
        return None

    def _named(self, type: str) -> Objection | None:
        if self.refuse is not None and type in self.refuse:
            return self._object(f"content of type {type}", "refuse")
        if self.allow is not None and type not in self.allow:
            return self._object(f"content of type {type}, which is not allowed", "allow")
        if self.refuse is not None and is_container(type) and not self._is_let_pass(type):
            return self._object(f"content of type {type}, in which may be anything", "containers")
        return None

    def _is_let_pass(self, container: str) -> bool:
        return self.containers is not None and container in self.containers

    def wants(self, message: Request | Response) -> int:
        """How many bytes of the body are to be looked at."""
        return LOOK if self.looks and self.looks_at(message) else 0

    def body(self, message: Request | Response, beginning: bytes) -> Objection | None:
        """Why a message can't pass, by its first bytes; C{None} if it may."""
        if not beginning:
            return None
        coding = coding_of(message.headers)
        if coding not in DECODED:
            return self._coded(message)
        try:
            content = decoded(beginning, coding)
        except ValueError as error:
            return self._object(f"a body that says that it is {coding}: {error}", "look")
        if len(content) < LEAST and len(beginning) >= LOOK:
            reason = f"a body that is coded as {coding} so that its beginning can't be seen"
            return self._object(reason, "look")
        kind = recognise(content)
        type = media_type(message.headers)
        if kind is None:
            return self._named(UNKNOWN) if not type else None
        return self._recognised(kind, type)

    def _recognised(self, kind: Kind, type: str) -> Objection | None:
        """What is in disguise goes by its true name; the many names of one thing are none."""
        if self.refuse is not None and kind.type in self.refuse:
            reason = f"content that is {kind.type}, though it is called {type or 'nothing'}"
            return self._object(reason, "refuse")
        if self.allow is None or kind.type in self.allow:
            return None
        if type and kind.also.fullmatch(type):
            return None
        reason = f"content that is {kind.type}, which is not allowed, and is called {type!r}"
        return self._object(reason, "allow")

    def _object(self, reason: str, key: str) -> Objection:
        return Objection(reason, f"{self.TABLE}.{key}")


@frozen
class AnswerPolicy(ContentPolicy):
    """The table C{[http.content]}, for responses."""

    TABLE = "content"

    ranges: bool = option(
        "Whether clients may ask for parts of a body although bodies are looked at. The type of a "
        "part that is not the first can't be seen.",
        False,
    )

    def head(self, message: Request | Response) -> Objection | None:
        """See L{ContentPolicy.head}. A part that nobody was let ask for begins anywhere."""
        wrong = super().head(message)
        if wrong is None and self.looks and not self.ranges and self._is_part(message):
            return self._object("a part of a body, which nobody asked for (206)", "ranges")
        return wrong

    def _is_part(self, message: Request | Response) -> bool:
        part = isinstance(message, Response) and message.status == PARTIAL_CONTENT
        return part and self.looks_at(message)

    def asked(self, headers: Headers) -> Headers:
        """A request's headers, so that the answer can be looked at."""
        if not self.looks:
            return headers
        if not self.ranges:
            headers = headers.without("range", "if-range")
        codings = headers.members("accept-encoding")
        return headers.with_("Accept-Encoding", readable(codings)) if codings else headers

    def answered(self, headers: Headers) -> Headers:
        """A response's headers (or trailers), which promise nothing that does not pass."""
        if self.looks and not self.ranges and "accept-ranges" in headers:
            return headers.with_("Accept-Ranges", "none")
        return headers
