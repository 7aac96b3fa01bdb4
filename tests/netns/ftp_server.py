"""
pyftpdlib, of Debian, as a server to test with: /usr/bin/python3 ftp_server.py HOST PORT FOLDER

Anonymous users may do everything below FOLDER.
"""

import sys

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer


def main(host: str, port: str, folder: str) -> None:
    """Serve until killed."""
    authorizer = DummyAuthorizer()
    authorizer.add_anonymous(folder, perm="elradfmwMT")
    FTPHandler.authorizer = authorizer
    FTPHandler.tcp_no_delay = True
    FTPServer((host, int(port)), FTPHandler).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
