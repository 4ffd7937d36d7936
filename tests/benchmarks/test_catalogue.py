"""The tables of experiments, and the page that is made of their results."""

import ast
import doctest
import importlib
from collections import Counter
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.catalogue import EXPERIMENTS, LISTED, find_experiments
from benchmarks.results import Results
from benchmarks.rows import ROWS
from benchmarks.table import compare_row, format_row, format_table

ROOT = Path(report.__file__).parent.parent
WITHOUT_FRAMEWORKS = ("catalogue", "fits", "table", "wire")


def test_names_are_unique():
    assert Counter(experiment.name for experiment in LISTED).most_common(1)[0][1] == 1


@pytest.mark.parametrize("experiment", LISTED, ids=[experiment.name for experiment in LISTED])
def test_each_experiment_is_a_function_that_takes_its_arguments(experiment):
    module, _, name = experiment.measure.partition(":")
    tree = ast.parse((ROOT / (module.replace(".", "/") + ".py")).read_text("utf-8"))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert len(functions[name].args.args) == 1 + len(experiment.arguments)


def test_no_word_means_all_and_a_group_its_members():
    assert find_experiments([]) == LISTED
    assert find_experiments(["start", "latency-tail"]) == [
        EXPERIMENTS[name] for name in ("latency-tail", "start-second")
    ]
    with pytest.raises(LookupError, match="'latenc'"):
        find_experiments(["latenc"])


@pytest.mark.parametrize("name", WITHOUT_FRAMEWORKS)
def test_examples_hold(name):
    tested = doctest.testmod(importlib.import_module(f"benchmarks.{name}"))
    assert (tested.failed, tested.attempted > 0) == (0, True)


@pytest.fixture
def results(tmp_path):
    return Results(tmp_path / "results.json", {"cores": "2"}, {"Python": "3.11.0"}, {})


def add(results, name, figures):
    results.add(name, "2030-01-02 03:04", "./scripts/bench", figures)


def test_results_are_read_as_they_were_written(results):
    add(results, "start-second", {"weightinit": [1.23456789, 1.0]})
    again = Results.read(results.path)
    assert again == results
    assert again.measured["start-second"]["figures"] == {"weightinit": [1.2346, 1.0]}


def test_a_row_says_both_figures_the_ratio_and_whether_it_is_reached(results):
    figures = {
        "weightinit": [900.0, 1000.0, 1100.0],
        "PyTorch": [300.0, 400.0, 500.0],
        "JAX": [1.0, 2.0, 3.0],
    }
    add(results, "draw-normal", figures)
    row = ROWS[0]
    assert format_row(row, compare_row(row, results))[2:] == (
        "1000 M/s",
        "PyTorch: 400 M/s",
        "2.5 × (2.2–3)",
        "≥ 2.5 ×",
        "yes",
    )


def test_a_page_of_nothing_says_so(results):
    page = report.render_page(results, [])
    assert page.count(report.NOTHING) > 3
    assert format_table(results).count("not measured yet") == len(ROWS)


def test_a_page_says_what_is_missed_and_how_straight_lines_are(results):
    add(results, "start-second", {"weightinit": [3.0] * 5})
    points = [(2**power, [0.001 * (2 + 2**power)] * 5) for power in range(9)]
    add(results, "growth-readers", {"seconds": points, "MiB": [(x, [100.0 + x]) for x, _ in points]})
    page = report.render_page(results, ["growth-readers"])
    assert "- `start-second`, start to ready, second start: 3 s; the target is ≤ 2 s" in page
    assert "- time: 2 ms + 1 ms per reader;" in page
    assert "- memory: 100 MiB + 1 MiB per reader;" in page
    assert "(performance/growth-readers.svg)" in page
    assert "growth-size.svg" not in page
