"""The suites: where they come from, how they are run, through which inspectors."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from attrs import field, frozen


class Runner(Enum):
    """What runs a suite's tests, by the name of the recorder that goes with it."""

    PYTEST = "record_pytest"
    UNITTEST = "record_unittest"
    TRIAL = "record_trial"


@frozen
class Suite:
    """
    One third party's tests.

    @ivar requirements: what pip installs in the suite's environment; none: it
        comes with Python itself.
    @ivar source: the release whose source distribution holds the tests; "" if
        they are installed with the package.
    @ivar tests: the files or modules to run.
    @ivar left_out: tests that are not run, and why.
    @ivar inspectors: the inspectors it is driven through, one run for each.
    @ivar seconds: time limit for one run.
    """

    name: str
    runner: Runner
    tests: tuple[str, ...]
    requirements: tuple[str, ...] = ()
    source: str = ""
    left_out: Mapping[str, str] = field(factory=dict)
    inspectors: tuple[str, ...] = ("relay",)
    seconds: float = 180


OUTSIDE = "needs servers outside of this machine"
SLOW = "takes its time on purpose, and tests no server"

SUITES = (
    Suite(
        "aiohttp",
        Runner.PYTEST,
        (
            "tests/test_client_functional.py",
            "tests/test_client_ws_functional.py",
            "tests/test_proxy_functional.py",
            "tests/test_web_functional.py",
            "tests/test_web_sendfile_functional.py",
            "tests/test_web_websocket_functional.py",
        ),
        (
            "aiohttp==3.14.5",
            "pytest==9.2.0",
            "pytest-mock",
            "pytest-aiohttp",
            "pytest-asyncio",
            "trustme",
            "proxy.py",
            "freezegun",
            "re-assert",
            "isal",
            "zlib_ng",
            "blockbuster",
            "pytest_codspeed",
            "uvloop",
        ),
        "aiohttp==3.14.5",
    ),
    Suite(
        "requests",
        Runner.PYTEST,
        ("tests/test_requests.py", "tests/test_lowlevel.py", "tests/test_testserver.py"),
        ("requests[socks]==2.34.2", "pytest==9.2.0", "pytest-httpbin", "pytest-mock", "trustme"),
        "requests==2.34.2",
        {
            "tests/test_requests.py::TestTimeout::test_connect_timeout": OUTSIDE,
            "tests/test_requests.py::TestTimeout::test_total_timeout_connect": OUTSIDE,
            "tests/test_testserver.py::TestTestServer::"
            "test_server_finishes_when_no_connections": SLOW,
        },
    ),
    Suite(
        "cpython",
        Runner.UNITTEST,
        (
            "test.test_ftplib",
            "test.test_httplib",
            "test.test_urllib2_localnet",
            "test.test_smtplib",
            "test.test_poplib",
            "test.test_imaplib",
            "test.test_httpservers",
        ),
    ),
    Suite(
        "twisted",
        Runner.TRIAL,
        (
            "twisted.test.test_ftp",
            "twisted.web",
            "twisted.mail.test.test_smtp",
            "twisted.mail.test.test_imap",
            "twisted.mail.test.test_pop3",
            "twisted.test.test_tcp",
            "twisted.internet.test.test_tcp",
        ),
        ("Twisted[tls,http2]==26.10.0", "hypothesis", "pyhamcrest", "httpx"),
    ),
    Suite(
        "httpx",
        Runner.PYTEST,
        ("tests",),
        (
            "httpx[cli,http2,socks,brotli,zstd]==0.28.1",
            "pytest==9.2.0",
            "uvicorn",
            "trio",
            "trustme",
            "chardet",
            "cryptography",
        ),
        "httpx==0.28.1",
        {
            "tests/client/test_proxies.py::test_async_proxy_close": OUTSIDE,
            "tests/client/test_proxies.py::test_sync_proxy_close": OUTSIDE,
        },
    ),
    Suite(
        "pyftpdlib",
        Runner.PYTEST,
        ("tests/test_functional.py", "tests/test_functional_ssl.py", "tests/test_servers.py"),
        ("pyftpdlib==2.2.0", "pytest==9.2.0", "psutil", "pyOpenSSL", "setuptools"),
        "pyftpdlib==2.2.0",
    ),
    Suite(
        "aiosmtpd",
        Runner.PYTEST,
        ("aiosmtpd/tests",),
        ("aiosmtpd==1.4.6", "pytest==9.2.0", "pytest-mock", "pytest-asyncio", "setuptools<80"),
    ),
)
"""The slow ones first, so that the quick ones fill up the time."""
