"""Names are read strictly, and what is said of them loosely enough for a newer service."""

from datetime import UTC, datetime

import pytest
from weightinit import NameEntry, Publication, Retirement, SpecRejected
from weightinit.models.names import check_name, check_reference

MODEL = "0123456789abcdef" * 4
ENTRY = {
    "name": "vision/resnet50/1",
    "model": MODEL,
    "author": "Ada",
    "note": "why",
    "published": "2026-01-02T03:04:05Z",
    "retired": None,
}
MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize("text", ["a/b/c", "Team-1/my.model/1.0_rc", "0/0/0", "/".join(["a" * 100] * 3)])
def test_three_segments_are_a_name(text):
    assert check_name(text) == check_reference(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a/b",
        "a/b/c/d",
        "a//c",
        "/a/b/c",
        "a/b/",
        "-a/b/c",
        "a/.b/c",
        "a/b/é",
        "a b/c/d",
        "a/b/c\n",
        "a" * 101 + "/b/c",
    ],
)
def test_anything_else_is_refused(text):
    with pytest.raises(SpecRejected, match=r"^name must be team/name/version"):
        check_name(text)


@pytest.mark.parametrize("text", [MODEL[:-1], MODEL.upper(), MODEL + "0", "../../x", "resnet50"])
def test_what_is_neither_an_id_nor_a_name_is_no_reference(text):
    with pytest.raises(SpecRejected, match=r"^reference must be a model's id"):
        check_reference(text)


def test_an_id_is_a_reference():
    assert check_reference(MODEL) == MODEL


def test_an_entry_is_read():
    assert NameEntry.from_json({**ENTRY, "more": 1}) == NameEntry(
        "vision/resnet50/1", MODEL, "Ada", "why", MOMENT
    )


def test_a_retired_entry_says_who_why_and_when():
    retired = {"author": "Bob", "note": "old", "when": "2026-01-02T03:04:05Z"}
    assert NameEntry.from_json({**ENTRY, "retired": retired}).retired == Retirement("Bob", "old", MOMENT)


@pytest.mark.parametrize("note", [None, ""])
def test_an_entry_may_have_no_note(note):
    assert NameEntry.from_json({**ENTRY, "note": note}).note == ""


@pytest.mark.parametrize(
    "change",
    [{"name": 1}, {"model": None}, {"author": []}, {"published": "today"}, {"published": None}, {"note": 1}],
)
def test_an_entry_that_says_something_else_is_a_value_error(change):
    with pytest.raises(ValueError, match=r"is|Invalid"):
        NameEntry.from_json({**ENTRY, **change})


COUNTS = {"tensors": 1, "elements": 2, "bytes": 8}


def test_a_publication_is_read():
    assert Publication.from_json({"id": MODEL, **COUNTS}, is_new=True) == Publication(
        MODEL, 1, 2, 8, is_new=True
    )


@pytest.mark.parametrize(
    "change", [{"id": "x"}, {"id": 1}, {"tensors": "1"}, {"bytes": None}, {"elements": True}]
)
def test_a_publication_that_says_something_else_is_a_value_error(change):
    with pytest.raises(ValueError, match=" is "):
        Publication.from_json({"id": MODEL, **COUNTS, **change}, is_new=True)
