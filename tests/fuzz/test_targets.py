"""No input of the kept corpus breaks its target, nor does any other that is made of their parts."""

import re
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.corpus import FOLDER, MAX_BYTES, read_inputs
from tests.fuzz.targets import TARGETS

EXAMPLES = 300  # for a target
PART = re.compile(rb"[A-Za-z0-9_]+|\s+|.", re.DOTALL)


@cache
def make_inputs(target: str) -> st.SearchStrategy[bytes]:
    """Make inputs: any bytes, parts of kept inputs in another order, and kept inputs cut and joined."""
    kept = read_inputs(target)
    parts = sorted({part for data in kept for part in PART.findall(data)})
    cuts = st.builds(
        lambda data, start, stop: data[start:stop], st.sampled_from(kept), *2 * [st.integers(0, 200)]
    )
    pieces = st.one_of(st.sampled_from(parts), st.sampled_from(kept), cuts, st.binary(max_size=4))
    return st.lists(pieces, max_size=12).map(b"".join)


def test_each_target_has_a_corpus():
    assert sorted(path.stem for path in FOLDER.iterdir()) == sorted(TARGETS)
    assert all(path.stat().st_size <= MAX_BYTES for path in FOLDER.iterdir())


@pytest.mark.parametrize("target", TARGETS)
def test_no_kept_input_breaks_its_target(target):
    inputs = read_inputs(target)
    assert inputs
    for data in inputs:
        TARGETS[target](data)


@pytest.mark.parametrize("target", TARGETS)
def test_no_input_of_such_parts_breaks_a_target(target):
    @settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    @given(make_inputs(target))
    def check(data):
        TARGETS[target](data)

    check()
