"""
pyftpdlib, of Debian, as a server to test with: /usr/bin/python3 ftp_pyftpdlib.py FOLDER HOST ...

Anonymous users may do everything below FOLDER.
"""

import sys

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer


def main(folder: str, *hosts: str) -> None:
    """Serve until killed."""
    authorizer = DummyAuthorizer()
    authorizer.add_anonymous(folder, perm="elradfmwMT")
    FTPHandler.authorizer = authorizer
    FTPHandler.tcp_no_delay = True
    servers = [FTPServer((host, 21), FTPHandler) for host in hosts]
    servers[0].serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
