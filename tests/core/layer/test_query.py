import pytest

from service.core import LayerSpec, SpecError


def parse(text):
    return LayerSpec.parse_query(tuple(pair.split("=", 1)) for pair in text.split("&") if pair)


def test_a_query_says_what_json_says():
    by_query = parse(
        "shape=3,3,32,64&layout=HWIO&groups=2&fan_in=9&fan_out=18&activation=relu&scheme=variance_scaling"
        "&scale=2.5e-1&mode=fan_out&negative_slope=-0.5&distribution=normal&dtype=float16&seed=18446744073709551615"
        "&name=conv1"
    )
    by_json = LayerSpec.parse(
        {
            "shape": [3, 3, 32, 64],
            "layout": "HWIO",
            "groups": 2,
            "fan_in": 9,
            "fan_out": 18,
            "activation": "relu",
            "scheme": "variance_scaling",
            "scale": 0.25,
            "mode": "fan_out",
            "negative_slope": -0.5,
            "distribution": "normal",
            "dtype": "float16",
            "seed": 18446744073709551615,
            "name": "conv1",
        }
    )
    assert by_query == by_json


def test_a_list_may_have_a_parameter_for_each_item():
    assert parse("shape=3&shape=3&shape=32,64&seed=1").shape == (3, 3, 32, 64)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "shape is required; received nothing"),
        ("shape=", "shape must have at least 1 axis; received []"),
        ("shape=3,,3", 'shape[1] must be an integer; received ""'),
        ("shape=3, 3", 'shape[1] must be an integer; received " 3"'),
        ("shape=3x3", 'shape[0] must be an integer; received "3x3"'),
        ("shape=3.0,3", 'shape[0] must be an integer; received "3.0"'),
        ("shape=+3,3", 'shape[0] must be an integer; received "+3"'),
        ("shape=٣,3", 'shape[0] must be an integer; received "٣"'),
        ("shape=3,0", "shape[1] must be at least 1; received 0"),
        ("shape=3,3&groups=", 'groups must be an integer; received ""'),
        ("shape=3,3&seed=-1", "seed must be at least 0; received -1"),
        ("shape=3,3&seed=1e3", 'seed must be an integer; received "1e3"'),
        ("shape=3,3&seed=true", 'seed must be an integer; received "true"'),
        ("shape=3,3&scale=nan", 'scale must be a finite number; received "nan"'),
        ("shape=3,3&scale=-inf", 'scale must be a finite number; received "-inf"'),
        ("shape=3,3&scale=1e999", 'scale must be a finite number; received "1e999"'),
        ("shape=3,3&scale=1_0", 'scale must be a finite number; received "1_0"'),
        ("shape=3,3&scale=.5", 'scale must be a finite number; received ".5"'),
        ("shape=3,3&scale=0x1p3", 'scale must be a finite number; received "0x1p3"'),
        ("shape=3,3&shape=", 'shape[2] must be an integer; received ""'),
        ("shape=&shape=3", 'shape[0] must be an integer; received ""'),
        ("shape=3,3&name=a&name=a", 'name must be given once; received "a"'),
        ("shape=3,3&sed=3", 'sed is not a field of a layer spec; received "3". Did you mean seed?'),
    ],
)
def test_a_broken_rule_says_what_was_received(text, message):
    with pytest.raises(SpecError) as caught:
        parse(text)
    assert str(caught.value) == message


def test_wrong_and_repeated_parameters_are_reported_at_once():
    with pytest.raises(SpecError) as caught:
        parse("shape=0,x&seed=1&seed=2&colour=red")
    assert [error.field for error in caught.value.errors] == ["shape[0]", "shape[1]", "colour", "seed"]


def test_only_the_first_few_of_many_repetitions_are_reported():
    with pytest.raises(SpecError) as caught:
        parse("shape=3,3" + "&seed=1" * 1000)
    assert len(caught.value.errors) == 16


def test_digits_beyond_what_python_converts_are_refused():
    with pytest.raises(SpecError, match="seed must be an integer"):
        parse("shape=3,3&seed=" + "1" * 5000)
