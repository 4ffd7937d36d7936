"""The fitter: what a framework's tensors take from a published model, and what does not fit."""

import pytest
from weightinit import Model, Part, Spec, TensorSpec
from weightinit.adapters.matching import Wanted, find_letters, fit_model
from weightinit.adapters.published import Published
from weightinit.adapters.rules import ModelRejected


@pytest.fixture
def fit(client):
    """Fit a model of some tensors into what is wanted."""

    def fit_it(*tensors, want, strict=True, rename=str):
        model = Model(42, tensors)
        published = Published.of("vision/net/1", "0" * 64, model, client.decided(model))
        wanted = {one.names[0]: one for one in want}
        return list(fit_model(published, wanted, rename, strict=strict).values())

    return fit_it


def stack(name, **rows):
    """Make a tensor of parts, each so many rows of four inputs."""
    return TensorSpec.of(
        name, *[Part.of(Spec((count, 4), layout="OI", name=f"{name}.{part}")) for part, count in rows.items()]
    )


KERNEL = TensorSpec.of("fc", Part.of(Spec((6, 4), layout="OI", name="fc", activation="relu")))
ZERO = TensorSpec.of("bias", Part.constant(6, 0))


def describe(pieces):
    return [(piece.name, piece.axis, piece.rows, piece.first) for piece in pieces]


def test_what_fits_as_it_is_is_asked_for_as_it_is_published(fit):
    ((piece,),) = fit(KERNEL, want=[Wanted(("fc",), (6, 4), "OI")])
    assert piece.spec == Spec((6, 4), layout="OI", name="fc", activation="relu", seed=42)


def test_what_is_found_has_the_keys_of_what_is_wanted(client):
    model = Model(42, (KERNEL, ZERO))
    published = Published.of("vision/net/1", "0" * 64, model, client.decided(model))
    wanted = {"second": Wanted(("bias",), (6,)), "first": Wanted(("fc",), (6, 4))}
    found = fit_model(published, wanted, str, strict=True)
    assert {key: pieces[0].name for key, pieces in found.items()} == {"second": "bias", "first": "fc"}


def test_of_several_names_the_first_that_is_published_counts(fit):
    ((piece,),) = fit(KERNEL, want=[Wanted(("head", "fc"), (6, 4))])
    assert piece.name == "fc"


def test_a_part_can_be_had_by_its_own_name(fit):
    found = fit(stack("qkv", q=2, k=4), want=[Wanted(("qkv.q",), (2, 4)), Wanted(("qkv.k",), (4, 4))])
    assert [describe(pieces) for pieces in found] == [[("qkv.q", 0, None, 0)], [("qkv.k", 0, None, 0)]]


def test_a_tensor_of_which_a_part_is_not_taken_is_listed(fit):
    with pytest.raises(ModelRejected, match=r"qkv \[6, 4\] is only published"):
        fit(stack("qkv", q=2, k=4), want=[Wanted(("qkv.q",), (2, 4))])


def test_parts_of_one_name_cannot_be_had_by_it(fit):
    rows = [Part.of(Spec((9, 4), name="rows"), cut) for cut in ("0:3", "4:9")]
    with pytest.raises(ModelRejected, match=r"rows \[3, 4\] is not published"):
        fit(TensorSpec.of("table", *rows), want=[Wanted(("rows",), (3, 4))])


def test_gates_are_taken_in_one_s_own_order(fit):
    wanted = Wanted(("lstm",), (4, 9), "IO", ("c", "a", "b"), axis=1)
    (pieces,) = fit(stack("lstm", a=3, b=3, c=3), want=[wanted])
    rows = [slice(0, 3), slice(3, 6), slice(6, 9)]
    assert describe(pieces) == [(f"lstm.{gate}", 1, cut, 0) for gate, cut in zip("cab", rows, strict=True)]


def test_gates_of_other_names_are_taken_in_their_order(fit):
    wanted = Wanted(("lstm",), (4, 9), "IO", ("i", "f", "o"), axis=1)
    (pieces,) = fit(stack("lstm", a=3, b=3, c=3), want=[wanted])
    assert [piece.name for piece in pieces] == ["lstm.a", "lstm.b", "lstm.c"]


def test_gates_may_be_tensors_of_their_own(fit):
    wanted = Wanted(("lstm",), (6, 4), "OI", ("i", "f"))
    gates = [
        TensorSpec.of(f"lstm.{gate}", Part.of(Spec((4, 3), layout="IO", name=f"lstm.{gate}")))
        for gate in "if"
    ]
    (pieces,) = fit(*gates, want=[wanted])
    assert [(piece.rows, piece.spec.shape) for piece in pieces] == [
        (slice(0, 3), (3, 4)),
        (slice(3, 6), (3, 4)),
    ]


