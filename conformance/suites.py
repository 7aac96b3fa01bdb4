"""The suites: which tests of which origin, how they are run, through which inspectors."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from attrs import field, frozen

from conformance.origins import (
    AIOFTP,
    AIOHTTP,
    AIOSMTPD,
    ASYNCSSH,
    AUTOBAHN,
    CACHE_TESTS,
    CPYTHON,
    CURL,
    DNSPYTHON,
    GUNICORN,
    HTTPX,
    PARAMIKO,
    PYFTPDLIB,
    REQUESTS,
    TELNETLIB3,
    TLSFUZZER,
    TWISTED,
    Origin,
)


class Runner(Enum):
    """What runs a suite's tests, by the name of the recorder that goes with it."""

    PYTEST = "record_pytest"
    UNITTEST = "record_unittest"
    TRIAL = "record_trial"
    CACHE_TESTS = "record_cache_tests"
    CURL = "record_curl"
    AUTOBAHN = "record_autobahn"
    GUNICORN = "record_gunicorn"
    TLSFUZZER = "record_tlsfuzzer"


@frozen
class Suite:
    """
    Tests of one third party, of one protocol.

    @ivar tests: the files or modules to run.
    @ivar inspectors: the inspectors it is driven through, one run for each.
    @ivar left_out: tests that are not run, by pattern, and why.
    @ivar seconds: time limit for one run.
    @ivar shared: its servers have to let the gateway use their UDP addresses.
    @ivar options: what else pytest is told.
    @ivar secured: its servers speak TLS, though they would not by themselves, and its authority is
        that of all suites.
    """

    name: str
    origin: Origin
    runner: Runner
    tests: tuple[str, ...]
    inspectors: tuple[str, ...] = ("relay",)
    left_out: Mapping[str, str] = field(factory=dict)
    seconds: float = 180
    shared: bool = False
    options: tuple[str, ...] = ()
    secured: bool = False


OUTSIDE = "needs servers outside of this machine"
SLOW = "takes its time on purpose, and tests no server"
CRASHES = "the suite's own server dies of it (pyOpenSSL 26.4), with no gateway there"

CURL_SERVERS = ("", "0h", ".nn", "-firstSAN", "-lastSAN")
"""Certificates with which curl's servers of HTTPS are started: right ones and wrong ones."""

HTTP = ("relay", "http")
SMTP = ("relay", "smtp")
FTP = ("relay", "ftp")
POP3 = ("pop3",)
IMAP = ("imap",)
HTTPS = ("https",)
DNS = ("dns",)
SSH = ("ssh",)
TELNET = ("telnet",)

