"""What the README shows works as it shows it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
HERE = "http://127.0.0.1:8000"


def find_blocks(language):
    """The README's examples in a language, in their order."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def run_commands(commands, url, folder):
    """Run shell commands against a server, and return what they print."""
    script = "set -euo pipefail\n" + commands.replace(HERE, url).replace(
        "curl ", "curl -sS --fail-with-body "
    )
    installed = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": installed, "WEIGHTINIT_URL": url}
    return subprocess.run(
        ["bash", "-c", script], cwd=folder, check=True, capture_output=True, text=True, env=environment
    ).stdout


@pytest.fixture(scope="module")
def folder(service_url, tmp_path_factory):
    """A folder in which every command of the README has been run."""
    folder = tmp_path_factory.mktemp("readme")
    for commands in find_blocks("bash"):
        run_commands(commands, service_url, folder)
    return folder


@pytest.mark.parametrize("number", range(len(find_blocks("bash"))))
def test_the_commands_of_a_block_succeed(number, service_url, tmp_path):
    run_commands(find_blocks("bash")[number], service_url, tmp_path)


def test_the_first_command_answers_with_hes_variance(service_url, tmp_path):
    answer = json.loads(run_commands(find_blocks("bash")[0], service_url, tmp_path))
    assert (answer["scheme"], answer["variance"]) == ("he", 2 / 784)


def test_the_python_examples_run_one_after_the_other(folder):
    script = "".join(find_blocks("python"))
    subprocess.run([sys.executable, "-c", script], cwd=folder, check=True, capture_output=True)


def test_the_weights_have_the_shape_that_the_readme_names(folder):
    assert np.load(folder / "w.npy").shape == (784, 300)


@pytest.mark.parametrize("command", re.findall(r"^\$ (\./scripts/\w+)", README, re.MULTILINE))
def test_a_script_of_the_readme_can_be_run(command):
    subprocess.run(["bash", "-n", command], cwd=ROOT, check=True)
    assert (ROOT / command).stat().st_mode & 0o111


@pytest.mark.parametrize("page", re.findall(r"\]\(([^)#]+)\)", README))
def test_a_link_of_the_readme_leads_somewhere(page):
    assert (ROOT / page).exists()


@pytest.mark.slow
def test_serve_sets_itself_up_and_serves():
    with subprocess.Popen(
        ["./scripts/serve", "--port", "0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            assert any("running on http://127.0.0.1" in line for line in process.stdout)
        finally:
            process.terminate()
