import pytest

from service.core import SpecError
from service.core.models import Constant, Drawn, Limits, parse_model

LIMITS = Limits(tensors=5, elements=10**6, rank=4)
DENSE = {"name": "fc1/kernel", "shape": [784, 300], "activation": "relu"}


def parse(*tensors, seed=42, **fields):
    return parse_model({"seed": seed, "tensors": list(tensors), **fields}, 1, LIMITS)


def find_error(*tensors, **fields):
    """Return the only rule that a model breaks, as its message."""
    with pytest.raises(SpecError) as caught:
        parse(*tensors, **fields)
    (error,) = caught.value.errors
    return error.message


def stack(*parts, shape=(4, 3), **fields):
    return {"name": "stack", "shape": list(shape), "parts": list(parts), **fields}


def test_a_tensor_is_drawn_with_the_seed_of_the_model_and_its_own_name():
    (tensor,) = parse(DENSE).tensors
    (part,) = tensor.parts
    assert isinstance(part, Drawn)
    assert (part.spec.seed, part.spec.name, part.parameters.variance) == (42, "fc1/kernel", 2 / 784)


def test_tensors_are_in_the_order_of_their_names_bytes():
    names = ["b", "a", "ä", "a/b", "B"]
    model = parse(*({"name": name, "shape": [2, 2]} for name in names))
    assert [tensor.name for tensor in model.tensors] == ["B", "a", "a/b", "b", "ä"]


def test_defaults_hold_for_tensors_that_do_not_say_them():
    first, second = parse(
        {"name": "a", "shape": [2, 3]},
        {"name": "b", "shape": [2, 3], "activation": "tanh", "dtype": "float16"},
        defaults={"activation": "relu", "dtype": "bfloat16"},
    ).tensors
    assert (first.parts[0].spec.activation, first.dtype) == ("relu", "bfloat16")
    assert (second.parts[0].spec.activation, second.dtype) == ("tanh", "float16")


def test_of_the_defaults_a_constant_takes_the_dtype_alone():
    (tensor,) = parse(
        {"name": "a", "shape": [3], "constant": 1}, defaults={"dtype": "float16", "activation": "relu"}
    ).tensors
    assert tensor.parts == (Constant("a", (3,), "float16", 1.0),)


def test_a_zero_has_no_sign():
    (tensor,) = parse({"name": "a", "shape": [3], "constant": -0.0}).tensors
    assert str(tensor.parts[0].value) == "0.0"


@pytest.mark.parametrize("shape", [[], [0], [3, 0], [0, 3], [2, 0, 4]])
def test_a_constant_may_be_a_scalar_or_have_no_elements(shape):
    (tensor,) = parse({"name": "a", "shape": shape, "constant": 1}).tensors
    assert tensor.parts == (Constant("a", tuple(shape), "float32", 1.0),)
    assert tensor.elements == (0 if shape else 1)


# Limits as the C standard has them (C17, 7.20.2.1), but for what RFC 7493, section 2.2 says of JSON.
RANGES = {
    "int64": (-(2**53 - 1), 2**53 - 1),
    "int32": (-2147483648, 2147483647),
    "int16": (-32768, 32767),
    "int8": (-128, 127),
    "uint64": (0, 2**53 - 1),
    "uint32": (0, 4294967295),
    "uint16": (0, 65535),
    "uint8": (0, 255),
    "bool": (0, 1),
}


@pytest.mark.parametrize("dtype", RANGES)
def test_a_constant_may_be_any_integer_of_its_dtype(dtype):
    for value in RANGES[dtype]:
        (tensor,) = parse({"name": "a", "shape": [], "constant": value, "dtype": dtype}).tensors
        assert tensor.parts == (Constant("a", (), dtype, value),)


@pytest.mark.parametrize("dtype", RANGES)
def test_an_integer_beyond_its_dtype_or_a_fraction_is_refused(dtype):
    lowest, largest = RANGES[dtype]
    for value in (lowest - 1, largest + 1, 0.5):
        message = find_error({"name": "a", "shape": [], "constant": value, "dtype": dtype})
        assert f"constant must be an integer from {lowest} to {largest} for {dtype}; received" in message


def test_integers_of_parts_are_stacked():
    (tensor,) = parse(
        stack({"shape": [1, 3], "constant": 1}, {"shape": [3, 3], "constant": 0}, dtype="int8")
    ).tensors
    assert [(part.value, part.dtype) for part in tensor.parts] == [(1.0, "int8"), (0.0, "int8")]


