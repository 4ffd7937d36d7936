"""What the README shows works as it shows it."""

import json
import os
import re
import subprocess
import sys
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
HERE = "http://127.0.0.1:8000"


# Blocks of Python that follow each other are one, whatever text is between them.
BLOCKS = [
    (language, "".join(text for _, text in blocks))
    for language, blocks in groupby(
        re.findall(r"```(bash|python|text)\n(.*?)```", README, re.DOTALL), key=itemgetter(0)
    )
]


def run(command, url, folder):
    """Run a command as the README's reader would, with the service at a URL, and return what it prints."""
    installed = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": installed, "WEIGHTINIT_URL": url}
    return subprocess.run(
        command, cwd=folder, check=True, capture_output=True, text=True, env=environment
    ).stdout


def follow(url, folder):
    """Run the blocks in their order: each with the Python before it. Return what each of them prints."""
    printed, script = [], ""
    for language, text in BLOCKS:
        if language == "bash":
            commands = text.replace(HERE, url).replace("curl ", "curl -sS --fail-with-body ")
            printed.append(run(["bash", "-euo", "pipefail", "-c", commands], url, folder))
        elif language == "python":
            script += text
            printed.append(run([sys.executable, "-c", script], url, folder))
        else:
            printed.append("")
    return printed


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder in which the README was followed."""
    return tmp_path_factory.mktemp("readme")


@pytest.fixture(scope="module")
def printed(service_url, folder):
    """What the blocks of the README print."""
    return follow(service_url, folder)


def test_the_first_command_answers_with_hes_variance(printed):
    answer = json.loads(printed[0])
    assert (answer["scheme"], answer["variance"]) == ("he", 2 / 784)


def test_a_block_that_prints_is_followed_by_what_it_prints(printed):
    shown = [(printed[n - 1], text) for n, (language, text) in enumerate(BLOCKS) if language == "text"]
    assert shown
    assert all(text == output for output, text in shown)


def test_the_files_that_the_readme_makes_hold_what_it_says(printed, folder):
    assert printed
    assert np.load(folder / "w.npy").shape == (784, 300)
    assert load_file(folder / "digits.safetensors")["0.weight"].shape == (300, 784)


@pytest.mark.parametrize("command", re.findall(r"^\$ (\./scripts/\w+)", README, re.MULTILINE))
def test_a_script_of_the_readme_can_be_run(command):
    subprocess.run(["bash", "-n", command], cwd=ROOT, check=True)
    assert (ROOT / command).stat().st_mode & 0o111


@pytest.mark.parametrize("page", re.findall(r"\]\((?!http)([^)#]+)\)", README))
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
