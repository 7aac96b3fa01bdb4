"""
The peers: what a user would choose in the gateway's place, as Debian or PyPI has
it, each with a configuration that asks for the same.
"""

from __future__ import annotations

import os
import pwd
import shutil
import time
from pathlib import Path

from bench import names, tls
from bench.network import CLIENT_HOST, CLIENT_INTERFACE, ROOT, SERVER_HOST, run, start
from bench.scanner import MILTER
from bench.server import HTTP_HOST, SMTP_FILTERED_PORT
from bench.usage import Cpu, cpu
from bench.ways import (
    NOT_PAST_IT,
    Filtered,
    FilteringGateway,
    Gateway,
    Released,
    Scanned,
    ScanningGateway,
    Way,
)

TPROXY_RULES = f"""
table inet bench {{
  chain prerouting {{
    type filter hook prerouting priority mangle;
    meta l4proto tcp socket transparent 1 meta mark set 1 accept
    iifname {CLIENT_INTERFACE} tcp dport 7750 tcp flags & (syn|ack) == syn \\
      meta mark set 1 tproxy to :50083 accept
    iifname {CLIENT_INTERFACE} tcp dport 7001-7799 tcp flags & (syn|ack) == syn \\
      meta mark set 1 tproxy to :50080 accept
    iifname {CLIENT_INTERFACE} tcp dport 7800-7899 tcp flags & (syn|ack) == syn \\
      meta mark set 1 tproxy to :50081 accept
    iifname {CLIENT_INTERFACE} tcp dport 7900 tcp flags & (syn|ack) == syn \\
      meta mark set 1 tproxy to :50084 accept
  }}
}}
"""

REDIRECT_RULES = f"""
table ip bench {{
  chain prerouting {{
    type nat hook prerouting priority dstnat;
    iifname {CLIENT_INTERFACE} tcp dport {{ 7800-7900 }} redirect to :50081
  }}
}}
"""

FTP_DATA_RULES = f"""
table ip data {{
  chain prerouting {{
    type nat hook prerouting priority dstnat;
    iifname {CLIENT_INTERFACE} tcp dport 10000-65535 redirect
  }}
}}
"""
"""Squid listens for data connections on its own addresses, but announces the server's."""

DNS_RULES = f"""
table ip bench {{
  chain prerouting {{
    type nat hook prerouting priority dstnat;
    iifname {CLIENT_INTERFACE} udp dport {names.PORT} redirect to :{names.PORT}
  }}
}}
"""

HAPROXY = """
global
  nbthread 1
  maxconn {sessions}
  log stdout format raw local0
defaults
  timeout connect 10s
  timeout client 300s
  timeout server 300s
  maxconn {sessions}
  source 0.0.0.0 usesrc clientip
listen relay
  mode tcp
  bind :50080 transparent
  server original 0.0.0.0
listen secure
  mode http
  bind :50084 transparent ssl crt {folder}/static.pem
{rules}
  server original 0.0.0.0 ssl verify required ca-file {folder}/public.crt sni str(www.bench.example)
listen web
  mode http
  bind :50081 transparent
{rules}
  server original 0.0.0.0
"""

HAPROXY_RULES = """\
  log global
  option httplog
  acl hosts hdr(host),host_only -m end .bench.example .example.org
  acl hosts hdr(host),host_only -m reg ^cdn[0-9]+[.]example[.]net$
  acl paths path -m sub /cgi-bin/
  acl paths path -m end .exe
  acl blocked hdr(host),host_only -m end .ads.bench.example tracker.example.org
  acl types res.hdr(content-type) -m beg application/x-msdownload application/java-archive
  http-request deny unless { method GET HEAD POST OPTIONS }
  http-request deny unless hosts
  http-request deny if paths
  http-request deny deny_status 404 if blocked
  http-request del-header X-Forwarded-For
  http-request del-header Proxy-Authorization
  http-response deny if types
  http-response del-header X-Powered-By"""

SQUID = """
http_port 50082
http_port 50081 tproxy
https_port 50084 tproxy ssl-bump tls-cert={folder}/root.pem \\
  generate-host-certificates=on dynamic_cert_mem_cache_size=4MB
sslcrtd_program /usr/lib/squid/security_file_certgen -s {folder}/ssl_db -M 4MB
tls_outgoing_options cafile={folder}/public.crt
acl first at_step SslBump1
acl spliced ssl::server_name .spliced.example
ssl_bump peek first
ssl_bump splice spliced
ssl_bump bump all
ftp_port 50083 tproxy
visible_hostname bench
hosts_file {folder}/hosts
pid_filename none
cache_log /dev/stderr
access_log stdio:{folder}/access.log
cache deny all
pinger_enable off
via off
forwarded_for transparent
max_filedescriptors {descriptors}
acl methods method GET HEAD POST OPTIONS
acl hosts dstdomain .bench.example .example.org
acl cdn dstdom_regex ^cdn[0-9]+[.]example[.]net$
acl paths urlpath_regex /cgi-bin/ [.]exe$
acl blocked dstdomain .ads.bench.example tracker.example.org
acl types rep_mime_type application/x-msdownload application/java-archive
acl files proto FTP
acl tunnel method CONNECT
http_access allow files
http_access allow tunnel
http_access deny !methods
http_access deny paths
http_access deny blocked
http_access allow hosts
http_access allow cdn
http_access deny all
http_reply_access deny types
http_reply_access allow all
request_header_access X-Forwarded-For deny all
request_header_access Proxy-Authorization deny all
reply_header_access X-Powered-By deny all
"""

