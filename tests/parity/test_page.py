"""The tables of docs/parity.md are those of the rows, and their variances can be measured again."""

import json

import pytest

from tests.parity.page import BEGIN, END, MEASURED, PAGE, make_tables
from tests.parity.signal import measure_all


def test_the_tables_are_those_of_the_rows():
    assert PAGE.read_text("utf-8").split(BEGIN)[1].split(END)[0] == f"\n{make_tables()}\n"


@pytest.mark.slow
def test_measured_again_the_variances_are_the_same():
    kept = json.loads(MEASURED.read_text("utf-8"))
    found = measure_all()
    assert list(found) == list(kept)
    for name, pair in found.items():
        assert pair == pytest.approx(kept[name], rel=0.01, abs=2e-4), name


def test_the_service_keeps_the_variance_of_every_kernel_that_frameworks_count_otherwise():
    """Except that of all gates of an LSTM together: four of them add up."""
    kept = json.loads(MEASURED.read_text("utf-8"))
    ours = {name: pair[1] for name, pair in kept.items() if not name.startswith("other")}
    gates = {name: value for name, value in ours.items() if "gates" in name}
    assert all(value == pytest.approx(4, rel=0.02) for value in gates.values())
    assert all(value == pytest.approx(1, rel=0.025) for name, value in ours.items() if name not in gates)
