"""
Runs those of curl's own tests that have one of the keywords, or one of the numbers, that it is
given, with the curl that is installed, and notes how each test ended. (C{server=ftp}: only those
that want no other servers than such.)

It runs in the folder of curl's source, whose test servers are built, in a copy of the folder of
tests: two runs may go on at the same time. Many tests end lines of HTTP headers with a bare LF,
which curl allows and the gateway does not. curl's harness can make CRLF of them, as a build of
curl once wanted it (with Hyper); here it always does. And Proxy-Connection, which is for the next
hop alone and does not pass, is not compared.
"""

# mypy: ignore-errors

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path

CURL = "/usr/bin/curl"
NEWLINES = re.compile(r"\(\$has_hyper && \((?=\$keywords)")
"""In the harness: when newlines are changed."""

NEXT_HOP = "Proxy-Connection: "
VERIFY = re.compile(r"<verify>\n(?:<strip>\n)?")
"""In a test: a header that is not compared, and where such are named."""

BEHIND = "connect = "
"""
In the harness: where stunnel connects to, by IPv6 first, where nobody listens; a gateway accepts
that first, too.
"""

OUTCOMES = {"PASS": "passed", "FAIL": "failed", "SKIP": "skipped"}


def needs(test):
    """The keywords of a test, its servers, and whether it needs a program that is not built."""
    text = Path("tests/data", f"test{test}").read_text(errors="replace")
    return words(text, "keywords"), words(text, "server"), "<tool>" in text


def words(text, tag):
    """What stands between the tags."""
    found = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    return set(found[1].split()) if found else set()


def chosen(wanted):
    """The numbers of the tests."""
    left_out = json.loads(os.environ["CONFORMANCE_LEFT_OUT"])
    allowed = {word.partition("=")[2] for word in wanted if word.startswith("server=")}
    numbers = sorted(int(path.name[4:]) for path in Path("tests/data").glob("test[0-9]*"))
    for number in numbers:
        keywords, servers, tool = needs(number)
        served = not allowed or servers <= allowed
        asked = str(number) in wanted or (keywords & wanted and served and not tool)
        if asked and not any(fnmatchcase(str(number), pattern) for pattern in left_out):
            yield str(number)


def changed(file, change):
    """Write a file anew; newlines stay as they are."""
    file.write_bytes(change(file.read_bytes().decode("latin-1")).encode("latin-1"))


def without_next_hop(text):
    """A test that does not compare that header."""
    if NEXT_HOP not in text:
        return text
    end = "" if "<strip>" in text else "</strip>\n"
    return VERIFY.sub(f"<verify>\n<strip>\n^{NEXT_HOP}.*\n{end}", text, count=1)


def certify(folder):
    """All certificates of curl's own authority become those of the one that all suites have."""
    import issued

    shutil.copy(issued.AUTHORITY, folder / "EdelCurlRoot-ca.crt")
    for certificate in folder.glob("Server-*-sv.crt"):
        pem = issued.again(certificate.read_bytes())
        certificate.write_bytes(pem)
        key = certificate.with_suffix(".key").read_bytes()
        certificate.with_suffix(".pem").write_bytes(key + pem)


@contextmanager
def copied():
    """A copy of the tests and their servers, beside them, as they look for other things there."""
    copy = Path(f"tests-{os.getpid()}")
    shutil.copytree("tests", copy)
    changed(copy / "runtests.pl", lambda text: NEWLINES.sub("(1 && (", text))
    for test in (copy / "data").glob("test[0-9]*"):
        changed(test, without_next_hop)
    if os.environ["CONFORMANCE_SECURED"]:
        certify(copy / "certs")
        changed(copy / "secureserver.pl", lambda text: text.replace(BEHIND, f"{BEHIND}127.0.0.1:"))
    try:
        yield copy
    finally:
        shutil.rmtree(copy)


def note(line):
    """
    Record what a line says, if it says how a test ended.

    The last line lists all that failed: some, such as those with another exit status, have none.
    """
    if found := re.match(r"(PASS|FAIL|SKIP): (\d+)", line):
        outcomes = {found[2]: OUTCOMES[found[1]]}
    elif found := re.match(r"TESTFAIL: These test cases failed: (.*)", line):
        outcomes = dict.fromkeys(found[1].split(), "failed")
    else:
        return
    with Path(os.environ["CONFORMANCE_RECORD"]).open("a") as record:
        record.writelines(json.dumps(outcome) + "\n" for outcome in outcomes.items())


def main(wanted):
    """Run curl's harness, and note what it says, as it says it."""
    # -n: no valgrind; -a: to the end; -am: one line for each test.
    command = ["perl", "runtests.pl", "-c", CURL, "-vc", CURL, "-n", "-a", "-am"]
    environ = {**os.environ, "USER": "root"}
    options = {"env": environ, "stdout": subprocess.PIPE, "text": True, "errors": "replace"}
    with copied() as folder:
        process = subprocess.Popen([*command, *chosen(wanted)], cwd=folder, **options)
        for line in process.stdout:
            print(line, end="", flush=True)
            note(line)
        process.wait()


if __name__ == "__main__":
    main(set(sys.argv[1:]))
