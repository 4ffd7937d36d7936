"""The service draws what docs/stream.md says: held to a program in C that was written from that page alone.

Factor and bound come from page.py, so nothing of the service's is on that side.
"""

import json
import math

import pytest
from hypothesis import given, settings

from service.stream.selfcheck import PATH, is_drawn
from tests.stream.drawing import DISTRIBUTIONS, DTYPES, cuts, draw, make_tensor
from tests.stream.page import make_request

GOLDEN = json.loads(PATH.read_text("utf-8"))["cases"]


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_page_alone_gives_the_golden_vectors(independent, distribution, dtype):
    cases = [c for c in GOLDEN if (c["spec"]["distribution"], c["spec"]["dtype"]) == (distribution, dtype)]
    assert len(cases) >= 21
    assert all(is_drawn(case, independent.draw([make_request(case["spec"], case["box"])])) for case in cases)


@given(cut=cuts())
@settings(max_examples=100, deadline=None)
def test_the_page_alone_gives_any_slice_that_the_kernels_draw(independent, cut):
    spec, slices = cut
    request = make_request(spec, [(cut.start, cut.stop) for cut in slices])
    assert independent.draw([request]) == make_tensor(slices, **spec).read()


@pytest.mark.parametrize(
    ("seed", "name"),
    # 29 bytes come before the name: with 26 more they just fit one block of SHA-256, with 27 they do not.
    [(0, ""), (1, "x" * 26), (2, "x" * 27), (3, "é" * 512), (2**63, "-"), (2**64 - 1, "a\nb c\0")],
    ids=["empty", "one block", "two blocks", "longest", "dash", "spaces"],
)
def test_the_page_alone_gives_the_weights_of_any_seed_and_name(independent, seed, name):
    spec = {"shape": (40, 40), "layout": "OI", "distribution": "normal", "dtype": "float64"}
    spec |= {"seed": seed, "name": name}
    assert independent.draw([make_request(spec, [(0, 40), (0, 40)])]) == make_tensor(**spec).read()


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
    spec |= {"distribution": distribution, "dtype": dtype}
    request = make_request(spec, [(position - 3, position + 5)])
    drawn = draw((slice(position - 3, position + 5),), **spec)
    assert independent.draw([request]) == drawn.tobytes()
    assert abs(float(drawn[3])) == request["bound"]
    assert independent.draw([request | {"bound": math.inf}]) != drawn.tobytes()
