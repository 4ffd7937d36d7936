"""A model is what it says, in either form, and what cannot be one names the tensor."""

from dataclasses import replace

import numpy as np
import pytest
from weightinit import Model, Part, Spec, SpecRejected, TensorSpec

SAID = {
    "seed": "42",
    "tensors": [
        {"name": "conv1.weight", "shape": [64, 3, 7, 7], "layout": "torch", "activation": "relu"},
        {"name": "bn1.weight", "shape": [64], "constant": 1.0, "dtype": "float16"},
        {
            "name": "attn.in_proj_weight",
            "shape": [384, 128],
            "parts": [
                {"name": "attn.in_proj_weight.q", "shape": [128, 128], "layout": "OI"},
                {"name": "attn.in_proj_weight.kv", "shape": [256, 128], "layout": "OI"},
            ],
        },
        {
            "name": "emb.weight",
            "shape": [100, 8],
            "dtype": "bfloat16",
            "parts": [
                {"shape": [1, 8], "constant": 0.0},
                {"shape": [100, 8], "fan_in": 1, "scheme": "lecun", "slice": "1:100"},
            ],
        },
    ],
}


def say(*tensors, **more):
    return {"seed": 42, "tensors": list(tensors), **more}


@pytest.fixture
def model():
    return Model.from_json(SAID)


def test_a_drawn_tensor_is_one_part_that_has_its_name_and_the_seed(model):
    (part,) = model.by_name["conv1.weight"].parts
    assert part == Part(
        (64, 3, 7, 7),
        Spec((64, 3, 7, 7), layout="torch", activation="relu", seed=42, name="conv1.weight"),
    )


def test_a_constant_is_one_part_without_a_spec(model):
    tensor = model.by_name["bn1.weight"]
    assert (tensor.dtype, tensor.parts) == ("float16", (Part((64,), value=1.0),))


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (3, 0)])
def test_a_constant_may_be_a_scalar_or_have_no_elements(shape):
    said = {"name": "a", "shape": list(shape), "constant": 1.0}
    model = Model.from_json(say(said))
    assert model.by_name["a"] == TensorSpec.of("a", Part.constant(shape, 1))
    assert (model.by_name["a"].shape, model.elements) == (shape, 0 if shape else 1)
    assert model.to_json()["tensors"] == [said]


@pytest.mark.parametrize(
    ("dtype", "value", "nbytes"),
    [("int64", 2**53 - 1, 24), ("uint8", 255, 3), ("int8", -128, 3), ("bool", 1, 3)],
)
def test_a_constant_may_be_an_integer(dtype, value, nbytes):
    said = {"name": "a", "shape": [3], "dtype": dtype, "constant": value}
    model = Model.from_json(say(said))
    assert (model.by_name["a"].dtype, model.nbytes) == (dtype, nbytes)
    assert model.to_json()["tensors"] == [said]


def test_integers_are_stacked_of_parts():
    parts = [{"shape": [1], "constant": 1.0}, {"shape": [2], "constant": 0.0}]
    said = {"name": "a", "shape": [3], "dtype": "int32", "parts": parts}
    assert Model.from_json(say(said)).to_json()["tensors"] == [said]


def test_parts_have_names_of_their_own_or_the_tensors(model):
    names = [[part.spec and part.spec.name for part in tensor.parts] for tensor in model.tensors[2:]]
    assert names == [["attn.in_proj_weight.q", "attn.in_proj_weight.kv"], [None, "emb.weight"]]


def test_a_slice_cuts_rows_of_what_is_drawn(model):
    part = model.by_name["emb.weight"].parts[1]
    assert (part.shape, part.spec.shape, part.rows, part.slice_text) == (
        (99, 8),
        (100, 8),
        slice(1, 100),
        "1:100",
    )


def test_the_dtype_of_a_tensor_is_that_of_its_parts(model):
    assert model.by_name["emb.weight"].parts[1].spec.dtype == "bfloat16"


def test_what_is_written_is_what_was_read(model):
    assert model.to_json() == SAID


def test_elements_and_bytes_are_counted(model):
    assert model.elements == 64 * 3 * 49 + 64 + 384 * 128 + 800
    assert model.nbytes == 4 * (64 * 3 * 49 + 384 * 128) + 2 * (64 + 800)


