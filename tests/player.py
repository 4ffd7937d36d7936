"""Plays a page of the documentation in its environment, as a reader does who types in each block.

A program: `python player.py PAGE`, run in an empty folder. It needs the standard library alone, since its
environment has only what the page installs.

- A block of a shell runs in bash. What it exports stays; `$ ` marks the lines of a console's block to run.
- A block that begins with the comment `# NAME.EXTENSION` is written to that file. A comment that goes on with
  `for: COMMAND` has the command that runs it.
- Other blocks in Python run in one session. What they print is what the block of text behind them shows.
"""

import contextlib
import importlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# ([\w-]+\.\w+)(?:, for: (.*))?\n")
SHELLS = ("bash", "sh", "console")
# An error of the service is an error of curl, too.
CURL = 'curl() { command curl --fail-with-body --silent --show-error "$@"; }\n'
EXPORTS = Path("exports.env")


def main() -> None:
    """Play the page of the command line, and fail at the first block that fails."""
    page = Path(sys.argv[1])
    text = page.read_text("utf-8")
    session: dict[str, object] = {"__name__": "__main__"}
    for block in BLOCK.finditer(text):
        line = text.count("\n", 0, block.start()) + 1
        print(f"{page.name}, line {line}", file=sys.stderr, flush=True)
        play(*block.groups(), place=f"{page.name}, line {line}", session=session)


def play(language: str, source: str, shown: str | None, *, place: str, session: dict[str, object]) -> None:
    """Play a block: run it, or write the file that it names."""
    if found := FILE.match(source):
        Path(found[1]).write_text(source, "utf-8")
        if found[2]:
            run_bash(found[2])
    elif language == "console":
        commands = (line[2:] for line in source.splitlines() if line.startswith("$ "))
        run_bash("\n".join(line for line in commands if not line.startswith("./")))
    elif language in SHELLS:
        run_bash(source)
    elif language == "python":
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(source, place, "exec"), session)
        if printed.getvalue() != (shown or ""):
            sys.exit(f"{place} prints\n{printed.getvalue()}\ninstead of\n{shown}")


def run_bash(commands: str) -> None:
    """Run commands in bash, and take over what they export."""
    script = f"{CURL}{commands}\nenv -0 > {EXPORTS}"
    subprocess.run(["bash", "-eo", "pipefail", "-c", script], check=True)
    entries = EXPORTS.read_text("utf-8").rstrip("\0").split("\0")
    os.environ.update(entry.split("=", 1) for entry in entries)
    importlib.invalidate_caches()  # pip may have installed something


if __name__ == "__main__":
    main()
