"""Serialization: configurations, saved models and clones."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import weightinit.keras
from weightinit import ConnectionFailed
from weightinit.keras import Initializer, VarianceScaling, placeholders

ALL = [getattr(weightinit.keras, name) for name in weightinit.keras.__all__]
KINDS = [kind for kind in ALL if isinstance(kind, type) and issubclass(kind, Initializer)]
# The arguments without a default.
REQUIRED = {weightinit.keras.Sparse: {"sparsity": 0.5}}


@pytest.mark.parametrize("kind", KINDS)
def test_a_configuration_makes_the_same_again(kind):
    made = kind(seed=2**64 - 1, name="k", fan_in=3, **REQUIRED.get(kind, {}))
    again = kind.from_config(json.loads(json.dumps(made.get_config())))
    assert again.get_config() == made.get_config()
    assert again._spec == made._spec


@pytest.mark.parametrize("kind", KINDS)
def test_keras_gets_it_back_from_what_it_serialized(kind):
    made = kind(seed=42, name="k", layout="OI", **REQUIRED.get(kind, {}))
    again = keras.initializers.get(keras.initializers.serialize(made))
    assert type(again) is kind
    assert again._spec == made._spec


def test_keras_knows_it_by_its_registered_name():
    said = {"class_name": "weightinit>HeNormal", "config": {"seed": 42, "name": "k"}}
    assert isinstance(keras.initializers.get(said), weightinit.keras.HeNormal)


@pytest.mark.parametrize("name", ["GlorotNormal", "HeUniform", "LecunNormal"])
def test_a_configuration_that_an_earlier_release_serialized_loads(name):
    said = {
        "module": "weightinit.keras.named",
        "class_name": name,
        "config": {"seed": 42, "name": "k"},
        "registered_name": f"weightinit>{name}",
    }
    made = keras.saving.deserialize_keras_object(said)
    assert type(made) is getattr(weightinit.keras, name)


def test_variance_scaling_of_an_earlier_release_keeps_its_distribution():
    config = {"scale": 2.0, "mode": "fan_in", "distribution": "untruncated_normal", "seed": 42, "name": "k"}
    said = {
        "module": "weightinit.keras.named",
        "class_name": "VarianceScaling",
        "config": config,
        "registered_name": "weightinit>VarianceScaling",
    }
    made = keras.saving.deserialize_keras_object(said)
    assert made.get_config() == {**config, "distribution": "normal"}


def test_a_configuration_has_what_was_said_and_no_more():
    made = VarianceScaling(0.5, seed=42, name="k", input_axes=[0], output_axes=[1])
    assert made.get_config() == {
        "seed": 42,
        "name": "k",
        "input_axes": [0],
        "output_axes": [1],
        "scale": 0.5,
        "mode": "fan_in",
        "distribution": "uniform",
    }


def test_a_clone_makes_the_same_weights(service):
    made = Initializer(seed=42, name="k", activation="relu")
    clone = keras.initializers.get(keras.initializers.serialize(made))
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(made((3, 4))), keras.ops.convert_to_numpy(clone((3, 4)))
    )


def make_model():
    return keras.Sequential(
        [
            keras.Input((5,)),
            keras.layers.Dense(7, kernel_initializer=Initializer(seed=42, name="h", activation="relu")),
            keras.layers.Dense(3, kernel_initializer=VarianceScaling(2.0, "fan_avg", seed=42, name="o")),
        ]
    )


def get_configs(model):
    return [layer.kernel_initializer.get_config() for layer in model.layers]


def test_a_saved_model_keeps_its_initializers(service, tmp_path):
    model = make_model()
    model.save(tmp_path / "model.keras")
    assert get_configs(keras.saving.load_model(tmp_path / "model.keras")) == get_configs(model)


def test_a_saved_model_keeps_its_weights(service, tmp_path):
    model = make_model()
    model.layers[0].kernel.assign_add(np.ones((5, 7), "float32"))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for ours, theirs in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_cloned_model_starts_as_the_first_did(service):
    model = make_model()
    for ours, theirs in zip(model.get_weights(), keras.models.clone_model(model).get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_model_loads_without_the_service_where_placeholders_are_enough(service, tmp_path, monkeypatch):
    model = make_model()
    model.save(tmp_path / "model.keras")
    monkeypatch.setenv("WEIGHTINIT_URL", "http://127.0.0.1:9")
    weightinit.default_client.cache_clear()
    with placeholders():
        loaded = keras.saving.load_model(tmp_path / "model.keras")
    for ours, theirs in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_placeholder_that_nothing_overwrites_shows():
    with placeholders():
        made = Initializer(seed=42, name="k")((3, 4))
    assert np.isnan(keras.ops.convert_to_numpy(made)).all()


def test_placeholders_end_with_their_block(make_client):
    with placeholders():
        pass
    with pytest.raises(ConnectionFailed):
        Initializer(seed=42, name="k", client=make_client("http://127.0.0.1:9", retries=0))((3, 4))


def test_another_process_loads_the_model_once_it_has_imported_the_adapter(service, tmp_path):
    make_model().save(tmp_path / "model.keras")
    code = (
        "import keras, weightinit.keras\n"
        f"model = keras.saving.load_model({str(tmp_path / 'model.keras')!r})\n"
        "print(type(model.layers[0].kernel_initializer).__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=dict(os.environ), capture_output=True, text=True, check=True
    )
    assert done.stdout == "Initializer\n"
