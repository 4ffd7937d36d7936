"""The service draws what docs/stream.md specifies: compared with reference/weightinit.c, which follows it."""

import json

import numpy as np
import pytest
from hypothesis import given, settings

from service.stream.selfcheck import PATH, is_drawn
from tests.stream.drawing import DISTRIBUTIONS, DTYPES, cuts, draw, make_tensor

GOLDEN = json.loads(PATH.read_text("utf-8"))["cases"]


@pytest.mark.parametrize("distribution", [*DISTRIBUTIONS, None])
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_page_alone_gives_the_golden_vectors(independent, distribution, dtype):
    cases = [
        c for c in GOLDEN if (c["spec"].get("distribution"), c["spec"]["dtype"]) == (distribution, dtype)
    ]
    assert len(cases) >= (21 if distribution else 13)
    assert all(is_drawn(case, independent.draw(case["spec"], case["box"])) for case in cases)


@given(cut=cuts())
@settings(max_examples=100, deadline=None)
def test_the_page_alone_gives_any_slice_that_the_kernels_draw(independent, cut):
    spec, slices = cut
    drawn = independent.draw(spec, [(cut.start, cut.stop) for cut in slices])
    assert drawn == make_tensor(slices, **spec).read()


@pytest.mark.parametrize(
    ("seed", "name"),
    # 29 bytes come before the name: with 26 more they just fit one block of SHA-256, with 27 they do not.
    [(0, ""), (1, "x" * 26), (2, "x" * 27), (3, "é" * 512), (2**63, "-"), (2**64 - 1, "a\nb c\0")],
    ids=["empty", "one block", "two blocks", "longest", "dash", "spaces"],
)
def test_the_page_alone_gives_the_weights_of_any_seed_and_name(independent, seed, name):
    spec = {"shape": (40, 40), "layout": "OI", "distribution": "normal", "dtype": "float64"}
    spec |= {"activation": "relu", "seed": seed, "name": name}
    assert independent.draw(spec) == make_tensor(**spec).read()


@pytest.mark.parametrize(
    ("distribution", "dtype", "position"),
    [
        ("uniform", "float32", 111721868),
        ("uniform", "float32", 126461483),
        ("uniform", "float16", 66867),
        ("uniform", "bfloat16", 465),
        ("truncated_normal", "float16", 9119),
    ],
)
def test_the_page_alone_gives_the_draws_that_are_held_at_their_bound(
    independent, distribution, dtype, position
):
    spec = {
        "shape": (2**40,),
        "layout": "O",
        "fan_in": 300,
        "fan_out": 300,
        "seed": 42,
        "name": "golden/bound",
    }
    spec |= {"activation": "relu", "distribution": distribution}
    interval = (position - 3, position + 5)
    drawn = draw((slice(*interval),), **spec, dtype=dtype)
    assert independent.draw(spec | {"dtype": dtype}, [interval]) == drawn.tobytes()
    exact = np.frombuffer(independent.draw(spec | {"dtype": "float64"}, [interval]))
    assert abs(drawn[3]) < abs(DTYPES[dtype].type(exact[3]))
