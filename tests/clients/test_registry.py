"""Models are published, named, found and retired, in a real service."""

import asyncio
import hashlib
import uuid

import httpx
import numpy as np
import pytest
from safetensors.numpy import load_file
from weightinit import (
    AsyncClient,
    ConfigurationError,
    Model,
    NameEntry,
    NameTaken,
    NotFound,
    Part,
    Retired,
    Spec,
    SpecRejected,
    TensorSpec,
)

MODEL = Model(
    42,
    (
        TensorSpec.of("fc1", Part.of(Spec((784, 300), activation="ReLU", name="fc1"))),
        TensorSpec.of("bias", Part.constant(300, 0.5)),
        TensorSpec.of("stack", Part.constant((1, 8), 0), Part.of(Spec((100, 8), name="emb"), "1:100")),
    ),
)


@pytest.fixture
def name():
    """A name that nobody has given yet."""
    return f"test/{uuid.uuid4().hex}/1"


@pytest.fixture(autouse=True)
def author(monkeypatch):
    monkeypatch.setenv("WEIGHTINIT_AUTHOR", "Ada")


def seed_anew():
    """Make a model that nobody has published yet."""
    return Model(uuid.uuid4().int >> 64, MODEL.tensors)


# --- publish --------------------------------------------------------------------------------------


def test_a_model_is_published_once(client):
    model = seed_anew()
    first, second = (client.publish(model) for _ in range(2))
    assert (first.is_new, second.is_new) == (True, False)
    assert first.id == second.id
    assert (first.tensors, first.elements, first.nbytes) == (3, model.elements, model.nbytes)
    assert first.name is None


def test_a_model_and_what_it_posts_are_the_same(client):
    assert client.publish(MODEL).id == client.publish(MODEL.to_json()).id


def test_what_is_posted_as_it_is_may_be_a_mapping_of_any_spelling(client):
    said = {"seed": 1, "defaults": {"scheme": "kaiming"}, "tensors": [{"name": "a", "shape": [4, 2]}]}
    other = {"seed": "1", "tensors": [{"name": "a", "shape": [4, 2], "layout": "IO", "scheme": "he"}]}
    assert client.publish(said).id == client.publish(other).id


def test_a_name_stands_for_what_was_published(client, name):
    published = client.publish(MODEL, name=name, author="Grace", note="the first")
    entry = client.resolve(name)
    assert (published.name, entry.name, entry.model) == (name, name, published.id)
    assert (entry.author, entry.note, entry.retired) == ("Grace", "the first", None)


def test_publishing_again_under_a_name_changes_nothing(client, name):
    client.publish(MODEL, name=name)
    assert not client.publish(MODEL, name=name, note="other").is_new
    assert client.resolve(name).note == ""


def test_a_known_model_under_a_new_name_is_new(client, name):
    client.publish(MODEL)
    assert client.publish(MODEL, name=name).is_new


def test_a_taken_name_has_the_id_of_its_model(client, name):
    first = client.publish(MODEL, name=name)
    with pytest.raises(NameTaken) as raised:
        client.publish(seed_anew(), name=name)
    assert (raised.value.status, raised.value.model) == (409, first.id)
    assert first.id in str(raised.value)


def test_the_author_is_that_of_the_environment(client, name):
    client.publish(MODEL, name=name)
    assert client.resolve(name).author == "Ada"


def test_the_author_is_who_is_logged_in_otherwise(client, name, monkeypatch):
    monkeypatch.delenv("WEIGHTINIT_AUTHOR")
    monkeypatch.setenv("LOGNAME", "grace")
    client.publish(MODEL, name=name)
    assert client.resolve(name).author == "grace"


def test_where_nobody_is_logged_in_the_author_has_to_be_said(client, name, monkeypatch):
    def nobody():
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.delenv("WEIGHTINIT_AUTHOR")
    monkeypatch.setattr("getpass.getuser", nobody)
    with pytest.raises(ConfigurationError, match="set author= or WEIGHTINIT_AUTHOR"):
        client.publish(MODEL, name=name)


def test_what_is_no_name_is_refused_before_anything_is_published(client):
    model = seed_anew()
    with pytest.raises(SpecRejected, match="must be team/name/version"):
        client.publish(model, name="resnet50")
    assert client.publish(model).is_new


def test_a_bad_spec_names_its_tensor(client):
    tensors = [{"name": f"layer{number}", "shape": [2, 2]} for number in range(1000)]
    tensors[617]["activation"] = "rulu"
    with pytest.raises(SpecRejected) as raised:
        client.publish({"seed": 1, "tensors": tensors})
    (error,) = raised.value.errors
    assert error.field == 'tensors["layer617"].activation'
    assert "Did you mean relu" in str(raised.value)


# --- model, decided -------------------------------------------------------------------------------


