"""A newcomer's way through the pages: each in an empty folder, with what its install line installs."""

import os
import re
import subprocess
import venv
from functools import cache
from pathlib import Path

import pytest

from tests import player
from tests.servers import run_server

ROOT = Path(__file__).parents[1]
HERE = "http://127.0.0.1:8000"
INSTALL = re.compile(r"^(?:\$ )?pip install --extra-index-url .*$", re.MULTILINE)
README = (ROOT / "README.md").read_text("utf-8")
# The block of the README that installs the client; a page without an install line continues from there.
START = next(block[0] for block in player.BLOCK.finditer(README) if INSTALL.search(block[0]))
PLAYED = ("python", *player.SHELLS)
# What cannot be played: the experiments run for a quarter of an hour, in an environment of their own.
UNPLAYED = ("docs/performance.md",)
# The README's reader has a clone; docs/client.md needs the service of it in the same environment.
FROM_CHECKOUT = ("docs/client.md",)
# What the environment of the tests sets that a newcomer's lacks.
OWN_VARIABLES = ("KERAS_", "PYTHON", "VIRTUAL_ENV", "WEIGHTINIT_")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def list_pages():
    """List the pages with blocks to play."""
    pages = [ROOT / "README.md", ROOT / "clients/README.md", *sorted((ROOT / "docs").glob("*.md"))]
    names = [str(page.relative_to(ROOT)) for page in pages if has_blocks(page.read_text("utf-8"))]
    return [name for name in names if name not in UNPLAYED]


def has_blocks(text):
    """Tell whether a page has a block to play."""
    return any(block[1] in PLAYED for block in player.BLOCK.finditer(text))


def read_page(name):
    """Read a page, behind the README's install line if it has none."""
    text = (ROOT / name).read_text("utf-8")
    return text if INSTALL.search(text) else f"{START}\n\n{text}"


@pytest.fixture(scope="module")
def constraints(tmp_path_factory):
    """The releases that the tests are locked to, as pip's constraints: indexes may have newer ones."""
    lock = (ROOT / "requirements/test.txt").read_text("utf-8")
    pinned = re.findall(r"^[a-z0-9].*==[^\\\n]+", lock, re.MULTILINE)
    torch = (ROOT / "requirements/torch.txt").read_text("utf-8")
    path = tmp_path_factory.mktemp("pip") / "constraints.txt"
    path.write_text("\n".join([*pinned, torch]), "utf-8")
    return path


@pytest.fixture(scope="module")
def environments(tmp_path_factory):
    """A function that makes a virtual environment for an install line, once; it returns its folder."""

    @cache
    def make(_line):
        folder = tmp_path_factory.mktemp("venv")
        venv.create(folder, with_pip=True)
        return folder

    return make


@pytest.fixture
def server():
    """A service of the page's own: names that another page published would be taken."""
    with run_server() as server:
        yield server


@pytest.mark.parametrize("name", list_pages())
def test_a_page_works_from_its_install_line_to_its_end(name, server, environments, constraints, tmp_path):
    page = tmp_path / "page.md"
    text = read_page(name)
    page.write_text(text.replace(HERE, server.url), "utf-8")
    environment = environments(INSTALL.search(text)[0])
    folder = tmp_path / "empty"
    folder.mkdir()
    variables = {
        **{key: text for key, text in os.environ.items() if not key.startswith(OWN_VARIABLES)},
        "PATH": f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PIP_CONSTRAINT": str(constraints),
        "PIP_QUIET": "1",
        "WEIGHTINIT_URL": server.url,  # the client's default is the URL of the pages
    }
    if name in FROM_CHECKOUT:
        subprocess.run(["pip", "install", str(ROOT)], check=True, env=variables)
    played = subprocess.run(
        [environment / "bin/python", Path(player.__file__), page],
        check=False,
        cwd=folder,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1100,
    )
    assert played.returncode == 0, played.stdout[-5000:]
