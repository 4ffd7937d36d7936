"""Models differ where they start differently, whatever they say it in."""

import pytest
from weightinit import Model
from weightinit.models.diff import Side, find_differences


@pytest.fixture
def compare(client):
    """Compare two lists of tensors, of seed 42 unless said otherwise."""

    def make_side(title, said):
        said = said if isinstance(said, dict) else {"tensors": said}
        model = Model.from_json({"seed": 42, **said})
        return Side(title, model.seed, model.stream, client.model_parameters(model))

    return lambda one, two: list(find_differences(make_side("one", one), make_side("two", two)))


def draw(name="a", shape=(4, 6), **said):
    return {"name": name, "shape": list(shape), **said}


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (draw(scheme="he"), draw(scheme="Kaiming")),
        (draw(layout="keras"), draw(layout="IO")),
        (draw(activation="relu"), draw(scheme="he", mode="fan_in", distribution="uniform")),
        (draw(scheme="he"), draw(scheme="variance_scaling", scale=2, mode="fan_in")),
        (draw(scheme="lecun"), draw(scheme="lecun_normal", distribution="normal", dtype="float32")),
        (draw(scheme="lecun", fan_in=6), draw(scheme="lecun", layout="HO", fan_in=6, fan_out=1)),
        (draw(constant=0), draw(constant=-0.0)),
        (draw(scheme="he", gain=1), draw(scheme="he", mean=0)),
        (draw(scheme="eye"), draw(scheme="identity", layout="IO")),
        (draw(), draw(parts=[{"shape": [4, 6]}])),
        (draw(), draw(parts=[{"shape": [4, 6], "slice": "0:3"}, {"shape": [4, 6], "slice": "3:4"}])),
        (draw(constant=1), draw(parts=[{"shape": [1, 6], "constant": 1}, {"shape": [3, 6], "constant": 1}])),
        (draw(shape=(1, 6)), draw(shape=(1, 6), layout="OI")),
    ],
)
def test_what_is_spelled_differently_starts_alike(compare, one, two):
    assert compare([one], [two]) == []


@pytest.mark.parametrize(
    ("one", "two", "words"),
    [
        (draw(), draw(shape=(6, 4)), "shape 4,6 → 6,4"),
        (draw(constant=0), draw(shape=(3, 6), constant=0), "shape 4,6 → 3,6"),
        (draw(), draw(dtype="float16"), "dtype float32 → float16"),
        (draw(scheme="lecun"), draw(scheme="lecun", distribution="uniform"), "distribution normal → uniform"),
        (
            draw(scheme="he", fan_in=4, fan_out=1),
            draw(scheme="he", fan_in=8, fan_out=1),
            "variance 0.5 → 0.25",
        ),
        (draw(layout="IO"), draw(layout="OI"), "order of the draws 1,0 → 0,1"),
        (draw(constant=0), draw(constant=1), "constant 0.0 → 1.0"),
        (draw(stddev=0.5), draw(stddev=0.5, mean=1.0), "mean 0.0 → 1.0"),
        (
            draw(scheme="he_truncated_normal"),
            draw(scheme="he_truncated_normal", lower=-3, upper=3),
            "cut (-2.0, 2.0) → (-3.0, 3.0)",
        ),
        (
            draw(shape=(4, 4), scheme="orthogonal"),
            draw(shape=(4, 4), scheme="identity"),
            "structure orthogonal → identity",
        ),
        (draw(scheme="lecun"), draw(constant=1), "normal of variance 0.25 → constant 1.0"),
        (draw(), draw(parts=[{"name": "b", "shape": [4, 6]}]), "name a → b"),
        (
            draw(),
            draw(parts=[{"shape": [9, 6], "slice": "5:9", "fan_in": 4, "fan_out": 6}]),
            "drawn shape 4,6 → 9,6, rows 0:4 → 5:9",
        ),
        (draw(), draw(parts=[{"shape": [4, 6], "slice": "0:2"}] * 2), "parts 1 → 2"),
    ],
)
def test_what_starts_differently_is_said(compare, one, two, words):
    assert compare([one], [two]) == [("a", words)]


def test_another_seed_is_another_start_of_what_is_drawn(compare):
    tensors = [draw("a"), draw("b", constant=0)]
    assert compare(tensors, {"seed": 43, "tensors": tensors}) == [("a", "seed 42 → 43")]


def test_a_tensor_that_one_lacks_is_said(compare):
    assert compare([draw("a"), draw("b")], [draw("c"), draw("b")]) == [
        ("a", "only in one"),
        ("c", "only in two"),
    ]


def test_scalars_of_other_values_and_dtypes_are_said(compare):
    count = {"name": "a", "shape": [], "dtype": "int64", "constant": 0}
    assert compare([count], [count]) == []
    assert compare([count], [{**count, "constant": 1}]) == [("a", "constant 0.0 → 1.0")]
    assert compare([count], [{**count, "dtype": "int32"}]) == [("a", "dtype int64 → int32")]
    assert compare([count], [{**count, "shape": [1]}]) == [("a", "shape scalar → 1")]


def test_the_order_of_tensors_does_not_matter(compare):
    assert compare([draw("a"), draw("b")], [draw("b"), draw("a")]) == []
