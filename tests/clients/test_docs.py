"""What the client's pages show works as they show it."""

import re
from pathlib import Path

import pytest
from weightinit import default_client
from weightinit.cli import main

ROOT = Path(__file__).parents[2]
PAGES = ["docs/client.md", "clients/README.md"]


def find_blocks(language):
    """Find the examples of the pages in a language, each with the page and line it is at."""
    for page in PAGES:
        text = (ROOT / page).read_text()
        for block in re.finditer(rf"```{language}\n(.*?)```", text, re.DOTALL):
            line = text[: block.start()].count("\n") + 1
            yield pytest.param(block[1], id=f"{page}:{line}")


@pytest.fixture(autouse=True)
def service(service_url, monkeypatch, tmp_path):
    """The service that the examples find, in a folder of their own."""
    monkeypatch.setenv("WEIGHTINIT_URL", service_url)
    monkeypatch.chdir(tmp_path)
    default_client.cache_clear()
    yield service_url
    default_client().close()
    default_client.cache_clear()


@pytest.mark.parametrize("example", list(find_blocks("python")))
def test_an_example_in_python_runs(example, service):
    exec(
        compile(example.replace("http://127.0.0.1:8000", service), "example", "exec"), {"__name__": "example"}
    )


COMMANDS = [line for block in find_blocks("sh") for line in block.values[0].splitlines()]


@pytest.mark.parametrize("command", [line for line in COMMANDS if line.startswith("weightinit ")])
def test_an_example_of_the_command_line_runs(command):
    assert main(command.split()[1:]) == 0


def test_every_error_is_on_the_page():
    import weightinit

    text = (ROOT / "docs/client.md").read_text()
    exported = {name: getattr(weightinit, name) for name in weightinit.__all__}
    errors = [
        name for name, value in exported.items() if isinstance(value, type) and issubclass(value, Exception)
    ]
    assert errors
    assert [name for name in errors if f"`{name}`" not in text and f"weightinit.{name}`" not in text] == []
