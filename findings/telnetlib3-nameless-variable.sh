#!/bin/sh
# telnetlib3 5.0.1 (PyPI), seen 2026-11-30: a server of its own asks each client for eleven variables of the environment and, as RFC 1572 has it, by VAR and USERVAR
# without a name for all others. Its client takes these two for the name of one more, and answers with a variable that has neither name nor value.
# Who refuses that as malformed has no session between the two, in the way they come.
# Where it matters: protocols/telnet/about.py; a variable without a name passes if it has no value.
# Prints: 'USER' '', '' ''
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" --quiet install telnetlib3==5.0.1
"$place/venv/bin/python" - <<'PROGRAM'
import asyncio
import sys

import telnetlib3

IAC, SB, SE, DO, ENVIRON = b"\xff", b"\xfa", b"\xf0", b"\xfd", b"\x27"
IS, SEND, VAR, VALUE, USERVAR = b"\0", b"\1", b"\0", b"\1", b"\3"


async def ask(read, write):
    write.write(IAC + DO + ENVIRON + IAC + SB + ENVIRON + SEND + VAR + b"USER" + VAR + USERVAR + IAC + SE)
    await read.readuntil(IAC + SB + ENVIRON + IS)
    answered.set_result((await read.readuntil(IAC + SE))[:-2])


async def main():
    global answered
    answered = asyncio.get_running_loop().create_future()
    server = await asyncio.start_server(ask, "127.0.0.1", 0)
    await telnetlib3.open_connection(*server.sockets[0].getsockname())
    return await asyncio.wait_for(answered, 10)


said = [tuple(one.split(VALUE)) for one in asyncio.run(main()).split(VAR)[1:]]
print(", ".join(f"{name.decode()!r} {value.decode()!r}" for name, value in said))
sys.exit(said != [(b"USER", b""), (b"", b"")])
PROGRAM
