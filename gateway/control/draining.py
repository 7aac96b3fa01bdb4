"""The question C{drain}: accept no more, until told otherwise."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.control.question import Answer, Asked, Asker, check_keys, truth
from gateway.control.running import Register
from gateway.observe.log import PrintableLogger

log = PrintableLogger()


class Drain:
    """New connections wait in the kernel meanwhile; those that run go on."""

    changes = True

    def __init__(self, register: Register) -> None:
        self._register = register

    def ask(self, asked: Asked, asker: Asker) -> Answer:
        """See L{Question<gateway.control.question.Question>}."""
        check_keys(asked, ("end",))
        register = self._register
        draining = not truth(asked, "end")
        if draining is not register.draining:
            log.warn(
                "{asker} has the gateway accept {what}",
                asker=asker.name,
                what="no more sessions: new connections wait" if draining else "again",
            )
        register.draining = draining
        register.give_room()
        return {"running": len(register.running)}

    def merge(self, asked: Asked, answers: Sequence[Answer]) -> Answer:
        """See L{Question<gateway.control.question.Question>}."""
        return {"running": sum(answer["running"] for answer in answers)}
