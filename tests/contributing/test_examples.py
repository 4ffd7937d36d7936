"""The worked examples of CONTRIBUTING.md, followed step by step on a copy of the tree."""

import json
import os
import subprocess
import sys

import pytest

from tests.contributing.page import ROOT, copy_tree, read_edits, read_section

# A request to the application of the copy, without a server: the stream's kernels need not be compiled.
REQUEST = """
import sys
from starlette.testclient import TestClient
from service.app import create_app
response = TestClient(create_app()).get(sys.argv[1])
print(response.text)
sys.exit(response.status_code != 200)
"""
EXAMPLES = ["An activation", "A scheme", "An endpoint", "A spec field"]


def run(tree, *command):
    """Run a Python command in a tree, with that tree's packages."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(tree), str(tree / "clients")]),
        "WEIGHTINIT_DATA_DIRECTORY": str(tree / "data"),
    }
    done = subprocess.run(
        [sys.executable, *command],
        check=False,
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def request(tree, path):
    """Send a request to the application of a tree, and return the JSON that it answers."""
    return json.loads(run(tree, "-c", REQUEST, path))


def print_openapi(tree):
    """Return the OpenAPI document that the service of a tree describes itself with."""
    return run(tree, "-m", "service", "openapi")


def list_changed(title):
    """List the files that an example edits."""
    return sorted({edit.path for edit in read_edits(title)})


def follow(title, tree):
    """Follow an example in a copy of the tree, and return the tree."""
    copy_tree(tree)
    edits = read_edits(title)
    assert edits
    for edit in edits:
        edit.apply(tree)
    return tree


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    """A copy of the tree for each example, with its edits."""
    return {title: follow(title, tmp_path_factory.mktemp("tree")) for title in EXAMPLES}


def test_the_new_activation_gets_the_scheme_of_its_family(trees):
    answer = request(trees["An activation"], "/v1/parameters?shape=784,300&activation=TanhExp")
    assert (answer["activation"], answer["scheme"], answer["variance"]) == ("tanhexp", "he", 2 / 784)
    assert "Liu & Di 2020" in answer["reason"]


def test_the_activation_is_unknown_without_the_edits():
    with pytest.raises(AssertionError, match="must name an activation function"):
        request(ROOT, "/v1/parameters?shape=784,300&activation=TanhExp")


def test_openapi_stays_as_it_is_with_the_new_activation(trees):
    assert "`openapi.json` stays as it is" in read_section("An activation")
    assert print_openapi(trees["An activation"]) == (ROOT / "openapi.json").read_text("utf-8")


@pytest.mark.parametrize("title", ["A scheme", "An endpoint", "A spec field"])
def test_openapi_changes_where_the_example_says_so(title, trees):
    assert "`openapi.json`: `./scripts/openapi` writes it" in read_section(title)
    assert print_openapi(trees[title]) != (ROOT / "openapi.json").read_text("utf-8")


def test_the_new_scheme_divides_two_fifths_by_fan_in(trees):
    answer = request(trees["A scheme"], "/v1/parameters?shape=784,300&scheme=small")
    assert (answer["distribution"], answer["variance"]) == ("normal", 0.4 / 784)


def test_a_name_of_the_new_scheme_carries_the_distribution(trees):
    answer = request(trees["A scheme"], "/v1/parameters?shape=784,300&scheme=small_uniform")
    assert (answer["scheme"], answer["distribution"]) == ("small", "uniform")


def test_the_new_endpoint_answers(trees):
    answer = request(trees["An endpoint"], "/v1/dtypes")
    assert [row["name"] for row in answer] == ["float32", "float64", "float16", "bfloat16"]


def test_the_new_endpoint_is_in_the_openapi_document(trees):
    assert "/v1/dtypes" in json.loads(print_openapi(trees["An endpoint"]))["paths"]


def test_the_new_field_divides_the_variance(trees):
    plain, answer = (
        request(trees["A spec field"], f"/v1/parameters?shape=784,300{field}")
        for field in ("", "&branches=4")
    )
    assert answer["variance"] == plain["variance"] / 4


def test_the_client_sends_the_new_field(trees):
    script = "import weightinit; print(weightinit.Spec(5, branches=2).to_query())"
    assert run(trees["A spec field"], "-c", script) == "{'shape': '5', 'branches': '2'}\n"


@pytest.mark.parametrize("title", EXAMPLES)
def test_the_style_is_right_after_an_example(title, trees):
    for command in (["check"], ["format", "--check"]):
        run(trees[title], "-m", "ruff", *command, "--quiet", "--no-cache", *list_changed(title))


@pytest.mark.parametrize("title", EXAMPLES)
def test_the_import_arrows_hold_after_an_example(title, trees):
    run(
        trees[title],
        "-c",
        "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))",
    )


@pytest.mark.parametrize("title", EXAMPLES)
def test_the_tests_that_an_example_changes_pass(title, trees):
    changed = [path for path in list_changed(title) if path.startswith("tests/")]
    assert changed
    run(trees[title], "-m", "pytest", "-q", "-p", "no:cacheprovider", *changed)
