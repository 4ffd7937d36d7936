"""The page on architectures agrees with a new survey."""

import pytest

from tests.clients.architectures.building import import_library
from tests.clients.architectures.page import PAGE, make_page
from tests.clients.architectures.survey import LIBRARIES, Surveyed, survey


def test_a_page_counts_what_is_planned_and_lists_what_is_not():
    found = [
        Surveyed("one", 3, 1, 2, "nothing calls it"),
        Surveyed("two", 4),
        Surveyed("three", unplanned="TypeError: no"),
        Surveyed("four", unbuilt="ImportError: no"),
    ]
    page = make_page({"timm": found, "other": []})
    assert "| timm | 2 | 7 | 1 | 2 | 1 | 1 |" in page
    assert "| one | 3 | 1 | 2 | nothing calls it |" in page
    assert "Not planned:\n\n- three: `TypeError: no`\n" in page
    assert "Not built:\n\n- four: `ImportError: no`\n" in page


def fail(*_):
    raise ValueError("too small\nfor two")


def test_a_model_that_cannot_be_built_says_why():
    assert survey("small", fail, len) == Surveyed("small", unbuilt="ValueError: too small")


def test_a_model_that_cannot_be_planned_says_why():
    assert survey("small", list, fail) == Surveyed("small", unplanned="ValueError: too small")


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_the_page_is_current():
    for library in ("torchvision", "timm", "transformers"):
        import_library(library)
    surveys = {library: run() for library, run in LIBRARIES.items()}
    assert make_page(surveys) == PAGE.read_text(encoding="utf-8")
