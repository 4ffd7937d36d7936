"""Check the prose of pages, docstrings, comments and messages with proselint and a list of words to avoid.

`scripts/words.toml` has the words, with replacements, and the checks of proselint that are off.
"""

import io
import re
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path

from proselint.checks import __register__
from proselint.config import DEFAULT, Config
from proselint.registry import CheckRegistry
from proselint.tools import LintFile

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = tomllib.loads((ROOT / "scripts/words.toml").read_text(encoding="utf-8"))
PAGES = ("README.md", "CONTRIBUTING.md", "clients/README.md", "docs/*.md")
CODE = ("service/**/*.py", "clients/weightinit/**/*.py")

# Not prose: blocks and spans of code, doctests, targets of links, rules of tables.
NO_PROSE = re.compile(
    r"^ *```.*?^ *```$|`[^`\n]*`|^ *(?:>>>|\.\.\. ).*$|\]\([^)]*\)|https?://\S+|^\|[-:| ]+\|$|^ {4,}\$ .*$",
    re.MULTILINE | re.DOTALL,
)


def main() -> int:
    """Print a line for each problem. Return 1 if there is one."""
    CheckRegistry().register_many(__register__)
    found = [line for path, prose in read_all() for line in check(path, prose)]
    print("\n".join(found), end="\n" if found else "")
    return bool(found)


def read_all() -> Iterator[tuple[str, str]]:
    """Yield the prose of each page and module. All else is blank, so that line numbers stay correct."""
    for pattern in PAGES:
        for path in sorted(ROOT.glob(pattern)):
            yield str(path.relative_to(ROOT)), blank(path.read_text(encoding="utf-8"))
    for pattern in CODE:
        for path in sorted(ROOT.glob(pattern)):
            yield str(path.relative_to(ROOT)), blank(read_strings(path.read_text(encoding="utf-8")))


def read_strings(source: str) -> str:
    """Return the comments and strings of Python source, on their lines."""
    lines: dict[int, str] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in {tokenize.COMMENT, tokenize.STRING}:
            text = token.string.lstrip("#").replace('"', "").strip() + "."
            for number, line in enumerate(text.split("\n"), token.start[0]):
                lines[number] = f"{lines.get(number, '')} {line}"
    return "\n".join(lines.get(number, "") for number in range(1, len(source.splitlines()) + 2))


def blank(text: str) -> str:
    """Replace everything that is not prose."""
    return NO_PROSE.sub(lambda match: re.sub(r"[^\n]+", " – ", match[0]), text)


def check(path: str, prose: str) -> Iterator[str]:
    """Yield a line for each problem in a text, with file and line number."""
    for wrong, right in SETTINGS["words"].items():
        pattern = rf"\b{wrong}\b".replace(" ", r"\s+")
        for match in re.finditer(pattern, prose, re.IGNORECASE):
            line = prose.count("\n", 0, match.start()) + 1
            yield f"{path}:{line}: {' '.join(match[0].split())!r}: write {right}"
    off = dict.fromkeys(SETTINGS["proselint"]["off"], False)
    checks = {**off, **{name: on for name, on in DEFAULT["checks"].items() if name not in off}}
    config = Config(max_errors=100, checks=checks)
    for result in LintFile(path, prose).lint(config):
        yield f"{path}:{result.pos[0]}: {result.check_result.message} ({result.check_result.check_path})"


if __name__ == "__main__":
    sys.exit(main())
