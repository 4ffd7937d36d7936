"""Run the examples of a page of documentation."""

import contextlib
import io
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
# An example in Python, and what it prints where that is shown.
EXAMPLE = re.compile(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", re.DOTALL)


def read_page(name):
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def run_page(name):
    """Run a page's examples in order in one namespace; return how many there are."""
    text, names = read_page(name), {"__name__": name}
    examples = list(EXAMPLE.finditer(text))
    for example in examples:
        source, shown = example.groups()
        line = text[: example.start()].count("\n") + 1
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("\n" * line + source, name, "exec"), names)
        assert printed.getvalue() == (shown or ""), f"{name}, line {line}"
    return len(examples)