def test_parts_of_no_rows_are_stacked():
    (tensor,) = parse(stack({"shape": [0, 3], "constant": 1}, {"shape": [4, 3]})).tensors
    assert (tensor.shape, len(tensor.parts)) == ((4, 3), 2)


def test_parts_have_the_tensors_dtype_and_name_unless_they_say_one():
    (tensor,) = parse(
        stack({"shape": [1, 3], "constant": 0}, {"name": "q", "shape": [3, 3]}, dtype="float16")
    ).tensors
    assert [(part.name, part.dtype) for part in tensor.parts] == [("stack", "float16"), ("q", "float16")]


def test_a_cut_of_what_is_drawn_is_a_part():
    (tensor,) = parse(stack({"shape": [4, 3], "slice": "1:4"}, {"shape": [1, 3], "constant": 0})).tensors
    assert [part.shape for part in tensor.parts] == [(3, 3), (1, 3)]
    assert tensor.parts[0].slice_text == "1:4"


@pytest.mark.parametrize(
    ("tensors", "fields", "message"),
    [
        ([], {}, "tensors must be 1 to 5, each part counting as one; received 0"),
        ([DENSE] * 6, {}, "tensors must be 1 to 5, each part counting as one; received 6"),
        ([DENSE], {"seed": None}, "seed must be an integer; received null"),
        ([DENSE], {"seed": True}, "seed must be an integer; received true"),
        ([DENSE], {"seed": -1}, "seed must be at least 0; received -1"),
        ([DENSE], {"stream": 2}, "stream must be 1, the version that this service supports; received 2"),
        ([DENSE], {"tensor": []}, "tensor is not a field of a model; received []. Did you mean tensors?"),
        ([DENSE], {"defaults": 3}, "defaults must be an object; received 3"),
        (
            [DENSE],
            {"defaults": {"seed": 3}},
            "defaults.seed must not be in defaults: set seed in the model",
        ),
        (
            [DENSE],
            {"defaults": {"dtype": "int8"}},
            "defaults.dtype must be one of 'float32', 'float64', 'float16' or 'bfloat16'",
        ),
        ([3], {}, "tensors[0] must be an object; received 3"),
        ([{"shape": [2, 2]}], {}, "tensors[0].name is required for each tensor; received nothing"),
        ([{"name": "", "shape": [2, 2]}], {}, 'tensors[0].name is required for each tensor; received ""'),
        ([{"name": 3, "shape": [2, 2]}], {}, "tensors[0].name must be text; received 3"),
        ([DENSE, DENSE], {}, 'tensors["fc1/kernel"].name must be unique; received "fc1/kernel"'),
        ([{"name": "a"}], {}, 'tensors["a"].shape is required; received nothing'),
        ([{**DENSE, "seed": 3}], {}, "seed must be set on the model, not on a tensor; received 3"),
        ([{**DENSE, "slice": "0:1"}], {}, 'slice is allowed only in the parts of a tensor; received "0:1"'),
        ([{**DENSE, "shape": [2**10, 2**10]}], {}, "elements in total"),
        ([{**DENSE, "shape": [1] * 5}], {}, 'tensors["fc1/kernel"].shape must have at most 4 axes'),
        (
            [{"name": name, "shape": [1000, 600]} for name in "ab"],
            {},
            "tensors must have at most 1000000 elements in total; received 1200000",
        ),
        (
            [{"name": "a", "shape": [3], "constant": float("nan")}],
            {},
            "must be a finite number; received NaN",
        ),
        ([{"name": "a", "shape": [3], "constant": True}], {}, "must be a finite number; received true"),
        (
            [{"name": "a", "shape": [3], "constant": -7e4, "dtype": "float16"}],
            {},
            "constant must have a magnitude of at most 65504, the largest float16; received -70000.0",
        ),
        (
            [{"name": "a", "shape": [3], "constant": 1, "activation": "relu"}],
            {},
            'activation is not a field of a constant tensor; received "relu"',
        ),
        ([stack()], {}, "parts must have at least 1 part; received []"),
        ([{"name": "a", "shape": [0, 3], "parts": []}], {}, "parts must have at least 1 part; received []"),
        ([{"name": "a", "shape": []}], {}, "shape must have at least 1 axis; received []"),
        ([{"name": "a", "shape": [0, 3]}], {}, "shape[0] must be at least 1; received 0"),
        ([{"name": "a", "shape": [3], "dtype": "int8"}], {}, "dtype must be one of 'float32', 'float64'"),
        ([{"name": "a", "shape": [-1], "constant": 0}], {}, "shape[0] must be at least 0; received -1"),
        (
            [{"name": "a", "shape": [1], "constant": 0, "dtype": "complex64"}],
            {},
            "dtype must be one of 'float32', 'float64', 'float16', 'bfloat16', 'int64'",
        ),
        (
            [stack({"shape": [], "constant": 0}, shape=())],
            {},
            "shape must have an axis to stack the parts along",
        ),
        (
            [stack({"shape": [], "constant": 0})],
            {},
            "parts[0].shape must match the tensor on all axes but 0: [3]",
        ),
        ([stack({"shape": [4, 3]}, dtype="int8")], {}, "parts[0].dtype must be one of 'float32'"),
        ([stack({"shape": [5, 3]})], {}, "parts must have 4 rows in total; received 5"),
        ([stack(3)], {}, 'tensors["stack"].parts[0] must be an object; received 3'),
        (
            [stack({"shape": [4, 2]})],
            {},
            "parts[0].shape must match the tensor on all axes but 0: [3]; received [4, 2]",
        ),
        (
            [stack({"shape": [4, 3], "dtype": "float16"})],
            {},
            "parts[0].dtype must be set on the tensor, not on a part",
        ),
        ([stack({"shape": [4, 3], "slice": ":,0:1"})], {}, "parts[0].slice must slice the first axis only"),
        (
            [stack({"shape": [4, 3], "slice": 1})],
            {},
            "parts[0].slice must be text, such as 0:128; received 1",
        ),
        ([stack({"shape": [4, 3], "slice": "1:9"})], {}, "parts[0].slice[0] must stay within the axis, 0:4"),
        (
            [stack({"shape": [4, 3], "constant": 1, "slice": "0:1"})],
            {},
            "slice is not a field of a constant tensor",
        ),
        ([stack({"shape": [4, 3], "parts": []})], {}, "parts[0].parts is not a field of a layer spec"),
        (
            [{**DENSE, "fan_in": 2**53, "fan_out": 1}],
            {},
            "fan_in must be at most 9007199254740991 in a model",
        ),
    ],
)
def test_a_broken_rule_is_reported_with_the_tensor_and_the_value(tensors, fields, message):
    assert message in find_error(*tensors, **fields)


