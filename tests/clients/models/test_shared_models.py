"""The page on shared models: all that it shows works as it shows it, in its order."""

import contextlib
import io
import re
import subprocess
import sys

import pytest
from weightinit import default_client, read_model

from tests.clients.pages import read_page
from tests.servers import run_server

PAGE = "shared-models.md"
# An example, and what it prints where that is shown.
EXAMPLE = re.compile(r"```(\w+)\n(.*?)```(?:\n\n```text\n(.*?)```)?", re.DOTALL)
FILE = re.compile(r"# (\w+\.yaml)\n")


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A service of the page's own, since names are forever, and a folder to work in."""
    with run_server() as running:
        monkeypatch.setenv("WEIGHTINIT_URL", running.url)
        monkeypatch.chdir(tmp_path)
        default_client.cache_clear()
        yield running
        default_client().close()
        default_client.cache_clear()


def run_shell(source):
    """Run lines in bash, which stops at the first that fails, and return what they print."""
    prelude = f'set -e\nweightinit() {{ {sys.executable} -m weightinit "$@"; }}\n'
    done = subprocess.run(["bash", "-c", prelude + source], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_python(source, names):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(source, PAGE, "exec"), names)
    return printed.getvalue()


def test_the_examples_run_one_after_the_other(server, tmp_path):
    names = {"__name__": PAGE}
    counts = dict.fromkeys(["sh", "python", "yaml", "json"], 0)
    for language, source, shown in EXAMPLE.findall(read_page(PAGE)):
        counts[language] += 1
        if language == "sh":
            printed = run_shell(source)
        elif language == "python":
            printed = run_python(source, names)
        else:
            path = tmp_path / (FILE.match(source)[1] if language == "yaml" else "model.json")
            path.write_text(source)
            printed = ""
            names[path.name] = read_model(path)
        assert not shown or printed == shown, source
    assert all(counts.values())
    assert len(names["layers.yaml"].tensors) == 96
