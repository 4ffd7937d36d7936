"""The map of CONTRIBUTING.md is that of the tree."""

import re

import pytest

from tests.contributing.page import PAGE, ROOMS, ROOT, read_edits, read_section

NEW = {edit.path for edit in read_edits("An endpoint") if not edit.old}
PATHS = set(
    re.findall(r"`((?:\./)?(?:service|clients|tests|scripts|docs|requirements)(?:/[\w./*-]*)?)`", PAGE)
)


def test_every_room_has_one_line_in_the_map_in_the_order_of_the_tree():
    listed = re.findall(r"^\| `([^`]+)` \|", read_section("Map"), re.MULTILINE)
    assert sorted(listed) == sorted(ROOMS)
    assert listed.index("service/core") < listed.index("service/stream") < listed.index("service/api")


@pytest.mark.parametrize("path", sorted(path for path in PATHS - NEW if "NAME" not in path))
def test_every_path_that_the_page_names_exists(path):
    assert list(ROOT.glob(path.removeprefix("./").removesuffix("/")))


@pytest.mark.parametrize("path", sorted(re.findall(r"^\d+\. `([^`]+)`", PAGE, re.MULTILINE)))
def test_every_step_of_an_example_names_a_file(path):
    assert path in NEW or (ROOT / path).is_file()


def test_the_map_names_modules_that_exist():
    rooms = re.findall(r"^\| `([^`]+)` \| (.*) \|$", read_section("Map"), re.MULTILINE)
    named = [(room, file) for room, text in rooms for file in re.findall(r"`(\w+\.py)`", text)]
    assert named
    assert [f"{room}/{file}" for room, file in named if not (ROOT / room / file).is_file()] == []