SQUID_ICAP = """
icap_enable on
icap_service scan respmod_precache icap://127.0.0.1:1344/virus_scan bypass=off
acl scanned port 7880 7881
adaptation_access scan allow scanned
"""

MAIL_RULES = f"""
table ip mail {{
  chain prerouting {{
    type nat hook prerouting priority dstnat;
    iifname {CLIENT_INTERFACE} tcp dport {SMTP_FILTERED_PORT} redirect
  }}
}}
"""

POSTFIX = f"""
compatibility_level = 3.6
queue_directory = {{folder}}/spool
data_directory = {{folder}}/data
maillog_file = {{folder}}/log
maillog_file_prefixes = {{folder}}
myhostname = gw.example
mydestination =
mynetworks = 0.0.0.0/0
relayhost = [{{server}}]:{SMTP_FILTERED_PORT}
inet_interfaces = all
inet_protocols = ipv4
message_size_limit = 100000000
mailbox_size_limit = 0
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
smtpd_milters = inet:127.0.0.1:{MILTER}
milter_default_action = tempfail
disable_dns_lookups = yes
alias_maps =
alias_database =
"""

POSTFIX_PARTS = f"""
{SMTP_FILTERED_PORT} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
smtp unix - - n - - smtp
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""

QUEUES = "maildrop", "incoming", "active", "deferred"
"""Where mails are that have not left."""

NGINX = """
daemon off;
user root;
error_log /dev/stderr;
pid {folder}/floor.pid;
worker_processes 1;
events {{ worker_connections 20000; }}
stream {{
  server {{
    listen 50081 ssl;
    ssl_certificate {folder}/static.pem;
    ssl_certificate_key {folder}/static.pem;
    ssl_protocols TLSv1.2 TLSv1.3;
    proxy_bind $remote_addr transparent;
    proxy_pass {server}:7900;
    proxy_ssl on;
    proxy_ssl_protocols TLSv1.2 TLSv1.3;
    proxy_ssl_verify on;
    proxy_ssl_trusted_certificate {folder}/public.crt;
    proxy_ssl_server_name on;
    proxy_ssl_name www.bench.example;
    proxy_ssl_session_reuse off;
  }}
}}
"""

MITMDUMP = ROOT / ".venv-mitmproxy" / "bin" / "mitmdump"


class Peer(Way):
    """A program that installs no rules of its own."""

    rules = TPROXY_RULES

    def divert(self) -> None:
        """Rules by hand."""
        name = self.network.gateway
        self.network.filter(self.rules + NOT_PAST_IT)
        run("ip", "-n", name, "rule", "add", "fwmark", "1/1", "lookup", "100")
        run("ip", "-n", name, "route", "add", "local", "default", "dev", "lo", "table", "100")


class HAProxy(Peer):
    """HAProxy in tcp and http mode, from the client's address, one thread."""

    name = "HAProxy"
    protocols = ("relay", "http", "smtp", "mailbox", "tls-static")

    def between(self) -> None:
        """One process for both modes."""
        self.divert()
        file = self.folder / "haproxy.cfg"
        file.write_text(
            HAPROXY.format(sessions=self.sessions, folder=self.folder, rules=HAPROXY_RULES)
        )
        command = ["haproxy", "-db", "-f", str(file)]
        self.process = start(self.network.gateway, command, self.log)


class Squid(Peer):
    """
    Squid on tproxy ports for HTTP and FTP, one process, nothing cached.

    @cvar more: what its configuration says besides.
    """

    name = "Squid"
    protocols: tuple[str, ...] = ("http", "ftp", "tls")
    more = ""

    def between(self) -> None:
        """
        It drops its privileges, and has to write its log without them. It looks up the name of
        each client: with no name server, and none in its hosts file, it costs more and more.
        """
        self.divert()
        self.network.filter(FTP_DATA_RULES)
        self.folder.parent.chmod(0o711)
        shutil.chown(self.folder, "proxy")
        tls.squid_database(self.folder)
        for path in [self.folder / "root.pem", *(self.folder / "ssl_db").rglob("*")]:
            shutil.chown(path, "proxy")
        shutil.chown(self.folder / "ssl_db", "proxy")
        names = f"{SERVER_HOST} {HTTP_HOST} {tls.INSPECTED} {tls.SPLICED}\n{CLIENT_HOST} client\n"
        (self.folder / "hosts").write_text(names)
        file = self.folder / "squid.conf"
        text = SQUID.format(folder=self.folder, descriptors=2 * self.sessions)
        file.write_text(text + self.more)
        command = ["squid", "-N", "-f", str(file)]
        self.process = start(self.network.gateway, command, self.log)


