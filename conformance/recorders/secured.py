"""
What servers of a suite's tests speak becomes TLS, with certificates of the authority that all
suites have; what its clients trust is that authority. For who imports this.
"""

# mypy: ignore-errors

import os
import ssl
import tempfile
from contextlib import suppress
from pathlib import Path

if os.environ["CONFORMANCE_SECURED"]:
    from issued import AUTHORITY, issued

    folder = tempfile.mkdtemp(prefix="certificates-", dir=os.environ["HOME"])
    SERVER = str(issued(Path(folder, "server.pem")))
    os.environ["SSL_CERT_FILE"] = str(AUTHORITY)

    with suppress(ImportError):
        import certifi

        certifi.where = lambda: str(AUTHORITY)

    with suppress(ImportError):
        import trustme

        made = trustme.CA.__init__

        def pose(self, *arguments, **ways):
            """Be that authority, whatever authority the test makes."""
            made(self, *arguments, **ways)
            pem = AUTHORITY.read_bytes()
            self._certificate = trustme.x509.load_pem_x509_certificate(pem)
            self._private_key = trustme.load_pem_private_key(pem, password=None)

        trustme.CA.__init__ = pose

    with suppress(ImportError):  # httpx's server
        import uvicorn

        configure = uvicorn.Config.__init__

        def secure(self, *arguments, **ways):
            """Speak TLS."""
            configure(self, *arguments, **{"ssl_certfile": SERVER, "ssl_keyfile": SERVER, **ways})

        uvicorn.Config.__init__ = secure

    with suppress(ImportError):  # aiohttp's server
        from aiohttp import test_utils

        start = test_utils.BaseTestServer.start_server

        async def start_secure(self, *arguments, **ways):
            """Speak TLS."""
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(SERVER)
            await start(self, *arguments, **{"ssl": context, **ways})

        test_utils.BaseTestServer.start_server = start_secure

    with suppress(ImportError):  # aiosmtpd's
        import aiosmtpd  # noqa: F401
        import pkg_resources

        found = pkg_resources.resource_filename

        def resource(package, name):
            """For its server's certificate and key, which are also what its client trusts."""
            return SERVER if name.startswith("server.") else found(package, name)

        pkg_resources.resource_filename = resource

    with suppress(ImportError):  # requests' server
        from pytest_httpbin import certs, serve

        Path(folder, "server.key").write_bytes(Path(SERVER).read_bytes())
        serve.CERT_DIR = folder
        serve.Server = serve.SecureServer
        certs.where = certifi.where