SUITES = (
    Suite(
        "curl-http",
        CURL,
        Runner.CURL,
        ("HTTP", "server=http", "server=none"),
        ("http",),
        seconds=400,
    ),
    Suite(
        "curl-https",
        CURL,
        Runner.CURL,
        (
            *("HTTPS", "server=http", "server=https", "server=none"),
            *(f"server=Server-localhost{which}-sv.pem" for which in CURL_SERVERS),
        ),
        ("https-apart",),
        seconds=300,
        secured=True,
    ),
    Suite(
        "aiohttp",
        AIOHTTP,
        Runner.PYTEST,
        (
            "tests/test_client_functional.py",
            "tests/test_client_ws_functional.py",
            "tests/test_proxy_functional.py",
            "tests/test_web_functional.py",
            "tests/test_web_sendfile_functional.py",
            "tests/test_web_websocket_functional.py",
        ),
        HTTP,
        seconds=300,
    ),
    Suite(
        "aiohttp-tls",
        AIOHTTP,
        Runner.PYTEST,
        ("tests/test_client_functional.py", "tests/test_web_functional.py"),
        HTTPS,
        seconds=300,
        secured=True,
    ),
    Suite(
        "requests",
        REQUESTS,
        Runner.PYTEST,
        ("tests/test_requests.py", "tests/test_lowlevel.py", "tests/test_testserver.py"),
        HTTP,
        left_out={
            "tests/test_requests.py::TestTimeout::test_connect_timeout*": OUTSIDE,
            "tests/test_requests.py::TestTimeout::test_total_timeout_connect*": OUTSIDE,
            "tests/test_testserver.py::TestTestServer::"
            "test_server_finishes_when_no_connections": SLOW,
        },
    ),
    Suite(
        "requests-tls",
        REQUESTS,
        Runner.PYTEST,
        ("tests/test_requests.py",),
        HTTPS,
        left_out={
            "tests/test_requests.py::TestTimeout::test_connect_timeout*": OUTSIDE,
            "tests/test_requests.py::TestTimeout::test_total_timeout_connect*": OUTSIDE,
        },
        secured=True,
    ),
    Suite(
        "cpython-http",
        CPYTHON,
        Runner.UNITTEST,
        ("test.test_httplib", "test.test_urllib2_localnet", "test.test_httpservers"),
        HTTP,
    ),
    Suite(
        "cpython-mail",
        CPYTHON,
        Runner.UNITTEST,
        ("test.test_poplib", "test.test_imaplib"),
    ),
    Suite("cpython-pop3", CPYTHON, Runner.UNITTEST, ("test.test_poplib",), POP3),
    Suite("cpython-imap", CPYTHON, Runner.UNITTEST, ("test.test_imaplib",), IMAP),
    Suite("cpython-smtp", CPYTHON, Runner.UNITTEST, ("test.test_smtplib",), SMTP),
    Suite(
        "cpython-tls",
        CPYTHON,
        Runner.UNITTEST,
        (
            "test.test_ssl.SimpleBackgroundTests",
            "test.test_ssl.ThreadedTests",
            "test.test_ssl.TestPostHandshakeAuth",
        ),
        ("tls-splice", "tls"),
        seconds=400,
    ),
    Suite(
        "tlsfuzzer",
        TLSFUZZER,
        Runner.TLSFUZZER,
        (
            *("alpn_negotiation", "extensions", "invalid_cipher_suites", "invalid_client_hello"),
            *("invalid_compression_methods", "invalid_server_name_extension"),
            *("invalid_session_id", "invalid_version", "sslv2hello_protocol", "tls13_0rtt_garbage"),
            *("tls13_ccs", "tls13_connection_abort", "tls13_conversation", "tls13_crfg_curves"),
            *("tls13_ecdhe_curves", "tls13_empty_alert", "tls13_finished"),
            *("tls13_finished_plaintext", "tls13_hrr", "tls13_invalid_ciphers"),
            *("tls13_keyshare_omitted", "tls13_keyupdate", "tls13_legacy_version"),
            *("tls13_lengths", "tls13_multiple_ccs_messages", "tls13_nociphers"),
            *("tls13_record_layer_limits", "tls13_record_padding", "tls13_session_resumption"),
            *("tls13_shuffled_extentions", "tls13_unencrypted_alert", "tls13_unrecognised_groups"),
            *("tls13_version_negotiation", "tls13_zero_content_type", "tls13_zero_length_data"),
            *("truncating_of_client_hello", "version_numbers"),
        ),
        ("tls",),
        seconds=600,
    ),
    Suite("cpython-ftp", CPYTHON, Runner.UNITTEST, ("test.test_ftplib",), FTP),
    Suite("twisted-http", TWISTED, Runner.TRIAL, ("twisted.web",), HTTP),
    Suite("twisted-ftp", TWISTED, Runner.TRIAL, ("twisted.test.test_ftp",), FTP),
    Suite(
        "twisted-mail",
        TWISTED,
        Runner.TRIAL,
        ("twisted.mail.test.test_imap", "twisted.mail.test.test_pop3"),
    ),
    Suite("twisted-pop3", TWISTED, Runner.TRIAL, ("twisted.mail.test.test_pop3",), POP3),
    Suite("twisted-imap", TWISTED, Runner.TRIAL, ("twisted.mail.test.test_imap",), IMAP),
    Suite(
        "dnspython",
        DNSPYTHON,
        Runner.PYTEST,
        (
            "tests/test_async.py",
            "tests/test_query.py",
            "tests/test_resolver.py",
            "tests/test_xfr.py",
        ),
        DNS,
        shared=True,
    ),
    Suite(
        "twisted-dns",
        TWISTED,
        Runner.TRIAL,
        ("twisted.names.test.test_names",),
        DNS,
        shared=True,
    ),
    Suite(
        "asyncssh",
        ASYNCSSH,
        Runner.PYTEST,
        ("tests/test_connection.py",),
        SSH,
        seconds=300,
    ),
    Suite(
        "paramiko",
        PARAMIKO,
        Runner.PYTEST,
        ("tests/test_client.py",),
        SSH,
        seconds=300,
    ),
    Suite(
        "twisted-ssh",
        TWISTED,
        Runner.TRIAL,
        ("twisted.conch.test.test_conch", "twisted.conch.test.test_cftp"),
        SSH,
        seconds=300,
    ),
    Suite(
        "telnetlib3",
        TELNETLIB3,
        Runner.PYTEST,
        tuple(
            f"telnetlib3/tests/test_{name}.py"
            for name in (
                *("charset", "client_shell", "core", "encoding", "environ", "guard_integration"),
                *("linemode", "mccp", "naws", "pty_shell", "reader", "relay_server", "server"),
                *("server_api", "shell", "status_logger", "sync", "timeout", "tspeed", "ttype"),
                *("uvloop_integration", "writer", "xdisploc"),
            )
        ),
        TELNET,
        seconds=300,
        options=("-o", "asyncio_mode=auto"),
    ),
    Suite("cpython-telnet", CPYTHON, Runner.UNITTEST, ("test.test_telnetlib",), TELNET),
    Suite("twisted-smtp", TWISTED, Runner.TRIAL, ("twisted.mail.test.test_smtp",), SMTP),
    Suite(
        "twisted-tcp",
        TWISTED,
        Runner.TRIAL,
        ("twisted.test.test_tcp", "twisted.internet.test.test_tcp"),
    ),
    Suite(
        "httpx",
        HTTPX,
        Runner.PYTEST,
        ("tests",),
        HTTP,
        left_out={
            "tests/client/test_proxies.py::test_async_proxy_close*": OUTSIDE,
            "tests/client/test_proxies.py::test_sync_proxy_close*": OUTSIDE,
        },
    ),
    Suite(
        "httpx-tls",
        HTTPX,
        Runner.PYTEST,
        ("tests/client", "tests/test_api.py"),
        HTTPS,
        secured=True,
    ),
    Suite("autobahn", AUTOBAHN, Runner.AUTOBAHN, ("*",), HTTP),
    Suite("gunicorn", GUNICORN, Runner.GUNICORN, ("*",), HTTP),
    Suite("cache-tests", CACHE_TESTS, Runner.CACHE_TESTS, ("*",), HTTP),
    Suite(
        "pyftpdlib",
        PYFTPDLIB,
        Runner.PYTEST,
        ("tests/test_functional.py", "tests/test_servers.py"),
        FTP,
    ),
    Suite(
        "curl-ftp",
        CURL,
        Runner.CURL,
        ("FTP", "server=ftp", "server=ftp-ipv6"),
        ("ftp",),
        seconds=300,
    ),
    Suite("curl-smtp", CURL, Runner.CURL, ("SMTP",), SMTP),
    Suite("aiosmtpd", AIOSMTPD, Runner.PYTEST, ("aiosmtpd/tests",), SMTP, seconds=400),
    Suite(
        "aiosmtpd-tls",
        AIOSMTPD,
        Runner.PYTEST,
        ("aiosmtpd/tests/test_starttls.py",),
        ("smtp-tls",),
        secured=True,
    ),
    Suite(
        "pyftpdlib-tls",
        PYFTPDLIB,
        Runner.PYTEST,
        ("tests/test_functional_ssl.py",),
        ("relay", "ftp-tls"),
        left_out={"*::TestFtpListingCmdsTLSMixin::*": CRASHES},
        seconds=300,
    ),
    Suite(
        "aioftp",
        AIOFTP,
        Runner.PYTEST,
        ("tests",),
        ("ftp",),
        left_out={"tests/test_client_side_socks.py::*": "SOCKS is no FTP"},
    ),
)
"""The slow ones first, so that the quick ones fill up the time."""
