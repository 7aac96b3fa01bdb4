"""
Any protocol of lines, described by its service file: no Python.

A client says commands, one a line; the server answers each with a reply. What a command may be,
and how long its reply goes on, is in the settings.

  - L{protocols.lines.settings}: the description;
  - L{protocols.lines.reply}: where a reply ends;
  - L{protocols.lines.inspector}: one command after the other.
"""
