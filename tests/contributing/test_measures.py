"""The measures of the code hold, and are measured right."""

import importlib.util
import sys

import pytest

from tests.contributing.page import ROOT

PACKAGES = {"service": ROOT / "service", "weightinit": ROOT / "clients/weightinit"}

# Modules that are short and imported once, and why they are modules all the same.
EXEMPT = {
    "weightinit.cli.commands.": "a command a module, so that it is found by its name",
}


@pytest.fixture(scope="module")
def house():
    """The script that measures."""
    spec = importlib.util.spec_from_file_location("measure_house", ROOT / "scripts/measure_house.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["measure_house"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["measure_house"]


@pytest.fixture
def package(house, tmp_path):
    """A package of five modules, of which two import each other."""
    files = {
        "__init__.py": "from made import top\n",
        "top.py": "import made.left\nfrom made import right\n",
        "left.py": "from . import bottom\nfrom made.right import x\n",
        "right.py": "from made.left import y\n\n\ndef f():\n    import made.unused\n    return 1\n",
        "bottom.py": "TYPE_CHECKING = False\nif TYPE_CHECKING:\n    import made.unused\n",
        "unused.py": "",
        "tests/test_top.py": "import made.unused\n",
    }
    for name, text in files.items():
        path = tmp_path / "made" / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
    return house.read_package("made", tmp_path / "made")


def test_tests_are_left_out(package):
    assert set(package) == {"made", "made.top", "made.left", "made.right", "made.bottom", "made.unused"}


def test_imports_in_functions_and_for_types_are_left_out(package):
    assert {name for name, module in package.items() if "made.unused" in module.imports} == set()


def test_a_cycle_counts_once_in_the_depth(house, package):
    assert house.measure_depth(package) == 4  # made, top, left with right, bottom


def test_modules_imported_by_one_other_are_found(house, package):
    assert house.find_imported_once(package) == {"made.top": "made", "made.bottom": "made.left"}


def test_a_function_is_counted_from_def_to_its_last_line(package):
    assert package["made.right"].functions == {"made.right.f": 3}


@pytest.mark.parametrize("name", PACKAGES)
def test_no_folder_has_more_than_15_modules(name, house):
    folders = house.count_folders(house.read_package(name, PACKAGES[name]))
    assert {folder: count for folder, count in folders.items() if count > 15} == {}


def list_short(house):
    """List the short modules that only one other imports."""
    packages = (house.read_package(name, folder) for name, folder in PACKAGES.items())
    return [
        name
        for modules in packages
        for name in house.find_imported_once(modules)
        if modules[name].lines < house.SHORT
    ]


def test_no_short_module_is_imported_by_only_one_other(house):
    assert [name for name in list_short(house) if not name.startswith(tuple(EXEMPT))] == []


@pytest.mark.parametrize("exempt", EXEMPT)
def test_an_exemption_is_needed(exempt, house):
    assert any(name.startswith(exempt) for name in list_short(house))


@pytest.mark.parametrize("name", PACKAGES)
def test_no_function_is_longer_than_60_lines(name, house):
    modules = house.read_package(name, PACKAGES[name]).values()
    functions = {function: lines for module in modules for function, lines in module.functions.items()}
    assert {function: lines for function, lines in functions.items() if lines > 60} == {}
