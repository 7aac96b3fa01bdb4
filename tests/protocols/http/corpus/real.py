"""What real programs send: heads as they were seen on the wire, and short bodies."""

from __future__ import annotations

_CURL = b"User-Agent: curl/7.88.1\r\nAccept: */*\r\n"
_CHROMIUM = (
    b"Host: www.example.com\r\nConnection: keep-alive\r\n"
    b'sec-ch-ua: "Not:A-Brand";v="8", "Chromium";v="156", "HeadlessChrome";v="156"\r\n'
    b'sec-ch-ua-mobile: ?0\r\nsec-ch-ua-platform: "Linux"\r\nUpgrade-Insecure-Requests: 1\r\n'
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    b"HeadlessChrome/156.0.0.0 Safari/537.36\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,"
    b"*/*;q=0.8,application/signed-exchange;v=b3;q=0.7\r\n"
    b"Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-User: ?1\r\n"
    b"Sec-Fetch-Dest: document\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"
)
_REQUESTS = (
    b"Host: 127.0.0.1:8000\r\nUser-Agent: python-requests/2.34.2\r\n"
    b"Accept-Encoding: gzip, deflate, br\r\nAccept: */*\r\nConnection: keep-alive\r\n"
)
_FORM = (
    b'--------------------------60549cb64f27\r\nContent-Disposition: form-data; name="a"; '
    b'filename="f"\r\nContent-Type: application/octet-stream\r\n\r\nx=1&y=2\r\n'
    b"--------------------------60549cb64f27--\r\n"
)

REQUESTS = (
    b"GET /a?b=c HTTP/1.1\r\nHost: example.com\r\n" + _CURL + b"\r\n",
    b"GET / HTTP/1.1\r\nHost: example.com:8080\r\n"
    + _CURL
    + b"Accept-Encoding: deflate, gzip, br\r\n"
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n\r\n",
    b"PUT /up HTTP/1.1\r\nHost: example.com\r\n" + _CURL + b"Transfer-Encoding: chunked\r\n"
    b"Expect: 100-continue\r\n\r\n7\r\nx=1&y=2\r\n0\r\n\r\n",
    b"POST /form HTTP/1.1\r\nHost: example.com\r\n"
    + _CURL
    + b"Content-Length: %d\r\n" % len(_FORM)
    + b"Content-Type: multipart/form-data; boundary=------------------------60549cb64f27\r\n\r\n"
    + _FORM,
    b"POST /post HTTP/1.1\r\nHost: example.com\r\n" + _CURL + b"Expect: 100-continue\r\n"
    b"Content-Length: 7\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\nx=1&y=2",
    b"GET /range HTTP/1.1\r\nHost: example.com\r\nAuthorization: Basic YTpi\r\nRange: bytes=0-9\r\n"
    + _CURL
    + b"Cookie: k=v; l=w\r\n\r\n",
    b"GET /file HTTP/1.1\r\nHost: example.com\r\nRange: bytes=7-\r\nUser-Agent: Wget/1.21.3\r\n"
    b"Accept: */*\r\nAccept-Encoding: identity\r\nConnection: Keep-Alive\r\n\r\n",
    b"GET /requests HTTP/1.1\r\n" + _REQUESTS + b"\r\n",
    b"POST /json HTTP/1.1\r\n" + _REQUESTS + b"Content-Length: 8\r\nContent-Type: application/json"
    b'\r\n\r\n{"a": 1}',
    b"PUT /pieces HTTP/1.1\r\n" + _REQUESTS + b"Transfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n",
    b"GET /urllib HTTP/1.1\r\nAccept-Encoding: identity\r\nHost: a\r\nUser-Agent: urllib/3.11"
    b"\r\nConnection: close\r\n\r\n",
    b"GET /page?x=y|z HTTP/1.1\r\n" + _CHROMIUM + b"\r\n",
    b"GET /simple/nothing/ HTTP/1.1\r\nHost: example.com\r\n"
    b'User-Agent: pip/23.2.1 {"ci":null,"implementation":{"name":"CPython"}}\r\n'
    b"Accept-Encoding: gzip, deflate\r\nAccept: application/vnd.pypi.simple.v1+json, "
    b"text/html; q=0.01\r\nConnection: keep-alive\r\nCache-Control: max-age=0\r\n\r\n",
    b"GET /repo.git/info/refs?service=git-upload-pack HTTP/1.1\r\nHost: example.com\r\n"
    b"User-Agent: git/2.39.5\r\nAccept: */*\r\nAccept-Encoding: deflate, gzip, br, zstd\r\n"
    b"Accept-Language: C, *;q=0.9\r\nPragma: no-cache\r\nGit-Protocol: version=2\r\n\r\n",
    b"GET /dists/bookworm/InRelease HTTP/1.1\r\nHost: deb.example.com\r\n"
    b"Cache-Control: max-age=0\r\n"
    b"Accept: text/*\r\nIf-Modified-Since: Sat, 06 Jan 2024 10:00:00 GMT\r\n"
    b"User-Agent: Debian APT-HTTP/1.3 (2.6.1)\r\n\r\n",
)