def test_a_model_is_what_was_published(client, name):
    client.publish(MODEL, name=name)
    model = client.model(name)
    assert (model.seed, sorted(model.by_name)) == (42, ["bias", "fc1", "stack"])
    assert model.by_name["fc1"].parts[0].spec == Spec(
        (784, 300), "IO", activation="relu", seed=42, name="fc1"
    )
    assert client.publish(model).id == client.resolve(name).model


def test_a_models_id_is_its_sha_256(client, service_url):
    published = client.publish(MODEL)
    text = httpx.get(f"{service_url}/v1/models/{published.id}").content
    assert hashlib.sha256(text).hexdigest() == published.id


def test_every_part_can_be_fetched_by_itself(client, tmp_path):
    published = client.publish(MODEL)
    client.pull(published.id, tmp_path / "m.safetensors")
    arrays = load_file(tmp_path / "m.safetensors")
    for tensor in client.model(published.id).tensors:
        rows = [
            client.weights(part.spec, slice=part.rows) if part.spec else np.full(part.shape, part.value, "f4")
            for part in tensor.parts
        ]
        assert np.concatenate(rows).tobytes() == arrays[tensor.name].tobytes()
        assert arrays[tensor.name].shape == tensor.shape


def test_an_unknown_model_is_not_found(client):
    with pytest.raises(NotFound):
        client.model("0" * 64)


def test_an_unknown_name_is_not_found(client, name):
    with pytest.raises(NotFound, match=name):
        client.model(name)


def test_what_is_decided_is_what_parameters_say(client):
    published = client.publish(MODEL)
    decided = {tensor.name: tensor for tensor in client.model_parameters(published.id)}
    (part,) = decided["fc1"].parts
    assert part.parameters == client.parameters((784, 300), activation="relu")
    assert (part.name, part.slice, part.constant) == ("fc1", None, None)
    (constant,) = decided["bias"].parts
    assert (constant.constant, constant.parameters) == (0.5, None)
    assert [(part.name, part.shape, part.slice) for part in decided["stack"].parts] == [
        ("stack", (1, 8), None),
        ("emb", (99, 8), "1:100"),
    ]


def test_what_is_decided_needs_no_publication(client):
    model = seed_anew()
    at_hand = client.model_parameters(model)
    assert client.publish(model).is_new
    assert sorted(at_hand, key=lambda tensor: tensor.name) == list(
        client.model_parameters(client.publish(model).id)
    )


def test_a_bad_spec_of_a_model_at_hand_names_its_tensor(client):
    model = Model(1, (TensorSpec.of("a", Part.of(Spec((2, 2), activation="rulu", name="a"))),))
    with pytest.raises(SpecRejected, match=r'tensors\["a"\]\.activation must name'):
        client.model_parameters(model)


# --- names ----------------------------------------------------------------------------------------


def test_names_are_listed_over_many_pages(client):
    team = f"t{uuid.uuid4().hex}"
    names = [f"{team}/model/{number:03}" for number in range(205)]
    for name in names:
        client.publish(MODEL, name=name)
    assert [entry.name for entry in client.names(f"{team}/")] == names
    assert [entry.name for entry in client.names(f"{team}/model/20")] == names[200:]
    assert list(client.names(f"{team}/other")) == []


def test_a_retired_name_is_told_with_its_model(client, name):
    published = client.publish(MODEL, name=name)
    entry = client.retire(name, note="superseded by 2")
    assert (entry.model, entry.retired.author, entry.retired.note) == (published.id, "Ada", "superseded by 2")
    with pytest.raises(Retired, match="superseded by 2") as raised:
        client.model(name)
    assert (raised.value.status, raised.value.model) == (410, published.id)
    assert client.model(published.id).seed == 42


def test_a_retired_name_is_listed(client, name):
    client.publish(MODEL, name=name)
    client.retire(name, note="old")
    (entry,) = client.names(name)
    assert isinstance(entry, NameEntry)
    assert entry.retired.note == "old"


def test_retiring_again_changes_nothing(client, name):
    client.publish(MODEL, name=name)
    assert client.retire(name, note="old") == client.retire(name, note="other", author="Grace")


def test_a_retired_name_is_never_given_again(client, name):
    published = client.publish(MODEL, name=name)
    client.retire(name, note="old")
    with pytest.raises(NameTaken, match="retired") as raised:
        client.publish(MODEL, name=name)
    assert raised.value.model == published.id


def test_a_name_that_nobody_gave_cannot_be_retired(client, name):
    with pytest.raises(NotFound):
        client.retire(name, note="old")


# --- awaited --------------------------------------------------------------------------------------


def test_each_verb_can_be_awaited(service_url, name, tmp_path):
    async def run():
        async with AsyncClient(service_url) as client:
            published = await client.publish(MODEL, name=name)
            assert (await client.resolve(name)).model == published.id
            assert (await client.model(name)).seed == 42
            assert len(await client.model_parameters(name)) == 3
            assert await client.pull(name, tmp_path / "m.safetensors")
            assert [entry.name async for entry in client.names(name)] == [name]
            assert (await client.retire(name, note="old")).retired.note == "old"

    asyncio.run(run())
