"""What the client returns is short at a prompt, and a table in a notebook, whatever names are in it."""

import copy
import pickle
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from weightinit import Model, Parameters, Part, Spec, TensorSpec
from weightinit.adapters.report import Report, Row
from weightinit.adapters.signal_report import SignalReport, SignalRow
from weightinit.models import PartParameters, TensorParameters

HOSTILE = "<script>alert('x')</script>\x1b[2J\n\"&" + "a" * 1000

PARAMETERS = Parameters(
    shape=(784, 300),
    layout="IO",
    dtype="float32",
    activation="relu",
    scheme="he",
    mode="fan_in",
    distribution="uniform",
    fan_in=784,
    fan_out=300,
    fan_avg=542.0,
    scale=2.0,
    variance=2 / 784,
    stddev=(2 / 784) ** 0.5,
    limit=(6 / 784) ** 0.5,
    formula="σ² = 2 / fan_in = 2 / 784",
    reason="He's scheme is for rectifiers.",
    reference="He et al. (2015)",
)
ROW = Row(
    "fc.weight", (), (300, 784), "float32", "he", "relu follows.", distribution="uniform", variance=2 / 784
)
SIGNAL = SignalRow("fc", "Linear", (8, 300), 0.0, 1.25, 0.5, None, ("dead", "no gradient"), True)
KERNEL = Part.of(Spec((784, 300), activation="relu", seed=42, name="fc"))
MODEL = Model(42, (TensorSpec.of("fc", KERNEL), TensorSpec.of("bias", Part.constant(300, 0))))
DRAWN = PartParameters("fc", (784, 300), None, None, PARAMETERS)
TENSOR = TensorParameters("fc", (784, 300), "float32", (DRAWN,))

LINES = [
    (PARAMETERS, "<Parameters 784×300 relu: he uniform, σ² = 2 / fan_in = 2 / 784>"),
    (MODEL, "<Model seed=42: 2 tensors, 235,500 elements, 942,000 bytes>"),
    (replace(MODEL, stream=2), "<Model seed=42 stream=2: 2 tensors, 235,500 elements, 942,000 bytes>"),
    (DRAWN, "<PartParameters 'fc' 784×300: he uniform, σ² = 2 / fan_in = 2 / 784>"),
    (TENSOR, "<TensorParameters 'fc' 784×300 float32: he uniform, σ² = 2 / fan_in = 2 / 784>"),
    (PartParameters("b", (), None, 7.0, None), "<PartParameters 'b' scalar: constant 7>"),
    (ROW, "<Row 'fc.weight' 300×784 he uniform σ² = 0.002551 (certain): relu follows.>"),
    (
        Row("fc.bias", (), (300,), "float32", "constant", "A bias.", value=0.0, certainty="guessed"),
        "<Row 'fc.bias' 300 constant 0 (guessed): A bias.>",
    ),
    (Report(42, (ROW,)), "<Report seed=42: 1 tensors, 235,200 elements, 940,800 bytes: 1 he>"),
    (
        Report(42, (ROW,), "vision/net/1", "0" * 64),
        "<Report vision/net/1 seed=42: 1 tensors, 235,200 elements, 940,800 bytes: 1 he>",
    ),
    (SIGNAL, "<SignalRow 'fc' Linear 8×300: variance 1.25, ratio 0.5, dead, no gradient>"),
    (SignalReport((SIGNAL,)), "<SignalReport: 1 layers, 0 activations: 1 dead, 1 no gradient>"),
]

TABLES = [value for value, _ in LINES if hasattr(value, "_repr_html_")]


def make_hostile():
    """Make one of everything, with a hostile name."""
    part = Part.of(Spec((2, 3), seed=42, name=HOSTILE), "0:1")
    drawn = replace(PARAMETERS, activation=HOSTILE, formula=HOSTILE, reason=HOSTILE)
    row = replace(ROW, name=HOSTILE, aliases=(HOSTILE,), activation=HOSTILE, reason=HOSTILE)
    signal = replace(SIGNAL, name=HOSTILE, kind=HOSTILE)
    parts = (
        PartParameters(HOSTILE, (2, 3), None, None, drawn),
        PartParameters(HOSTILE, (1,), None, 1.0, None),
    )
    return [
        Model(42, (TensorSpec.of(HOSTILE, part),)),
        drawn,
        row,
        Report(42, (row,), HOSTILE),
        signal,
        SignalReport((signal,)),
        TensorParameters(HOSTILE, (2, 3), "float32", parts),
    ]


