"""The examples in docs/recipes.md work as shown."""

from pathlib import Path

import pytest

from tests.player import BLOCK

PAGE = (Path(__file__).parents[3] / "docs" / "recipes.md").read_text(encoding="utf-8")
EXAMPLES = [(found[2], found[3]) for found in BLOCK.finditer(PAGE) if found[1] == "python"]


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize(("example", "printed"), EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_runs_and_prints_what_is_shown(example, printed, capsys):
    exec(compile(example, "docs/recipes.md", "exec"), {"__name__": "example"})
    assert capsys.readouterr().out == printed


def test_the_page_has_an_example():
    assert EXAMPLES
