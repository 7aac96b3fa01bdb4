"""Rights: what the settings allow."""

from __future__ import annotations

import re

from gateway.interfaces import PROTOCOL, Denied, blamed
from protocols.ftp.command import IAC, Command
from protocols.ftp.path import absolute, literal, names, path_of, sets_time
from protocols.ftp.reply import Reply
from protocols.ftp.settings import Decision, FtpSettings
from protocols.ftp.verbs import SECURITY, VERBS, Access, Flow

ANONYMOUS = frozenset({"anonymous", "ftp"})

_NO_COMMAND = Reply(502, b"That command is not allowed here.")
_WHOLE = Reply(502, b"Only whole files pass here.")
_NO_USER = Reply(530, b"That user may not log in here.")
_NO_PATH = Reply(550, b"That path is not allowed here.")
_TOO_LONG = Reply(501, b"That argument is too long.")
_NO_HOST = Reply(504, b"That host is not allowed here.")
_NO_TRANSFER = Reply(552, b"No more transfers are allowed in this session.")

_FEATURE = re.compile(rb" ([A-Za-z0-9]+)(?: .*)?", re.DOTALL)
_FETCHED = Flow.DOWNLOAD
_PUTTING = frozenset({"STOR", "STOU", "MKD", "XMKD"})
_LENGTHS = {"USER": "user_bytes", "PASS": "password_bytes", "ACCT": "password_bytes"}
_HARMLESS = frozenset({"HELP", "UMASK"})
_SECURE_FEATURES = SECURITY & {"AUTH", "PBSZ", "PROT"}
_OF_PARTS = {"REST": ("stack_download", "stack_upload"), "APPE": ("stack_upload",)}
_NEEDED = {"REST": "REST", "MLST": "MLST", "UTF8": "OPTS"}


class Refused(Exception):
    """
    A command that does not pass.

    @ivar reply: what the client gets.
    @ivar reason: for the operator.
    @ivar by: the setting that has it so, if it is the policy's doing.
    """

    def __init__(self, reply: Reply, reason: str = "", by: str = PROTOCOL) -> None:
        super().__init__(reason)
        self.reply = reply
        self.reason = blamed(reason or reply.text.decode("ascii"), by)
        self.by = by


