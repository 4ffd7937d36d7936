"""What is decided is asked for once for all that is alike, and by name where it cannot be."""

import pytest
from weightinit import ConnectionFailed, Model, Parameters, Spec, SpecRejected
from weightinit.models.resolution import Resolver, resolve_tensors


@pytest.fixture
def asked():
    """The specs that were asked for."""
    return []


@pytest.fixture
def resolver(client, asked):
    """A decider of the real service, that keeps what it asks for."""

    def ask(spec):
        asked.append(spec)
        return client.parameters(spec)

    return Resolver(ask)


def test_what_differs_in_seed_and_name_alone_is_asked_for_once(resolver, asked):
    specs = [Spec((4, 3), seed=seed, name=name) for seed, name in ((1, "a"), (2, "a"), (1, "b"))]
    found = [resolver.resolve(spec, spec.name) for spec in specs]
    assert asked == [Spec((4, 3))]
    assert found[0] == found[1] == found[2]


def test_what_differs_otherwise_is_asked_for_each(resolver, asked):
    specs = [Spec((4, 3)), Spec((3, 4)), Spec((4, 3), dtype="float16"), Spec((4, 3), scheme="he")]
    assert [resolver.resolve(spec, "a").shape for spec in specs] == [(4, 3), (3, 4), (4, 3), (4, 3)]
    assert asked == specs


def test_what_goes_wrong_has_a_note_of_what_it_was_asked_for(resolver):
    with pytest.raises(SpecRejected) as caught:
        resolver.resolve(Spec((4, 3), activation="relo"), "fc/kernel")
    assert caught.value.__notes__ == ["This was requested for fc/kernel."]


def test_what_went_wrong_is_asked_for_again(client):
    answers = [ConnectionFailed("gone"), client.parameters((4, 3))]

    def ask(_spec):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    resolver = Resolver(ask)
    with pytest.raises(ConnectionFailed):
        resolver.resolve(Spec((4, 3)), "a")
    assert isinstance(resolver.resolve(Spec((4, 3)), "a"), Parameters)


def test_the_parts_of_a_model_are_asked_for_once_too(resolver, asked):
    parts = [{"name": f"qkv.{part}", "shape": [4, 4]} for part in "qkv"]
    tensors = [{"name": "qkv", "shape": [12, 4], "parts": parts}, {"name": "out", "shape": [4, 4]}]
    decided = resolve_tensors(Model.from_json({"seed": 42, "tensors": tensors}), resolver)
    assert asked == [Spec((4, 4))]
    assert [[part.name for part in tensor.parts] for tensor in decided] == [
        ["qkv.q", "qkv.k", "qkv.v"],
        ["out"],
    ]


def test_a_tensor_that_is_refused_is_named(resolver):
    tensors = [{"name": "fc", "shape": [4, 4], "activation": "relo"}]
    with pytest.raises(SpecRejected, match=r'^tensors\["fc"\]\.activation must name'):
        resolve_tensors(Model.from_json({"seed": 42, "tensors": tensors}), resolver)
