import hashlib
import json

import pytest

from service.core.models import Limits, parse_model

LIMITS = Limits(tensors=100, elements=2**48, rank=8)
TENSORS = [
    {"name": "fc1/kernel", "shape": [784, 300], "activation": "relu"},
    {"name": "fc1/bias", "shape": [300], "constant": 0},
    {
        "name": "scaled",
        "shape": [4, 4],
        "scheme": "variance_scaling",
        "scale": 4e-4,
        "fan_in": 1,
        "fan_out": 1,
    },
    {
        "name": "table",
        "shape": [100, 8],
        "dtype": "bfloat16",
        "parts": [
            {"shape": [1, 8], "constant": 0.5},
            {"shape": [100, 8], "slice": "1:99", "scheme": "lecun"},
            {"shape": [1, 8], "name": "last"},
        ],
    },
]


def parse(*tensors, seed=42, **fields):
    return parse_model({"seed": seed, "tensors": list(tensors), **fields}, 1, LIMITS)


def test_the_canonical_form_is_written_so_for_ever():
    model = parse(*TENSORS)
    # Written by hand from RFC 8785: names sorted, no spaces, numbers as ECMAScript writes them.
    assert model.canonical.decode() == (
        '{"seed":"42","stream":1,"tensors":['
        '{"constant":0,"name":"fc1/bias","shape":[300]},'
        '{"activation":"relu","layout":"IO","name":"fc1/kernel","shape":[784,300]},'
        '{"fan_in":1,"fan_out":1,"layout":"IO","name":"scaled","scale":0.0004,"scheme":"variance_scaling",'
        '"shape":[4,4]},'
        '{"dtype":"bfloat16","name":"table","parts":[{"constant":0.5,"shape":[1,8]},'
        '{"layout":"IO","scheme":"lecun","shape":[100,8],"slice":"1:99"},'
        '{"layout":"IO","name":"last","shape":[1,8]}],"shape":[100,8]}]}'
    )


def test_scalars_integers_and_tensors_without_elements_are_written_so_for_ever():
    model = parse(
        {"name": "bn.num_batches_tracked", "shape": [], "dtype": "int64", "constant": 0},
        {"name": "empty", "shape": [0, 3], "constant": 0},
        {"name": "mask", "shape": [2], "dtype": "bool", "constant": 1},
        {"name": "scale", "shape": [], "constant": 2.5},
    )
    assert model.canonical.decode() == (
        '{"seed":"42","stream":1,"tensors":['
        '{"constant":0,"dtype":"int64","name":"bn.num_batches_tracked","shape":[]},'
        '{"constant":0,"name":"empty","shape":[0,3]},'
        '{"constant":1,"dtype":"bool","name":"mask","shape":[2]},'
        '{"constant":2.5,"name":"scale","shape":[]}]}'
    )


@pytest.mark.parametrize(
    ("fields", "written"),
    [
        ({"stddev": 0.02}, '"scheme":"explicit","shape":[300],"stddev":0.02'),
        ({"parent_stddev": 1}, '"parent_stddev":1,"scheme":"explicit","shape":[300]'),
        ({"limit": 1e-7}, '"limit":1e-7,"name":"a","scheme":"explicit","shape":[300]'),
    ],
)
def test_a_given_spread_is_written_with_the_scheme_that_it_implies(fields, written):
    canonical = parse({"name": "a", "shape": [300], **fields}).canonical
    assert written in canonical.decode()
    assert parse_model(json.loads(canonical), 1, LIMITS).canonical == canonical


def test_the_id_is_the_sha_256_of_the_canonical_form():
    model = parse(*TENSORS)
    assert model.id == hashlib.sha256(model.canonical).hexdigest()


def test_the_canonical_form_comes_to_itself():
    model = parse(*TENSORS)
    assert parse_model(json.loads(model.canonical), 1, LIMITS).canonical == model.canonical


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (parse(*TENSORS), parse(*reversed(TENSORS))),
        (parse(*TENSORS), parse(*TENSORS, seed="42")),
        (parse(*TENSORS), parse(*TENSORS, stream=1)),
        (
            parse({"name": "a", "shape": [3, 4], "activation": "ReLU", "layout": "keras"}),
            parse({"name": "a", "shape": [3, 4], "activation": "relu", "layout": "IO"}),
        ),
        (
            parse({"name": "a", "shape": [3, 4], "scheme": "kaiming_uniform"}),
            parse({"name": "a", "shape": [3, 4], "scheme": "kaiming_uniform_"}),
        ),
        (
            parse({"name": "a", "shape": [3, 4], "dtype": "float16"}),
            parse({"name": "a", "shape": [3, 4]}, defaults={"dtype": "float16"}),
        ),
        (
            parse({"name": "a", "shape": [3, 4], "groups": 1, "mode": None}),
            parse({"name": "a", "shape": [3, 4]}),
        ),
        (
            parse({"name": "a", "shape": [3, 4], "stddev": 0.02}),
            parse({"name": "a", "shape": [3, 4], "stddev": 0.02, "scheme": "explicit", "limit": None}),
        ),
        (
            parse({"name": "a", "shape": [3, 4], "stddev": 0.02}),
            parse({"name": "a", "shape": [3, 4], "stddev": 0.02}, defaults={"scheme": "he"}),
        ),
        (
            parse({"name": "a", "shape": [3, 4], "scheme": "he"}),
            parse({"name": "a", "shape": [3, 4], "scheme": "he"}, defaults={"stddev": 0.02}),
        ),
        (
            parse({"name": "a", "shape": [3, 4]}),
            parse({"name": "a", "shape": [3, 4], "parts": [{"shape": [3, 4]}]}),
        ),
        (
            parse({"name": "a", "shape": [3], "constant": 1}),
            parse({"name": "a", "shape": [3], "constant": 1.0}),
        ),
    ],
)
def test_what_differs_in_spelling_alone_has_one_id(one, other):
    assert one.id == other.id


@pytest.mark.parametrize(
    "other",
    [
        parse(*TENSORS, seed=43),
        parse(*TENSORS[1:]),
        parse({**TENSORS[0], "name": "fc2/kernel"}, *TENSORS[1:]),
        parse({**TENSORS[0], "shape": [300, 784]}, *TENSORS[1:]),
        parse({**TENSORS[0], "activation": "tanh"}, *TENSORS[1:]),
        parse({**TENSORS[0], "dtype": "float16"}, *TENSORS[1:]),
    ],
)
def test_what_starts_otherwise_has_another_id(other):
    assert other.id != parse(*TENSORS).id


def test_a_model_counts_its_elements_and_bytes():
    model = parse(*TENSORS)
    assert model.elements == 784 * 300 + 300 + 16 + 800
    assert model.nbytes == 4 * (784 * 300 + 300 + 16) + 2 * 800