class ScanningSquid(Scanned, Squid):
    """Squid with bodies that are scanned by ICAP."""

    name = "Squid-icap"
    more = SQUID_ICAP


class Postfix(Way):
    """
    Postfix, to which clients are redirected, and which relays; each mail goes through its queue.
    """

    name = "Postfix"
    protocols: tuple[str, ...] = ("milter",)
    master = 0

    def between(self) -> None:
        """All that it has is in a folder of its own."""
        self.network.filter(MAIL_RULES + NOT_PAST_IT)
        owner = pwd.getpwnam("postfix")
        conf = self.folder / "postfix"
        for place in (self.folder.parent, self.folder):
            place.chmod(0o711)
        for name in ("", "data", "spool"):
            (conf / name).mkdir()
        os.chown(conf / "data", owner.pw_uid, owner.pw_gid)
        (conf / "main.cf").write_text(POSTFIX.format(folder=conf, server=SERVER_HOST))
        (conf / "master.cf").write_text(POSTFIX_PARTS)
        self.postfix("start")
        self.master = int((conf / "spool/pid/master.pid").read_text())

    def postfix(self, command: str) -> None:
        """Tell it that."""
        run(
            *("ip", "netns", "exec", self.network.gateway),
            *("postfix", "-c", str(self.folder / "postfix"), command),
        )

    def load(self, load: str, seconds: float, size: int) -> list[float]:
        """Until all has left the queue, too."""
        counted = super().load(load, seconds, size)
        queue = self.folder / "postfix/spool"
        until = time.monotonic() + 60
        while any(each.is_file() for part in QUEUES for each in listed(queue / part)):
            if time.monotonic() > until:
                raise RuntimeError("Postfix: the queue does not become empty")
            time.sleep(0.1)
        return counted

    def cpu(self) -> Cpu:
        """Of all its parts."""
        return cpu(self.master)

    def stop(self) -> None:
        """It first."""
        if self.master:
            self.postfix("abort")
        super().stop()


def listed(folder: Path) -> list[Path]:
    """All that is there; files come and go."""
    try:
        return list(folder.rglob("*"))
    except FileNotFoundError:
        return [folder]


class FilteringPostfix(Filtered, Postfix):
    """With the milter."""

    name = "Postfix"


class Nginx(Peer):
    """nginx as it terminates TLS with a static certificate, and looks at nothing inside."""

    name = "nginx"
    protocols = ("tls-static",)
    rules = REDIRECT_RULES + TPROXY_RULES.replace("7900", "1")

    def between(self) -> None:
        """Its stream module; Debian has it in a package of its own."""
        self.divert()
        file = self.folder / "floor.conf"
        module = "load_module modules/ngx_stream_module.so;"
        file.write_text(module + NGINX.format(folder=self.folder, server=SERVER_HOST))
        self.process = start(self.network.gateway, ["nginx", "-c", str(file)], self.log)


class Dnsmasq(Peer):
    """dnsmasq as it forwards what it does not know, to which clients are redirected; it logs."""

    name = "dnsmasq"
    protocols = ("dns",)
    rules = DNS_RULES

    def between(self) -> None:
        """Nothing is cached, as no name is asked for twice."""
        self.network.filter(self.rules + NOT_PAST_IT)
        command = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv"]
        command += ["--no-hosts", "--user=root", "--pid-file=", "--cache-size=0"]
        command += [f"--port={names.PORT}", f"--server={SERVER_HOST}#{names.PORT}"]
        command += ["--stop-dns-rebind", "--address=/ads.bench.example/tracker.example.org/"]
        command += ["--log-queries", f"--log-facility={self.folder / 'queries.log'}"]
        self.process = start(self.network.gateway, command, self.log)


class Mitmproxy(Peer):
    """mitmproxy as it comes, in transparent mode: from its own address, a line for each request."""

    name = "mitmproxy"
    protocols = ("http", "tls")
    rules = REDIRECT_RULES

    def between(self) -> None:
        """Bodies pass as they come; else it would keep them in memory."""
        self.divert()
        shutil.copy2(self.folder / "root.pem", self.folder / "mitmproxy-ca.pem")
        settings = (f"confdir={self.folder}", "stream_large_bodies=1m", "block_global=false")
        settings += (f"ssl_verify_upstream_trusted_ca={self.folder / 'public.crt'}",)
        command = [str(MITMDUMP), "--mode", "transparent@50081", "--set", "flow_detail=1"]
        command += [word for setting in settings for word in ("--set", setting)]
        self.process = start(self.network.gateway, command, self.log)


def ways() -> tuple[type[Way], ...]:
    """All that can run here: mitmproxy is not in Debian's list."""
    mitmproxy = [Mitmproxy] if MITMDUMP.exists() else []
    scanning = (ScanningSquid, ScanningGateway)
    usual = (Way, HAProxy, Squid, Nginx, Dnsmasq, *mitmproxy, Gateway, Released)
    return (*usual, *scanning, FilteringPostfix, FilteringGateway)