def test_defaults_are_those_of_all_that_is_drawn():
    drawn, constant = Model.from_json(
        say(
            {"name": "a", "shape": [2, 3], "scheme": "he"},
            {"name": "b", "shape": [2], "constant": 0},
            defaults={"scheme": "lecun", "activation": "relu", "dtype": "float64"},
        )
    ).tensors
    assert drawn.parts[0].spec == Spec(
        (2, 3), scheme="he", activation="relu", dtype="float64", seed=42, name="a"
    )
    assert constant.dtype == "float64"


def test_a_whole_slice_is_no_slice():
    said = {"name": "a", "shape": [4, 2], "parts": [{"shape": [4, 2], "slice": "0:4"}]}
    assert Model.from_json(say(said)).to_json()["tensors"] == [{"name": "a", "shape": [4, 2]}]


def test_a_part_that_is_all_but_has_another_name_stays_a_part():
    said = {"name": "a", "shape": [4, 2], "parts": [{"name": "b", "shape": [4, 2]}]}
    assert Model.from_json(say(said)).to_json()["tensors"] == [said]


@pytest.mark.parametrize("seed", [2**64 - 1, str(2**64 - 1), np.uint64(2**64 - 1)])
def test_a_seed_has_64_bits(seed):
    assert Model.from_json(say(seed=seed)).to_json()["seed"] == "18446744073709551615"


def test_another_seed_is_another_seed_of_every_part(model):
    other = replace(model, seed=43)
    assert {part.spec.seed for tensor in other.tensors for part in tensor.parts if part.spec} == {43}
    assert replace(other, seed=42) == model


def test_models_of_one_meaning_hash_alike(model):
    assert len({model, Model.from_json(model.to_json())}) == 1


def test_numpys_numbers_are_json_numbers():
    spec = Spec((2, 2), groups=np.int64(2), scale=np.float32(0.5), scheme="variance_scaling", name="a")
    (written,) = Model(1, (TensorSpec.of("a", Part.of(spec)),)).to_json()["tensors"]
    assert [(type(written[field]), written[field]) for field in ("groups", "scale")] == [
        (int, 2),
        (float, 0.5),
    ]


BAD = [
    ({}, "seed must be an integer from 0"),
    ({"seed": 1}, "tensors must be a list"),
    ({"seed": 1, "tensor": []}, "tensor is not a field here: did you mean tensors?"),
    ({"seed": -1, "tensors": []}, "seed must be an integer from 0"),
    ({"seed": 2**64, "tensors": []}, "seed must be an integer from 0"),
    ({"seed": True, "tensors": []}, "seed must be an integer from 0"),
    ({"seed": 1.0, "tensors": []}, "seed must be an integer from 0"),
    (say({"shape": [2]}), r"tensors[0] must be an object with a name"),
    (say("a"), r"tensors[0] must be an object with a name"),
    (say({"name": 1, "shape": [2]}), "name must be text"),
    (say(defaults={"shape": [1]}), "defaults.shape is not a field here"),
    (say(defaults=[]), "defaults.entry must be an object"),
]
BAD_TENSORS = [
    ({}, ".shape is required"),
    ({"shape": []}, ".shape must have at least one axis"),
    ({"shape": [2, 0]}, ".shape must have at least one axis, and each at least 1"),
    ({"shape": "x"}, ".shape must be made of integers"),
    ({"shape": [2, 2], "activasion": "relu"}, ".activasion is not a field here: did you mean activation?"),
    ({"shape": [2, 2], "seed": 1}, ".seed is not a field here"),
    ({"shape": [2, 2], "slice": "0:1"}, ".slice is not a field here"),
    ({"shape": [2, 2], "dtype": "int64"}, ".dtype must be one of float32"),
    ({"shape": [], "scheme": "he"}, ".shape must have at least one axis"),
    ({"shape": [0, 2]}, ".shape must have at least one axis, and each at least 1"),
    ({"shape": [-1], "constant": 0}, ".shape must have axes of at least 0"),
    (
        {"shape": [2], "constant": 0.5, "dtype": "int64"},
        ".constant must be an integer from -9007199254740991 to 9007199254740991, for int64; received 0.5",
    ),
    (
        {"shape": [2], "constant": 2**53, "dtype": "uint64"},
        ".constant must be an integer from 0 to 90071992547",
    ),
    ({"shape": [2], "constant": 128, "dtype": "int8"}, ".constant must be an integer from -128 to 127"),
    ({"shape": [2], "constant": 2, "dtype": "bool"}, ".constant must be an integer from 0 to 1, for bool"),
    ({"shape": [2], "constant": 0, "dtype": "complex64"}, ".dtype must be one of float32"),
    ({"shape": [], "parts": [{"shape": [], "constant": 0}] * 2}, ".parts must be at least one, of equal"),
    ({"shape": [2], "constant": True}, ".constant must be a finite number"),
    ({"shape": [2], "constant": float("inf")}, ".constant must be a finite number"),
    ({"shape": [2], "constant": 10**400}, ".constant must be a finite number"),
    ({"shape": [2], "constant": None}, ".constant must be a finite number"),
    ({"shape": [2], "constant": 1, "layout": "O"}, ".layout is not a field here"),
    ({"shape": [2, 2], "parts": []}, ".parts must be at least one"),
    ({"shape": [2, 2], "parts": {}}, ".parts must be a list"),
    ({"shape": [2, 2], "layout": "OI", "parts": []}, ".layout is not a field here"),
    (
        {"shape": [2, 2], "parts": [{"shape": [2, 2]}] * 2},
        ".shape must be that of its parts, stacked: (4, 2)",
    ),
    (
        {"shape": [2, 2], "parts": [{"shape": [1, 2]}, {"shape": [1, 3]}]},
        ".parts must be at least one, of equal",
    ),
    ({"shape": [2, 2], "parts": [3]}, ".parts[0].entry must be an object"),
    (
        {"shape": [2, 2], "parts": [{"shape": [2, 2], "dtype": "float16"}]},
        ".parts[0].dtype is not a field here",
    ),
    (
        {"shape": [2, 2], "parts": [{"shape": [2, 2], "slice": "2:3"}]},
        ".parts[0].slice must be a part of the axis",
    ),
    (
        {"shape": [2, 1], "parts": [{"shape": [2, 2], "slice": ":,0:1"}]},
        ".parts[0].slice must be a range of rows",
    ),
    ({"shape": [2, 2], "parts": [{"shape": [2, 2], "slice": 1}]}, ".parts[0].slice must be text"),
]