class Reader(HTMLParser):
    """Reads HTML strictly: its text, and that every tag is closed in turn."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.text = [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, _attributes):
        self.open.append(tag)
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def name_kind(value):
    return type(value).__name__


@pytest.mark.parametrize(("value", "line"), LINES, ids=name_kind)
def test_a_line_says_what_it_is(value, line):
    assert repr(value) == line


@pytest.mark.parametrize(
    "value",
    [
        Spec((784, 300)),
        Spec((784, 300), layout="OI", scale=0.5, seed="42", name="fc"),
        KERNEL,
        Part.of(Spec((100, 8), name="table"), "1:100"),
        Part.constant((), 0.5),
        *MODEL.tensors,
        TensorSpec.of("count", Part.constant((), 3), dtype="int64"),
        TensorSpec.of("half", Part.of(Spec((2, 3), dtype="float16")), Part.constant((1, 3), 0)),
    ],
)
def test_the_line_of_a_spec_is_the_call_that_makes_it(value):
    assert eval(repr(value), {"Spec": Spec, "Part": Part, "TensorSpec": TensorSpec}) == value


def test_a_tensor_of_many_parts_shows_the_first():
    line = repr(TensorSpec.of("stack", *[Part.constant((1, 8), 0)] * 1000))
    assert len(line) < 300
    assert line.endswith(", ... 996 more)")


@pytest.mark.parametrize("value", make_hostile(), ids=name_kind)
def test_a_line_is_one_short_line_that_can_be_printed(value):
    line = repr(value)
    assert line.isprintable()
    assert len(line) < 1000


@pytest.mark.parametrize(
    "value", [value for value, _ in LINES if hasattr(value, "_repr_html_")], ids=name_kind
)
def test_html_can_be_parsed_and_is_a_table(value):
    assert "table" in Reader(value._repr_html_()).tags


@pytest.mark.parametrize("value", make_hostile(), ids=name_kind)
def test_hostile_names_are_text_in_html(value):
    reader = Reader(value._repr_html_())
    assert "script" not in reader.tags
    assert any("<script>" in text for text in reader.text)


REPORTS = {
    "Report": Report(42, tuple(replace(ROW, name=f"layers.{number}.weight") for number in range(1000))),
    "SignalReport": SignalReport(tuple(replace(SIGNAL, name=f"layers.{number}") for number in range(1000))),
    "Model": Model(1, tuple(TensorSpec.of(f"{number}", Part.constant(1, 0)) for number in range(1000))),
    "TensorParameters": TensorParameters("fc", (1000, 1), "float32", (DRAWN,) * 1000),
}


@pytest.mark.parametrize("report", REPORTS.values(), ids=list(REPORTS))
def test_what_has_a_thousand_rows_stays_short_and_says_how_many_more_there_are(report):
    reader = Reader(report._repr_html_())
    assert len(repr(report)) < 200
    assert reader.tags.count("tr") == 1 + 100
    assert "and 900 more" in reader.text


def test_html_that_is_asked_for_has_all_rows():
    assert Reader(REPORTS["SignalReport"].to_html()).tags.count("tr") == 1 + 1000


def test_a_table_of_fields_leaves_out_what_there_is_none_of():
    text = Reader(SIGNAL._repr_html_()).text
    assert text[:5] == ["SignalRow", "name", "fc", "kind", "Linear"]
    assert "8×300" in text
    assert "gradient" not in text


@pytest.mark.parametrize("value", [value for value, _ in LINES], ids=name_kind)
@pytest.mark.parametrize("make_copy", [lambda value: pickle.loads(pickle.dumps(value)), copy.deepcopy])
def test_all_of_it_is_equal_to_its_copies(value, make_copy):
    assert make_copy(value) == value
