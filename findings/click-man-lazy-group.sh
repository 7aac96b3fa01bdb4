#!/bin/bash
# click-man makes no man pages for the commands of a group that finds them by list_commands() and get_command(), as
# click's own documentation has it for lazily loaded commands: it reads the attribute `commands` of the group, which is
# empty there. `--help` and the shells' completion list the commands all the same. No error, one page.
#
# Seen: click 8.5.1, click-man 0.6.0: "tool.1" only, and no COMMANDS in it.
# Where it matters: debian/documents hands click-man a group in which all commands are loaded.

set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check click=="${CLICK:-8.5.1}" click-man==0.6.0 2>/dev/null

cat >"$folder/tool.py" <<'END'
import sys
from pathlib import Path

import click
from click.testing import CliRunner
from click_man.core import write_man_pages


class Lazy(click.Group):
    def list_commands(self, ctx):
        return ["greet"]

    def get_command(self, ctx, cmd_name):
        return click.Command(cmd_name, help="Say hello.", callback=lambda: None)


tool = Lazy("tool", help="A tool.")
write_man_pages("tool", tool, version="1", target_dir=sys.argv[1])
pages = sorted(path.name for path in Path(sys.argv[1]).iterdir())
listed = "greet" in CliRunner().invoke(tool, ["--help"]).output
print("--help lists the command:", listed)
print("pages:", *pages)
sys.exit(not (listed and pages == ["tool.1"]))
END
mkdir "$folder/man"
"$folder/venv/bin/python" "$folder/tool.py" "$folder/man"
