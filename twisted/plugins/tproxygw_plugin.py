"""What this package adds to Twisted. Loading it imports none of what it names."""

from twisted.application.service import ServiceMaker

from gateway.maker import InspectorMaker

tproxygw = ServiceMaker(  # type: ignore[no-untyped-call]
    "tproxygw",
    "gateway.service",
    "A transparent application-level gateway for Linux",
    "tproxygw",
)

relay = InspectorMaker(
    "relay",
    "protocols.relay:RelayInspector",
    "No inspection: bytes, or datagrams, as they are",
    ("tcp", "udp"),
)
finger = InspectorMaker("finger", "protocols.finger:FingerInspector", "Finger, RFC 1288")
whois = InspectorMaker("whois", "protocols.whois:WhoisInspector", "Whois, RFC 3912")
smtp = InspectorMaker(
    "smtp", "protocols.smtp.inspector:SMTPInspector", "SMTP and submission, RFC 5321"
)
http = InspectorMaker("http", "protocols.http.inspector:HttpInspector", "HTTP/1, RFC 9110 and 9112")
ftp = InspectorMaker("ftp", "protocols.ftp.inspector:FtpInspector", "FTP, RFC 959")
tls = InspectorMaker(
    "tls", "protocols.tls.inspector:TlsInspector", "TLS: spliced, refused, or inspected; RFC 8446"
)
quic = InspectorMaker(
    "quic",
    "protocols.quic.inspector:QuicInspector",
    "QUIC and HTTP/3: spliced by name, or refused; RFC 9000",
    ("udp",),
)
dns = InspectorMaker(
    "dns",
    "protocols.dns.inspector:DnsInspector",
    "DNS: names, types and answers; RFC 1035, 6891 and 7766",
    ("tcp", "udp"),
)
ssh = InspectorMaker("ssh", "protocols.ssh.inspector:SshInspector", "SSH's handshake, RFC 4253")
lines = InspectorMaker(
    "lines", "protocols.lines.inspector:LinesInspector", "Any protocol of lines, described in TOML"
)
telnet = InspectorMaker("telnet", "protocols.telnet.inspector:TelnetInspector", "Telnet, RFC 854")
imap = InspectorMaker("imap", "protocols.imap.inspector:ImapInspector", "IMAP, RFC 9051 and 3501")
pop3 = InspectorMaker("pop3", "protocols.pop3.inspector:Pop3Inspector", "POP3, RFC 1939")
clamd = InspectorMaker(
    "clamd", "protocols.scanners.clamd.inspector:ClamdInspector", "Bodies judged by ClamAV's daemon"
)
milter = InspectorMaker(
    "milter",
    "protocols.scanners.milter.inspector:MilterInspector",
    "Mail judged and changed by Sendmail's kind of filters",
)
program = InspectorMaker(
    "program",
    "protocols.scanners.program.inspector:ProgramInspector",
    "Bodies judged by a program of the operator's",
)
yara = InspectorMaker(
    "yara", "protocols.scanners.yara.inspector:YaraInspector", "Bodies matched against YARA rules"
)
icap = InspectorMaker(
    "icap", "protocols.scanners.icap.inspector:IcapInspector", "Bodies judged by ICAP, RFC 3507"
)
