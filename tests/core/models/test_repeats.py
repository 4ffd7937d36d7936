"""Parts of a model that would be drawn twice."""

import json

import pytest

from service.core import SpecError
from service.core.models import Limits, parse_model

LIMITS = Limits(tensors=100, elements=10**6, rank=4)


def parse(*tensors, limits=LIMITS):
    return parse_model({"seed": 1, "tensors": list(tensors)}, 1, limits)


def draw(name, *shape, **fields):
    return {"name": name, "shape": list(shape), **fields}


def stack(name, rows, *parts):
    return {"name": name, "shape": [rows, 3], "parts": list(parts)}


def part(rows, **fields):
    return {"shape": [rows, 3], **fields}


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (
            [stack("qkv", 6, part(2), part(2), part(2))],
            r'tensors\["qkv"\].parts\[1\].name must be another than that of tensors\["qkv"\].parts\[0\]',
        ),
        ([stack("qkv", 4, part(2, name="q"), part(2, name="q"))], r"parts\[1\].name must be another"),
        ([stack("a", 6, part(4, slice="0:3"), part(4, slice="0:3"))], r"that part has 0:3"),
        ([stack("a", 5, part(4, slice="0:3"), part(4, slice="2:4"))], r"or have other rows"),
        ([stack("a", 6, part(4), part(4, slice="0:2"))], r"parts\[0\].name must be another"),
        ([draw("a", 2, 3), stack("b", 2, part(2, name="a"))], r'tensors\["b"\].name must be another'),
        ([stack("a", 2, part(2, name="c")), stack("b", 2, part(2, name="c"))], r"set copy to repeat"),
        ([stack("a", 5, part(2), part(3))], r"has another spec"),
        ([stack("a", 4, part(2), part(2, activation="relu"))], r"has another spec"),
        ([draw("a", 2, 3), stack("b", 4, part(4, name="a"))], r"has another spec"),
        ([stack("a", 2, part(2, name="b", copy=True))], "must be that of another part with the same spec"),
        (
            [draw("a", 2, 3), stack("b", 4, part(4, name="a", copy=True))],
            "must be that of another part with the same spec",
        ),
        ([draw("a", 2, 3, copy=True)], "copy is allowed only in the parts of a tensor"),
        ([stack("a", 2, part(2, copy="yes"))], "copy must be true or false"),
    ],
)
def test_draws_that_repeat_are_refused(tensors, message):
    with pytest.raises(SpecError, match=message):
        parse(*tensors)


@pytest.mark.parametrize(
    "tensors",
    [
        [draw("a", 2, 3), draw("b", 2, 3)],
        [stack("a", 4, part(2, name="a.q"), part(2, name="a.k"))],
        [stack("a", 4, part(4, slice="0:2"), part(4, slice="2:4"))],
        [stack("a", 3, part(4, slice="2:4"), part(4, slice="0:1"))],
        [stack("a", 3, part(1, constant=0), part(3, slice="1:3"))],
        [stack("a", 2, part(4, name="t", slice="0:2")), stack("b", 2, part(4, name="t", slice="2:4"))],
        [draw("a", 2, 3), stack("b", 2, part(2, name="a", copy=True))],
        [draw("a", 2, 3), stack("b", 1, part(2, name="a", slice="1:2", copy=True))],
    ],
)
def test_draws_of_other_names_or_rows_and_copies_are_accepted(tensors):
    assert parse(*tensors).tensors


def test_a_copy_is_in_the_canonical_form_which_parses_to_itself():
    model = parse(draw("a", 2, 3), stack("b", 2, part(2, name="a", copy=True)))
    assert b'"parts":[{"copy":true,' in model.canonical
    again = parse_model(json.loads(model.canonical), 1, LIMITS)
    assert again.canonical == model.canonical


def test_a_model_that_was_published_with_repeats_is_still_served():
    limits = LIMITS._replace(repeats=True)
    assert parse(stack("qkv", 4, part(2), part(2)), limits=limits).elements == 12
