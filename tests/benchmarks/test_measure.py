"""The harness, on a clock that only moves when work is done: no time is measured here."""

import itertools
import random

import pytest

from benchmarks.measure import alternate, compare, find_percentile, is_reached, measure_rate, time_work


class FakeClock:
    """A clock that work moves on."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now

    def make_work(self, seconds):
        def work():
            self.now += next(seconds)

        return work


@pytest.fixture
def clock():
    return FakeClock()


def run(contestants, rounds, **options):
    return alternate(contestants, rounds, rest=lambda: None, **options)


def test_time_is_what_the_work_took(clock):
    assert time_work(clock.make_work(iter([2.5])), clock) == 2.5


def test_a_thing_beside_itself_is_near_one(clock):
    noise = random.Random(42)
    seconds = (1 + noise.uniform(-0.05, 0.05) for _ in itertools.count())
    work = clock.make_work(seconds)
    figures = run({"ours": measure_rate(work, 64, clock), "theirs": measure_rate(work, 64, clock)}, 101)
    found = compare(figures, "ratio", "at least")
    assert found.middle == pytest.approx(1, abs=0.03)
    assert 0.9 < found.spread[0] < 1 < found.spread[1] < 1.12
    assert found.ours == pytest.approx(64, rel=0.03)


def test_what_takes_half_as_long_is_twice_as_fast(clock):
    ours, theirs = (clock.make_work(itertools.repeat(seconds)) for seconds in (0.5, 1.0))
    figures = run({"ours": measure_rate(ours, 10, clock), "theirs": measure_rate(theirs, 10, clock)}, 5)
    assert compare(figures, "ratio", "at least").values == (2.0,) * 5


def test_a_machine_that_slows_down_slows_down_all(clock):
    """Ratios are made within a round, so that what changes between rounds goes out of them."""
    slowness = iter([1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5])
    work = clock.make_work(slowness)
    figures = run({"ours": measure_rate(work, 1, clock), "theirs": measure_rate(work, 1, clock)}, 5)
    assert figures["ours"] == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4, 1 / 5])
    assert compare(figures, "ratio", "at least").values == (1.0,) * 5


def test_turns_shift_and_the_warm_up_is_left_out():
    turns = []
    contestants = {name: lambda name=name: turns.append(name) or len(turns) for name in "abc"}
    figures = run(contestants, 3, warmups=1)
    assert "".join(turns) == "cab" + "abc" + "bca" + "cab"
    assert figures == {"a": [4, 9, 11], "b": [5, 7, 12], "c": [6, 8, 10]}


def test_everyone_rests_before_a_turn():
    log = []
    alternate({"a": lambda: log.append("a") or 1.0}, 2, warmups=0, rest=lambda: log.append("rest"))
    assert log == ["rest", "a", "rest", "a"]


FIGURES = {"ours": [6.0, 8.0, 10.0], "slow": [1.0, 2.0, 30.0], "fast": [4.0, 4.0, 4.0]}


@pytest.mark.parametrize(
    ("compared", "goal", "peer", "values"),
    [
        ("ratio", "at least", "fast", (1.5, 2.0, 2.5)),
        ("ratio", "at most", "slow", (6.0, 4.0, 1 / 3)),
        ("difference", "at most", "slow", (5.0, 6.0, -20.0)),
        ("value", "at most", "slow", (6.0, 8.0, 10.0)),
    ],
)
def test_the_best_peer_is_that_of_the_best_median(compared, goal, peer, values):
    found = compare(FIGURES, compared, goal)
    assert (found.peer, found.values) == (peer, pytest.approx(values))


def test_a_figure_may_stand_alone():
    found = compare({"ours": [1.5, 1.7, 1.6]}, "value", "at most")
    assert (found.peer, found.middle, found.spread) == ("", 1.6, (1.5, 1.7))


@pytest.mark.parametrize(
    ("goal", "target", "reached"),
    [("at least", 2.0, True), ("at least", 2.1, False), ("at most", 2.0, True), ("at most", 1.9, False)],
)
def test_the_median_reaches_the_target(goal, target, reached):
    found = compare({"ours": [6.0, 8.0, 1.0], "theirs": [3.0, 4.0, 4.0]}, "ratio", goal)
    assert found.middle == 2.0
    assert is_reached(found, goal, target) is reached


@pytest.mark.parametrize(("percent", "value"), [(99, 99), (50, 50), (100, 100), (1, 1), (0, 1), (98.5, 99)])
def test_a_percentile_is_one_of_the_values(percent, value):
    values = [float(number) for number in range(1, 101)]
    random.Random(1).shuffle(values)
    assert find_percentile(values, percent) == value
