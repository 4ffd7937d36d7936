import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core import SpecError
from service.core.models.names import ModelName, span_prefix

SEGMENTS = st.from_regex(re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII), fullmatch=True)
NAMES = st.builds(ModelName, SEGMENTS, SEGMENTS, SEGMENTS)


@given(NAMES)
def test_a_name_that_is_written_is_read_as_the_same(name):
    assert ModelName.parse(str(name)) == name


@pytest.mark.parametrize("text", ["", "a", "a/b", "a/b/c/d", "a/b/c/", "a/b/c/d/e"])
def test_a_name_has_three_segments(text):
    with pytest.raises(SpecError, match="name must be team/name/version"):
        ModelName.parse(text)


@pytest.mark.parametrize(
    "segment", ["", ".", "..", "-a", "_a", ".a", "a b", "a\n", "é", "a" * 101, "a\x00", "a\x7f", "٣", "a%2F"]
)
def test_a_segment_that_is_wrong_is_told_with_its_place(segment):
    for place, field in enumerate(ModelName._fields):
        segments = ["a", "a", "a"]
        segments[place] = segment
        with pytest.raises(SpecError) as refused:
            ModelName.of(*segments)
        (error,) = refused.value.errors
        assert error.field == field
        assert error.rule.startswith("must be 1 to 100 of")


def test_every_segment_that_is_wrong_is_told():
    with pytest.raises(SpecError) as refused:
        ModelName.of("-", "a", "")
    assert [error.field for error in refused.value.errors] == ["team", "version"]


def test_a_segment_may_have_100_characters():
    assert ModelName.of("a" * 100, "9._-", "Z").team == "a" * 100


def test_names_are_ordered_by_segments_and_code_points():
    texts = ["A/b/1", "a/B/1", "a/b/1", "a/b/10", "a/b/9", "a-b/a/1", "a.b/a/1", "a_b/a/1"]
    assert [str(name) for name in sorted(map(ModelName.parse, reversed(texts)))] == texts


@given(NAMES, st.data())
def test_the_names_between_the_ends_of_a_prefix_are_those_that_begin_so(name, data):
    other = data.draw(NAMES)
    text = str(data.draw(st.sampled_from([name, other])))
    prefix = text[: data.draw(st.integers(0, len(text)))]
    start, stop = span_prefix(prefix)
    assert (start <= name < stop) == str(name).startswith(prefix)
