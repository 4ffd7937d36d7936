"""What is imported when: only what is used, since NumPy and httpx take longer than all the rest."""

import ast
import copy
import json
import pickle
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import weightinit

HEAVY = {"argparse", "asyncio", "filelock", "httpx", "numpy", "ssl", "tqdm", "yaml"}
SUBMODULES = (
    "arrays",
    "async_client",
    "cache",
    "client",
    "default",
    "deprecation",
    "download",
    "errors",
    "models",
    "settings",
    "spec",
    "transport",
)
LIST = "import json, sys; print(json.dumps(list(sys.modules)))"

# Names, and what a type checker is to say of them.
CHECKED = """
import weightinit
client: weightinit.Client = weightinit.default_client()
decided: weightinit.Parameters = client.parameters(3)
spec: int = weightinit.Spec((3,))
weightinit.Clint
"""
COMPLAINTS = [
    'Incompatible types in assignment (expression has type "Spec", variable has type "int")  [assignment]',
    'Module has no attribute "Clint"; maybe "Client"?  [attr-defined]',
]


def find_imported(program):
    """Run a program in a fresh process, and find which heavy modules are imported in the end."""
    command = [sys.executable, "-c", f"{program}\n{LIST}"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return HEAVY & set(json.loads(output.splitlines()[-1]))


@pytest.mark.parametrize(
    ("program", "imported"),
    [
        ("import weightinit", set()),
        ("import weightinit; dir(weightinit), hasattr(weightinit, 'torch')", set()),
        ("from weightinit import NotFound, Model, Part, Spec, TensorSpec, read_model", set()),
        ("from weightinit import Client, parameters", {"httpx", "ssl"}),
        ("from weightinit import AsyncClient", {"asyncio", "httpx", "ssl"}),
        ("import weightinit.download", set()),
        ("from weightinit.cli.main import make_parser; make_parser().format_help()", {"argparse"}),
    ],
)
def test_what_is_not_used_is_not_imported(program, imported):
    # httpx has asyncio and argparse imported by what it finds installed.
    excused = {"argparse", "asyncio"} if "httpx" in imported else set()
    assert find_imported(program) - excused == imported - excused


def test_parameters_need_no_numpy(service_url):
    program = f"import weightinit\nweightinit.Client({service_url!r}).parameters((784, 300))"
    assert "numpy" not in find_imported(program)


def find_declared():
    """Find the names that type checkers see, and the modules that they see them in."""
    tree = ast.parse(Path(weightinit.__file__).read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {alias.name: node.module for node in imports for alias in node.names}


def test_type_checkers_see_all_names_and_no_others():
    assert sorted(find_declared()) == weightinit.__all__


@pytest.mark.parametrize("name", weightinit.__all__)
def test_a_name_is_what_type_checkers_take_it_for(name):
    assert getattr(weightinit, name) is getattr(import_module(find_declared()[name]), name)


def test_a_name_that_is_not_there_is_an_error_for_type_checkers(tmp_path):
    (tmp_path / "checked.py").write_text(CHECKED)
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir=cache", "checked.py"]
    environment = {"MYPYPATH": str(Path(weightinit.__file__).parents[1])}
    output = subprocess.run(
        command, check=False, cwd=tmp_path, env=environment, capture_output=True, text=True
    ).stdout
    assert [line.partition(" error: ")[2] for line in output.splitlines()[:-1]] == COMPLAINTS


def test_all_names_are_listed_before_they_are_imported():
    program = "import json, weightinit; print(json.dumps(dir(weightinit)))"
    listed = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout
    assert set(weightinit.__all__) <= set(json.loads(listed))


@pytest.mark.parametrize("name", SUBMODULES)
def test_modules_need_no_import_of_their_own(name):
    program = f"import weightinit; assert weightinit.{name}.__name__ == 'weightinit.{name}'"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_modules_of_packages_need_none_either():
    program = "import weightinit; weightinit.spec.layer.Spec, weightinit.transport.retry.Retry"
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("kind", [weightinit.Client, weightinit.Spec, weightinit.NotFound])
def test_classes_are_pickled_and_copied_by_name(kind):
    assert pickle.loads(pickle.dumps(kind)) is copy.deepcopy(kind) is kind
