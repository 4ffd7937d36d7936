"""Read CONTRIBUTING.md: its map, and the edits of its examples, to be applied to a copy of the tree."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
STEP = re.compile(r"^\d+\. `([^`]+)`.*?(?=^\d+\. |\Z)", re.DOTALL | re.MULTILINE)
DIFF = re.compile(r"^   ```diff\n(.*?)^   ```$", re.DOTALL | re.MULTILINE)
COPIED = ("service", "clients", "tests", "openapi.json", "pyproject.toml", "conftest.py")
ROOMS = [
    init.parent.relative_to(ROOT).as_posix()
    for root in ("service", "clients/weightinit")
    for init in sorted((ROOT / root).rglob("__init__.py"))
]


@dataclass
class Edit:
    """An edit that the page shows: the lines to replace and their replacement."""

    path: str
    old: str
    new: str

    def apply(self, root: Path) -> None:
        """Apply the edit in a copy of the tree; the old lines must occur exactly once."""
        file = root / self.path
        if not self.old:
            assert not file.exists(), self.path
            file.write_text(self.new, "utf-8")
            return
        text = file.read_text("utf-8")
        assert text.count(self.old) == 1, f"{self.path} has {text.count(self.old)} times:\n{self.old}"
        file.write_text(text.replace(self.old, self.new), "utf-8")


def read_section(title: str) -> str:
    """Return the text below a heading."""
    found = re.search(rf"^#+ {title}\n(.*?)(?=^#|\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None, title
    return found[1]


def read_edits(title: str) -> list[Edit]:
    """Return the edits of an example, each below the step that names its file."""
    return [
        edit
        for step in STEP.finditer(read_section(title))
        for block in DIFF.finditer(step[0])
        for edit in read_hunks(step[1], block[1])
    ]


def read_hunks(path: str, block: str) -> list[Edit]:
    """Return the hunks of a diff block, indented by three like its step and separated by @@."""
    hunks = [hunk.splitlines() for hunk in re.sub("^   ", "", block, flags=re.MULTILINE).split("@@\n")]
    return [Edit(path, join(hunk, " -"), join(hunk, " +")) for hunk in hunks]


def join(lines: list[str], kinds: str) -> str:
    """Join the lines of a diff with these markers; an empty line is context."""
    return "".join(line[1:] + "\n" for line in lines if (line[:1] or " ") in kinds)


def copy_tree(to: Path) -> Path:
    """Copy the files that the examples change and check."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, to / name)  # with what Numba has compiled
        else:
            shutil.copy2(source, to / name)
    return to