@pytest.mark.parametrize(
    "name",
    ["a\nb", "a\x00", "a\x85", "a\u2028b", "..", "a/../b", "a..b", "/a", "a/", "a//b", "./a", "__metadata__"],
)
def test_a_name_that_cannot_stand_in_a_path_or_file_is_refused(name):
    assert find_error({"name": name, "shape": [2, 2]}).startswith('tensors["')


def test_a_lone_surrogate_in_a_name_is_refused():
    assert "without lone surrogates" in find_error({"name": "a\ud800", "shape": [2, 2]})


def test_one_bad_tensor_among_a_thousand_is_named():
    tensors = [{"name": f"layer.{number}.weight", "shape": [4, 4]} for number in range(1000)]
    tensors[777]["activation"] = "rellu"
    limits = LIMITS._replace(tensors=1000)
    with pytest.raises(SpecError) as caught:
        parse_model({"seed": 1, "tensors": tensors}, 1, limits)
    (error,) = caught.value.errors
    assert error.field == 'tensors["layer.777.weight"].activation'
    assert "relu" in error.suggestions


def test_of_many_bad_tensors_the_first_few_are_reported():
    tensors = [{"name": str(number)} for number in range(1000)]
    with pytest.raises(SpecError) as caught:
        parse_model({"seed": 1, "tensors": tensors}, 1, LIMITS._replace(tensors=1000))
    assert [error.field for error in caught.value.errors] == [
        f'tensors["{number}"].shape' for number in range(16)
    ]


def test_each_part_counts_as_a_tensor():
    parts = [{"shape": [1, 3], "constant": 0}] * 6
    message = find_error(stack(*parts, shape=(6, 3)))
    assert message == "tensors must be 1 to 5, each part counting as one; received 6"
