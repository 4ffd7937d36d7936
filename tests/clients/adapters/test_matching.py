"""Tensors of a framework are matched with those of a published model; mismatches are errors."""

import pytest
from weightinit import Model, Part, Spec, TensorSpec
from weightinit.adapters.matching import Target, find_letters, match_model
from weightinit.adapters.published import PublishedModel
from weightinit.adapters.rules import ModelRejected, Patterns


@pytest.fixture
def fit(client):
    """Fit a model of some tensors into what is wanted."""

    def fit_it(*tensors, want, strict=True, rename=str):
        model = Model(42, tensors)
        published = PublishedModel.of("vision/net/1", "0" * 64, model, client.model_parameters(model))
        targets = {one.names[0]: one for one in want}
        return list(match_model(published, targets, rename, strict=strict).values())

    return fit_it


def stack(name, **rows):
    """Make a tensor of parts, each so many rows of four inputs."""
    return TensorSpec.of(
        name, *[Part.of(Spec((count, 4), layout="OI", name=f"{name}.{part}")) for part, count in rows.items()]
    )


KERNEL = TensorSpec.of("fc", Part.of(Spec((6, 4), layout="OI", name="fc", activation="relu")))
ZERO = TensorSpec.of("bias", Part.constant(6, 0))


def describe(segments):
    return [(segment.name, segment.axis, segment.rows, segment.first) for segment in segments]


def test_what_fits_as_it_is_is_asked_for_as_it_is_published(fit):
    ((segment,),) = fit(KERNEL, want=[Target(("fc",), (6, 4), "OI")])
    assert segment.spec == Spec((6, 4), layout="OI", name="fc", activation="relu", seed=42)


def test_what_is_found_has_the_keys_of_what_is_wanted(client):
    model = Model(42, (KERNEL, ZERO))
    published = PublishedModel.of("vision/net/1", "0" * 64, model, client.model_parameters(model))
    targets = {"second": Target(("bias",), (6,)), "first": Target(("fc",), (6, 4))}
    found = match_model(published, targets, str, strict=True)
    assert {key: segments[0].name for key, segments in found.items()} == {"second": "bias", "first": "fc"}


def test_of_several_names_the_first_that_is_published_counts(fit):
    ((segment,),) = fit(KERNEL, want=[Target(("head", "fc"), (6, 4))])
    assert segment.name == "fc"


def test_a_part_can_be_had_by_its_own_name(fit):
    found = fit(stack("qkv", q=2, k=4), want=[Target(("qkv.q",), (2, 4)), Target(("qkv.k",), (4, 4))])
    assert [describe(segments) for segments in found] == [[("qkv.q", 0, None, 0)], [("qkv.k", 0, None, 0)]]


def test_a_tensor_of_which_a_part_is_not_taken_is_listed(fit):
    with pytest.raises(ModelRejected, match=r"qkv \[6, 4\] is published, but not in the model"):
        fit(stack("qkv", q=2, k=4), want=[Target(("qkv.q",), (2, 4))])


def test_parts_of_one_name_cannot_be_had_by_it(fit):
    rows = [Part.of(Spec((9, 4), name="rows"), cut) for cut in ("0:3", "4:9")]
    with pytest.raises(ModelRejected, match=r"rows \[3, 4\] is not published"):
        fit(TensorSpec.of("table", *rows), want=[Target(("rows",), (3, 4))])


def test_gates_are_taken_in_one_s_own_order(fit):
    targets = Target(("lstm",), (4, 9), "IO", ("c", "a", "b"), axis=1)
    (segments,) = fit(stack("lstm", a=3, b=3, c=3), want=[targets])
    rows = [slice(0, 3), slice(3, 6), slice(6, 9)]
    assert describe(segments) == [(f"lstm.{gate}", 1, cut, 0) for gate, cut in zip("cab", rows, strict=True)]


def test_gates_of_other_names_are_taken_in_their_order(fit):
    targets = Target(("lstm",), (4, 9), "IO", ("i", "f", "o"), axis=1)
    (segments,) = fit(stack("lstm", a=3, b=3, c=3), want=[targets])
    assert [segment.name for segment in segments] == ["lstm.a", "lstm.b", "lstm.c"]


def test_gates_may_be_tensors_of_their_own(fit):
    targets = Target(("lstm",), (6, 4), "OI", ("i", "f"))
    gates = [
        TensorSpec.of(f"lstm.{gate}", Part.of(Spec((4, 3), layout="IO", name=f"lstm.{gate}")))
        for gate in "if"
    ]
    (segments,) = fit(*gates, want=[targets])
    assert [(segment.rows, segment.spec.shape) for segment in segments] == [
        (slice(0, 3), (3, 4)),
        (slice(3, 6), (3, 4)),
    ]