@pytest.mark.parametrize(("said", "words"), BAD)
def test_what_is_no_model_is_refused(said, words):
    with pytest.raises(SpecRejected) as raised:
        Model.from_json(said)
    assert str(raised.value).startswith(words)


@pytest.mark.parametrize(("said", "words"), BAD_TENSORS)
def test_what_is_no_tensor_is_refused_by_its_name(said, words):
    with pytest.raises(SpecRejected) as raised:
        Model.from_json(say({"name": "fine", "shape": [2, 2]}, {"name": "a b", **said}))
    assert str(raised.value).startswith(f'tensors["a b"]{words}')


def test_one_bad_tensor_in_a_thousand_is_named():
    tensors = [{"name": f"layer{number}", "shape": [2, 2]} for number in range(1000)]
    tensors[617]["shape"] = [2.5, 2]
    with pytest.raises(SpecRejected) as raised:
        Model.from_json(say(*tensors))
    assert raised.value.errors[0].field == 'tensors["layer617"].shape'


def test_a_name_is_given_once():
    with pytest.raises(SpecRejected, match=r'^tensors\["a"\]\.name must be given once'):
        Model.from_json(say({"name": "a", "shape": [2, 2]}, {"name": "a", "shape": [2], "constant": 0}))


def test_parts_of_another_dtype_than_their_tensor_are_refused():
    with pytest.raises(SpecRejected, match="must have the tensor's dtype, float16"):
        TensorSpec.of("a", Part.of(Spec((2, 2))), dtype="float16")


@pytest.mark.parametrize(
    ("said", "received"), [({}, r"\[\]"), ({"spec": Spec((3,)), "value": 0.0}, r"\['spec', 'value'\]")]
)
def test_a_part_has_one_kind_of_elements(said, received):
    rule = f"^part must have one of a spec, a value and a rule; received {received}"
    with pytest.raises(SpecRejected, match=rule):
        Part((3,), **said)


def test_a_tensor_of_constants_alone_may_have_any_dtype():
    tensor = TensorSpec.of("a", Part.constant((2, 3), 0), Part.constant((1, 3), 1), dtype="bfloat16")
    assert (tensor.shape, tensor.nbytes) == ((3, 3), 18)