def test_a_gate_in_parts_is_put_at_its_rows(fit):
    wanted = Wanted(("lstm",), (12, 4), "OI", ("i", "f"))
    (pieces,) = fit(stack("lstm.i", a=2, b=4), stack("lstm.f", a=6), want=[wanted])
    assert [piece.rows for piece in pieces] == [slice(0, 2), slice(2, 6), slice(6, 12)]


def test_a_gate_in_parts_of_another_axis_is_refused(fit):
    wanted = Wanted(("lstm",), (4, 12), "IO", ("i", "f"), axis=1)
    parts = [Part.of(Spec((2, 6), name=f"lstm.i.{part}")) for part in "ab"]
    gates = [TensorSpec.of("lstm.i", *parts), TensorSpec.of("lstm.f", Part.of(Spec((4, 6), name="lstm.f")))]
    with pytest.raises(ModelRejected, match="in parts that lie across its gates"):
        fit(*gates, want=[wanted])


@pytest.mark.parametrize("shape", [(6,), (2, 3), (1, 6)])
def test_one_value_fills_any_axes_of_as_many_elements(fit, shape):
    ((piece,),) = fit(ZERO, want=[Wanted(("bias",), shape)])
    assert (piece.value, piece.rows) == (0, None)


def test_one_value_of_fewer_elements_is_refused(fit):
    with pytest.raises(ModelRejected, match=r"bias \[7\] is published as \[6\]"):
        fit(ZERO, want=[Wanted(("bias",), (7,))])


def test_two_values_fill_the_shape_that_is_published(fit):
    gates = TensorSpec.of("bias", Part.constant(2, 0), Part.constant(4, 1))
    (pieces,) = fit(gates, want=[Wanted(("bias",), (6,))])
    assert [(piece.value, piece.rows) for piece in pieces] == [(0, slice(0, 2)), (1, slice(2, 6))]
    with pytest.raises(ModelRejected, match=r"bias \[2, 3\] is published as \[6\]"):
        fit(gates, want=[Wanted(("bias",), (2, 3))])


def test_parts_of_several_layouts_cannot_be_turned(fit):
    mixed = TensorSpec.of(
        "fc", *[Part.of(Spec((4, 4), layout=layout, name=layout)) for layout in ("OI", "IO")]
    )
    with pytest.raises(ModelRejected, match=r"fc \[8, 4\] OI is published as \[8, 4\] IO and OI"):
        fit(mixed, want=[Wanted(("fc",), (8, 4), "OI")])


def test_of_tensors_without_axes_the_shape_decides(fit):
    with pytest.raises(ModelRejected, match=r"fc \[4, 6\] is published as \[6, 4\]"):
        fit(KERNEL, want=[Wanted(("fc",), (4, 6))])


def test_all_that_does_not_fit_is_listed(fit):
    wanted = [Wanted(("fc",), (5, 4), "OI"), Wanted(("extra",), (2,)), Wanted(("more",), (3,), optional=True)]
    with pytest.raises(ModelRejected) as caught:
        fit(KERNEL, ZERO, want=wanted)
    assert str(caught.value) == (
        "vision/net/1 does not fit this model: fc [5, 4] OI is published as [6, 4]; "
        "extra [2] is not published; bias [6] is only published. Published names are said with name=; "
        "strict=False leaves alone what only one of the two has"
    )


def test_unless_strict_what_only_one_has_is_left_alone(fit):
    assert fit(KERNEL, want=[Wanted(("extra",), (2,))], strict=False) == [[]]


def test_names_are_mapped(fit):
    ((piece,),) = fit(KERNEL, want=[Wanted(("body.fc",), (6, 4))], rename=lambda name: name[5:])
    assert piece.name == "fc"


def test_a_stream_that_this_client_does_not_ask_for_is_refused():
    with pytest.raises(ModelRejected, match="vision/net/1 is drawn from stream 2, not 1"):
        Published.of("vision/net/1", "0" * 64, Model(42, (ZERO,), stream=2), ())


@pytest.mark.parametrize(
    ("rules", "known", "letters"),
    [
        ({}, {}, "HWIO"),
        ({}, {"layout": "HWGO", "groups": 2}, "HWGO"),
        ({}, None, ""),
        ({"k*": {"layout": "OIHW"}}, None, "OIHW"),
        ({"k*": {"layout": "torch"}}, {}, "OIHW"),
        ({"k*": None}, {}, None),
        ({"other": None}, {}, "HWIO"),
    ],
)
def test_axes_are_those_of_the_rule_or_of_the_kernel(rules, known, letters):
    assert find_letters(rules, "kernel", known, 4) == letters
