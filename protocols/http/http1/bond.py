"""
Bond: what ties a client's connection to the server's.

The client's may outlive the server's: what is asked next is asked on another one, opened as the
first was. Not so where nobody could tell that from a fault, or from somebody else:

  - where the server's end is the answer's, or where an answer, or a part of a request, is missing;
  - where both prove who they are once for a connection, as with NTLM;
  - where the server was not this inspector's to connect to: in a tunnel, or in TLS.
"""

from __future__ import annotations

from gateway.interfaces import ISession
from protocols.http.http1.connection import ties
from protocols.http.message import Headers
from protocols.http.route import Route


class Bond:
    """
    The bond of one session.

    @ivar fresh: the server has not answered anything yet.
    @ivar parting: the server takes no more requests; it is still answering the last one.
    @ivar ended: the server will send no more, and there is not going to be another one.
    @ivar tied: the client's connection is the server's, as to who is who.
    @ivar all_asked: the client will ask for nothing more.
    """

    __slots__ = ("_keeps", "_route", "_session", "all_asked", "ended", "fresh", "parting", "tied")

    def __init__(self, session: ISession, route: Route, keeps: bool) -> None:
        """@param keeps: whether the client's connection is to go on at all."""
        self._session = session
        self._route = route
        self._keeps = keeps
        self.fresh = True
        self.parting = self.ended = self.tied = self.all_asked = False

    @property
    def outlived(self) -> bool:
        """Whether the client's connection goes on when the server's ends between two requests."""
        return self._keeps and self._session.reconnects and not (self.tied or self.all_asked)

    def look(self, headers: Headers) -> None:
        """See whether a message ties the two."""
        self.tied = self.tied or ties(headers)

    def part(self, gone: bool) -> None:
        """
        Nothing more is asked of the server. The next request is for another one.

        @param gone: it has closed its connection.
        """
        self.fresh = True
        self.parting = False
        self._route.leave()
        if gone:
            self._route.part()
