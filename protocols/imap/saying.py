"""Saying: a command as the server hears it, written anew."""

from __future__ import annotations

from protocols.imap.command import Command
from protocols.imap.dialogue import Dialogue
from protocols.imap.exchange import Exchange
from protocols.imap.reply import Reply
from protocols.imap.value import pieces, plainer


async def say(
    dialogue: Dialogue, exchange: Exchange, command: Command, goes_on: bool = False
) -> Reply:
    """
    Say all of it.

    @param goes_on: the server may want to hear more.
    @return: the answer.
    """
    last = await lead(dialogue, exchange, command)
    if isinstance(last, Reply):
        return last
    return await dialogue.ask(exchange, last + b"\r\n", goes_on)


async def lead(dialogue: Dialogue, exchange: Exchange, command: Command) -> bytes | Reply:
    """
    Say all that has to be said before the last text: literals for which the server has to be asked.

    @return: that text, which is not said yet; or the answer, if the server did not want a literal.
    """
    ahead = b"%s %s" % (command.tag, command.name.encode("ascii"))
    ahead += b" " * bool(command.values)
    for piece in pieces(plainer(command.values)):
        if isinstance(piece, bytes):
            ahead += piece
            continue
        at_once = dialogue.standing.takes_at_once(len(piece.data))
        ahead += piece.mark(b"+" * at_once) + b"\r\n"
        if not at_once:
            reply = await dialogue.ask(exchange, ahead, goes_on=True)
            if not reply.goes_on:
                return reply
            ahead = b""
        ahead += piece.data
    return ahead
