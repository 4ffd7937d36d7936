"""Results: what was measured, in a file; a later run of one experiment replaces its part alone."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from benchmarks.machine import describe_machine, list_versions
from benchmarks.processes import ROOT

LATEST = ROOT / "benchmarks" / "results" / "latest.json"
TRIAL = ROOT / "build" / "benchmarks" / "latest.json"  # of small sizes, which mean nothing
DIGITS = 5


@dataclass(slots=True)
class Results:
    """The machine, versions, and what each experiment measured, by name, with date and command."""

    path: Path
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    measured: dict[str, dict[str, Any]]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read results; there are none where there is no file."""
        if not path.exists():
            return cls(path, {}, {}, {})
        return cls(path, **json.loads(path.read_text("utf-8")))

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read results to add to: without those of another machine or other versions."""
        found = cls.read(path)
        machine, versions = describe_machine(), list_versions()
        same = found.machine == machine and found.versions == versions
        return cls(path, machine, versions, found.measured if same else {})

    def add(self, name: str, date: str, command: str, figures: object) -> None:
        """Put in what was measured, and write the file."""
        self.measured[name] = {"date": date, "command": command, "figures": round_figures(figures)}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        content = {"machine": self.machine, "versions": self.versions, "measured": self.measured}
        self.path.write_text(render(content) + "\n", "utf-8")


def round_figures(figures: object) -> object:
    """Round all numbers to five digits."""
    if isinstance(figures, float):
        return float(f"{figures:.{DIGITS}g}")
    if isinstance(figures, Mapping):
        return {name: round_figures(value) for name, value in figures.items()}
    if isinstance(figures, list | tuple):
        return [round_figures(value) for value in figures]
    return figures


def render(value: object, depth: int = 0) -> str:
    """Write JSON with objects spread out and each list on a line."""
    if not isinstance(value, Mapping) or not value:
        return json.dumps(value, ensure_ascii=False)
    inner = "  " * (depth + 1)
    items = [f"{inner}{json.dumps(name)}: {render(item, depth + 1)}" for name, item in value.items()]
    return "{\n" + ",\n".join(items) + "\n" + "  " * depth + "}"