_NGINX = b"Server: nginx/1.22.1\r\nDate: Tue, 24 Nov 2026 14:00:00 GMT\r\n"

RESPONSES = (
    b"HTTP/1.1 200 OK\r\n" + _NGINX + b"Content-Type: text/plain\r\nContent-Length: 6\r\n"
    b"Last-Modified: Tue, 24 Nov 2026 13:00:00 GMT\r\nConnection: keep-alive\r\n"
    b'ETag: "6923-6"\r\nAccept-Ranges: bytes\r\n\r\nhello\n',
    b"HTTP/1.1 200 OK\r\n" + _NGINX + b"Content-Type: text/css\r\nTransfer-Encoding: chunked\r\n"
    b"Connection: keep-alive\r\nContent-Encoding: gzip\r\n\r\n5\r\n\x1f\x8b\x08\0\0\r\n0\r\n\r\n",
    b"HTTP/1.1 206 Partial Content\r\n"
    + _NGINX
    + b"Content-Type: text/plain\r\nContent-Length: 4\r\n"
    b"Connection: keep-alive\r\nContent-Range: bytes 0-3/6\r\n\r\nhell",
    b"HTTP/1.1 302 Moved Temporarily\r\n" + _NGINX + b"Content-Length: 0\r\n"
    b"Location: http://example.com/small\r\nConnection: keep-alive\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\n" + _NGINX + b'Connection: keep-alive\r\nETag: "6923-6"\r\n\r\n',
    b"HTTP/1.0 200 OK\r\nServer: SimpleHTTP/0.6 Python/3.11.2\r\n"
    b"Date: Tue, 24 Nov 2026 14:00:00 GMT\r\nContent-type: text/a\r\nContent-Length: 3\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nDate: Tue, 24 Nov 2026 14:00:00 GMT\r\nExpires: -1\r\n"
    b"Cache-Control: private, max-age=0\r\nContent-Type: text/html; charset=ISO-8859-1\r\n"
    b'P3P: CP="no policy"\r\nServer: gws\r\nX-XSS-Protection: 0\r\n'
    b"Set-Cookie: A=b; expires=Thu, 24-Dec-2026 14:00:00 GMT; domain=.example.com\r\n"
    b"Set-Cookie: C=d; HttpOnly\r\nAccept-Ranges: none\r\nVary: Accept-Encoding\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"HTTP/1.1 404 Not Found\r\nDate: Tue, 24 Nov 2026 14:00:00 GMT\r\nServer: Apache/2.4.57\r\n"
    b"Content-Length: 3\r\nKeep-Alive: timeout=5, max=100\r\nConnection: Keep-Alive\r\n"
    b"Content-Type: text/html; charset=iso-8859-1\r\n\r\nabc",
    b"HTTP/1.1 500 Server Error\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\noops",
)
"""Of GET; the server closes then."""
