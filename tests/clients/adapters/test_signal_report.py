"""The report of a check, as text, HTML, JSON and a plot."""

import json
import math
import sys

import pytest
from weightinit.adapters.signal_report import FLAGS, SignalReport, SignalRow

ROWS = (
    SignalRow("a", "Linear", (4, 8), 0.0, 1.0, None, 0.01, (), True),
    SignalRow("<b>", "relu", (4, 8), 0.4, 0.34, None, 0.01, ("dead",), False),
    SignalRow("c", "Linear", (4, 2), 0.0, 1e-4, 1e-4, 1.0, ("vanishes",), True),
    SignalRow("d", "Linear", (4, 2), 0.0, math.inf, math.inf, None, ("not finite", "no gradient"), True),
)
REPORT = SignalReport(ROWS)


def test_its_text_is_a_table_with_a_line_a_row_and_a_summary():
    head, *lines, _, summary = str(REPORT).splitlines()
    assert head.split() == ["layer", "kind", "shape", "mean", "variance", "ratio", "gradient", "flags"]
    assert lines[0].split() == ["a", "Linear", "4×8", "0", "1", "0.01"]
    assert [line.split()[0] for line in lines] == ["a", "<b>", "c", "d"]
    assert summary == "3 layers, 1 activations: 1 vanishes, 1 dead, 1 not finite, 1 no gradient"


def test_its_html_is_escaped_and_says_what_a_flag_means():
    assert "<td>&lt;b&gt;</td>" in REPORT.to_html()
    assert FLAGS["dead"] in REPORT.to_html()
    assert REPORT._repr_html_() == REPORT.to_html()


def test_its_json_has_all_rows_and_no_number_that_json_has_not():
    rows = json.loads(REPORT.to_json())["rows"]
    assert [row["name"] for row in rows] == ["a", "<b>", "c", "d"]
    assert rows[3]["variance"] is None
    assert rows[2]["flags"] == ["vanishes"]


def test_a_row_is_found_by_name_and_a_wrong_name_is_answered_with_the_near_ones():
    assert REPORT["c"] is ROWS[2]
    with pytest.raises(KeyError, match="did you mean encoder"):
        SignalReport((SignalRow("encoder", "Linear", (1,), 0, 0, None, None, (), True),))["encode"]


def test_a_plot_shows_two_lines_by_layer_and_marks_what_is_flagged():
    pytest.importorskip("matplotlib")
    (axes,) = REPORT.plot().axes
    signal, gradient = axes.get_lines()[:2]
    assert signal.get_ydata()[:2].tolist() == pytest.approx([0, -4])
    assert gradient.get_ydata()[:2].tolist() == pytest.approx([-2, 0])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "c", "d"]
    assert axes.get_title()
    assert axes.get_xlabel()
    assert axes.get_ylabel()
    assert len(axes.patches) == 3  # two spans, and their name in the legend


def test_a_plot_without_matplotlib_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match="plot"):
        REPORT.plot()
