"""
An FTP server with one file, and the habits of servers that are out there: the user's name says
which of them. Its one argument is the address that it listens at.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable

CONTENT = b"the file\r\n" * 1000

Words = Callable[[str, int, int], str]

PASSIVE: dict[str, Words] = {
    "nat": lambda host, high, low: f"227 Entering Passive Mode (10,9,8,7,{high},{low}).",
    "blanks": lambda host, high, low: (
        f"227 Entering Passive Mode ({host.replace(',', ', ')}, {high}, {low})"
    ),
    "naked": lambda host, high, low: f"227 ={host},{high},{low}",
}


class Visit(threading.Thread):
    """One control connection."""

    def __init__(self, control: socket.socket) -> None:
        super().__init__(daemon=True)
        self.control = control
        self.lines = control.makefile("rb")
        self.habit = ""
        self.listener: socket.socket | None = None

    def run(self) -> None:
        self.say("220 ready")
        while line := self.lines.readline():
            verb, _, argument = line.decode("latin-1").strip().partition(" ")
            answer = getattr(self, f"do_{verb.lower()}", None)
            if answer is None:
                self.say("500 What?")
            elif answer(argument) is False:
                break
        self.lines.close()
        self.control.close()

    def say(self, text: str) -> None:
        self.control.sendall(text.encode("latin-1") + b"\r\n")

    def do_user(self, name: str) -> None:
        self.habit = name
        self.say("230 Come in" if name == "at-once" else "331 And?")

    def do_pass(self, _: str) -> None:
        self.say("503 You are in" if self.habit == "at-once" else "230 Come in")

    def do_type(self, _: str) -> None:
        self.say("200 Fine")

    def do_size(self, _: str) -> None:
        self.say(f"213 {len(CONTENT)}")

    def do_pwd(self, _: str) -> None:
        self.say('257 "/"')

    def do_pasv(self, _: str) -> None:
        host = self.control.getsockname()[0]
        self.listener = socket.create_server((host, 0))
        port = self.listener.getsockname()[1]
        words = PASSIVE.get(self.habit, lambda own, high, low: f"227 Passive ({own},{high},{low})")
        self.say(words(host.replace(".", ","), port >> 8, port & 255))

    def do_retr(self, _: str) -> bool | None:
        if self.habit == "hangs-up":
            return False
        if self.habit == "leaves":
            self.say("421 Time is up")
            return False
        assert self.listener is not None
        self.listener.settimeout(10)
        data, _ = self.listener.accept()
        self.say("150 Here")
        data.sendall(CONTENT)
        data.close()
        self.listener.close()
        if self.habit == "forgets":
            return False
        self.say("226 Done")
        return None

    def do_quit(self, _: str) -> bool:
        if self.habit != "rude":
            self.say("221 Bye")
        return False


def main() -> None:
    """Until it is killed."""
    with socket.create_server((sys.argv[1], 21)) as server:
        while True:
            control, _ = server.accept()
            Visit(control).start()


if __name__ == "__main__":
    main()