class Rights:
    """
    What one session may do.

    @ivar directory: the server's working directory; C{None} if nobody knows.
    """

    def __init__(self, settings: FtpSettings) -> None:
        self._settings = settings
        self._transfers = 0
        self.directory: bytes | None = None
        self.wants_directory = bool(settings.read_paths or settings.write_paths)

    def decision(self, verb: str) -> Decision:
        """What becomes of this kind of command."""
        found = self._settings.commands.get(verb)
        if found is not None:
            return found
        return "pass" if self._in_profile(verb) and not self._hides(verb) else "refuse"

    def _hides(self, verb: str) -> str | None:
        """
        The setting because of which a command does not pass that has only a part of a file sent:
        nobody can judge a file by a part of it.
        """
        for name in _OF_PARTS.get(verb, ()):
            if getattr(self._settings, name):
                return name
        return None

    def _in_profile(self, verb: str) -> bool:
        profile, kind = self._settings.profile, VERBS[verb]
        if profile == "upload-only":
            return verb in _PUTTING if kind.access is Access.WRITE else kind.flow is not _FETCHED
        return kind.access is not Access.WRITE or profile.endswith("read-write")

    def check(self, command: Command) -> None:
        """
        @raise Refused: it does not pass.
        @raise Denied: it ends the session.
        """
        self._check_verb(command)
        self._check_length(command)
        check = _CHECKS.get(command.verb)
        if check is not None:
            check(self, command)
        if VERBS[command.verb].path:
            self._check_names(command)
            if VERBS[command.verb].access is not Access.NONE:
                self._check_path(command)
        if VERBS[command.verb].flow is not None:
            self._check_count()

    def _check_verb(self, command: Command) -> None:
        decision = self.decision(command.verb)
        if decision == "deny":
            raise Denied(
                f"the command {command} ends the session",
                b"421 That command is not allowed here; goodbye.\r\n",
                "commands",
            )
        if decision == "refuse":
            if command.verb in self._settings.commands:
                raise Refused(_NO_COMMAND, "not allowed", "commands")
            hides = self._hides(command.verb)
            if hides is not None:
                raise Refused(_WHOLE, "a part of a file can't be judged", hides)
            raise Refused(_NO_COMMAND, "not allowed", "profile")

    def _check_length(self, command: Command) -> None:
        settings = self._settings
        name = _LENGTHS.get(command.verb, "path_bytes")
        limit: int = getattr(settings, name)
        if len(command.argument or b"") > limit:
            raise Refused(_TOO_LONG, f"an argument of more than {limit} bytes", name)

    def _check_user(self, command: Command) -> None:
        name = (command.argument or b"").decode("utf-8", "backslashreplace")
        anonymous_only = self._settings.profile.startswith("anonymous")
        if anonymous_only and name.lower() not in ANONYMOUS:
            raise Refused(_NO_USER, f"the user {name!r} is not anonymous", "profile")
        if not self._settings.users.fullmatch(name):
            raise Refused(_NO_USER, f"the user {name!r} is not allowed", "users")

    def _check_site(self, command: Command) -> None:
        word = (command.argument or b"").split(b" ")[0].decode("ascii", "replace").upper()
        if word not in self._settings.site_commands:
            raise Refused(_NO_COMMAND, f"SITE {word} is not allowed", "site_commands")
        if self._settings.write_paths is not None and word not in _HARMLESS:
            reason = f"whose path SITE {word} means is not known"
            raise Refused(_NO_COMMAND, reason, "write_paths")

    def _check_time(self, command: Command) -> None:
        if sets_time(command) and self.decision("MFMT") != "pass":
            raise Refused(_NO_COMMAND, "MDTM that sets a time, as MFMT does", "profile")

    def _check_host(self, command: Command) -> None:
        name = (command.argument or b"").decode("ascii", "backslashreplace")
        allowed = self._settings.virtual_hosts
        if allowed is not None and not allowed.fullmatch(name.lower()):
            raise Refused(_NO_HOST, f"the host {name!r} is not allowed", "virtual_hosts")

    def _check_names(self, command: Command) -> None:
        settings, found = self._settings, names(path_of(command))
        if settings.path_depth and len(found) > settings.path_depth:
            reason = f"a path of more than {settings.path_depth} names"
            raise Refused(_NO_PATH, reason, "path_depth")
        if any(len(name) > settings.name_bytes for name in found):
            reason = f"a name of more than {settings.name_bytes} bytes"
            raise Refused(_NO_PATH, reason, "name_bytes")

    def _check_path(self, command: Command) -> None:
        writes = VERBS[command.verb].access is Access.WRITE or sets_time(command)
        settings = self._settings
        allowed = settings.write_paths if writes else settings.read_paths
        if allowed is None or (command.verb == "STAT" and command.argument is None):
            return
        path = absolute(path_of(command), self.directory)
        if IAC in (path or b"") or not literal(command):
            path = None  # not every server reads it in the same way
        if path is None or not allowed.fullmatch(path.decode("utf-8", "backslashreplace")):
            name = "write_paths" if writes else "read_paths"
            shown = (path or path_of(command)).decode("utf-8", "backslashreplace")
            raise Refused(_NO_PATH, f"the path {shown!r} is not allowed", name)

    def _check_count(self) -> None:
        most = self._settings.transfers
        if most and self._transfers >= most:
            raise Refused(_NO_TRANSFER, f"more than {most} transfers", "transfers")
        self._transfers += 1

    def check_reply(self, command: Command, reply: Reply) -> None:
        """@raise Denied: the policy has it end the session."""
        table = self._settings.replies
        code = str(reply.code)
        if table.get(f"{command} {code}", table.get(code, "pass")) == "deny":
            raise Denied(
                f"the reply {code} to {command} ends the session",
                b"421 That answer is not allowed here; goodbye.\r\n",
                "replies",
            )

    def features(self, reply: Reply) -> Reply:
        """The reply to FEAT (RFC 2389, section 3.2), without what is not allowed."""
        kept = tuple(line for line in reply.before[1:] if self._has(line))
        return Reply(reply.code, reply.text, (*reply.before[:1], *kept))

    def _has(self, line: bytes) -> bool:
        found = _FEATURE.fullmatch(line)
        if found is None:
            return False
        name = found[1].decode("ascii").upper()
        if name in _SECURE_FEATURES:
            return self._settings.auth == "release" or self._settings.speaks_tls
        if name not in self._settings.features:
            return False
        needed = _NEEDED.get(name, name)
        return needed not in VERBS or self.decision(needed) == "pass"


_CHECKS = {
    "USER": Rights._check_user,
    "HOST": Rights._check_host,
    "SITE": Rights._check_site,
    "MDTM": Rights._check_time,
}