def test_a_gate_in_parts_is_put_at_its_rows(fit):
    targets = Target(("lstm",), (12, 4), "OI", ("i", "f"))
    (segments,) = fit(stack("lstm.i", a=2, b=4), stack("lstm.f", a=6), want=[targets])
    assert [segment.rows for segment in segments] == [slice(0, 2), slice(2, 6), slice(6, 12)]


def test_a_gate_in_parts_of_another_axis_is_refused(fit):
    targets = Target(("lstm",), (4, 12), "IO", ("i", "f"), axis=1)
    parts = [Part.of(Spec((2, 6), name=f"lstm.i.{part}")) for part in "ab"]
    gates = [TensorSpec.of("lstm.i", *parts), TensorSpec.of("lstm.f", Part.of(Spec((4, 6), name="lstm.f")))]
    with pytest.raises(ModelRejected, match="in parts that cross its gates"):
        fit(*gates, want=[targets])


@pytest.mark.parametrize("shape", [(6,), (2, 3), (1, 6)])
def test_one_value_fills_any_axes_of_as_many_elements(fit, shape):
    ((segment,),) = fit(ZERO, want=[Target(("bias",), shape)])
    assert (segment.value, segment.rows) == (0, None)


def test_one_value_of_fewer_elements_is_refused(fit):
    with pytest.raises(ModelRejected, match=r"bias \[7\] is published as \[6\]"):
        fit(ZERO, want=[Target(("bias",), (7,))])


def test_two_values_fill_the_shape_that_is_published(fit):
    gates = TensorSpec.of("bias", Part.constant(2, 0), Part.constant(4, 1))
    (segments,) = fit(gates, want=[Target(("bias",), (6,))])
    assert [(segment.value, segment.rows) for segment in segments] == [(0, slice(0, 2)), (1, slice(2, 6))]
    with pytest.raises(ModelRejected, match=r"bias \[2, 3\] is published as \[6\]"):
        fit(gates, want=[Target(("bias",), (2, 3))])


def test_parts_of_several_layouts_cannot_be_turned(fit):
    mixed = TensorSpec.of(
        "fc", *[Part.of(Spec((4, 4), layout=layout, name=layout)) for layout in ("OI", "IO")]
    )
    with pytest.raises(ModelRejected, match=r"fc \[8, 4\] OI is published as \[8, 4\] IO and OI"):
        fit(mixed, want=[Target(("fc",), (8, 4), "OI")])


def test_of_tensors_without_axes_the_shape_decides(fit):
    with pytest.raises(ModelRejected, match=r"fc \[4, 6\] is published as \[6, 4\]"):
        fit(KERNEL, want=[Target(("fc",), (4, 6))])


def test_all_that_does_not_fit_is_listed(fit):
    targets = [
        Target(("fc",), (5, 4), "OI"),
        Target(("extra",), (2,)),
        Target(("more",), (3,), optional=True),
    ]
    with pytest.raises(ModelRejected) as caught:
        fit(KERNEL, ZERO, want=targets)
    assert str(caught.value) == (
        "vision/net/1 does not fit this model: fc [5, 4] OI is published as [6, 4]; "
        "extra [2] is not published; bias [6] is published, but not in the model. "
        "Map names with rename=, or skip tensors that only one of the two has with strict=False"
    )


def test_unless_strict_what_only_one_has_is_left_alone(fit):
    assert fit(KERNEL, want=[Target(("extra",), (2,))], strict=False) == [[]]


def test_names_are_mapped(fit):
    ((segment,),) = fit(KERNEL, want=[Target(("body.fc",), (6, 4))], rename=lambda name: name[5:])
    assert segment.name == "fc"


def test_a_stream_that_this_client_does_not_ask_for_is_refused():
    with pytest.raises(ModelRejected, match="vision/net/1 is drawn from stream 2, not 1"):
        PublishedModel.of("vision/net/1", "0" * 64, Model(42, (ZERO,), stream=2), ())


@pytest.mark.parametrize(
    ("rules", "known", "letters"),
    [
        ({}, "HWIO", "HWIO"),
        ({}, "HWGO", "HWGO"),
        ({}, "", ""),
        ({"k*": {"layout": "OIHW"}}, "", "OIHW"),
        ({"k*": {"layout": "torch"}}, "HWIO", "OIHW"),
        ({"k*": None}, "HWIO", None),
        ({"other": None}, "HWIO", "HWIO"),
    ],
)
def test_axes_are_those_of_the_rule_or_of_the_kernel(rules, known, letters):
    assert find_letters(Patterns("rules", rules), ["kernel"], known, 4) == letters
