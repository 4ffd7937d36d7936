"""The measures of the code hold, and are measured right."""

import importlib.util
import sys

import pytest

from tests.contributing.page import ROOT

PACKAGES = {"service": ROOT / "service", "weightinit": ROOT / "clients/weightinit"}


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
